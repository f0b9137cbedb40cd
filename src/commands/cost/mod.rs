//! `cost`: how long the machines of groups ran, and what that cost.

mod look;
mod report;
mod view;

use std::time::SystemTime;

use self::{look::CostLook, report::CostReport, view::text};
use crate::{
    cli::CostArgs,
    error::Result,
    identity, inductiva,
    settings::{self, AwsSettings},
    terminal::output::{Format, Output},
    values::Target,
};

/// Prints what groups have cost so far, ended machines too.
///
/// # Errors
/// Regions did not answer, or nobody knows what was named.
pub async fn run(args: &CostArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let api = inductiva::Client::where_usable(settings::api(&args.api), &settings.http, None, out);
    let aws = identity::connect(settings, out).await?;
    let mut targets = args.targets.clone();
    targets.extend(args.machine_group_name.clone().map(Target::Group));
    let looking = CostLook {
        aws: &aws,
        api: api.as_ref(),
        targets,
        all_regions: args.all_regions,
        out,
    };
    let seen = looking.look().await?;
    print(&seen.report, aws.clock.now(), out)?;
    for note in &seen.notes {
        out.say(note);
    }
    seen.failure.map_or(Ok(()), Err)
}

fn print(report: &CostReport, now: SystemTime, out: Output) -> Result<()> {
    match out.format {
        Format::Json => out.json(report),
        Format::Text if out.quiet => out.ids(&report.ids()).map(|_| ()),
        Format::Text => out.stream(&text(report, out.width(), now)).map(|_| ()),
    }
}
