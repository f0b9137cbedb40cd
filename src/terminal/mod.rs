//! The streams, and the person in front of them.

pub mod command_line;
pub mod interrupt;
pub mod output;
pub mod panics;
pub mod printable;
pub mod quoting;
