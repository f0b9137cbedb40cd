//! `completions`: the scripts for shells, and `complete-words`, which these call at each
//! press of the key.
//!
//! The scripts of bash, zsh and fish contain no words themselves. So a package's script
//! fits every release, and groups and machines can be completed. clap's own scripts know
//! only commands and options, and its script for bash completes nothing after a
//! subcommand (clap-rs/clap#6421).

mod known;
mod words;

use clap_complete::Shell;

use self::known::KnownNames;
use crate::{
    cli::{Cli, CompleteWordsArgs, CompletingShell},
    error::Result,
    terminal::output::Output,
};

/// Prints the completion script of `shell`.
pub fn script(shell: Shell, out: Output) -> Result<()> {
    match shell {
        Shell::Bash => out.bytes(include_bytes!("inductiva-aws.bash")),
        Shell::Zsh => out.bytes(include_bytes!("inductiva-aws.zsh")),
        Shell::Fish => out.bytes(include_bytes!("inductiva-aws.fish")),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut shown(), "inductiva-aws", &mut script);
            out.bytes(&script)
        }
    }
}

/// The grammar without hidden commands and options, which clap's scripts would propose.
fn shown() -> clap::Command {
    let grammar = Cli::grammar();
    let inner = grammar
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set());
    clap::Command::new("inductiva-aws")
        .args(grammar.get_arguments())
        .subcommands(inner)
}

/// Prints what the last word can become, one a line, in the shell's form. If that cannot
/// be told it prints nothing, not even an error, as somebody is typing.
pub async fn words(args: &CompleteWordsArgs, out: Output) -> Result<()> {
    let mut typed: Vec<_> = args
        .words
        .iter()
        .map(|word| words::unquoted(word))
        .collect();
    if typed.len() < 2 {
        typed.resize(2, std::ffi::OsString::new());
    }
    let (mut candidates, asked) = words::candidates(&typed, &KnownNames::default());
    if !asked.is_empty() {
        let known = known::look_up(&typed, &asked).await;
        (candidates, _) = words::candidates(&typed, &known);
    }
    let lines: String = candidates
        .iter()
        .filter_map(|candidate| line(args.shell, candidate))
        .collect();
    out.bytes(lines.as_bytes())
}

/// A candidate with its first line of help.
fn line(shell: CompletingShell, candidate: &words::Completion) -> Option<String> {
    let word = candidate.word.to_str()?;
    // A shell would take these for further words or lines.
    if word.chars().any(char::is_control) {
        return None;
    }
    let help = candidate.help.lines().next().unwrap_or_default();
    Some(match shell {
        CompletingShell::Bash => format!("{word}\n"),
        CompletingShell::Fish => format!("{word}\t{help}\n"),
        CompletingShell::Zsh if help.is_empty() => format!("{}\n", word.replace(':', r"\:")),
        CompletingShell::Zsh => format!("{}:{help}\n", word.replace(':', r"\:")),
    })
}
