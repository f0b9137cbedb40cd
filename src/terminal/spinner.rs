//! The spinners. They make room for lines that are printed, which would stand behind them
//! otherwise.

use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

/// Those that turn now. There are several where a command does several things at once.
static TURNING: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The same one, which turns below the others from now on.
pub fn turns(bar: ProgressBar) -> ProgressBar {
    TURNING.add(bar)
}

/// Removes it from the screen.
pub fn ends(bar: &ProgressBar) {
    bar.finish_and_clear();
    TURNING.remove(bar);
}

/// Removes all from the screen, for good.
pub fn end() {
    let _ = TURNING.clear();
    TURNING.set_draw_target(ProgressDrawTarget::hidden());
}

/// Writes something to the terminal where the spinners stand.
pub fn out_of_the_way(write: impl FnOnce()) {
    TURNING.suspend(write);
}
