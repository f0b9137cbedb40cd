//! Command lines for messages, to be pasted into a shell.

use std::sync::OnceLock;

use super::quoting;
use crate::values::GroupName;

/// The options that say which AWS it is, as they were typed: the shell that a line is
/// pasted into has the environment, but not them.
static TYPED: OnceLock<String> = OnceLock::new();

/// Remembers the options that every command for the same account and region needs.
pub fn remember(options: &[(&str, Option<&str>)]) {
    let words = options.iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(format!(" {name} {}", quoting::word(value)))
    });
    // The first ones hold: a program is started once.
    let _ = TYPED.set(words.collect());
}

/// This program with these arguments, for the account and region of this run.
pub fn command(arguments: &str) -> String {
    let typed = TYPED.get().map_or("", String::as_str);
    format!("inductiva-aws {arguments}{typed}")
}

/// The command that ends a group, for messages.
pub fn terminate_command(group: &GroupName) -> String {
    command(&format!(
        "terminate --machine-group-name {}",
        quoting::word(group.as_str())
    ))
}
