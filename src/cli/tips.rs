//! Tips for a command line with an error in it: what was probably meant, in this
//! program's words.

use std::ffi::OsString;

use clap::{
    Command,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::values::similar::nearest;

/// What other programs call our commands. Only words that mean an end lead to a command
/// that ends machines.
const COMMANDS: [(&str, &[&str]); 13] = [
    (
        "start",
        &["create", "launch", "run", "up", "new", "add", "deploy"],
    ),
    (
        "list",
        &[
            "ps", "status", "show", "describe", "machines", "groups", "get",
        ],
    ),
    ("logs", &["log", "console", "tail", "output"]),
    (
        "terminate",
        &[
            "stop", "delete", "kill", "rm", "remove", "destroy", "down", "end", "shutdown",
        ],
    ),
    (
        "cost",
        &["costs", "price", "prices", "spend", "spent", "bill"],
    ),
    (
        "types",
        &["type", "instance-types", "machine-types", "vm-types"],
    ),
    ("image", &["images", "ami", "amis", "build"]),
    ("check", &["doctor", "test", "verify", "preflight"]),
    ("whoami", &["who", "id", "identity", "account"]),
    ("login", &["signin", "sign-in", "auth", "sso"]),
    ("logout", &["signout", "sign-out"]),
    ("configure", &["config", "init", "setup", "profile"]),
    ("completions", &["completion", "complete"]),
];

/// What other programs call our options, without leading hyphens.
const OPTIONS: [(&str, &[&str]); 19] = [
    (
        "machine-group-name",
        &["name", "group", "group-name", "machine-group"],
    ),
    (
        "vm-type",
        &["type", "types", "instance", "machine", "flavor", "size"],
    ),
    (
        "num-machines",
        &["machines", "number", "num", "instances", "nodes"],
    ),
    ("image-id", &["ami", "ami-id", "image"]),
    ("volume-size", &["disk", "storage", "disk-gb"]),
    ("subnet-id", &["subnet"]),
    ("security-group-id", &["security-group", "sg"]),
    ("availability-zone", &["zone", "az"]),
    ("key-name", &["key", "key-pair", "ssh-key"]),
    ("instance-profile", &["role", "iam-role"]),
    (
        "max-idle-time",
        &["idle", "idle-time", "idle-timeout", "max-idle"],
    ),
    ("max-lifetime", &["lifetime", "ttl", "max-age"]),
    ("max-cost", &["budget", "max-budget", "cost-limit"]),
    ("wait-for-capacity", &["retry", "wait-capacity"]),
    ("user-data-path", &["user-data", "script"]),
    ("instance-id", &["id", "ids", "instance", "instance-ids"]),
    ("yes", &["force", "f", "assume-yes"]),
    ("all-regions", &["all", "everywhere"]),
    ("output", &["json", "format"]),
];

/// The error with our tips instead of clap's, which compare only letters and so propose
/// `terminate` for `create`. Options that come from the environment are left out of the
/// usage line, as nobody typed them.
pub fn added(error: clap::Error, grammar: &mut Command, typed: &[OsString]) -> clap::Error {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return error.format(grammar);
    }
    grammar.build();
    let path = path_of(grammar, typed);
    let mut error = error.format(at_mut(grammar, &path));
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            error.remove(ContextKind::SuggestedSubcommand);
            let word = text(&error, ContextKind::InvalidSubcommand);
            word.and_then(|word| about_command(&word, at(grammar, &path)))
        }
        ErrorKind::UnknownArgument => {
            error.remove(ContextKind::SuggestedArg);
            let word = text(&error, ContextKind::InvalidArg);
            word.and_then(|word| about_argument(&word, grammar, &path, typed))
        }
        ErrorKind::ArgumentConflict => about_all(&error, &path),
        _ => None,
    };
    // clap's own tips tell how to pass a mistyped option as a value.
    if error.kind() == ErrorKind::UnknownArgument {
        error.remove(ContextKind::Suggested);
    }
    if let Some(tip) = tip {
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
    if error.get(ContextKind::Usage).is_some() {
        let usage = at_mut(grammar, &path).render_usage();
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    error
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// The names of the subcommands that were typed before the error.
fn path_of(grammar: &Command, typed: &[OsString]) -> Vec<String> {
    fn forgiving(command: Command) -> Command {
        command.ignore_errors(true).mut_subcommands(forgiving)
    }
    let forgiving = forgiving(grammar.clone());
    let mut path = Vec::new();
    let Ok(matches) = forgiving.try_get_matches_from(typed) else {
        return path;
    };
    let mut matches = &matches;
    while let Some((name, inner)) = matches.subcommand() {
        path.push(name.to_owned());
        matches = inner;
    }
    path
}

/// The tip for names beside `--all`.
fn about_all(error: &clap::Error, path: &[String]) -> Option<String> {
    let others = match error.get(ContextKind::PriorArg)? {
        ContextValue::String(other) => vec![other.as_str()],
        ContextValue::Strings(others) => others.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let invalid = text(error, ContextKind::InvalidArg)?;
    let is_about_all = invalid == "--all" || others.contains(&"--all");
    let (last, _) = path.split_last().filter(|_| is_about_all)?;
    match last.as_str() {
        "terminate" => Some("--all ends everything: leave the names out".to_owned()),
        "remove" => Some("--all removes every image: leave the ids out".to_owned()),
        _ => None,
    }
}

fn at<'a>(grammar: &'a Command, path: &[String]) -> &'a Command {
    let inner = |command: &'a Command, name: &String| command.find_subcommand(name);
    path.iter().try_fold(grammar, inner).unwrap_or(grammar)
}

fn at_mut<'a>(grammar: &'a mut Command, path: &[String]) -> &'a mut Command {
    let mut command = grammar;
    for name in path {
        if command.find_subcommand(name).is_none() {
            break;
        }
        command = command
            .find_subcommand_mut(name)
            .expect("it has just been found");
    }
    command
}

