//! Command lines for messages, to be pasted into a shell.

use super::quoting;
use crate::values::GroupName;

/// The command that ends a group, for messages.
pub fn terminate_command(group: &GroupName) -> String {
    format!(
        "inductiva-aws terminate --machine-group-name {}",
        quoting::word(group.as_str())
    )
}
