//! `logs`: what machines say on their consoles while they boot.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    aws::Aws,
    cli::LogsArgs,
    console,
    error::{Failure, Result},
    machines::{self, Machine},
    output::{Format, Output},
    settings::AwsSettings,
};

/// Between two looks with `--follow`; the API's own bucket gives 10 unfiltered
/// reads a second (EC2 API reference, request throttling).
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Machines asked at the same time.
const SIDE_BY_SIDE: usize = 10;

const PHASE: Style = AnsiColor::Green.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();

/// The console of one machine.
#[derive(Clone, Debug, Serialize)]
struct Log {
    instance_id: String,
    /// Whether the console is live; else EC2 posts it late.
    live: bool,
    console: String,
}

#[derive(Clone, Debug, Serialize)]
struct LogsReport {
    logs: Vec<Log>,
}

/// Prints the consoles, and goes on with what is new if asked to.
pub async fn run(args: &LogsArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if args.follow && out.format == Format::Json {
        return Err(Failure::usage(
            "--follow goes on and on, and --output json is one document",
        ));
    }
    let aws = Aws::connect(settings, out).await?;
    let machines = find(args, &aws).await?;
    let live = aws.with_live_console(&machines).await?;
    if let Some(late) = console::late(machines.len() - live.len()) {
        out.say(&late);
    }
    let asked: Vec<(String, bool)> = machines::ids(&machines)
        .into_iter()
        .map(|id| {
            let live = live.contains(&id);
            (id, live)
        })
        .collect();
    let mut logs = read(&aws, &asked).await?;
    if out.format == Format::Json {
        return out.json(&LogsReport { logs });
    }
    let many = logs.len() > 1;
    for log in &logs {
        if log.console.is_empty() {
            out.say(&format!(
                "{} has nothing on its console yet",
                log.instance_id
            ));
        }
        show(log, &log.console, many, out)?;
    }
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    if !args.follow {
        return Ok(());
    }
    loop {
        for log in logs {
            shown.insert(log.instance_id, log.console);
        }
        sleep(LOOK_EVERY).await;
        logs = read(&aws, &asked).await?;
        for log in &logs {
            let old = shown.get(&log.instance_id).map_or("", String::as_str);
            show(log, console::beyond(old, &log.console), many, out)?;
        }
    }
}

/// The machines in question.
async fn find(args: &LogsArgs, aws: &Aws) -> Result<Vec<Machine>> {
    let (machines, what) = match (
        &args.instance_id,
        args.name.as_ref().or(args.machine_group_name.as_ref()),
    ) {
        (Some(id), _) => (
            aws.machines_by_id(std::slice::from_ref(id)).await?,
            format!("machine {id}"),
        ),
        (None, Some(name)) => (
            aws.group_machines(name).await?,
            format!("machine group {name}"),
        ),
        (None, None) => {
            return Err(Failure::usage(
                "name a machine group, or a machine with --instance-id",
            ));
        }
    };
    if machines.is_empty() {
        return Err(Failure::failed(format!("{} has no {what}", aws.region))
            .hint("inductiva-aws list --all-regions shows what there is"));
    }
    if let Some(other) = machines.iter().find(|m| !m.is_ours()) {
        return Err(Failure::failed(format!(
            "not launched by inductiva-aws: {}",
            other.instance_id
        )));
    }
    Ok(machines)
}

/// The consoles, some at a time, in the machines' order.
async fn read(aws: &Aws, asked: &[(String, bool)]) -> Result<Vec<Log>> {
    let mut logs = Vec::new();
    for some in asked.chunks(SIDE_BY_SIDE) {
        let mut reading = tokio::task::JoinSet::new();
        for (instance_id, live) in some.iter().cloned() {
            let aws = aws.clone();
            reading.spawn(async move {
                let console = aws.console(&instance_id, live).await?;
                Ok(Log {
                    instance_id,
                    live,
                    console,
                })
            });
        }
        let mut read: Vec<Log> = reading
            .join_all()
            .await
            .into_iter()
            .collect::<Result<_>>()?;
        read.sort_by_key(|log| some.iter().position(|(id, _)| *id == log.instance_id));
        logs.append(&mut read);
    }
    Ok(logs)
}

/// Prints lines, ours standing out, and whose they are if there are many.
fn show(log: &Log, lines: &str, many: bool, out: Output) -> Result<()> {
    let mut text = String::new();
    for line in lines.lines() {
        let line = console::printable(line);
        let style = match console::ours(&line) {
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
    out.data(&text)
}
