//! `terminate`: ends machines, and their groups on Inductiva's side.

mod by_id;
mod by_name;
mod ending;
mod everything;
mod groups;
mod lines;
mod look;
mod report;
mod security_groups;
mod terminating;

use self::{groups::Groups, lines::Lines, terminating::Terminating};
use crate::{
    cli::TerminateArgs,
    error::Result,
    identity, inductiva,
    settings::{self, AwsSettings},
    terminal::{interrupt::Interrupt, output::Output},
};

/// Shows what goes, asks, ends it, and looks until nothing of it shows any more.
///
/// # Errors
/// Nobody knows that name or id, an id that is not ours, no permission; and,
/// naming the machines or the regions, when some may still be running.
pub async fn run(
    args: &TerminateArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    let without = "the machine groups stay on Inductiva's side until it ends them";
    let api = inductiva::Client::where_usable(
        settings::api(&args.api),
        &settings.http,
        Some(without),
        out,
    );
    let aws = identity::connect(settings, out).await?;
    let groups = Groups {
        api: api.as_ref(),
        out,
    };
    let terminating = Terminating {
        args,
        aws: &aws,
        groups: &groups,
        lines: Lines::of(settings),
        began: aws.time.instant(),
        interrupt,
        out,
    };
    match args.name.as_ref().or(args.machine_group_name.as_ref()) {
        Some(name) => by_name::run(&terminating, name).await,
        None if args.all => everything::run(&terminating).await,
        None => by_id::run(&terminating, &args.instance_ids).await,
    }
}
