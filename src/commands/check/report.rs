//! What `check` finds: one line each, with a remedy.

use std::{collections::BTreeSet, fmt};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use crate::{
    error::{Failure, Kind},
    terminal::{printable::printable, table::wrapped},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// `start` would go through all the same, or nobody can tell.
    Warning,
    /// `start` would not go through.
    Failed,
}

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Box<Value>>,
    #[serde(skip)]
    kind: Option<Kind>,
}

/// All checks, in the order of a start.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    checks: Vec<Check>,
    ok: bool,
    /// The width of the terminal; none where lines are not broken.
    #[serde(skip)]
    columns: Option<usize>,
}

impl Check {
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            hint: None,
            policy: None,
            kind: None,
        }
    }

    /// Something that does not stop a start.
    pub fn warning(name: &'static str, failure: Failure) -> Self {
        Self {
            status: Status::Warning,
            kind: None,
            ..Self::failed(name, failure)
        }
    }

    pub fn failed(name: &'static str, failure: Failure) -> Self {
        Self {
            name,
            status: Status::Failed,
            detail: failure.message,
            hint: failure.hint,
            policy: failure.policy,
            kind: Some(failure.kind),
        }
    }

    /// The same check as a warning, where `start` has a way around what fails.
    pub fn not_in_the_way(self) -> Self {
        Self {
            status: match self.status {
                Status::Failed => Status::Warning,
                status => status,
            },
            kind: None,
            ..self
        }
    }

    pub fn of<T>(
        name: &'static str,
        result: Result<T, Failure>,
        detail: impl FnOnce(T) -> String,
    ) -> Self {
        match result {
            Ok(found) => Self::ok(name, detail(found)),
            Err(failure) => Self::failed(name, failure),
        }
    }

    /// Whether both say the same, apart from the id that AWS gave each request.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let without_request = |detail: &str| {
            let before = detail.split(", request ").next();
            before.map(str::to_owned)
        };
        self.status == other.status
            && without_request(&self.detail) == without_request(&other.detail)
    }

    /// Its name, written as an option is.
    fn label(&self) -> String {
        self.name.replace('_', "-")
    }

    pub fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }
}

impl CheckReport {
    pub fn new(checks: Vec<Check>, columns: Option<usize>) -> Self {
        Self {
            ok: !checks.iter().any(Check::has_failed),
            checks,
            columns,
        }
    }

    /// # Errors
    /// `start` would not go through: with the first failure's exit code.
    pub fn verdict(&self) -> Result<(), Failure> {
        let failed: Vec<&Check> = self.checks.iter().filter(|c| c.has_failed()).collect();
        let Some(first) = failed.first() else {
            return Ok(());
        };
        let names: Vec<String> = failed.iter().map(|check| check.label()).collect();
        Err(Failure::new(
            first.kind.unwrap_or(Kind::Failed),
            format!("a start would not go through: {}", names.join(", ")),
        ))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
        let mut hints = BTreeSet::new();
        for check in &self.checks {
            let (status, color) = match check.status {
                Status::Ok => ("ok", AnsiColor::Green),
                Status::Warning => ("warning", AnsiColor::Yellow),
                Status::Failed => ("failed", AnsiColor::Red),
            };
            let style: Style = color.on_default().bold();
            let indent = 7 + 2 + width + 2;
            let room = self.columns.map(|columns| columns.saturating_sub(indent));
            let mut detail = wrapped(&printable(&check.detail), room).into_iter();
            let first = detail.next().unwrap_or_default();
            let label = check.label();
            writeln!(f, "{style}{status:7}{style:#}  {label:width$}  {first}")?;
            for line in detail {
                writeln!(f, "{:indent$}{line}", "")?;
            }
            // A hint that several checks share is shown once.
            if let Some(hint) = check.hint.as_ref().filter(|hint| hints.insert(*hint)) {
                let hint = printable(hint);
                writeln!(f, "{:7}  {:width$}  hint: {hint}", "", "")?;
            }
            if let Some(policy) = &check.policy {
                writeln!(f, "{policy:#}")?;
            }
        }
        Ok(())
    }
}
