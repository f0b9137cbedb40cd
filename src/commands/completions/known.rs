//! Names that can be completed: profiles, regions, groups and machines.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Arg, FromArgMatches as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    cli::{Cli, Global},
    error::Result,
    identity::{self, private_files, profiles::Profiles, unsigned_config},
    machines::everywhere,
    model::machine,
    settings::{self, AwsSettings},
    terminal::output::{Format, Output},
};

/// Somebody is waiting for the completion.
const LOOKED_FOR: Duration = Duration::from_secs(1);
/// For this long the answer of the last look counts, even if nothing was found.
const KEPT: Duration = Duration::from_secs(10);

/// A kind of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    Profiles,
    Regions,
    Groups,
    Machines,
}

impl NameKind {
    /// The kinds of names that an argument takes. The arguments of a new command are
    /// recognised by the names that they share with others.
    pub fn of(arg: &Arg) -> Vec<Self> {
        match arg.get_id().as_str() {
            "profile" => vec![Self::Profiles],
            "region" | "sso_region" => vec![Self::Regions],
            "machine_group_name" => vec![Self::Groups],
            "instance_id" | "instance_ids" => vec![Self::Machines],
            _ if arg.is_positional() => {
                let names = arg.get_value_names().unwrap_or_default();
                let has = |word: &str| names.iter().any(|name| name.contains(word));
                let sorts = [(has("NAME"), Self::Groups), (has("ID"), Self::Machines)];
                sorts
                    .into_iter()
                    .filter_map(|(has, sort)| has.then_some(sort))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A machine that runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct KnownMachine {
    id: String,
    group: Option<String>,
    vm_type: String,
}

#[derive(Clone, Debug, Default)]
pub struct KnownNames {
    pub profiles: Vec<String>,
    pub machines: Vec<KnownMachine>,
}

impl KnownNames {
    /// The names of a kind, and what to say of each.
    pub fn names(&self, sort: NameKind) -> Vec<(String, String)> {
        match sort {
            NameKind::Profiles => {
                let names = self.profiles.iter();
                names.map(|name| (name.clone(), String::new())).collect()
            }
            NameKind::Regions => everywhere::all_known_regions()
                .map(|name| (name.to_owned(), String::new()))
                .collect(),
            NameKind::Groups => {
                let mut groups: BTreeMap<&String, usize> = BTreeMap::new();
                for group in self.machines.iter().filter_map(|m| m.group.as_ref()) {
                    *groups.entry(group).or_default() += 1;
                }
                let groups = groups.into_iter();
                groups
                    .map(|(name, machines)| (name.clone(), machine::count(machines)))
                    .collect()
            }
            NameKind::Machines => {
                let machines = self.machines.iter();
                machines
                    .map(|machine| {
                        let group = machine.group.as_deref().unwrap_or("no group");
                        (
                            machine.id.clone(),
                            format!("{} of {group}", machine.vm_type),
                        )
                    })
                    .collect()
            }
        }
    }
}

/// Looks up names of these kinds, for the account that the typed words are about.
pub async fn look_up(typed: &[OsString], sorts: &BTreeSet<NameKind>) -> KnownNames {
    let settings = settings_of(typed);
    let mut known = KnownNames::default();
    if sorts.contains(&NameKind::Profiles)
        && let Ok(profiles) = Profiles::load(&settings.files)
    {
        known.profiles = profiles.names().into_iter().map(str::to_owned).collect();
    }
    if sorts.contains(&NameKind::Groups) || sorts.contains(&NameKind::Machines) {
        known.machines = Box::pin(machines(&settings)).await.unwrap_or_default();
    }
    known
}

/// The settings by the typed words. The last word is not complete yet.
fn settings_of(typed: &[OsString]) -> AwsSettings {
    let (_, whole) = typed.split_last().unwrap_or((&OsString::new(), &[]));
    let grammar = Cli::grammar().ignore_errors(true);
    let matches = grammar.try_get_matches_from(whole);
    let global = matches.and_then(|matches| Global::from_arg_matches(&matches));
    let mut settings = settings::aws(&global.unwrap_or_default());
    settings.no_input = true;
    settings.only_at_hand = true;
    settings
}

/// What is kept for some seconds.
#[derive(Deserialize, Serialize)]
struct Kept {
    /// In seconds since 1970.
    at_seconds: u64,
    machines: Vec<KnownMachine>,
}

/// The running machines, as EC2 shows them now or showed them some seconds ago.
///
/// # Errors
/// Whatever is in the way: no credentials at hand, or no answer in time.
async fn machines(settings: &AwsSettings) -> Result<Vec<KnownMachine>> {
    // This comes before the time limit, as tests have a clock of their own.
    let profiles = Profiles::load(&settings.files)?;
    unsigned_config(settings, &profiles).await?;
    let time = settings.http.time();
    let path = kept_file(settings);
    let since_1970 = |now: SystemTime| now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = since_1970(time.now()).as_secs();
    let kept = private_files::read(&path).ok();
    if let Some(kept) = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok())
        && (kept.at_seconds..kept.at_seconds + KEPT.as_secs()).contains(&now)
    {
        return Ok(kept.machines);
    }
    let found = time.within(LOOKED_FOR, Box::pin(of_ec2(settings))).await;
    let machines = match found {
        Ok(Ok(machines)) => machines,
        // The next press of the key is not to wait as long again.
        _ => Vec::new(),
    };
    let kept = Kept {
        at_seconds: since_1970(time.now()).as_secs(),
        machines,
    };
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        // If nothing can be kept, EC2 is asked again.
        let _ = private_files::write(&path, &bytes);
    }
    Ok(kept.machines)
}

async fn of_ec2(settings: &AwsSettings) -> Result<Vec<KnownMachine>> {
    let silent = Output {
        format: Format::Text,
        quiet: true,
        verbose: 0,
        interactive: false,
    };
    let aws = identity::connect(settings, silent).await?;
    let machines = aws.our_machines().await?;
    Ok(machines
        .into_iter()
        .filter(|machine| machine.state.is_live())
        .map(|machine| KnownMachine {
            group: machine.group().map(str::to_owned),
            id: machine.instance_id,
            vm_type: machine.vm_type,
        })
        .collect())
}

/// The file for this account, region and so on.
fn kept_file(settings: &AwsSettings) -> PathBuf {
    let parts = [
        settings.profile.as_deref(),
        settings.profile_is_typed.then_some("typed"),
        settings.region.as_deref(),
        settings.endpoint_url.as_deref(),
        settings.environment.access_key_id.as_deref(),
        settings.environment.role_arn.as_deref(),
    ];
    let variables = settings.endpoint_variables.iter();
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| part.unwrap_or("\n"))
        .chain(variables.map(|(_, value)| value.as_str()))
        .collect();
    let name = hex::encode(Sha256::digest(parts.join("\n").as_bytes()));
    let folder = settings.files.folder.join("inductiva-aws/completions");
    folder.join(format!("{name}.json"))
}

/// Two machines, one of them of a group with a blank in its name.
#[cfg(test)]
pub fn examples() -> Vec<KnownMachine> {
    let machine = |id: &str, group: &str| KnownMachine {
        id: id.into(),
        group: Some(group.into()),
        vm_type: "t3.micro".into(),
    };
    vec![
        machine("i-0123456789abcdef0", "wind tunnel"),
        machine("i-0fedcba9876543210", "tank"),
    ]
}
