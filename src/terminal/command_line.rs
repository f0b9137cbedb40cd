//! Command lines for messages, to be pasted into a shell.

use crate::values::GroupName;

/// The command that ends a group, for messages.
pub fn terminate_command(group: &GroupName) -> String {
    if group.as_str().contains(' ') {
        format!("inductiva-aws terminate --machine-group-name '{group}'")
    } else {
        format!("inductiva-aws terminate --machine-group-name {group}")
    }
}
