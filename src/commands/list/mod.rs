//! `list`: groups and machines.

mod hidden;
mod look;
mod notes;
mod report;
mod view;
mod watch;

use std::time::Duration;

use self::{look::ListLook, watch::print};
pub use self::{
    look::sources,
    report::ListReport,
    view::{Layout, shows_spent, text},
};
use crate::{
    cli::ListArgs,
    error::{Failure, Result},
    identity, inductiva,
    machines::price_book::PriceBook,
    settings::{self, AwsSettings},
    terminal::{interrupt::Interrupt, output::Output},
    values::Target,
};

/// Prints the machines that inductiva-aws launched and that are not gone.
///
/// # Errors
/// The list is not complete, or what was named is not in it.
pub async fn run(
    args: &ListArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    if args.watch.is_some() && out.format.is_document() {
        return Err(Failure::usage(
            "--watch cannot be combined with --output json: it prints the list again and again, and JSON output is one document",
        ));
    }
    let api = inductiva::Client::where_usable(settings::api(&args.api), &settings.http, None, out);
    let aws = identity::connect(settings, out).await?;
    let mut targets = args.targets.clone();
    targets.extend(args.machine_group_name.clone().map(Target::Group));
    let mut looking = ListLook {
        aws: &aws,
        api: api.as_ref(),
        targets,
        all_regions: args.all_regions,
        prices: PriceBook::default(),
        out,
    };
    let Some(seconds) = args.watch else {
        return show(&mut looking, args.wide).await;
    };
    let watching = watch::run(&mut looking, args.wide, Duration::from_secs(seconds));
    tokio::select! {
        biased;
        ended = Box::pin(watching) => ended,
        // Ctrl-C is the way to end a watch.
        () = interrupt.until(1) => Ok(()),
    }
}

/// Looks once, and prints the list.
///
/// # Errors
/// The list is not complete, or what was named is not in it.
async fn show(looking: &mut ListLook<'_>, wide: bool) -> Result<()> {
    let mut seen = looking.look().await?;
    let failure = seen.failure.take();
    print(&seen, looking.out, wide)?;
    failure.map_or(Ok(()), Err)
}