fn about_command(word: &str, parent: &Command) -> Option<String> {
    let names = || {
        parent
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(Command::get_name)
    };
    let called = COMMANDS.iter().find(|(_, words)| words.contains(&word));
    let called = called.and_then(|(name, _)| names().find(|known| known == name));
    let begins: Vec<&str> = names().filter(|name| name.starts_with(word)).collect();
    let begun = match begins[..] {
        [name] if word.len() > 1 => Some(name),
        _ => None,
    };
    let meant = called.or(begun).or_else(|| nearest(word, names()))?;
    let path = parent.get_bin_name().unwrap_or_else(|| parent.get_name());
    Some(format!("did you mean '{path} {meant}'?"))
}

fn about_argument(
    word: &str,
    grammar: &Command,
    path: &[String],
    typed: &[OsString],
) -> Option<String> {
    let command = at(grammar, path);
    let name = word.trim_start_matches('-').split('=').next()?;
    if !word.starts_with('-') {
        return about_value(word, command, typed);
    }
    let name = name.to_lowercase().replace('_', "-");
    if let Some(option) = option_meant(&name, command) {
        return Some(format!("did you mean '--{option}'?"));
    }
    let is_group = OPTIONS[0].1.contains(&name.as_str()) || name == OPTIONS[0].0;
    let mut positionals = command.get_positionals();
    if is_group && positionals.any(|arg| !arg.is_hide_set()) {
        let path = command.get_bin_name().unwrap_or_default();
        return Some(format!("give the name alone: '{path} NAME'"));
    }
    let others: Vec<String> = grammar
        .get_subcommands()
        .filter(|other| options(other).any(|option| option == name))
        .map(|other| format!("'{}'", other.get_name()))
        .collect();
    (!others.is_empty()).then(|| format!("--{name} is an option of {}", others.join(", ")))
}

/// The tip for a word where only options are expected.
fn about_value(word: &str, command: &Command, typed: &[OsString]) -> Option<String> {
    let place = typed.iter().rposition(|argument| argument == word)?;
    let before = typed.get(place.checked_sub(1)?)?.to_str()?;
    let asks_for_equals = command.get_arguments().find(|arg| {
        let long = arg.get_long().unwrap_or_default();
        arg.is_require_equals_set() && before.strip_prefix("--") == Some(long)
    });
    if let Some(option) = asks_for_equals {
        let values = option.get_possible_values();
        let is_value = values.is_empty() || values.iter().any(|value| value.matches(word, false));
        return is_value.then(|| format!("its value follows an equals sign: '{before}={word}'"));
    }
    let names_a_group = options(command).any(|option| option == OPTIONS[0].0);
    let is_alone = command.get_positionals().next().is_none();
    if names_a_group && !is_alone {
        return Some("one group or machine at a time".to_owned());
    }
    names_a_group.then(|| {
        let word = crate::terminal::quoting::word(word);
        format!("to name the machine group: '--{} {word}'", OPTIONS[0].0)
    })
}

