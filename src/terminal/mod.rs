//! The streams, and the person in front of them.

pub mod interrupt;
pub mod output;
