//! A page of the manual.

use clap::{Arg, ArgAction, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::text;
use crate::{cli::examples, error::Kind};

/// The section of the manual that commands are in.
const SECTION: &str = "1";

/// The page of one command.
pub struct ManualPage<'a> {
    /// The words after the program's name.
    path: Vec<&'a str>,
    command: &'a Command,
    /// The grammar of the whole program.
    grammar: &'a Command,
}

/// The pages of the program and of its commands, without the hidden ones.
pub fn all(grammar: &Command) -> Vec<ManualPage<'_>> {
    fn add<'a>(
        pages: &mut Vec<ManualPage<'a>>,
        path: &[&'a str],
        command: &'a Command,
        grammar: &'a Command,
    ) {
        pages.push(ManualPage {
            path: path.to_vec(),
            command,
            grammar,
        });
        for inner in visible_commands(command) {
            let path: Vec<&str> = path.iter().copied().chain([inner.get_name()]).collect();
            add(pages, &path, inner, grammar);
        }
    }
    let mut pages = Vec::new();
    add(&mut pages, &[], grammar, grammar);
    pages
}

/// The subcommands that a page names, in the order of the help. `help` is left out: these
/// pages take its place.
fn visible_commands(command: &Command) -> Vec<&Command> {
    let inner = command.get_subcommands();
    let mut visible: Vec<&Command> = inner
        .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
        .collect();
    visible.sort_by_key(|inner| inner.get_display_order());
    visible
}

impl ManualPage<'_> {
    /// Whether this is the page of the command with this name or alias.
    pub fn is_of(&self, wanted: &str) -> bool {
        let (above, name) = wanted.rsplit_once(' ').unwrap_or(("", wanted));
        let Some((own, path)) = self.path.split_last() else {
            return wanted.is_empty();
        };
        let is_alias = || {
            self.command
                .get_visible_aliases()
                .any(|alias| alias == name)
        };
        path.join(" ") == above && (*own == name || is_alias())
    }

    fn name(&self) -> String {
        let words = std::iter::once(self.grammar.get_name()).chain(self.path.iter().copied());
        words.collect::<Vec<_>>().join("-")
    }

    /// `inductiva-aws-start.1`.
    pub fn file_name(&self) -> String {
        format!("{}.{SECTION}", self.name())
    }

    /// The page in the form that `man` reads.
    pub fn roff(&self) -> String {
        let mut roff = Roff::new();
        self.head(&mut roff);
        self.options(&mut roff);
        self.commands(&mut roff);
        self.examples(&mut roff);
        if self.path.is_empty() {
            section(&mut roff, "OUTPUT", text::OUTPUT);
            exit_status(&mut roff);
            section(&mut roff, "ENVIRONMENT", text::ENVIRONMENT);
            section(&mut roff, "FILES", text::FILES);
            section(&mut roff, "MONEY", text::MONEY);
            section(&mut roff, "PERMISSIONS", text::PERMISSIONS);
            section(&mut roff, "SECURITY", text::SECURITY);
        }
        match self.path.as_slice() {
            ["start"] => {
                section(&mut roff, "THE GROUP", text::GROUPS);
                section(&mut roff, "THE MACHINE", text::MACHINE);
            }
            ["cost"] => section(&mut roff, "WHAT IS COUNTED", text::COST),
            ["list"] => section(&mut roff, "WHAT IS SHOWN", text::LIST),
            ["image"] => section(&mut roff, "PREPARED IMAGES", text::IMAGES),
            ["terminate"] => section(&mut roff, "WHAT DONE MEANS", text::ENDING),
            _ => {}
        }
        self.see_also(&mut roff);
        roff.render()
    }

    fn head(&self, roff: &mut Roff) {
        let program = self.grammar.get_name();
        let version = self.grammar.get_version().unwrap_or_default();
        let title = self.name();
        let source = format!("{program} {version}");
        // There is no date, so that the same release always makes the same page. An empty
        // argument needs quotes, or the next one would take its place.
        roff.control(
            "TH",
            [title.as_str(), SECTION, "\"\"", &source, "User Commands"],
        );
        // Options and names must not be broken, so that they can be found and copied.
        roff.control("nh", []);
        // Lines of long words cannot be stretched to the margin.
        roff.control("ad", ["l"]);
        let about = self.command.get_about().map(ToString::to_string);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!(
            "{} - {}",
            self.name(),
            about.unwrap_or_default()
        ))]);
        roff.control("SH", ["SYNOPSIS"]);
        let usage = self.command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        let path = self.command.get_bin_name().unwrap_or(program);
        for (place, line) in usage.lines().enumerate() {
            if place > 0 {
                roff.control("br", []);
            }
            let rest = line.trim_start().strip_prefix(path).unwrap_or(line);
            roff.text([bold(path), roman(rest)]);
        }
        roff.control("SH", ["DESCRIPTION"]);
        let about = self.command.get_long_about().or(self.command.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        // The first sentence stands in the heading, if there is more text.
        let more = about.split_once("\n\n").map(|(_, more)| more);
        match more {
            Some(more) => text::add(roff, more),
            None => text::add(roff, &format!("{about}.")),
        }
    }

    /// Arguments and options by their headings. Global options are only on the program's
    /// page.
    fn options(&self, roff: &mut Roff) {
        let is_program = self.path.is_empty();
        let shown: Vec<&Arg> = self
            .command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && (is_program || !arg.is_global_set()))
            .filter(|arg| is_program || !matches!(arg.get_id().as_str(), "help" | "version"))
            .collect();
        let heading = |arg: &Arg| match arg.get_help_heading() {
            _ if arg.is_positional() => "ARGUMENTS".to_owned(),
            Some(heading) => heading.to_uppercase(),
            None => "OPTIONS".to_owned(),
        };
        let mut headings: Vec<String> = Vec::new();
        for name in shown.iter().map(|arg| heading(arg)) {
            if !headings.contains(&name) {
                headings.push(name);
            }
        }
        // As in the help: arguments, then what has no heading of its own.
        headings.sort_by_key(|name| match name.as_str() {
            "ARGUMENTS" => 0,
            "OPTIONS" => 1,
            _ => 2,
        });
        for name in headings {
            roff.control("SH", [name.as_str()]);
            for arg in shown.iter().filter(|arg| heading(arg) == name) {
                option(roff, arg);
            }
        }
    }

    fn commands(&self, roff: &mut Roff) {
        let inner = visible_commands(self.command);
        if inner.is_empty() {
            return;
        }
        roff.control("SH", ["COMMANDS"]);
        for inner in inner {
            roff.control("TP", []);
            roff.text([
                bold(format!("{}-{}", self.name(), inner.get_name())),
                roman(format!("({SECTION})")),
            ]);
            roff.text([roman(
                inner
                    .get_about()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )]);
        }
    }

    fn examples(&self, roff: &mut Roff) {
        roff.control("SH", ["EXAMPLES"]);
        let examples = examples::of(&self.path.join(" ")).iter();
        for (place, example) in examples.enumerate() {
            if place > 0 {
                roff.control("PP", []);
            }
            roff.text([roman(format!("{}:", example.does))]);
            text::listing(roff, [example.line]);
        }
    }

    fn see_also(&self, roff: &mut Roff) {
        roff.control("SH", ["SEE ALSO"]);
        let program = self.grammar.get_name();
        if !self.path.is_empty() {
            roff.text([
                bold(program),
                roman(format!(
                    "({SECTION}) has the global options, the exit status, and what all commands share."
                )),
            ]);
            return;
        }
        let pages = all(self.grammar);
        let others = pages.iter().filter(|page| !page.path.is_empty());
        let mut line: Vec<Inline> = Vec::new();
        for page in others {
            if !line.is_empty() {
                line.push(roman(", "));
            }
            line.push(bold(page.name()));
            line.push(roman(format!("({SECTION})")));
        }
        roff.text(line);
    }
}

