//! `list`: groups and machines.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    aws::Aws,
    cli::ListArgs,
    error::{Failure, Kind, Result},
    inductiva::{self, Group},
    machines::Machine,
    output::{Format, Output},
    report::ListReport,
    settings::AwsSettings,
    values::GroupName,
};

/// Prints the machines that inductiva-aws launched and that are not gone.
pub async fn run(args: &ListArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if args.watch.is_some() && out.format == Format::Json {
        return Err(Failure::usage(
            "--watch shows the list again and again, and --output json is one document",
        ));
    }
    let api = inductiva::Client::with_key_if_any(&args.api, &settings.http, out)?;
    let aws = Aws::connect(settings, out).await?;
    let Some(seconds) = args.watch else {
        return show(&aws, api.as_ref(), args, out).await;
    };
    loop {
        out.clear_screen()?;
        show(&aws, api.as_ref(), args, out).await?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

async fn show(
    aws: &Aws,
    api: Option<&inductiva::Client>,
    args: &ListArgs,
    out: Output,
) -> Result<()> {
    let (mut machines, failure) = if args.all_regions {
        in_all_regions(aws, out).await?
    } else {
        (aws.our_machines().await?, None)
    };
    if let Some(name) = &args.machine_group_name {
        machines.retain(|m| m.group() == Some(name.as_str()));
    }
    let groups = match api {
        Some(api) => groups(api, &machines, out).await,
        None => BTreeMap::new(),
    };
    let report = ListReport::of(&machines, &groups);
    out.result(&report, &report.ids())?;
    failure.map_or(Ok(()), Err)
}

/// What Inductiva says of the machines' groups; what cannot be asked is left out.
async fn groups(
    api: &inductiva::Client,
    machines: &[Machine],
    out: Output,
) -> BTreeMap<String, Group> {
    let names: BTreeSet<GroupName> = machines
        .iter()
        .filter_map(|m| m.group()?.parse().ok())
        .collect();
    let mut asked = tokio::task::JoinSet::new();
    for name in names {
        let api = api.clone();
        asked.spawn(async move {
            let group = api.group(&name).await;
            (name, group)
        });
    }
    let mut groups = BTreeMap::new();
    let mut why = None;
    for (name, group) in asked.join_all().await {
        match group {
            Ok(Some(group)) => {
                groups.insert(name.to_string(), group);
            }
            Ok(None) => {}
            Err(error) => why = Some(error),
        }
    }
    if let Some(error) = why {
        out.warn(&format!(
            "Inductiva cannot be asked about the machines: {}",
            error.why()
        ));
    }
    groups
}

/// The machines of all regions, asked side by side, and why a region could not
/// be: a list with a hole in it must not look whole.
async fn in_all_regions(aws: &Aws, out: Output) -> Result<(Vec<Machine>, Option<Failure>)> {
    let mut asked = tokio::task::JoinSet::new();
    for region in aws.regions().await? {
        let aws = aws.in_region(&region);
        asked.spawn(async move { (region, aws.our_machines().await) });
    }
    let mut machines = Vec::new();
    let mut missing = Vec::new();
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok((_, Ok(found))) => machines.extend(found),
            // Where a policy denies the whole region nothing could be launched either.
            Ok((region, Err(failure))) if failure.kind == Kind::NotPermitted => {
                out.warn(&format!("{region} was left out: {}", failure.message));
            }
            Ok((region, Err(failure))) => missing.push((region, failure)),
            Err(error) => return Err(Failure::failed(format!("cannot list machines: {error}"))),
        }
    }
    missing.sort_by(|a, b| a.0.cmp(&b.0));
    let failure = missing.into_iter().next().map(|(region, failure)| Failure {
        message: format!(
            "the list is not complete, {region} is missing: {}",
            failure.message
        ),
        ..failure
    });
    Ok((machines, failure))
}
