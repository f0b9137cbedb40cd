//! The words that can follow what was typed.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    sync::{Arc, Mutex},
};

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};

use super::known::{KnownNames, NameKind};
use crate::cli::Cli;

/// What the last word can become.
#[derive(Debug)]
pub struct Completion {
    pub word: OsString,
    pub help: String,
}

/// What the last of the typed words can become, and which kinds of names that depends on.
/// The program's name is the first word.
pub fn candidates(typed: &[OsString], known: &KnownNames) -> (Vec<Completion>, BTreeSet<NameKind>) {
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let mut grammar = with_names(Cli::grammar(), known, &asked);
    let last = typed.len().saturating_sub(1);
    let found = complete(&mut grammar, typed.to_vec(), last, None).unwrap_or_default();
    let elsewhere = values_behind_an_equals_sign(&grammar, typed);
    let candidates = found
        .into_iter()
        .filter(|candidate| {
            !elsewhere
                .iter()
                .any(|value| candidate.get_value() == value.as_str())
        })
        .map(|candidate| Completion {
            word: candidate.get_value().to_owned(),
            help: candidate
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default(),
        })
        .collect();
    let asked = asked.lock().map(|asked| asked.clone()).unwrap_or_default();
    (candidates, asked)
}

/// The grammar in which each argument that takes a name has the known names.
fn with_names(
    command: Command,
    known: &KnownNames,
    asked: &Arc<Mutex<BTreeSet<NameKind>>>,
) -> Command {
    command
        .mut_args(|arg| {
            let sorts = NameKind::of(&arg);
            if sorts.is_empty() {
                return arg;
            }
            let names: Vec<_> = sorts.iter().flat_map(|sort| known.names(*sort)).collect();
            let asked = Arc::clone(asked);
            arg.add(ArgValueCandidates::new(move || {
                if let Ok(mut asked) = asked.lock() {
                    asked.extend(sorts.iter().copied());
                }
                let names = names.iter();
                names
                    .map(|(name, help)| {
                        CompletionCandidate::new(name).help(Some(help.clone().into()))
                    })
                    .collect()
            }))
        })
        .mut_subcommands(|inner| with_names(inner, known, asked))
}

/// The values of an option that takes them only behind an equals sign, with the option
/// before each. clap's engine proposes the values as words of their own.
fn values_behind_an_equals_sign(grammar: &Command, typed: &[OsString]) -> Vec<String> {
    fn find<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
        let mut args = command.get_arguments();
        let own = args.find(|arg| arg.get_long() == Some(long) && arg.is_require_equals_set());
        let inner = || {
            command
                .get_subcommands()
                .find_map(|inner| find(inner, long))
        };
        own.or_else(inner)
    }
    let before = typed.len().checked_sub(2).and_then(|at| typed.get(at));
    let long = before.and_then(|word| word.to_str()?.strip_prefix("--"));
    let option = long.and_then(|long| find(grammar, long));
    let values = option.map(Arg::get_possible_values).unwrap_or_default();
    values
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect()
}

/// The word without a shell's quotes and backslashes. A quote may still be open.
pub fn unquoted(word: &OsStr) -> OsString {
    let Some(text) = word.to_str() else {
        return word.to_owned();
    };
    let mut plain = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => plain.extend(characters.next()),
            _ => plain.push(c),
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let known = KnownNames {
            profiles: vec!["work".into()],
            machines: super::super::known::examples(),
        };
        let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let (candidates, _) = candidates(&typed, &known);
        let words = candidates.into_iter();
        words
            .map(|candidate| candidate.word.into_string().expect("text"))
            .collect()
    }

    #[test]
    fn names_follow_where_names_are_meant() {
        for (line, expected) in [
            (
                "inductiva-aws start --machine-group-name w",
                vec!["wind tunnel"],
            ),
            ("inductiva-aws terminate w", vec!["wind tunnel"]),
            ("inductiva-aws logs w", vec!["wind tunnel"]),
            ("inductiva-aws cost w", vec!["wind tunnel"]),
            (
                "inductiva-aws terminate tank i-01",
                vec!["i-0123456789abcdef0"],
            ),
            (
                "inductiva-aws terminate --instance-id i-01",
                vec!["i-0123456789abcdef0"],
            ),
            (
                "inductiva-aws terminate --instance-id i-0123456789abcdef0,i-01",
                vec!["i-0123456789abcdef0,i-0123456789abcdef0"],
            ),
            ("inductiva-aws list --profile w", vec!["work"]),
            ("inductiva-aws --profile=w", vec!["--profile=work"]),
            ("inductiva-aws start --region eu-west-2", vec!["eu-west-2"]),
            (
                "inductiva-aws start --wait=r",
                vec!["--wait=registered", "--wait=running"],
            ),
            ("inductiva-aws start --wait r", vec![]),
            ("inductiva-aws sta", vec!["start"]),
            ("inductiva-aws configure s", vec!["sso"]),
            ("inductiva-aws start --num-m", vec!["--num-machines"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    /// Names are looked up only for a word that can be one.
    #[test]
    fn nothing_is_asked_for_what_the_grammar_knows() {
        for (line, expected) in [
            ("inductiva-aws sta", vec![]),
            ("inductiva-aws start --num-m", vec![]),
            ("inductiva-aws start --output j", vec![]),
            (
                "inductiva-aws start --machine-group-name w",
                vec![NameKind::Groups],
            ),
            ("inductiva-aws list --profile w", vec![NameKind::Profiles]),
        ] {
            let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let (_, asked) = candidates(&typed, &KnownNames::default());
            assert_eq!(asked.into_iter().collect::<Vec<_>>(), expected, "{line}");
        }
    }

    #[test]
    fn quotes_are_a_shells_matter() {
        for (word, plain) in [
            ("plain", "plain"),
            (r"wind\ tunnel", "wind tunnel"),
            ("'wind tun", "wind tun"),
            (r#""a \" b""#, r#"a " b"#),
            (r"it\'s", "it's"),
            ("\\", ""),
        ] {
            assert_eq!(unquoted(OsStr::new(word)), OsStr::new(plain));
        }
    }
}
