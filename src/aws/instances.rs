//! Looking at machines that exist.

use std::{collections::BTreeSet, time::SystemTime};

use anyhow::Context as _;
use aws_sdk_ec2::{
    error::SdkError,
    operation::get_console_output::GetConsoleOutputError,
    primitives::{DateTime, DateTimeFormat},
    types::{self, Filter, InstanceType},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::Engine as _;

use super::{
    Aws,
    errors::{code, failure},
    filter,
};
use crate::{
    error::Result,
    model::{
        boot_log::ConsoleOutput,
        machine::{LAUNCHER, Machine, State, TAG_GROUP, TAG_LAUNCHER},
    },
    values::{GroupName, Market},
};

/// The most machines in one answer of `DescribeInstances` (EC2 API reference).
const PAGE: i32 = 1_000;

impl Aws {
    /// All machines of the group `name`, terminated ones too.
    pub async fn group_machines(&self, name: &GroupName) -> Result<Vec<Machine>> {
        let filters = vec![
            filter(&format!("tag:{TAG_GROUP}"), [name.as_str()]),
            filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]),
        ];
        self.machines(filters).await
    }

    /// All machines of this program's in the region, terminated ones too.
    pub async fn our_machines(&self) -> Result<Vec<Machine>> {
        self.machines(vec![filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER])])
            .await
    }

    /// The machines of these ids, whoever launched them. Those that EC2 does not show are
    /// left out.
    pub async fn machines_by_id(&self, ids: &[String]) -> Result<Vec<Machine>> {
        let mut machines = Vec::new();
        // At most 200 values (EC2 API reference, "Filter").
        for ids in ids.chunks(200) {
            let filters = vec![filter("instance-id", ids.iter().map(String::as_str))];
            machines.extend(self.machines(filters).await?);
        }
        Ok(machines)
    }

    pub(super) async fn machines(&self, filters: Vec<Filter>) -> Result<Vec<Machine>> {
        let mut machines = Vec::new();
        let mut pages = self
            .ec2
            .describe_instances()
            .set_filters(Some(filters))
            .into_paginator()
            .page_size(PAGE)
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| failure(&error, "cannot list machines", &self.region))?;
            let instances = page
                .reservations
                .unwrap_or_default()
                .into_iter()
                .flat_map(|reservation| reservation.instances.unwrap_or_default());
            machines.extend(instances.map(|instance| self.machine(instance)));
        }
        // EC2 may name a machine several times.
        let mut told = BTreeSet::new();
        machines.retain(|m| told.insert(m.instance_id.clone()));
        Ok(machines)
    }

    /// A machine's console: its last 64 KB. Only Nitro types have a `live` one.
    /// Otherwise, and where EC2 no longer has a live one, it is what EC2 posted some time
    /// after the last change.
    pub async fn console(&self, id: &str, live: bool) -> Result<ConsoleOutput> {
        let mut answer = self.console_output(id, live).await;
        let is_missing = match &answer {
            Ok(output) => output.is_empty(),
            Err(error) => code(error).is_some(),
        };
        let mut live = live;
        if live && is_missing {
            answer = self.console_output(id, false).await;
            live = matches!(&answer, Ok(output) if output.is_empty());
        }
        let what = format!("cannot read the console of {id}");
        let mut encoded = match answer {
            Ok(output) => output,
            Err(error) => return Err(self.failure(&error, &what).await),
        };
        // EC2 breaks the text into lines.
        encoded.retain(|c| !c.is_ascii_whitespace());
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .with_context(|| what)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(ConsoleOutput { text, live })
    }

    /// The console in base64; empty where there is none.
    async fn console_output(
        &self,
        id: &str,
        latest: bool,
    ) -> Result<String, SdkError<GetConsoleOutputError, HttpResponse>> {
        let looking = self.ec2.get_console_output().instance_id(id);
        let answer = looking.latest(latest).send().await?;
        Ok(answer.output.unwrap_or_default())
    }

    /// The ids of those machines whose types have a live console.
    pub async fn with_live_console(&self, machines: &[Machine]) -> Result<BTreeSet<String>> {
        let names: BTreeSet<&str> = machines.iter().map(|m| m.vm_type.as_str()).collect();
        let answer = self
            .ec2
            .describe_instance_types()
            .set_instance_types(Some(names.into_iter().map(InstanceType::from).collect()))
            .filters(filter("hypervisor", ["nitro"]))
            .send()
            .await
            .map_err(|error| {
                failure(
                    &error,
                    "cannot look up the types of the machines",
                    &self.region,
                )
            })?;
        let nitro: BTreeSet<String> = answer
            .instance_types
            .unwrap_or_default()
            .into_iter()
            .filter_map(|info| Some(info.instance_type?.as_str().to_owned()))
            .collect();
        let live = machines.iter().filter(|m| nitro.contains(&m.vm_type));
        Ok(live.map(|m| m.instance_id.clone()).collect())
    }

    /// An instance as this program sees it.
    pub(super) fn machine(&self, instance: types::Instance) -> Machine {
        let market = if instance.instance_lifecycle == Some(types::InstanceLifecycleType::Spot) {
            Market::Spot
        } else {
            Market::OnDemand
        };
        let tenancy = instance.placement.as_ref().and_then(|p| p.tenancy.clone());
        Machine {
            platform_details: instance.platform_details,
            is_dedicated: tenancy.is_some_and(|tenancy| tenancy != types::Tenancy::Default),
            ended_at: instance
                .state_transition_reason
                .as_deref()
                .and_then(ended_at)
                .filter(|_| state(instance.state.as_ref()).is_gone()),
            state: state(instance.state.as_ref()),
            state_reason: instance.state_reason.and_then(reason),
            vm_type: instance
                .instance_type
                .map_or(String::new(), |t| t.as_str().to_owned()),
            region: self.region.clone(),
            availability_zone: instance.placement.and_then(|p| p.availability_zone),
            private_ip: instance.private_ip_address.filter(|ip| !ip.is_empty()),
            public_ip: instance.public_ip_address.filter(|ip| !ip.is_empty()),
            market,
            image_id: instance.image_id,
            launched_at: instance
                .launch_time
                .and_then(|time| SystemTime::try_from(time).ok()),
            stopped_at: instance
                .state_transition_reason
                .as_deref()
                .and_then(stopped_at),
            launch_time: instance
                .launch_time
                .and_then(|time| time.fmt(DateTimeFormat::DateTime).ok()),
            tags: instance
                .tags
                .unwrap_or_default()
                .into_iter()
                .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
                .collect(),
            instance_id: instance.instance_id.unwrap_or_default(),
        }
    }
}