fn section(roff: &mut Roff, heading: &str, text: &str) {
    roff.control("SH", [heading]);
    text::add(roff, text);
}

fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in Kind::exit_table() {
        roff.control("TP", ["6"]);
        roff.text([bold(code.to_string())]);
        roff.text([roman(meaning)]);
    }
}

/// An option or an argument with all of its help.
fn option(roff: &mut Roff, arg: &Arg) {
    roff.control("TP", []);
    roff.text(names(arg));
    let help = arg.get_long_help().or(arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut paragraphs = help.split("\n\n").filter(|text| !text.is_empty());
    let first = paragraphs.next().unwrap_or_default();
    for line in first.lines() {
        roff.text(text::inlines(line));
    }
    let mut more: Vec<String> = paragraphs.map(str::to_owned).collect();
    let takes_values = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let values = arg.get_possible_values();
    let values = values
        .iter()
        .filter(|value| takes_values && !value.is_hide_set());
    let values: Vec<String> = values
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {help}", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if takes_values && !arg.is_hide_default_value_set() {
        let defaults = arg.get_default_values().iter();
        let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() {
            more.push(format!("Default: `{}`.", defaults.join(",")));
        }
    }
    if let Some(variable) = arg.get_env() {
        more.push(format!("Environment: `{}`.", variable.to_string_lossy()));
    }
    if !values.is_empty() || !more.is_empty() {
        roff.control("RS", []);
        for text in more {
            roff.control("PP", []);
            for line in text.lines() {
                roff.text(text::inlines(line));
            }
        }
        for value in values {
            roff.control("IP", [r"\(bu", "2"]);
            roff.text(text::inlines(&value));
        }
        roff.control("RE", []);
    }
}

/// `-n, --num-machines N, --count N`.
fn names(arg: &Arg) -> Vec<Inline> {
    let values = arg.get_value_names().unwrap_or_default();
    let values: Vec<&str> = values.iter().map(clap::builder::Str::as_str).collect();
    let values = values.join(" ");
    if arg.is_positional() {
        let name = if values.is_empty() {
            arg.get_id().as_str()
        } else {
            &values
        };
        return vec![italic(name)];
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
    let longs = longs.into_iter().map(|long| format!("--{long}"));
    let takes_values = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let is_optional = arg
        .get_num_args()
        .is_some_and(|number| number.min_values() == 0);
    let value = match (takes_values, is_optional, arg.is_require_equals_set()) {
        (false, ..) => Vec::new(),
        (true, false, _) => vec![roman(" "), italic(values)],
        (true, true, true) => vec![roman("[="), italic(values), roman("]")],
        (true, true, false) => vec![roman(" ["), italic(values), roman("]")],
    };
    let mut names = Vec::new();
    for name in short.into_iter().chain(longs) {
        if !names.is_empty() {
            names.push(roman(", "));
        }
        names.push(bold(name));
    }
    names.extend(value);
    names
}
