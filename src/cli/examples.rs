//! What people type, for each command: the end of its `--help`, and its manual page.

use std::fmt::Write as _;

use clap::Command;

/// A command line, and what it does.
pub struct Example {
    pub does: &'static str,
    pub line: &'static str,
}

const fn example(does: &'static str, line: &'static str) -> Example {
    Example { does, line }
}

/// One to three examples for each command, found by its words after the program's name;
/// none for a command that does not exist.
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn of(path: &str) -> &'static [Example] {
    const ROOT: &[Example] = &[
        example("See whether everything is there that a launch needs", "inductiva-aws check"),
        example("Launch two machines, which end after 8 hours at the latest", "inductiva-aws start --machine-group-name wind -n 2 --max-lifetime 8h"),
        example("End them, and everything else that was launched, in any region", "inductiva-aws terminate --all --all-regions"),
    ];
    const START: &[Example] = &[
        example("Bring a group to two machines, and wait until they take tasks", "inductiva-aws start --machine-group-name wind -n 2 --wait"),
        example("Spot machines of whichever type has capacity, for 8 hours at most", "inductiva-aws start --vm-type c7i.large,c6i.large --spot --max-lifetime 8h"),
        example("Show what would be launched, and what it would cost", "inductiva-aws start --machine-group-name wind -n 2 --dry-run"),
    ];
    const LIST: &[Example] = &[
        example("Show the machines in every region, forgotten ones too", "inductiva-aws list --all-regions"),
        example("Show one group, again every 10 seconds", "inductiva-aws list wind --watch 10s"),
    ];
    const LOGS: &[Example] = &[
        example("Follow the boot of a group's machines", "inductiva-aws logs wind --follow"),
        example("See why a single machine ended", "inductiva-aws logs i-0123456789abcdef0"),
    ];
    const TERMINATE: &[Example] = &[
        example("End a group, after a question", "inductiva-aws terminate wind"),
        example("End a group and a machine of another in a script", "inductiva-aws terminate wind i-0123456789abcdef0 --yes"),
        example("End everything that was launched, in every region", "inductiva-aws terminate --all --all-regions"),
    ];
    const COST: &[Example] = &[
        example("Show how long a group's machines ran, and what that came to", "inductiva-aws cost wind"),
        example("Show the same of all groups, in every region", "inductiva-aws cost --all-regions"),
    ];
    const TYPES: &[Example] = &[
        example("Show the types that a simulation fits on, with their prices", "inductiva-aws types --min-vcpus 16 --min-memory 64"),
        example("Show those with an NVIDIA GPU in another region", "inductiva-aws types --gpu --region us-east-1"),
    ];
    const IMAGE: &[Example] = &[
        example("Make an image from which machines boot in seconds", "inductiva-aws image build"),
        example("See what images there are, and what they cost", "inductiva-aws image list --all-regions"),
    ];
    const IMAGE_BUILD: &[Example] = &[
        example("Make an image for types without a GPU", "inductiva-aws image build"),
        example("Make one for NVIDIA types", "inductiva-aws image build --gpu"),
    ];
    const IMAGE_LIST: &[Example] = &[
        example("Show the images in every region", "inductiva-aws image list --all-regions"),
    ];
    const IMAGE_REMOVE: &[Example] = &[
        example("Remove an image and its snapshot", "inductiva-aws image remove ami-0123456789abcdef0"),
        example("Remove all, in every region", "inductiva-aws image remove --all --all-regions"),
    ];
    const CHECK: &[Example] = &[
        example("Try everything that a start with these options needs", "inductiva-aws check --vm-type c7i.4xlarge --num-machines 4"),
    ];
    const WHOAMI: &[Example] = &[
        example("Show who a profile signs in as", "inductiva-aws whoami --profile work"),
    ];
    const LOGIN: &[Example] = &[
        example("Sign in with IAM Identity Center, as a profile says", "inductiva-aws login --profile work"),
        example("Sign in as on the AWS console, without access keys", "inductiva-aws login --console"),
    ];
    const LOGOUT: &[Example] = &[
        example("Sign a profile out again", "inductiva-aws logout --profile work"),
    ];
    const CONFIGURE: &[Example] = &[
        example("Store access keys, the region and the Inductiva API key", "inductiva-aws configure"),
        example("Make a profile for IAM Identity Center", "inductiva-aws configure sso --profile work"),
    ];
    const CONFIGURE_SSO: &[Example] = &[
        example("Make a profile, and be asked for what it needs", "inductiva-aws configure sso --profile work"),
        example("Be asked for all but the region of IAM Identity Center", "inductiva-aws configure sso --profile work --sso-region eu-west-1"),
    ];
    const CREDENTIALS: &[Example] = &[
        example("Give credentials to what this shell runs next", r#"eval "$(inductiva-aws credentials --format env)""#),
        example("Give them to boto3 and the AWS CLI: a line for any profile but work itself", "credential_process = inductiva-aws credentials --profile work"),
    ];
    const USER_DATA: &[Example] = &[
        example("See what a machine runs at its first boot", "inductiva-aws user-data | less"),
    ];
    const COMPLETIONS: &[Example] = &[
        example("bash: add this line to ~/.bashrc", r#"eval "$(inductiva-aws completions bash)""#),
        example("zsh: add this line to ~/.zshrc, below compinit", "source <(inductiva-aws completions zsh)"),
        example("fish: add this line to ~/.config/fish/config.fish", "inductiva-aws completions fish | source"),
    ];
    const MAN: &[Example] = &[
        example("Read the page of a command", "inductiva-aws man start | man -l -"),
        example("Write all pages into a folder, for a package", "inductiva-aws man --directory /usr/share/man/man1"),
    ];
    match path {
        "" => ROOT,
        "start" => START,
        "list" => LIST,
        "logs" => LOGS,
        "terminate" => TERMINATE,
        "cost" => COST,
        "types" => TYPES,
        "image" => IMAGE,
        "image build" => IMAGE_BUILD,
        "image list" => IMAGE_LIST,
        "image remove" => IMAGE_REMOVE,
        "check" => CHECK,
        "whoami" => WHOAMI,
        "login" => LOGIN,
        "logout" => LOGOUT,
        "configure" => CONFIGURE,
        "configure sso" => CONFIGURE_SSO,
        "credentials" => CREDENTIALS,
        "user-data" => USER_DATA,
        "completions" => COMPLETIONS,
        "man" => MAN,
        _ => &[],
    }
}

/// The grammar with examples added to each command's help, before what it ends with.
pub fn added(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, path: &str) -> Command {
    let command = command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        below(inner, path.trim_start())
    });
    let mut text = String::new();
    for Example { does, line } in of(path) {
        let heading = if text.is_empty() { "Examples:\n" } else { "\n" };
        let _ = write!(text, "{heading}  {does}:\n    {line}");
    }
    if text.is_empty() {
        return command;
    }
    let more = command.get_after_long_help().map(ToString::to_string);
    let text = [Some(text), more].into_iter().flatten();
    command.after_long_help(text.collect::<Vec<_>>().join("\n\n"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Command;

    use super::{super::Cli, of};

    /// A new command has to bring its examples.
    #[test]
    fn every_command_has_one_to_three_examples_that_it_takes() {
        fn check(command: &Command, path: &str) {
            let examples = of(path);
            assert!(
                (1..=3).contains(&examples.len()),
                "`{path}` has {} examples in src/cli/examples.rs",
                examples.len()
            );
            for example in examples {
                // A terminal of 80 columns does not wrap it.
                let width = example.line.len().max(example.does.len() + 1);
                assert!(width <= 76, "{}: {width} columns", example.line);
                let (_, rest) = example
                    .line
                    .split_once("inductiva-aws")
                    .expect("the program");
                let rest = rest.split(['|', '>', ')']).next().unwrap_or_default();
                let words = shlex::split(rest).expect("words");
                let words: Vec<OsString> = std::iter::once("inductiva-aws".to_owned())
                    .chain(words)
                    .map(OsString::from)
                    .collect();
                if let Err(error) = Cli::of(&words) {
                    panic!("{}\n{error}", example.line);
                }
                assert!(rest.trim_start().starts_with(path), "{path}: {rest}");
            }
            for inner in command.get_subcommands().filter(|c| !c.is_hide_set()) {
                let path = format!("{path} {}", inner.get_name());
                check(inner, path.trim_start());
            }
        }
        check(&Cli::grammar(), "");
    }
}
