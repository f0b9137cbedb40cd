//! `terminate`: ends machines, and their groups on Inductiva's side.

mod groups;
mod security_groups;

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;

use super::report::{ListReport, TerminateReport};
use crate::{
    aws::{Aws, instances::Terminated},
    cli::TerminateArgs,
    error::{Failure, Kind, Result},
    inductiva::{self, Group},
    machines::{everywhere::Found, price_book::PriceBook},
    model::machine::{self, Machine},
    settings::AwsSettings,
    terminal::output::Output,
    values::GroupName,
};

/// Machines in one call: each call's answer is a step of the progress.
const BATCH: usize = 100;

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
/// naming the machines or the regions, when some may still be running.
pub async fn run(args: &TerminateArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let which = match (
        args.name.as_ref().or(args.machine_group_name.as_ref()),
        args.all,
    ) {
        (Some(name), _) => Which::Group(name),
        (None, true) => Which::All,
        (None, false) => Which::Ids(&args.instance_ids),
    };
    let without = "the machine groups stay on Inductiva's side until it ends them";
    let api = inductiva::Client::where_usable(&args.api, &settings.http, Some(without), out);
    let aws = Aws::connect(settings, out).await?;
    let found = find(&aws, &which, args.all_regions, out).await?;
    let going: Vec<Machine> = found
        .machines
        .iter()
        .filter(|m| !m.state.is_gone())
        .cloned()
        .collect();
    let groups = groups::Groups {
        aws: &aws,
        api: api.as_ref(),
        found: &found,
        out,
    };
    if going.is_empty() && !args.all {
        return nothing_to_end(&which, &groups, args.yes, out).await;
    }
    let left_over = if args.all {
        groups.left_over().await
    } else {
        Vec::new()
    };
    if going.is_empty() && left_over.is_empty() {
        out.say("there is nothing to terminate: it is gone already");
    } else if !args.yes {
        confirm(&going, &left_over, &aws, out).await?;
    }
    let ids = machine::ids(&going);
    let terminated = end(&aws, &going, out).await;
    let left = terminated.left(&ids);
    let ended: Vec<String> = ids
        .iter()
        .filter(|id| !left.contains(id))
        .cloned()
        .collect();
    say_ended(&ended, out);
    let mut deleted = groups.delete_emptied(&going, &ended).await;
    deleted.extend(groups.delete_left_over(&left_over).await);
    let security_groups = security_groups::SecurityGroups {
        aws: &aws,
        found: &found,
        ended: &ended,
        out,
    };
    let removed = match (args.all, args.remove_security_group) {
        (true, true) if left.is_empty() => security_groups.remove().await,
        (true, _) => {
            security_groups.say_kept().await;
            security_groups::Removed::default()
        }
        (false, _) => security_groups::Removed::default(),
    };
    let report = TerminateReport {
        terminated: ended,
        deleted_machine_groups: deleted,
        removed_security_groups: removed.ids,
    };
    out.result(&report, &report.terminated)?;
    if !left.is_empty() {
        return Err(may_be_running(terminated, left, &report));
    }
    if let Some((regions, failure)) = found.hole() {
        return Err(not_everywhere(&regions, failure, &report));
    }
    removed.failure.map_or(Ok(()), Err)
}

