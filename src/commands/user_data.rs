//! `user-data`: what a machine would be given.

use crate::{
    cli::UserDataArgs, error::Result, model::user_data::HIDDEN, settings, terminal::output::Output,
};

/// Prints the preamble and the script, before they are packed. The group's id is empty,
/// as only a launch makes a group.
pub fn run(args: &UserDataArgs, out: Output) -> Result<()> {
    let key = if args.show_secrets {
        settings::api(&args.boot.api)?.require_key()?
    } else {
        HIDDEN.to_owned()
    };
    let mut runner = settings::request::runner(&args.boot, 1, &key)?;
    if !args.show_secrets {
        runner = runner.hiding_secrets();
    }
    let script = settings::request::script(&args.boot, out)?;
    let group = settings::request::group_name(&args.boot)?;
    out.bytes(&script.with_preamble(&runner.variables(&group, None, args.gpu)))
}
