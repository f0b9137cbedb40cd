//! GitHub Actions obeys workflow commands in what a step prints, on either stream. Text
//! from outside must not become such a command.

use std::{borrow::Cow, env, sync::LazyLock};

use super::printable::escaped_json;

/// GitHub sets it for every step.
static IN_A_STEP: LazyLock<bool> =
    LazyLock::new(|| env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true"));

/// What begins a line (after white space) that is a command.
const COMMAND: &str = "::";
/// What begins a command of the old form, anywhere in a line.
const OLD_COMMAND: &str = "##[";

/// The lines, without any command among them. Outside of GitHub Actions they stay as they
/// are.
pub fn without_commands(text: &str) -> Cow<'_, str> {
    if *IN_A_STEP {
        disarmed(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// JSON with no text that a terminal or GitHub Actions obeys. The values stay the same.
pub fn in_json(document: &str) -> String {
    let document = escaped_json(document);
    if *IN_A_STEP {
        disarmed_json(&document)
    } else {
        document
    }
}

/// Breaks the commands up that GitHub's runner would read (its `ActionCommand.cs`).
fn disarmed(text: &str) -> Cow<'_, str> {
    if !text.contains(COMMAND) && !text.contains(OLD_COMMAND) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        let start = line.trim_start();
        let indent = &line[..line.len() - start.len()];
        match start.strip_prefix(COMMAND) {
            Some(rest) => format!("{indent}: :{rest}"),
            None => line.to_owned(),
        }
        .replace(OLD_COMMAND, "## [")
    });
    Cow::Owned(lines.collect())
}

/// No line of a document begins with a colon.
fn disarmed_json(document: &str) -> String {
    document.replace(OLD_COMMAND, r"##\u005b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command() {
        for (text, told) in [
            ("::error::x\n", ": :error::x\n"),
            (
                "a\n \t::set-env name=a::b\r\nb::c::d",
                "a\n \t: :set-env name=a::b\r\nb::c::d",
            ),
            ("x ##[add-mask]y ##[z]", "x ## [add-mask]y ## [z]"),
            ("plain\n", "plain\n"),
        ] {
            assert_eq!(disarmed(text), told);
        }
    }

    #[test]
    fn json_keeps_the_values() {
        let value = serde_json::json!({"a": "##[error]x\n::error::y"});
        let document = disarmed_json(&value.to_string());
        assert!(!document.contains("##["), "{document}");
        let read: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(read, value);
    }
}
