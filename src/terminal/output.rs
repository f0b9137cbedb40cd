//! The two streams: stdout is data, stderr is conversation.

use std::{
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;

use super::{
    github_actions::{in_json, without_commands},
    mask, printable, spinner,
    table::{self, Column, whole},
};
use crate::error::{Failure, Result, Tried};

/// Whether a question is waiting for its answer. What is said meanwhile, such as that
/// somebody interrupted, begins a new line.
pub(super) static ASKING: AtomicBool = AtomicBool::new(false);

/// How results are written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    /// Whether a result is one document for programs, and not text for people.
    pub fn is_document(self) -> bool {
        match self {
            Self::Json => true,
            Self::Text => false,
        }
    }
}

/// Bold upper-case headers and labels.
pub const HEADER: Style = Style::new().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Whether anybody still reads stdout. A reader that goes away (`| head`) is no failure,
/// and a command that would go on for ever may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As far as can be told.
    IsThere,
    IsGone,
}

/// What this run may write, and where.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub format: Format,
    /// Only ids on stdout, and no conversation.
    pub quiet: bool,
    /// 0: no tracing of calls; 1: a line a call.
    pub verbose: u8,
    /// Prompts are allowed: stdin and stderr are terminals and nobody said no.
    pub interactive: bool,
}

#[expect(
    clippy::unused_self,
    reason = "the streams are reached through this value alone"
)]
impl Output {
    /// A line of conversation; `--quiet` silences it.
    pub fn say(self, message: &str) {
        if !self.quiet {
            line(&one_line(message));
        }
    }

    /// The same for several lines of this program's own, such as a table.
    pub fn say_lines(self, text: &str) {
        if !self.quiet {
            line(&screened(text));
        }
    }

    /// Something that may cost money or work. `--quiet` does not silence it.
    pub fn warn(self, message: &str) {
        line(&format!(
            "{WARNING}warning{WARNING:#}: {}",
            one_line(message)
        ));
    }

    /// What a person has to see to go on. `--quiet` does not silence it.
    pub fn prompt(self, message: &str) {
        line(&one_line(message));
    }

    /// A line of `--verbose`.
    pub fn trace(self, message: &str) {
        if self.verbose > 0 {
            line(&format!("{DIM}{}{DIM:#}", one_line(message)));
        }
    }

    /// Writes a result to stdout: as text for people, as a JSON document, or with
    /// `--quiet` only its `ids`, one a line.
    pub fn result<T: serde::Serialize + std::fmt::Display>(
        self,
        result: &T,
        ids: &[String],
    ) -> Result<()> {
        self.stream_result(result, ids).map(|_| ())
    }

    /// The same for a result that is written again and again until the reader is gone.
    pub fn stream_result<T: serde::Serialize + std::fmt::Display>(
        self,
        result: &T,
        ids: &[String],
    ) -> Result<Reader> {
        match self.format {
            Format::Json => self.stream(&document(result)?),
            Format::Text if self.quiet => self.ids(ids),
            Format::Text => self.stream(&result.to_string()),
        }
    }

    /// Ids, a line each.
    pub fn ids(self, ids: &[String]) -> Result<Reader> {
        self.stream(&lines(ids))
    }

    pub fn json<T: serde::Serialize>(self, result: &T) -> Result<()> {
        self.stream(&document(result)?).map(|_| ())
    }

    /// A JSON document in which secrets are wanted.
    pub fn secret_json<T: serde::Serialize>(self, result: &T) -> Result<()> {
        self.secrets(&document(result)?)
    }

    /// Text for stdout in which secrets are wanted.
    pub fn secrets(self, text: &str) -> Result<()> {
        to_stdout(text).map(|_| ())
    }

    /// Text for stdout, with colours only where they can be seen. It may go on until the
    /// reader is gone.
    pub fn stream(self, text: &str) -> Result<Reader> {
        to_stdout(&without_commands(&screened(text)))
    }

    /// Bytes to stdout, as they are.
    pub fn bytes(self, bytes: &[u8]) -> Result<()> {
        let mut stdout = io::stdout();
        written(stdout.write_all(bytes).and_then(|()| stdout.flush())).map(|_| ())
    }

    /// Shows a failure: one JSON document, or a message, a hint, the policy that
    /// is missing, and what may be running.
    pub fn failure(self, failure: &Failure) {
        if self.format.is_document() {
            let document = serde_json::json!({ "error": failure }).to_string();
            line(&mask::masked(&in_json(&document)));
            return;
        }
        line(&format!(
            "{ERROR}error{ERROR:#}: {}",
            one_line(&failure.message)
        ));
        if failure.tried.len() > 1 {
            line(&screened(tried(&failure.tried).trim_end()));
        }
        if let Some(hint) = &failure.hint {
            line(&format!("{HINT}hint{HINT:#}: {}", one_line(hint)));
        }
        if let Some(policy) = &failure.policy {
            line(&screened(&format!("{policy:#}")));
        }
        if !failure.machines.is_empty() {
            line(&one_line(&format!(
                "machines that may be running: {}",
                failure.machines.join(" ")
            )));
        }
    }

