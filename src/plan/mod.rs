//! What is to be done: pure functions of what was asked for and what was looked up.
//! No clock, network, file or randomness.

pub mod cost;
pub mod decision;
pub mod facts;
pub mod group_settings;
#[cfg(test)]
pub mod protocol;
pub mod tokens;
pub mod underway;
