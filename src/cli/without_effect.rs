//! Options of `start` that would do nothing together with the others. They are refused,
//! as somebody counts on them. `check` accepts them, so that `check $OPTIONS` works for
//! every `start $OPTIONS`.

use std::time::Duration;

use clap::{
    ArgMatches,
    error::{Error, ErrorKind},
    parser::ValueSource,
};

use crate::values::spans::typed;

/// Refuses such combinations.
///
/// # Errors
/// A `--timeout` of no wait. A `--boot-timeout` that no machine lives to see. A format for
/// a key that is not made: clap does not require an option that conflicts with another
/// one that is given, as `--create-key-pair` does with `--key-name`.
pub fn refuse(matches: &ArgMatches) -> Result<(), Error> {
    let Some(start) = matches.subcommand_matches("start") else {
        return Ok(());
    };
    let is_typed = |id: &str| start.value_source(id) == Some(ValueSource::CommandLine);
    let boot_timeout = start.get_one::<Duration>("boot_timeout");
    let max_lifetime = start.get_one::<Duration>("max_lifetime");
    let why = match (boot_timeout, max_lifetime) {
        (Some(boot), Some(lifetime)) if is_typed("boot_timeout") && boot > lifetime => format!(
            "--boot-timeout {} has no effect: it is longer than --max-lifetime {}, which ends the machine first",
            typed(*boot),
            typed(*lifetime)
        ),
        _ if is_typed("timeout") && !is_typed("wait") => {
            "--timeout has no effect without --wait".to_owned()
        }
        _ if is_typed("key_format") && !is_typed("create_key_pair") => {
            "--key-format has no effect without --create-key-pair".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Error::raw(ErrorKind::ArgumentConflict, why))
}
