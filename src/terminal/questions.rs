//! Questions to the person at the terminal.

use std::{
    io::{self, Write as _},
    sync::atomic::Ordering,
};

use anyhow::Context as _;

use super::{
    echo, mask,
    output::{ASKING, Output, line},
    panics, printable,
};
use crate::error::{Failure, Result};

impl Output {
    /// Asks for a yes; anything else is a no.
    ///
    /// # Errors
    /// A usage failure naming `--yes` where nobody can be asked.
    pub async fn confirm(self, question: &str) -> Result<bool> {
        if !self.interactive {
            return Err(Failure::usage("there is no terminal to ask on")
                .hint("add -y/--yes to go ahead without being asked"));
        }
        let answer = answer(&format!("{question} (y/[N])? ")).await?;
        Ok(answer.is_some_and(|answer| matches!(answer.as_str(), "y" | "Y" | "yes")))
    }

    /// Asks for a line; it may be empty.
    ///
    /// Only where [`Self::interactive`].
    ///
    /// # Errors
    /// There was no answer: the input has ended (Ctrl-D).
    pub async fn ask(self, question: &str) -> Result<String> {
        answer(question).await?.ok_or_else(no_answer)
    }

    /// The same of a secret, which is not shown while it is typed.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn ask_secret(self, question: &str) -> Result<String> {
        // This is dropped by an interruption, too.
        let hidden = echo::hidden();
        let answer = answer(question).await;
        drop(hidden);
        // The line break that was typed did not show either.
        line("");
        answer?.ok_or_else(no_answer)
    }
}

/// A line, without white space around it; none at the end of the input.
async fn answer(question: &str) -> Result<Option<String>> {
    let mut stderr = anstream::stderr();
    let question = printable::visible(question);
    write!(stderr, "{}", mask::masked(&question))
        .and_then(|()| stderr.flush())
        .context("cannot ask")?;
    ASKING.store(true, Ordering::Relaxed);
    // On a thread of its own, so that Ctrl-C is heard meanwhile.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer)?;
        Ok::<_, io::Error>((read > 0).then_some(answer))
    });
    let answer = panics::joined(answer)
        .await
        .context("cannot read the answer")?;
    // Without an answer, no line has ended either.
    if answer.is_some() {
        ASKING.store(false, Ordering::Relaxed);
    }
    Ok(answer.map(|answer| answer.trim().to_owned()))
}

fn no_answer() -> Failure {
    Failure::failed("there was no answer: nothing was changed")
}
