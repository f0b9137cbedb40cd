//! `list --watch`: the list again and again, in place on a terminal.

use std::time::Duration;

use super::{
    look::{ListLook, SeenList},
    view::{Layout, text},
};
use crate::{
    error::{Failure, Kind, Result},
    terminal::{
        output::{Format, Output, Reader},
        screen::Screen,
        table::wrapped,
        time,
    },
    values::spans,
};

/// Shows the list every `every`, until the reader of a pipe goes away. A call that fails
/// becomes a warning, and the list stays as it was.
///
/// # Errors
/// What no later look changes: not signed in, not permitted, and at the first look a name
/// that nobody knows.
pub async fn run(looking: &mut ListLook<'_>, wide: bool, every: Duration) -> Result<()> {
    let mut screen = Screen::of_stdout().filter(|_| !looking.out.quiet);
    let mut last: Option<SeenList> = None;
    loop {
        let failure = match looking.look().await {
            Ok(mut seen) => {
                let failure = seen.failure.take();
                // A group that ends while it is watched is no mistake in its name.
                let failure = failure.filter(|f| f.kind != Kind::NotFound || last.is_none());
                last = Some(seen);
                failure
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failure.as_ref().filter(|failure| !passes(failure)) {
            return Err(failure.clone());
        }
        let head = format!(
            "{}  every {}, Ctrl-C ends it",
            time::of_day(looking.aws.time.now()),
            spans::in_words(every)
        );
        let failure = failure.map(|failure| failure.message);
        let reader = if let Some(screen) = &mut screen {
            let width = screen.width();
            screen.draw(&frame(
                &head,
                last.as_ref(),
                failure.as_deref(),
                wide,
                width,
            ))?
        } else {
            follow(looking.out, &head, last.as_ref(), failure.as_deref(), wide)?
        };
        if reader == Reader::IsGone {
            return Ok(());
        }
        looking.aws.time.pause(every).await;
    }
}

/// Prints what a look found.
pub fn print(seen: &SeenList, out: Output, wide: bool) -> Result<Reader> {
    for warning in &seen.warnings {
        out.warn(warning);
    }
    let report = &seen.report;
    let reader = match out.format {
        Format::Json => out.json(report).map(|()| Reader::IsThere)?,
        Format::Text if out.quiet => out.ids(&report.ids())?,
        Format::Text => {
            let layout = Layout {
                width: out.width(),
                wide,
                ..Layout::default()
            };
            out.stream(&text(report, layout))?
        }
    };
    for note in &seen.notes {
        out.say(note);
    }
    Ok(reader)
}

/// Whether a later look may succeed.
fn passes(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Failed
        | Kind::Unreachable
        | Kind::MachinesMayBeRunning
        | Kind::TimedOut
        | Kind::Capacity => true,
        Kind::NotFound
        | Kind::Usage
        | Kind::NotSignedIn
        | Kind::NotPermitted
        | Kind::Interrupted => false,
    }
}

/// Prints the list below the earlier ones. If the call failed, it prints only the
/// warning.
fn follow(
    out: Output,
    head: &str,
    seen: Option<&SeenList>,
    failure: Option<&str>,
    wide: bool,
) -> Result<Reader> {
    if let Some(failure) = failure {
        out.warn(failure);
        return Ok(Reader::IsThere);
    }
    out.head(head)?;
    seen.map_or(Ok(Reader::IsThere), |seen| print(seen, out, wide))
}

/// The text on the screen. Notes come first, as there may be more machines than fit.
fn frame(
    head: &str,
    seen: Option<&SeenList>,
    failure: Option<&str>,
    wide: bool,
    width: usize,
) -> String {
    let mut lines = vec![head.to_owned()];
    let mut say = |text: &str| lines.extend(wrapped(text, Some(width)));
    if let Some(failure) = failure {
        say(&format!("warning: {failure}"));
    }
    if let Some(seen) = seen {
        for warning in &seen.warnings {
            say(&format!("warning: {warning}"));
        }
        seen.notes.iter().for_each(|note| say(note));
        let layout = Layout {
            width: Some(width),
            wide,
            ..Layout::default()
        };
        lines.push(String::new());
        lines.push(text(&seen.report, layout));
    }
    lines.join("\n")
}
