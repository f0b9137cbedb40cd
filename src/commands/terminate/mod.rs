//! `terminate`: ends machines, and their groups on Inductiva's side.

mod by_id;
mod by_name;
mod ending;
mod everything;
mod groups;
mod images;
mod lines;
mod look;
mod named;
mod question;
mod report;
mod security_groups;
mod spent;
mod terminating;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use self::{groups::Groups, lines::Lines, terminating::Terminating};
use crate::{
    cli::TerminateArgs,
    error::Result,
    identity, inductiva,
    settings::{self, AwsSettings},
    terminal::{interrupt::Interrupt, output::Output},
    values::{GroupName, Target},
};

/// Shows what will be ended, asks, ends it, and looks until nothing of it shows any more.
///
/// # Errors
/// Nobody knows the name or id, an id is not ours, or something is not permitted. If
/// machines may still be running, the failure names them or the regions.
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
    let groups = Groups::new(api.as_ref(), out);
    let (names, ids) = named(args);
    let terminating = Terminating {
        args,
        aws: &aws,
        groups: &groups,
        lines: Lines::of_this_run(),
        began: aws.time.instant(),
        interrupt,
        several: names.len() + usize::from(!ids.is_empty()) > 1,
        confirmed: Cell::new(args.yes),
        reports: RefCell::default(),
        ended: RefCell::default(),
        said: RefCell::default(),
        out,
    };
    let ended = if args.all {
        everything::run(&terminating).await
    } else {
        Box::pin(named::run(&terminating, &names, &ids)).await
    };
    // What has ended is reported, whatever else has happened.
    let reported = terminating.reported();
    let sources = terminating.ended.borrow().sources(&groups);
    spent::say(&aws, &sources, interrupt, out).await;
    ended.and(reported)
}

/// The groups and the machines that were named, each once, in their order.
fn named(args: &TerminateArgs) -> (Vec<GroupName>, Vec<String>) {
    let mut names = Vec::new();
    let mut ids = Vec::new();
    for target in &args.targets {
        match target {
            Target::Group(name) => names.push(name.clone()),
            Target::Machine(id) => ids.push(id.clone()),
        }
    }
    names.extend(args.machine_group_name.clone());
    ids.extend(args.instance_ids.iter().cloned());
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    (names, ids)
}
