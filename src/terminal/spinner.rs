//! The spinner that turns, which makes room for lines: else they would stand behind it.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// There is one at most.
static TURNING: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn replace(bar: Option<ProgressBar>) {
    *TURNING.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

pub fn turns(bar: &ProgressBar) {
    replace(Some(bar.clone()));
}

/// It is gone from the screen after this.
pub fn ends(bar: &ProgressBar) {
    replace(None);
    bar.finish_and_clear();
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
