//! The program as its users run it, against the sandbox: exit code, stdout and
//! stderr together, and what EC2 has afterwards, seen with boto3.

mod sandbox;

mod groups;
mod inductiva;
mod list;
mod logs;
mod output;
mod refusals;
mod start;
#[cfg(unix)]
mod terminal;
mod terminate;
mod tokens;
mod user_data;
mod wait;
mod whoami;
