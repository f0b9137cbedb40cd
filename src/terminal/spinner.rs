//! The spinner. It makes room for lines that are printed, which would stand behind it
//! otherwise.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// The one that turns now, if any.
static TURNING: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn replace(bar: Option<ProgressBar>) {
    *TURNING.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

pub fn turns(bar: &ProgressBar) {
    replace(Some(bar.clone()));
}

/// Removes it from the screen.
pub fn ends(bar: &ProgressBar) {
    replace(None);
    bar.finish_and_clear();
}

/// The one that turns, if any, ends.
pub fn end() {
    let turning = TURNING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(bar) = turning {
        bar.finish_and_clear();
    }
}

/// Writes something to the terminal where the spinner stands.
pub fn out_of_the_way(write: impl FnOnce()) {
    let turning = TURNING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match turning {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
