//! Questions to the person at the terminal that an option can answer, too.

use crate::{
    error::{Failure, Result},
    terminal::output::Output,
};

/// How often a question is asked.
const TRIES: u32 = 3;

/// The default in a question where there is no value yet.
pub const NONE: &str = "none";

/// A question for the value of an option.
pub struct Prompt<'a> {
    pub flag: &'static str,
    pub text: &'a str,
    pub default: Option<&'a str>,
    /// The hint where nobody can be asked.
    pub without_terminal: &'static str,
}

impl Prompt<'_> {
    /// The option's value if it was given, or else the answer. An empty line is the
    /// default.
    ///
    /// # Errors
    /// Usage: nobody can be asked, or no answer could be used.
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

    /// The failure where nobody can be asked.
    pub fn missing(&self) -> Failure {
        Failure::usage(format!("{} is missing", self.flag)).hint(self.without_terminal)
    }
}

/// Asks for a secret. The question shows the end of an existing one, which an empty line
/// keeps.
///
/// # Errors
/// No answer could be used. The answers are not shown.
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

/// The last four characters, as `aws configure` shows an existing secret.
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
