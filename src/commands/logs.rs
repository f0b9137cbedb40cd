//! `logs`: what machines say on their consoles while they boot.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::{
    aws::Aws,
    cli::LogsArgs,
    commands::report::EndedMachine,
    error::{Failure, Kind, Result},
    identity,
    model::{
        boot_log,
        machine::{self, Machine, State},
    },
    settings::AwsSettings,
    terminal::{
        command_line::command,
        interrupt::Interrupt,
        output::{Output, Reader},
        panics, printable,
    },
    values::Target,
};

/// The pause between two looks with `--follow`. EC2 allows 10 unfiltered reads a second
/// (EC2 API reference, request throttling).
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How many machines are asked at the same time.
const SIDE_BY_SIDE: usize = 10;

const PHASE: Style = AnsiColor::Green.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();

#[derive(Clone, Debug, Serialize)]
struct Log {
    instance_id: String,
    /// Whether the console is live; otherwise EC2 posts it late.
    live: bool,
    console: String,
}

#[derive(Clone, Debug, Serialize)]
struct LogsReport {
    logs: Vec<Log>,
    /// Machines that EC2 ended, and why.
    ended: Vec<EndedMachine>,
}

/// Prints the consoles. With `--follow` it goes on with what is new until it is
/// interrupted, or until all machines have ended.
pub async fn run(
    args: &LogsArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    if args.follow && out.format.is_document() {
        return Err(Failure::usage(
            "--follow cannot be combined with --output json: it goes on and on, and JSON output is one document",
        ));
    }
    let aws = identity::connect(settings, out).await?;
    let machines = find(args, &aws).await?;
    let live = aws.with_live_console(&machines).await?;
    if let Some(late) = boot_log::late(machines.len() - live.len()) {
        out.say(&late);
    }
    let asked: Vec<(String, bool)> = machine::ids(&machines)
        .into_iter()
        .map(|id| {
            let live = live.contains(&id);
            (id, live)
        })
        .collect();
    let many = asked.len() > 1;
    let ended = EndedMachine::of(&machines);
    if args.follow {
        for ended in &ended {
            out.stream(&format!("{ended}\n"))?;
        }
        return tokio::select! {
            biased;
            ended = follow(&aws, machines, &asked, many, out) => ended,
            // Ctrl-C is the way to stop following.
            () = interrupt.until(1) => Ok(()),
        };
    }
    let mut logs = Vec::new();
    let mut failures = Vec::new();
    for read in read(&aws, &asked).await? {
        match read {
            Ok(log) => logs.push(log),
            Err((_, failure)) => failures.push(failure),
        }
    }
    if out.format.is_document() {
        if failures.is_empty() || !logs.is_empty() {
            out.json(&LogsReport { logs, ended })?;
        }
    } else {
        for log in &logs {
            say_if_empty(log, out);
            show(log, &log.console, many, out)?;
        }
        for ended in &ended {
            out.stream(&format!("{ended}\n"))?;
        }
    }
    let last = failures.pop();
    for failure in failures {
        out.warn(&failure.message);
    }
    last.map_or(Ok(()), Err)
}

