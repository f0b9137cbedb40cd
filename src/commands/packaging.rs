//! `completions` and `man`: for shells and packagers.

use anyhow::Context as _;
use clap_complete::Shell;

use crate::{cli::Cli, error::Result, terminal::output::Output};

/// Prints the completion script of `shell`.
pub fn completions(shell: Shell, out: Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::grammar(), "inductiva-aws", &mut script);
    out.bytes(&script)
}

/// Prints the manual page: the program's, then each command's.
pub fn man(out: Output) -> Result<()> {
    let mut command = Cli::grammar();
    command.build();
    let mut page = Vec::new();
    let mut render =
        |command: &clap::Command| clap_mangen::Man::new(command.clone()).render(&mut page);
    let mut rendered = render(&command);
    for subcommand in command
        .get_subcommands()
        .filter(|c| !c.is_hide_set() && c.get_name() != "help")
    {
        rendered = rendered.and_then(|()| render(subcommand));
    }
    rendered.context("cannot write the manual page")?;
    out.bytes(&page)
}