/// When a machine was told to end. EC2 has no field for it, only `StateTransitionReason`,
/// which is empty or reads `User initiated (2025-11-24 16:00:00 GMT)`.
fn ended_at(reason: &str) -> Option<SystemTime> {
    let (_, time) = reason.rsplit_once('(')?;
    let time = time.strip_suffix(" GMT)")?.replacen(' ', "T", 1);
    let time = DateTime::from_str(&format!("{time}Z"), DateTimeFormat::DateTime).ok()?;
    SystemTime::try_from(time).ok()
}

/// The code, and the message, which usually begins with the code.
fn reason(reason: types::StateReason) -> Option<String> {
    match (reason.code, reason.message) {
        (Some(code), Some(message)) if !message.starts_with(&code) => {
            Some(format!("{code}: {message}"))
        }
        (code, message) => message.or(code),
    }
}

/// When a machine was stopped. EC2 has no field for it either: its last change of state
/// reads `User initiated (2026-11-27 06:10:47 GMT)` (EC2 API reference, `Instance`).
fn stopped_at(reason: &str) -> Option<SystemTime> {
    let (_, time) = reason.strip_suffix(" GMT)")?.split_once('(')?;
    let time = format!("{}Z", time.replacen(' ', "T", 1));
    let time = DateTime::from_str(&time, DateTimeFormat::DateTime).ok()?;
    SystemTime::try_from(time).ok()
}

/// A state that EC2 adds in the future counts as running, as it may cost money.
pub(super) fn state(state: Option<&types::InstanceState>) -> State {
    use types::InstanceStateName as Name;
    match state.and_then(|state| state.name.as_ref()) {
        Some(Name::Pending) => State::Pending,
        Some(Name::Stopping) => State::Stopping,
        Some(Name::Stopped) => State::Stopped,
        Some(Name::ShuttingDown) => State::ShuttingDown,
        Some(Name::Terminated) => State::Terminated,
        _ => State::Running,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_reason_of_an_end_tells_its_time_or_nothing() {
        let time = UNIX_EPOCH + Duration::from_hours(490_000);
        assert_eq!(
            ended_at("User initiated (2025-11-24 16:00:00 GMT)"),
            Some(time)
        );
        for reason in [
            "",
            "User initiated",
            "Server.X: why (so)",
            "(yesterday GMT)",
        ] {
            assert_eq!(ended_at(reason), None, "{reason}");
        }
    }
}
