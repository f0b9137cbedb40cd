//! The streams, and the person in front of them.

pub mod command_line;
mod echo;
mod github_actions;
pub mod interrupt;
pub mod mask;
pub mod output;
pub mod panics;
pub mod printable;
pub mod progress;
mod questions;
pub mod quoting;
pub mod screen;
pub mod slow;
mod spinner;
pub mod table;
pub mod time;
