//! The program as its users run it, against the sandbox: exit code, stdout and
//! stderr together, and what EC2 has afterwards, seen with boto3.

#![expect(
    clippy::needless_raw_string_hashes,
    reason = "snapbox writes expected output like this"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!({…})` reads better than `&json!({…})`"
)]

/// One sandbox: some tests have two accounts that know of each other.
const SERVERS: usize = 1;
/// Output that no test expects is a failure.
const UNSEEN_OUTPUT_FAILS: bool = true;

mod aws_cli;
mod sandbox;

mod accounts;
mod addresses;
mod api_address;
#[cfg(unix)]
mod arguments;
mod boots;
#[cfg(unix)]
mod bounds;
mod broken_keys;
mod budget;
mod capacity;
mod capacity_waits;
mod check;
#[cfg(unix)]
mod chromium;
mod clocks;
#[cfg(unix)]
mod completions;
#[cfg(unix)]
mod configure;
#[cfg(unix)]
mod console;
mod cost;
#[cfg(unix)]
mod credentials;
mod damaged;
mod denials;
mod dry_runs;
mod ending;
mod forgotten;
mod grammar;
mod groups;
#[cfg(unix)]
mod hostile;
mod images;
mod inductiva;
mod initialization_rate;
mod key_pairs;
mod launches;
mod like_the_cli;
mod lines;
mod list;
#[cfg(target_os = "linux")]
mod locks;
mod logs;
mod machine_options;
mod manual;
#[cfg(unix)]
mod mfa;
mod networks;
mod output;
mod panics;
mod policies;
mod prepared_images;
mod readme;
mod refusals;
#[cfg(target_os = "linux")]
mod regions;
#[cfg(unix)]
mod screens;
#[cfg(unix)]
mod searches;
mod secrets;
mod sign_in;
mod spent;
mod spent_elsewhere;
mod sso;
mod start;
mod ten_accounts;
#[cfg(unix)]
mod terminal;
mod terminate;
mod tokens;
mod types;
mod user_data;
mod wait;
mod ways_out;
mod whoami;