/// Shows whole lines as they come, until the reader goes away, or until no machine is
/// left that may say more. A console that cannot be read is named, and tried again.
async fn follow(
    aws: &Aws,
    mut machines: Vec<Machine>,
    asked: &[(String, bool)],
    many: bool,
    out: Output,
) -> Result<()> {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    let mut failing: BTreeSet<String> = BTreeSet::new();
    loop {
        // This is known before the consoles are read, so that the last words are not
        // missed.
        let have_ended = machines.iter().all(|m| m.state == State::Terminated);
        for read in read(aws, asked).await? {
            let log = match read {
                Ok(log) => log,
                Err((id, failure)) => {
                    if failing.insert(id) {
                        out.warn(&failure.message);
                    }
                    continue;
                }
            };
            failing.remove(&log.instance_id);
            let console = boot_log::whole_lines(&log.console);
            let old = shown.get(&log.instance_id);
            if old.is_none() {
                say_if_empty(&log, out);
            }
            let old = old.map_or("", String::as_str);
            let news = boot_log::beyond(old, console);
            if show(&log, news, many, out)? == Reader::IsGone {
                return Ok(());
            }
            if !news.is_empty() || old.is_empty() {
                shown.insert(log.instance_id.clone(), console.to_owned());
            }
        }
        if have_ended {
            say_ended(&machines, out);
            return Ok(());
        }
        aws.time.pause(LOOK_EVERY).await;
        match aws.machines_by_id(&machine::ids(&machines)).await {
            Ok(seen) => {
                failing.remove(aws.region.as_str());
                // A machine that EC2 does not show stays as it was.
                for new in seen {
                    if let Some(known) = machines
                        .iter_mut()
                        .find(|m| m.instance_id == new.instance_id)
                    {
                        *known = new;
                    }
                }
            }
            Err(failure) if failure.kind.may_pass() => {
                if failing.insert(aws.region.clone()) {
                    out.warn(&failure.message);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Says that nothing more will come, and why.
fn say_ended(machines: &[Machine], out: Output) {
    for m in machines {
        let reason = m.state_reason.as_deref().unwrap_or("no reason is given");
        out.say(&format!("{} has ended: {reason}", m.instance_id));
    }
}

fn say_if_empty(log: &Log, out: Output) {
    if log.console.is_empty() {
        out.say(&format!(
            "{} has nothing on its console yet",
            log.instance_id
        ));
    }
}

async fn find(args: &LogsArgs, aws: &Aws) -> Result<Vec<Machine>> {
    let named = args.machine_group_name.clone().map(Target::Group);
    let by_id = args.instance_id.clone().map(Target::Machine);
    let target = args.target.clone().or(named).or(by_id);
    let (machines, what) = match target {
        Some(Target::Machine(id)) => (
            aws.machines_by_id(std::slice::from_ref(&id)).await?,
            format!("machine {id}"),
        ),
        Some(Target::Group(name)) => (
            aws.group_machines(&name).await?,
            format!("machine group {name}"),
        ),
        None => {
            return Err(Failure::usage(
                "name a machine group, or a machine by its id",
            ));
        }
    };
    if machines.is_empty() {
        return Err(
            Failure::new(Kind::NotFound, format!("{} has no {what}", aws.region)).hint(format!(
                "{} shows what there is",
                command("list --all-regions")
            )),
        );
    }
    if let Some(other) = machines.iter().find(|m| !m.is_ours()) {
        return Err(Failure::failed(format!(
            "not launched by inductiva-aws: {}",
            other.instance_id
        )));
    }
    Ok(machines)
}

/// Reads the consoles, some at a time, in the machines' order. For one that cannot be
/// read there is the machine's id and the failure.
///
/// # Errors
/// Not signed in or not permitted, which no other machine would change.
async fn read(aws: &Aws, asked: &[(String, bool)]) -> Result<Vec<Result<Log, (String, Failure)>>> {
    let mut logs = Vec::new();
    for some in asked.chunks(SIDE_BY_SIDE) {
        let reading: Vec<_> = some
            .iter()
            .cloned()
            .map(|(instance_id, live)| {
                let aws = aws.clone();
                tokio::spawn(async move {
                    match aws.console(&instance_id, live).await {
                        Ok(console) => Ok(Log {
                            instance_id,
                            live: console.live,
                            console: console.text,
                        }),
                        Err(failure) => Err((instance_id, failure)),
                    }
                })
            })
            .collect();
        for reading in reading {
            match panics::joined(reading).await {
                Err((_, failure)) if !failure.kind.may_pass() => return Err(failure),
                read => logs.push(read),
            }
        }
    }
    Ok(logs)
}

/// Prints lines, with ours standing out, and with the machine's id if there are many.
fn show(log: &Log, lines: &str, many: bool, out: Output) -> Result<Reader> {
    let mut text = String::new();
    for line in lines.lines() {
        let line = printable::printable(line);
        let style = match boot_log::ours(&line) {
            Some(news) if news.starts_with("failed ") => FAILED,
            Some(_) => PHASE,
            None => Style::new(),
        };
        if many {
            text.push_str(&log.instance_id);
            text.push_str("  ");
        }
        let _ = writeln!(text, "{style}{line}{style:#}");
    }
    out.stream(&text)
}
