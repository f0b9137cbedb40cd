//! One file a command.

pub mod list;
pub mod logs;
pub mod packaging;
pub mod start;
pub mod terminate;
pub mod user_data;
pub mod whoami;
