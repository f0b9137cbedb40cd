//! `list`: groups and machines.

mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

pub use self::report::ListReport;
use self::report::{BudgetLeft, LeftoverGroup};
use crate::{
    aws::Aws,
    cli::ListArgs,
    commands::report::{EndedMachine, RegionsReport},
    error::{Failure, Kind, Result},
    identity,
    inductiva::{self, ApiError, Group},
    machines::{everywhere::Survey, leftovers::View, price_book::PriceBook, unseen::unseen},
    model::machine::{self, Machine, State},
    plan::deadlines::{self, Because, Deadline, Left},
    settings::{self, AwsSettings},
    terminal::{
        command_line::command,
        output::{Format, Output, Reader},
        time::moment,
    },
    values::GroupName,
};

/// Prints the machines that inductiva-aws launched and that are not gone.
pub async fn run(args: &ListArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if args.watch.is_some() && out.format == Format::Json {
        return Err(Failure::usage(
            "--watch cannot be combined with --output json: it prints the list again and again, and JSON output is one document",
        ));
    }
    let api = inductiva::Client::where_usable(settings::api(&args.api), &settings.http, None, out);
    let aws = identity::connect(settings, out).await?;
    let mut prices = PriceBook::default();
    let Some(seconds) = args.watch else {
        show(&aws, api.as_ref(), args, &mut prices, out).await?;
        return Ok(());
    };
    loop {
        out.clear_screen()?;
        let reader = show(&aws, api.as_ref(), args, &mut prices, out).await?;
        if reader == Reader::IsGone {
            return Ok(());
        }
        aws.time.pause(Duration::from_secs(seconds)).await;
    }
}

async fn show(
    aws: &Aws,
    api: Option<&inductiva::Client>,
    args: &ListArgs,
    prices: &mut PriceBook,
    out: Output,
) -> Result<Reader> {
    let found = if args.all_regions {
        Survey::everywhere(aws, out).await?
    } else {
        Survey::here(aws).await?
    };
    let is_asked_for = |m: &&Machine| {
        let name = args.machine_group_name.as_ref();
        name.is_none_or(|name| m.group() == Some(name.as_str()))
    };
    let asked_for = || found.machines.iter().filter(is_asked_for);
    let machines: Vec<Machine> = asked_for()
        .filter(|m| m.state != State::Terminated && m.ended_by_ec2().is_none())
        .cloned()
        .collect();
    let ended = EndedMachine::of(asked_for());
    // Ids alone need neither prices nor Inductiva.
    let ids_alone = out.quiet && out.format == Format::Text;
    // Whether machines may be where nobody could look is for Inductiva to say.
    let api = api.filter(|_| !ids_alone || !found.denied.is_empty());
    let learning = async {
        if !ids_alone {
            prices.learn(aws, &machines).await;
        }
    };
    let (groups, active, ()) = tokio::join!(groups(api, &machines), active(api), learning);
    let (groups, why) = groups;
    let (active, why) = match active {
        Ok(active) => (active, why),
        Err(error) => (None, Some(error)),
    };
    if let Some(error) = why {
        out.warn(&format!(
            "Inductiva cannot be asked about the machines: {}",
            error.why()
        ));
    }
    let now = aws.clock.now();
    let view = View {
        machines: &found.machines,
        everywhere: found.everywhere,
        now,
    };
    let name = args.machine_group_name.as_ref();
    let left_over = |group: &&Group| {
        name.is_none_or(|name| group.name == name.as_str()) && view.judge(group).is_some()
    };
    let mut report = ListReport::of(&machines, &groups, prices, now);
    let unseen = unseen(&found, active.as_deref(), view).map(|failure| {
        failure.hint("ask somebody who may look there to run inductiva-aws list --all-regions")
    });
    report.ended = ended;
    let mut budgets = deadlines::left(&found.machines, now);
    budgets.retain(|left| name.is_none_or(|name| left.group == name.as_str()));
    report.budgets = budgets.iter().map(BudgetLeft::from).collect();
    report.leftover_groups = active.map(|active| {
        let left = active.iter().filter(left_over);
        left.map(LeftoverGroup::from).collect()
    });
    report.regions = RegionsReport::from(&found);
    let reader = out.stream_result(&report, &report.ids())?;
    say_what_costs(&report, &machines, out);
    say_deadlines(&machines, &budgets, now, out);
    say_leftovers(&report, &found, out);
    if let Some((regions, failure)) = found.hole() {
        return Err(Failure {
            kind: Kind::MachinesMayBeRunning,
            message: format!(
                "the list is not complete, {regions} did not answer: {}",
                failure.message
            ),
            ..failure.clone()
        }
        .hint("machines may be running there: try again in a minute"));
    }
    unseen.map_or(Ok(reader), Err)
}