/// The machines in question.
async fn find(aws: &Aws, which: &Which<'_>, all_regions: bool, out: Output) -> Result<Found> {
    let machines = match which {
        Which::All if all_regions => {
            let found = Found::everywhere(aws, out).await?;
            for (region, failure) in &found.missing {
                out.warn(&format!("{region} cannot be asked: {}", failure.message));
            }
            return Ok(found);
        }
        Which::All => return Found::here(aws).await,
        Which::Group(name) => aws.group_machines(name).await?,
        Which::Ids(ids) => {
            let found = aws.machines_by_id(ids).await?;
            refuse_others(ids, &found, &aws.region)?;
            found
        }
    };
    Ok(Found {
        machines,
        regions: vec![aws.region.clone()],
        ..Found::default()
    })
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

/// Shows what goes, and asks.
async fn confirm(going: &[Machine], left_over: &[Group], aws: &Aws, out: Output) -> Result<()> {
    let mut what = Vec::new();
    if !going.is_empty() {
        let now = aws.clock.now();
        let list = ListReport::of(going, &BTreeMap::new(), &PriceBook::default(), now);
        out.say(list.to_string().trim_end());
        what.push(machine::count(going.len()));
    }
    if !left_over.is_empty() {
        for group in left_over {
            out.say(&format!("machine group {}, without machines", group.name));
        }
        what.push(match left_over.len() {
            1 => "1 machine group".into(),
            n => format!("{n} machine groups"),
        });
    }
    let question = format!(
        "{} will be terminated. Are you sure you want to proceed",
        what.join(" and ")
    );
    if out.confirm(&question).await? {
        Ok(())
    } else {
        Err(Failure::failed("not confirmed: nothing was terminated"))
    }
}

/// Ends the machines, batch by batch, the regions side by side.
async fn end(aws: &Aws, going: &[Machine], out: Output) -> Terminated {
    let (answer, mut answers) = mpsc::unbounded_channel();
    let regions: BTreeSet<&str> = going.iter().map(|m| m.region.as_str()).collect();
    for region in regions {
        let here = going.iter().filter(|m| m.region == region);
        let ids: Vec<String> = here.map(|m| m.instance_id.clone()).collect();
        let (aws, answer) = (aws.in_region(region), answer.clone());
        tokio::spawn(async move {
            for batch in ids.chunks(BATCH) {
                // Nobody listens once the command is interrupted.
                if answer.send(aws.terminate(batch).await).is_err() {
                    return;
                }
            }
        });
    }
    drop(answer);
    let mut progress = out.progress();
    let mut all = Terminated::default();
    while let Some(batch) = answers.recv().await {
        all.states.extend(batch.states);
        all.failure = all.failure.or(batch.failure);
        if going.len() > BATCH {
            progress.update(format!(
                "terminated {} of {}",
                all.states.len(),
                going.len()
            ));
        }
    }
    all
}

fn say_ended(ended: &[String], out: Output) {
    let subject = match ended.len() {
        0 => return,
        1 => "1 machine is".to_owned(),
        n => format!("{n} machines are"),
    };
    out.say(&format!(
        "{subject} shutting down: billing of the machines has ended, their disks go with them"
    ));
}

/// Some of the machines were not ended.
fn may_be_running(terminated: Terminated, left: Vec<String>, report: &TerminateReport) -> Failure {
    let failure = terminated
        .failure
        .unwrap_or_else(|| Failure::failed("EC2 did not say that the machines are shutting down"));
    Failure {
        kind: kind(&failure, report),
        ..failure
    }
    .hint(format!(
        "try again: inductiva-aws terminate --instance-id {}",
        left.join(",")
    ))
    .machines(left)
}

/// Nobody knows what runs in these regions.
fn not_everywhere(regions: &str, failure: &Failure, report: &TerminateReport) -> Failure {
    Failure {
        kind: kind(failure, report),
        message: format!(
            "machines may be running in {regions}, which could not be asked: {}",
            failure.message
        ),
        ..failure.clone()
    }
    .hint("try again: inductiva-aws terminate --all --all-regions")
}

/// What kept everything from being ended is the kind of the failure; what kept
/// only a part is not.
fn kind(failure: &Failure, report: &TerminateReport) -> Kind {
    match failure.kind {
        Kind::NotSignedIn | Kind::NotPermitted if report.terminated.is_empty() => failure.kind,
        _ => Kind::MachinesMayBeRunning,
    }
}

/// No machine to end: a group may still be there on Inductiva's side.
async fn nothing_to_end(
    which: &Which<'_>,
    groups: &groups::Groups<'_>,
    yes: bool,
    out: Output,
) -> Result<()> {
    let report = if let Which::Group(name) = which {
        groups.end_without_machines(name, yes).await?
    } else {
        out.say("there is nothing to terminate: it is gone already");
        TerminateReport::default()
    };
    out.result(&report, &[])
}
