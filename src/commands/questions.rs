//! Questions on a terminal.

use crate::{
    error::{Failure, Result},
    terminal::output::Output,
};

/// How often a question is put again.
const TRIES: u32 = 3;

/// What stands in a question where nothing is there yet.
pub const NONE: &str = "none";

/// Something that a flag can say, too.
pub struct Prompt<'a> {
    pub flag: &'static str,
    pub text: &'a str,
    pub default: Option<&'a str>,
    /// What is said where there is nobody to ask.
    pub without_terminal: &'static str,
}

impl Prompt<'_> {
    /// What was given, or the answer; the default where the line is empty.
    ///
    /// # Errors
    /// Usage: there is nobody to ask, or no answer that could be used.
    pub async fn answer<T>(
        &self,
        given: Option<String>,
        out: Output,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        if let Some(given) = given {
            return parse(&given)
                .map_err(|why| Failure::usage(format!("{} {given}: {why}", self.flag)));
        }
        if !out.interactive {
            return Err(self.missing());
        }
        let default = match &self.default {
            Some(default) => format!(" [{default}]"),
            None => String::new(),
        };
        let mut wrong = String::new();
        for _ in 0..TRIES {
            let answer = out.ask(&format!("{}{default}: ", self.text)).await?;
            let answer = match &self.default {
                Some(default) if answer.is_empty() => (*default).to_owned(),
                _ => answer,
            };
            match parse(&answer) {
                Ok(value) => return Ok(value),
                Err(why) => {
                    out.prompt(&why);
                    wrong = why;
                }
            }
        }
        Err(
            Failure::usage(format!("no {} after {TRIES} answers: {wrong}", self.text))
                .hint(format!("{} gives it without a question", self.flag)),
        )
    }

    /// Nobody can be asked.
    pub fn missing(&self) -> Failure {
        Failure::usage(format!("{} is missing", self.flag)).hint(self.without_terminal)
    }
}

/// A secret; what is there stays where the line is empty, and is shown by its end.
///
/// # Errors
/// No answer that could be used; the answers are not shown.
pub async fn secret(
    text: &str,
    there: Option<&str>,
    out: Output,
    parse: impl Fn(&str) -> Result<String, String>,
) -> Result<Option<String>> {
    let shown = there.map_or_else(|| NONE.to_owned(), last_four);
    let mut wrong = String::new();
    for _ in 0..TRIES {
        let answer = out.ask_secret(&format!("{text} [{shown}]: ")).await?;
        crate::terminal::mask::know(&answer);
        if answer.is_empty() {
            return Ok(None);
        }
        match parse(&answer) {
            Ok(value) => return Ok(Some(value)),
            Err(why) => {
                out.prompt(&why);
                wrong = why;
            }
        }
    }
    Err(Failure::usage(format!(
        "no {text} after {TRIES} answers: {wrong}"
    )))
}

/// As `aws configure` shows what is there: by its last four characters.
pub fn last_four(secret: &str) -> String {
    let characters: Vec<char> = secret.chars().collect();
    let end = characters.len().saturating_sub(4);
    let last: String = if end >= 4 {
        characters[end..].iter().collect()
    } else {
        String::new()
    };
    format!("****************{last}")
}