    /// The width of the terminal that stdout is; none where nothing is to be cut.
    pub fn width(self) -> Option<usize> {
        columns(&console::Term::stdout())
    }

    /// The same for stderr.
    pub fn width_of_conversation(self) -> Option<usize> {
        columns(&console::Term::stderr())
    }

    /// A line above a result that is shown again and again. Ids get none.
    pub fn head(self, line: &str) -> Result<Reader> {
        if self.quiet {
            return Ok(Reader::IsThere);
        }
        self.stream(&format!("{DIM}{line}{DIM:#}\n"))
    }
}

fn columns(terminal: &console::Term) -> Option<usize> {
    let (_, columns) = terminal.size_checked()?;
    // Some terminals do not know.
    (columns > 0).then_some(columns.into())
}

/// What was tried, a line each.
fn tried(tried: &[Tried]) -> String {
    let rows: Vec<Vec<String>> = tried
        .iter()
        .map(|tried| {
            let place = tried
                .availability_zone
                .as_ref()
                .or(tried.subnet_id.as_ref());
            vec![
                tried.vm_type.clone(),
                place.map_or("any".into(), Clone::clone),
                tried.market.to_string(),
                tried.machines.to_string(),
                format!("{}: {}", tried.code, tried.reason),
            ]
        })
        .collect();
    table(&["TYPE", "ZONE", "MARKET", "MACHINES", "ANSWER"], &rows)
}

/// Text that is about to be printed, as one line.
pub(super) fn one_line(message: &str) -> String {
    mask::masked(&printable::printable(message)).into_owned()
}

/// Lines of this program's own that are about to be printed.
fn screened(text: &str) -> String {
    mask::masked(&printable::screened(text)).into_owned()
}

fn to_stdout(text: &str) -> Result<Reader> {
    written(
        anstream::stdout()
            .write_all(text.as_bytes())
            .and_then(|()| anstream::stdout().flush()),
    )
}

/// A line to stderr. Nobody can be told that stderr cannot be written.
pub(super) fn line(text: &str) {
    // Unit tests have nobody to tell.
    if cfg!(test) {
        return;
    }
    let begins = if ASKING.swap(false, Ordering::Relaxed) {
        "\n"
    } else {
        ""
    };
    spinner::out_of_the_way(|| {
        let _ = writeln!(anstream::stderr(), "{begins}{}", without_commands(text));
    });
}

fn document<T: serde::Serialize>(result: &T) -> Result<String> {
    let text = serde_json::to_string_pretty(result).context("cannot write the result as JSON")?;
    Ok(in_json(&text) + "\n")
}

fn lines(ids: &[String]) -> String {
    ids.iter().map(|id| printable::cell(id) + "\n").collect()
}

pub(super) fn written(result: io::Result<()>) -> Result<Reader> {
    match result {
        Ok(()) => Ok(Reader::IsThere),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::IsGone),
        Err(error) => Err(anyhow::Error::new(error)
            .context("cannot write to stdout")
            .into()),
    }
}

/// Left-aligned columns under bold upper-case headers; nothing is `n/a`.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let columns: Vec<Column<'_>> = headers.iter().map(|header| whole(header)).collect();
    table_within(None, &columns, rows)
}

/// The same for a terminal of this width: where there is no room, columns are left out
/// from the right.
pub fn table_within(width: Option<usize>, columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let mut lines = table::lines(columns, rows, width).into_iter();
    let header = lines.next().unwrap_or_default();
    let mut text = format!("{HEADER}{header}{HEADER:#}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_have_no_trailing_space() {
        let rows = vec![
            vec!["i-1".into(), "running".into(), "n/a".into()],
            vec!["i-22".into(), "pending".into(), "10.0.0.1".into()],
        ];
        let text = anstream::adapter::strip_str(&table(&["ID", "STATE", "IP"], &rows)).to_string();
        assert_eq!(
            text,
            "ID    STATE    IP\ni-1   running  n/a\ni-22  pending  10.0.0.1\n"
        );
    }

    #[test]
    fn letters_that_are_two_columns_wide_are_aligned() {
        let row = |name: &str| vec![name.into(), "x".into()];
        let text = table(
            &["NAME", "AT"],
            &[row("試験 1"), row("e\u{301}t"), row("ABCDEF")],
        );
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["試験 1  x", "e\u{301}t      x", "ABCDEF  x"]);
    }
}