/// The option of this command that was probably meant by a name without leading hyphens.
fn option_meant<'a>(name: &str, command: &'a Command) -> Option<&'a str> {
    let squeezed = |name: &str| name.replace('-', "");
    let has = |wanted: &str| options(command).find(|option| *option == wanted);
    let spelled = options(command).find(|option| squeezed(option) == squeezed(name));
    let called = || {
        let mut entries = OPTIONS.iter().filter(|(_, words)| words.contains(&name));
        entries.find_map(|(option, _)| has(option))
    };
    let begun = || {
        let mut begins = options(command).filter(|option| option.starts_with(name));
        match (begins.next(), begins.next()) {
            (Some(option), None) if name.len() > 1 => Some(option),
            _ => None,
        }
    };
    let nearly_called = || {
        let words = OPTIONS.iter().filter(|(option, _)| has(option).is_some());
        let word = nearest(name, words.flat_map(|(_, words)| words.iter().copied()))?;
        let mut entries = OPTIONS.iter().filter(|(_, words)| words.contains(&word));
        entries.find_map(|(option, _)| has(option))
    };
    spelled
        .or_else(called)
        .or_else(begun)
        .or_else(|| nearest(name, options(command)))
        .or_else(nearly_called)
}

/// The options' names, as the help has them.
fn options(command: &Command) -> impl Iterator<Item = &str> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::Cli;

    fn said(line: &str) -> String {
        let typed: Vec<OsString> = std::iter::once("inductiva-aws")
            .chain(line.split_whitespace())
            .map(OsString::from)
            .collect();
        match Cli::of(&typed) {
            Ok(_) => panic!("{line} was taken"),
            Err(error) => error.render().to_string(),
        }
    }

    #[test]
    fn what_other_programs_have_is_found_by_its_name_here() {
        for (line, tip) in [
            ("strat", "did you mean 'inductiva-aws start'?"),
            ("create", "did you mean 'inductiva-aws start'?"),
            ("launch", "did you mean 'inductiva-aws start'?"),
            ("stop", "did you mean 'inductiva-aws terminate'?"),
            ("delete", "did you mean 'inductiva-aws terminate'?"),
            ("kill", "did you mean 'inductiva-aws terminate'?"),
            ("termniate", "did you mean 'inductiva-aws terminate'?"),
            ("ps", "did you mean 'inductiva-aws list'?"),
            ("cred", "did you mean 'inductiva-aws credentials'?"),
            (
                "configure ssso",
                "did you mean 'inductiva-aws configure sso'?",
            ),
            ("start --name g", "did you mean '--machine-group-name'?"),
            ("start --vmtype t2.micro", "did you mean '--vm-type'?"),
            ("start --VM_Type t2.micro", "did you mean '--vm-type'?"),
            ("start --vm-typ t2.micro", "did you mean '--vm-type'?"),
            ("start --regoin x", "did you mean '--region'?"),
            ("start --ami=ami-1", "did you mean '--image-id'?"),
            (
                "start --wait running",
                "its value follows an equals sign: '--wait=running'",
            ),
            (
                "start g",
                "to name the machine group: '--machine-group-name g'",
            ),
            ("logs a b", "one group or machine at a time"),
            (
                "terminate --all g",
                "--all ends everything: leave the names out",
            ),
            (
                "terminate g i-0123456789abcdef0 --all",
                "--all ends everything: leave the names out",
            ),
            (
                "terminate --all --instance-id i-0123456789abcdef0",
                "--all ends everything: leave the names out",
            ),
            (
                "image remove --all ami-0123456789abcdef0",
                "--all removes every image: leave the ids out",
            ),
            ("start --budget 5", "did you mean '--max-cost'?"),
            ("list --nmae g", "did you mean '--machine-group-name'?"),
            ("image build --subnet s", "did you mean '--subnet-id'?"),
            ("start --follow", "--follow is an option of 'logs'"),
            ("terminate g --force", "did you mean '--yes'?"),
            ("terminate g -f", "did you mean '--yes'?"),
        ] {
            let said = said(line);
            assert!(
                said.contains(&format!("\n  tip: {tip}\n")),
                "{line}: {said}"
            );
        }
    }

    /// It is the one command that costs something if it is proposed by mistake.
    #[test]
    fn nothing_that_begins_machines_proposes_to_end_them() {
        let words = "strat create sart stat launch run new add up make begin init restart retry";
        for word in words.split(' ') {
            assert!(!said(word).contains("terminate"), "{word}");
        }
    }

    #[test]
    fn nothing_is_proposed_for_what_is_like_nothing() {
        for line in ["xyzzy", "start --xyzzy", "list --xyzzy"] {
            let said = said(line);
            assert!(!said.contains("tip:"), "{line}: {said}");
        }
    }
}