/// How many machines run and what that costs, and that stopped ones cost too.
fn say_what_costs(report: &ListReport, machines: &[Machine], out: Output) {
    let running = machines.iter().filter(|m| m.state.is_live()).count();
    let verb = |number| if number == 1 { "runs" } else { "run" };
    if running > 0 {
        out.say(&format!(
            "{} {}, {}",
            machine::count(running),
            verb(running),
            report.cost.in_words()
        ));
    }
    let stopped: Vec<&str> = machines
        .iter()
        .filter(|m| matches!(m.state, State::Stopping | State::Stopped))
        .map(|m| m.instance_id.as_str())
        .collect();
    if !stopped.is_empty() {
        out.say(&format!(
            "stopped machines run nothing, but their disks still cost money: {}",
            command(&format!("terminate --instance-id {}", stopped.join(",")))
        ));
    }
}

/// When machines end at the latest, and why, a line for each group; and what is left
/// of its budget.
fn say_deadlines(machines: &[Machine], budgets: &[Left], now: SystemTime, out: Output) {
    for left in budgets {
        out.say(&format!(
            "{} ends by {}, when its budget is used up: about {:.2} of {} USD left",
            left.group,
            moment(left.ends_at, now),
            left.usd,
            left.max_cost
        ));
    }
    let mut lifetimes: BTreeMap<&str, SystemTime> = BTreeMap::new();
    for machine in machines {
        let deadline = Deadline::of(machine);
        let by_lifetime = deadline.filter(|d| d.because == Because::MaxLifetime);
        if let (Some(group), Some(deadline)) = (machine.group(), by_lifetime) {
            let last = lifetimes.entry(group).or_insert(deadline.at);
            *last = deadline.at.max(*last);
        }
    }
    for (group, at) in lifetimes {
        let is_told = budgets.iter().any(|left| left.group == group);
        if !is_told {
            let moment = moment(at, now);
            out.say(&format!("{group} ends by {moment} (--max-lifetime)"));
        }
    }
}

/// Groups on Inductiva's side that have no machine.
fn say_leftovers(report: &ListReport, found: &Survey, out: Output) {
    let names: Vec<&str> = report
        .leftover_groups
        .iter()
        .flatten()
        .map(|group| group.name.as_str())
        .collect();
    if names.is_empty() {
        return;
    }
    let place = if found.everywhere {
        "any region".into()
    } else {
        found.regions.join(", ")
    };
    out.say(&format!(
        "left over on Inductiva's side, without a machine in {place}: {}; {} deletes them",
        names.join(", "),
        command("terminate NAME")
    ));
}

/// The active groups on Inductiva's side; none where there is no key.
async fn active(api: Option<&inductiva::Client>) -> Result<Option<Vec<Group>>, ApiError> {
    match api {
        Some(api) => api.groups().await.map(Some),
        None => Ok(None),
    }
}

/// What Inductiva says of the machines' groups, none of those that it does not
/// have, and why one could not be asked about.
async fn groups(
    api: Option<&inductiva::Client>,
    machines: &[Machine],
) -> (BTreeMap<String, Option<Group>>, Option<ApiError>) {
    let mut groups = BTreeMap::new();
    let Some(api) = api else {
        return (groups, None);
    };
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
    let mut why = None;
    for (name, group) in asked.join_all().await {
        match group {
            Ok(group) => {
                groups.insert(name.to_string(), group);
            }
            Err(error) => why = Some(error),
        }
    }
    (groups, why)
}
