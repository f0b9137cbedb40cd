//! One file a command.

pub mod check;
pub mod completions;
pub mod configure;
pub mod configure_sso;
mod console_login;
pub mod cost;
pub mod credentials;
pub mod image;
pub mod list;
pub mod login;
pub mod logout;
pub mod logs;
pub mod manual;
mod questions;
mod report;
pub mod start;
pub mod terminate;
pub mod types;
pub mod user_data;
pub mod whoami;
