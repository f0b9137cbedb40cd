//! `terminate`: ends machines, and their groups on Inductiva's side.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    aws::Aws,
    cli::TerminateArgs,
    error::{Failure, Kind, Result},
    inductiva::{self, ApiError},
    machines::{self, Machine},
    output::Output,
    report::{ListReport, TerminateReport},
    settings::AwsSettings,
    values::GroupName,
};

/// What is to end.
enum Which<'a> {
    Group(&'a GroupName),
    Ids(&'a [String]),
    All,
}

/// Shows what goes, asks, and ends it.
///
/// # Errors
/// Nothing of that name or id, an id that is not ours, no permission; and,
/// naming the machines, when some may still be running.
pub async fn run(args: &TerminateArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let which = match (
        args.name.as_ref().or(args.machine_group_name.as_ref()),
        args.all,
    ) {
        (Some(name), _) => Which::Group(name),
        (None, true) => Which::All,
        (None, false) => Which::Ids(&args.instance_ids),
    };
    let api = inductiva::Client::with_key_if_any(&args.api, &settings.http, out)?;
    if api.is_none() {
        out.warn("there is no Inductiva API key: the machine groups stay on Inductiva's side until it ends them");
    }
    let aws = Aws::connect(settings, out).await?;
    let (machines, was_there) = find(&aws, &which).await?;
    let going: Vec<Machine> = machines
        .into_iter()
        .filter(|m| !m.state.is_gone())
        .collect();
    if going.is_empty() {
        return nothing_to_end(&which, was_there, api.as_ref(), &aws.region, args.yes, out).await;
    }
    if !args.yes {
        out.say(
            ListReport::of(&going, &BTreeMap::new())
                .to_string()
                .trim_end(),
        );
        let question = format!(
            "{} will be terminated. Are you sure you want to proceed",
            machines::count(going.len())
        );
        if !out.confirm(&question).await? {
            return Err(Failure::failed("not confirmed: nothing was terminated"));
        }
    }
    let ids = machines::ids(&going);
    let terminated = aws.terminate(&ids).await;
    let left = terminated.left(&ids);
    let ended: Vec<String> = ids
        .iter()
        .filter(|id| !left.contains(id))
        .cloned()
        .collect();
    if let Some(api) = &api {
        delete_empty_groups(&aws, api, &going, &ended, out).await;
    }
    let report = TerminateReport { terminated: ended };
    out.result(&report, &report.terminated)?;
    if left.is_empty() {
        out.say(&format!(
            "{} shutting down: billing of the machines has ended, their disks go with them",
            match report.terminated.len() {
                1 => "1 machine is".to_owned(),
                n => format!("{n} machines are"),
            }
        ));
        return Ok(());
    }
    let failure = terminated
        .failure
        .unwrap_or_else(|| Failure::failed("EC2 did not say that the machines are shutting down"));
    let kind = match failure.kind {
        Kind::NotSignedIn | Kind::NotPermitted if report.terminated.is_empty() => failure.kind,
        _ => Kind::MachinesMayBeRunning,
    };
    Err(Failure { kind, ..failure }
        .hint(format!(
            "try again: inductiva-aws terminate --instance-id {}",
            left.join(",")
        ))
        .machines(left))
}

/// The machines in question, and whether any has ever been seen.
async fn find(aws: &Aws, which: &Which<'_>) -> Result<(Vec<Machine>, bool)> {
    let machines = match which {
        Which::Group(name) => aws.group_machines(name).await?,
        Which::All => aws.our_machines().await?,
        Which::Ids(ids) => {
            let found = aws.machines_by_id(ids).await?;
            refuse_others(ids, &found, &aws.region)?;
            found
        }
    };
    let was_there = !machines.is_empty();
    Ok((machines, was_there))
}

/// Refuses ids that EC2 does not know, and machines that are not ours.
fn refuse_others(ids: &[String], found: &[Machine], region: &str) -> Result<()> {
    let unknown: Vec<&str> = ids
        .iter()
        .filter(|id| !found.iter().any(|m| m.instance_id == **id))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(Failure::failed(format!(
            "{region} does not have {}; nothing was terminated",
            unknown.join(" ")
        ))
        .hint("inductiva-aws list --all-regions shows what there is"));
    }
    let others: Vec<&str> = found
        .iter()
        .filter(|m| !m.is_ours())
        .map(|m| m.instance_id.as_str())
        .collect();
    if !others.is_empty() {
        return Err(Failure::failed(format!(
            "not launched by inductiva-aws: {}; nothing was terminated",
            others.join(" ")
        ))
        .hint("end other machines in the EC2 console or with the AWS CLI"));
    }
    Ok(())
}

/// No machine to end: a group may still be there on Inductiva's side.
async fn nothing_to_end(
    which: &Which<'_>,
    was_there: bool,
    api: Option<&inductiva::Client>,
    region: &str,
    yes: bool,
    out: Output,
) -> Result<()> {
    if let (Which::Group(name), Some(api)) = (which, api) {
        match api.group(name).await {
            Ok(Some(group)) if group.is_active() => {
                let question = format!(
                    "The group {name} has no machine in {region}. Delete it on Inductiva's side"
                );
                if !yes && !out.confirm(&question).await? {
                    return Err(Failure::failed("not confirmed: nothing was deleted"));
                }
                api.delete_group(&group.id).await?;
                out.say(&format!(
                    "deleted the machine group {name}, which had no machine in {region}"
                ));
                return report_none(out);
            }
            Ok(Some(_)) => {
                out.say(&format!("the machine group {name} is gone already"));
                return report_none(out);
            }
            Ok(None) => {}
            Err(error) => out.warn(&format!(
                "cannot look up the group {name} on Inductiva's side: {}",
                error.why()
            )),
        }
    }
    match which {
        Which::Group(name) if !was_there => Err(Failure::failed(format!(
            "{region} has no machine group {name}"
        ))
        .hint("inductiva-aws list --all-regions shows the groups there are")),
        _ => {
            out.say("there is nothing to terminate: it is gone already");
            report_none(out)
        }
    }
}

fn report_none(out: Output) -> Result<()> {
    out.result(
        &TerminateReport {
            terminated: Vec::new(),
        },
        &[],
    )
}

/// Deletes the groups that have lost their last machine. Machines have ended by
/// now, so what fails here is a warning.
async fn delete_empty_groups(
    aws: &Aws,
    api: &inductiva::Client,
    going: &[Machine],
    ended: &[String],
    out: Output,
) {
    let names: BTreeSet<GroupName> = going
        .iter()
        .filter(|m| ended.contains(&m.instance_id))
        .filter_map(|m| m.group()?.parse().ok())
        .collect();
    for name in names {
        if let Err(why) = delete_if_empty(aws, api, &name, ended).await {
            out.warn(&format!(
                "the machine group {name} stays on Inductiva's side: {why}"
            ));
        }
    }
}

async fn delete_if_empty(
    aws: &Aws,
    api: &inductiva::Client,
    name: &GroupName,
    ended: &[String],
) -> Result<(), String> {
    let machines = aws
        .group_machines(name)
        .await
        .map_err(|failure| failure.message)?;
    if machines
        .iter()
        .any(|m| !m.state.is_gone() && !ended.contains(&m.instance_id))
    {
        return Ok(());
    }
    let why = |error: ApiError| error.why().to_owned();
    match api.group(name).await.map_err(why)? {
        Some(group) if group.is_active() => api.delete_group(&group.id).await.map_err(why),
        _ => Ok(()),
    }
}
