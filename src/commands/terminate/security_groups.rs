//! The security groups of this program. They cost nothing, and stay for the next start
//! unless they are to be removed.

use std::time::Duration;

use crate::{
    aws::Aws,
    error::{Failure, Result},
    machines::everywhere::Survey,
    model::{
        machine::{self, Machine, State},
        network::SecurityGroup,
    },
    terminal::{command_line::command, output::Output},
};

/// Machines are gone a minute or so after they were told to end, GPU machines later.
const GONE_WITHIN: Duration = Duration::from_mins(10);
/// A network interface may exist a moment longer than its machine.
const FREE_WITHIN: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(5);

pub struct SecurityGroups<'a> {
    pub aws: &'a Aws,
    pub found: &'a Survey,
    /// Whether these are all regions, and not only this run's.
    pub all_regions: bool,
    /// The machines that this run ended.
    pub ended: &'a [String],
    pub out: Output,
}

/// What was removed, and why something was not.
#[derive(Default)]
pub struct Removed {
    pub ids: Vec<String>,
    pub failure: Option<Failure>,
}

impl SecurityGroups<'_> {
    /// Our groups in the regions that were asked.
    async fn ours(&self) -> Result<Vec<(Aws, SecurityGroup)>> {
        let mut asked = tokio::task::JoinSet::new();
        for region in &self.found.regions {
            let aws = self.aws.in_region(region);
            asked.spawn(async move { (aws.our_security_groups().await, aws) });
        }
        let mut ours = Vec::new();
        for (groups, aws) in asked.join_all().await {
            ours.extend(groups?.into_iter().map(|group| (aws.clone(), group)));
        }
        ours.sort_by(|a, b| (&a.0.region, &a.1.name).cmp(&(&b.0.region, &b.1.name)));
        Ok(ours)
    }

    pub async fn say_kept(&self) {
        // Nothing depends on it, and whoever may not look sees no line.
        let ours = self.ours().await.unwrap_or_default();
        if ours.is_empty() {
            return;
        }
        let names: Vec<String> = ours
            .iter()
            .map(|(aws, group)| format!("{} ({}, {})", group.name, group.id, aws.region))
            .collect();
        let (what, they) = match names.len() {
            1 => ("security group", "it"),
            _ => ("security groups", "them"),
        };
        self.out.say(&format!(
            "kept for the next start, at no cost: {what} {}; {} removes {they}",
            names.join(", "),
            self.removing()
        ));
    }

    /// The line that removes the groups of the regions that were asked.
    fn removing(&self) -> String {
        command(if self.all_regions {
            "terminate --all --all-regions --remove-security-group"
        } else {
            "terminate --all --remove-security-group"
        })
    }

    /// Removes the groups once the machines are gone.
    pub async fn remove(&self) -> Removed {
        let mut removed = Removed::default();
        let ours = match self.ours().await {
            Ok(ours) => ours,
            Err(failure) => {
                removed.failure = Some(failure);
                return removed;
            }
        };
        if !ours.is_empty() {
            removed.failure = self.until_gone().await.err();
        }
        for (aws, group) in ours {
            if removed.failure.is_some() {
                break;
            }
            match remove_one(&aws, &group).await {
                Ok(()) => {
                    self.out.say(&format!(
                        "removed the security group {} ({}, {})",
                        group.name, group.id, aws.region
                    ));
                    removed.ids.push(group.id);
                }
                Err(failure) => removed.failure = Some(failure),
            }
        }
        removed
    }

    /// Waits until all machines are terminated, including those that were ending already.
    async fn until_gone(&self) -> Result<()> {
        let waits =
            |m: &&Machine| m.state == State::ShuttingDown || self.ended.contains(&m.instance_id);
        let mut waiting: Vec<Machine> = self.found.machines.iter().filter(waits).cloned().collect();
        let all = waiting.len();
        let time = &self.aws.time;
        let deadline = time.instant() + GONE_WITHIN;
        let mut pause = FIRST_PAUSE;
        let mut progress = self.out.progress();
        while !waiting.is_empty() {
            progress.update(format!(
                "waiting for the machines to be gone: {} of {all}",
                all - waiting.len()
            ));
            let mut going = Vec::new();
            for region in &self.found.regions {
                let here = waiting.iter().filter(|m| m.region == *region).cloned();
                let here = machine::ids(&here.collect::<Vec<_>>());
                going.extend(self.aws.in_region(region).machines_by_id(&here).await?);
            }
            going.retain(|m| m.state != State::Terminated);
            waiting = going;
            if waiting.is_empty() {
                break;
            }
            if time.instant() + pause > deadline {
                return Err(Failure::failed(format!(
                    "the security groups stay: {} still shutting down",
                    machine::count(waiting.len())
                ))
                .hint(format!("try again in some minutes: {}", self.removing())));
            }
            time.pause(pause).await;
            pause = (pause * 3 / 2).min(LAST_PAUSE);
        }
        Ok(())
    }
}

async fn remove_one(aws: &Aws, group: &SecurityGroup) -> Result<()> {
    let deadline = aws.time.instant() + FREE_WITHIN;
    let mut pause = FIRST_PAUSE;
    while !aws.delete_security_group(&group.id).await? {
        if aws.time.instant() + pause > deadline {
            return Err(Failure::failed(format!(
                "the security group {} ({}, {}) stays: something else uses it",
                group.name, group.id, aws.region
            ))
            .hint(
                "a machine that inductiva-aws did not launch, or a rule of another security group",
            ));
        }
        aws.time.pause(pause).await;
        pause = (pause * 3 / 2).min(LAST_PAUSE);
    }
    Ok(())
}
