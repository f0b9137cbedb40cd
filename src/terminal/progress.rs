//! Progress of something that takes a while, on stderr.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    output::{Output, one_line},
    spinner,
};
use crate::values::spans;

impl Output {
    /// Progress of something that takes a while. It is a spinner on a terminal that can
    /// turn one, and otherwise a line whenever the message changes.
    pub fn progress(self) -> Progress {
        self.progress_within(None)
    }

    /// The same for something that is given up after `limit`.
    pub fn progress_within(self, limit: Option<Duration>) -> Progress {
        let turns = io::stderr().is_terminal() && moves_its_cursor();
        let bar = (turns && !self.quiet).then(|| {
            let of = limit.map_or(String::new(), |limit| {
                format!(" of {}", spans::in_words(limit))
            });
            let style =
                ProgressStyle::with_template(&format!("{{spinner}} {{msg}} ({{elapsed}}{of})"))
                    .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = spinner::turns(ProgressBar::new_spinner().with_style(style));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress {
            output: self,
            bar,
            last: String::new(),
        }
    }
}

/// Whether a terminal can move its cursor: a dumb one cannot.
pub(super) fn moves_its_cursor() -> bool {
    std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// The progress of a wait. Dropping it clears the spinner.
pub struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    pub fn update(&mut self, message: String) {
        match &self.bar {
            Some(bar) => bar.set_message(one_line(&message)),
            None if message != self.last => {
                self.output.say(&message);
                self.last = message;
            }
            None => {}
        }
    }

    /// Ends it, with a line that stays where the spinner was.
    pub fn done(&self, message: &str) {
        if let Some(bar) = &self.bar {
            spinner::ends(bar);
            self.output.say(message);
        }
    }

    /// A line that stays, above the progress.
    pub fn note(&self, message: &str) {
        self.output.say(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            spinner::ends(bar);
        }
    }
}
