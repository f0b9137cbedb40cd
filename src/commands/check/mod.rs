//! `check`: everything that `start` would need, tried without launching.

mod accounts;
mod report;
mod request;

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;

use self::{
    accounts::{free_plan, network},
    report::{Check, CheckReport},
    request::{disk, proxy, user_data, vm_type},
};
use crate::{
    aws::{Aws, Identity, quotas::Quota},
    cli::{CheckArgs, StartArgs},
    commands::start,
    error::{Failure, Kind, Result},
    identity::{self, Obstacle},
    inductiva::{self, ApiError},
    launch::{key_pair::KeyPairState, look_up},
    model::{machine, request::Request, system::System},
    plan::{
        choices::{self, types_instead},
        cost::Cost,
        decision::{self, Plan},
        facts::Facts,
        parts::Parts,
    },
    settings::{self, ApiSettings, AwsSettings},
    terminal::output::Output,
    values::{KeyPlace, Market, spans},
};

/// With a larger difference AWS refuses signed requests ("Troubleshoot request signing",
/// IAM user guide).
const CLOCK_MAY_DIFFER_SECONDS: u64 = 300;
/// How long a service is waited for.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// A session that ends this soon is worth a warning.
const SOON: Duration = Duration::from_mins(30);

/// Prints a line for each check. Fails like the first check that failed.
pub async fn run(args: &CheckArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let args = &args.start;
    let api_settings = settings::api(&args.boot.api)?;
    // Without a key the API tells nothing, and the rest is checked.
    let key = api_settings.key.clone().unwrap_or_default();
    let request = settings::request::unchecked(args, &key, out)?;
    let api = inductiva::Client::new(&api_settings, key, settings.http.clone(), out)?;
    let settings = AwsSettings {
        answered_within: Some(ANSWERED_WITHIN),
        ..settings.clone()
    };
    let aws_side = async {
        match identity::try_connect(&settings, out).await {
            Ok(aws) => Box::pin(of_aws(&aws, &api, &settings, args, &request)).await,
            Err(Obstacle::Region(failure)) => (vec![Check::failed("region", failure)], None),
            Err(Obstacle::SignIn(failure)) => (vec![Check::failed("identity", failure)], None),
        }
    };
    let ((mut checks, disk_gib), api_key) =
        tokio::join!(Box::pin(aws_side), api_key(&api_settings, &api));
    checks.extend([disk(&request, disk_gib), user_data(&request), api_key]);
    checks.extend(proxy(&request));
    let report = CheckReport::new(checks, out.width());
    out.result(&report, &[])?;
    report.verdict()
}

/// Waits for a call of `service`, for no longer than [`ANSWERED_WITHIN`].
async fn in_time<T>(aws: &Aws, service: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
    aws.within(Some(ANSWERED_WITHIN), service, call).await
}

/// What AWS tells: the checks, and the size of the root disk where its image is known.
async fn of_aws(
    aws: &Aws,
    api: &inductiva::Client,
    settings: &AwsSettings,
    args: &StartArgs,
    request: &Request,
) -> (Vec<Check>, Option<u32>) {
    let asked_at = aws.time.now();
    let types = [request.vm_type.as_str()];
    let (found, zones, prices, free_types) = tokio::join!(
        Box::pin(look_up::look(aws, api, request, Some(ANSWERED_WITHIN))),
        in_time(aws, "EC2", aws.offerings(&types)),
        aws.prices(request, System::Linux),
        in_time(aws, "EC2", aws.free_tier_types())
    );
    let machines = found.machines.as_deref().unwrap_or_default();
    if let Some(types) = types_instead(request, machines, found.vm_types()) {
        // The new request names its types, so this happens only once.
        return Box::pin(of_aws(aws, api, settings, args, &request.of_types(types))).await;
    }
    let mut checks = vec![identity(aws, &found.identity)];
    if let Ok(identity) = &found.identity {
        checks.push(account(aws, identity, args.expect_account.as_deref()));
    }
    checks.push(Check::ok("region", &aws.region));
    checks.push(clock(aws));
    if found.identity.is_err() {
        return (checks, None);
    }
    let mut disk_gib = None;
    let first = checks.len();
    let zones = zones.map(|offered| {
        let zones: BTreeSet<String> = offered.into_iter().map(|(_, zone)| zone).collect();
        zones.into_iter().collect()
    });
    checks.push(vm_type(request, &found.vm_type, zones));
    let free_types = free_types.unwrap_or_default();
    checks.extend(free_plan(
        &found.vm_types().collect::<Vec<_>>(),
        &free_types,
    ));
    if let Err(failure) = &found.subnets {
        checks.push(Check::failed("network", failure.clone()));
    }
    if let Some(place) = &request.runner.api_key_from {
        checks.push(kept_key(aws, place, settings).await);
    }
    let others = [
        ("vm_type", found.other_types.as_ref().err()),
        ("image", found.images.as_ref().err()),
        ("machine_group", found.machines.as_ref().err()),
        ("security_group", found.security_groups.as_ref().err()),
    ];
    checks.extend(
        others
            .into_iter()
            .filter_map(|(name, failure)| Some(Check::failed(name, failure?.clone()))),
    );
    if let Err(error @ ApiError::OtherProvider(_)) = &found.group {
        checks.push(Check::failed("machine_group", error.clone().into()));
    }
    let group = match &found.group {
        Ok(group) => Ok(group.as_ref().map(look_up::active_group)),
        Err(error) => Err(error.why().to_owned()),
    };
    // In the order of the types. A type that is not known has failed already.
    let mut vcpus = vec![found.vm_type.as_ref().map_or(1, |facts| facts.vcpus)];
    vcpus.extend(found.other_types.iter().flatten().map(|facts| facts.vcpus));
    if checks[first..].iter().any(Check::has_failed) {
        checks.extend(quotas(aws, request, &vcpus, request.num_machines).await);
    } else {
        match found.facts(aws, asked_at) {
            Ok(mut facts) => {
                facts.group = group;
                // The root disk is the first.
                let disks = choices::disks_gib(request, &facts);
                disk_gib = disks.ok().and_then(|gib| gib.first().copied());
                let prices = look_up::prices_of_its_system(aws, request, &facts, prices).await;
                Parts::of(request, &facts, &prices).tell(&mut facts);
                let cost = cost(args, &start::cost(request, &facts, &prices));
                match choices::network(request, &facts) {
                    Ok(found) => {
                        checks.extend(network(request, &facts, &found));
                        checks.push(cost);
                        let launch = Box::pin(launch(aws, args, request, &facts, &vcpus));
                        checks.extend(launch.await);
                    }
                    Err(failure) => {
                        checks.push(Check::failed("network", failure));
                        checks.push(cost);
                        checks.extend(quotas(aws, request, &vcpus, request.num_machines).await);
                    }
                }
            }
            Err(failure) => checks.push(Check::failed("launch", failure)),
        }
    }
    (checks, disk_gib)
}

/// Whether a key is where machines are to fetch theirs. Only they can tell whether they
/// may.
async fn kept_key(aws: &Aws, place: &KeyPlace, settings: &AwsSettings) -> Check {
    let name = "api_key_from";
    let finding = aws.find_kept_key(place, &settings.http);
    match in_time(aws, "the service that keeps the key", finding).await {
        Ok(()) => Check::ok(name, format!("{place} is there")),
        Err(failure) if failure.kind == Kind::NotFound => Check::failed(name, failure),
        Err(failure) => Check::warning(name, failure),
    }
}

/// What the group costs, and whether that is too much.
fn cost(args: &StartArgs, cost: &Cost) -> Check {
    Check::of("cost", start::refuse_dear(args, cost), |()| {
        cost.to_string()
    })
}

/// Decides exactly the launch that a start would make, and asks EC2 for a dry run of it.
async fn launch(
    aws: &Aws,
    args: &StartArgs,
    request: &Request,
    facts: &Facts,
    vcpus: &[u32],
) -> Vec<Check> {
    match decision::plan(request, facts, None) {
        Ok(Plan::Complete(machines)) => vec![Check::ok(
            "launch",
            format!(
                "the group {} has {} already: nothing to launch",
                request.group,
                machine::count(machines.len())
            ),
        )],
        Ok(Plan::Launch(plan)) => {
            let name = &plan.image.name;
            let image = match plan.prepared_image(facts) {
                Ok(prepared) => prepared,
                Err(why) => format!("{} {name}; not a prepared one: {why}", plan.image.id),
            };
            let mut checks = vec![Check::ok("image", image)];
            let warnings = plan.warnings.iter().map(Failure::failed);
            checks.extend(warnings.map(|failure| Check::warning("launch", failure)));
            let key_pair = match start::new_key_pair(&args.network) {
                Ok(key_pair) => key_pair,
                Err(failure) => {
                    checks.push(Check::failed("key_pair", failure));
                    None
                }
            };
            let mut to_make = key_pair.as_ref();
            if let Some(key_pair) = &key_pair {
                let looking = Box::pin(key_pair.look(aws));
                let standing = in_time(aws, "EC2", looking).await;
                if matches!(standing, Ok(KeyPairState::Usable)) {
                    to_make = None;
                }
                checks.push(Check::of("key_pair", standing, |standing| {
                    let name = key_pair.name();
                    match standing {
                        KeyPairState::Usable => format!("{name}, whose private key is here"),
                        KeyPairState::ToMake | KeyPairState::Lost => {
                            format!("{name} is to be made")
                        }
                    }
                }));
            }
            // Too much user data is a check of its own, and EC2 cannot be asked about it.
            if settings::request::refuse_too_much_user_data(request).is_ok() {
                let asking = Box::pin(start::permitted(aws, request, &plan, None, to_make));
                let permission = in_time(aws, "EC2", asking).await;
                let number = machine::count(plan.number as usize);
                checks.push(Check::of("permission", permission, |()| {
                    format!("EC2 would permit the launch of {number}")
                }));
            }
            checks.extend(quotas(aws, request, vcpus, plan.number).await);
            checks
        }
        Ok(Plan::OtherTypes(_) | Plan::Settling) => {
            let message = format!(
                "an earlier start of the group {} may be under way: its machines do not show yet",
                request.group
            );
            let failure = Failure::failed(message).hint("check again in a minute");
            vec![Check::warning("launch", failure)]
        }
        Err(failure) => vec![Check::failed("launch", failure)],
    }
}

fn identity(aws: &Aws, identity: &Result<Identity>) -> Check {
    let identity = match identity {
        Ok(identity) => identity,
        Err(failure) => return Check::failed("identity", failure.clone()),
    };
    let mut detail = format!("{} ({})", identity.arn, aws.source);
    let Some(end) = aws.credentials().expiry() else {
        return Check::ok("identity", detail);
    };
    let left = end.duration_since(aws.time.now()).unwrap_or_default();
    let whole = match left.as_secs() {
        seconds @ 0..120 => Duration::from_secs(seconds),
        seconds => Duration::from_mins(seconds / 60),
    };
    detail = format!("{detail}, signed in for another {}", spans::in_words(whole));
    if left > SOON {
        return Check::ok("identity", detail);
    }
    Check::warning(
        "identity",
        Failure::new(Kind::NotSignedIn, detail).hint("the session ends soon: sign in again"),
    )
}

fn account(aws: &Aws, identity: &Identity, expected: Option<&str>) -> Check {
    match look_up::expect_account(aws, identity, expected) {
        Ok(()) if expected.is_some() => {
            Check::ok("account", format!("{}, as expected", identity.account))
        }
        Ok(()) => Check::ok("account", &identity.account),
        Err(failure) => Check::failed("account", failure),
    }
}

fn clock(aws: &Aws) -> Check {
    let ahead = aws.clock.ahead_seconds();
    let by = ahead.unsigned_abs();
    let told = spans::in_words(Duration::from_secs(by));
    let detail = match ahead {
        // AWS tells the time in whole seconds.
        -2..=2 => "the same as AWS's".to_owned(),
        3.. => format!("{told} behind AWS's"),
        _ => format!("{told} ahead of AWS's"),
    };
    if by < CLOCK_MAY_DIFFER_SECONDS {
        return Check::ok("clock", detail);
    }
    let failure = Failure::new(
        Kind::NotSignedIn,
        format!(
            "this machine's clock is {detail}: AWS refuses what is signed more than 5 minutes off"
        ),
    );
    Check::failed(
        "clock",
        failure.hint("set the clock, or turn on time synchronization (NTP)"),
    )
}

/// Whether so many more machines may run, for each type and market that a start would
/// try. One of them is enough, as a start goes on to the next where a quota is used up.
async fn quotas(aws: &Aws, request: &Request, vcpus: &[u32], machines: u32) -> Vec<Check> {
    let markets = request.markets();
    let asking = markets.iter().flat_map(|market| {
        let types = request.vm_types().zip(vcpus);
        types.map(|(vm_type, vcpus)| quota(aws, vm_type.as_str(), *market, machines * vcpus))
    });
    let mut checks: Vec<Check> = Vec::new();
    for check in join_all(asking).await {
        // Types of one family share a quota, which may not be visible.
        if !checks.iter().any(|other| other.says_the_same(&check)) {
            checks.push(check);
        }
    }
    if checks.iter().any(|check| !check.has_failed()) {
        checks = checks.into_iter().map(Check::not_in_the_way).collect();
    }
    checks
}

/// Whether so many more vCPUs may run. A quota that cannot be seen stops no start.
async fn quota(aws: &Aws, vm_type: &str, market: Market, more: u32) -> Check {
    let name = "quota";
    let kind = match market {
        Market::OnDemand => "on demand",
        Market::Spot => "spot",
    };
    let known = Quota::of(vm_type).and_then(|quota| Some((quota, quota.code(market)?)));
    let Some((quota, code)) = known else {
        let message = format!("no quota is known for {vm_type} {kind}");
        return Check::warning(
            name,
            Failure::failed(message).hint("look in the Service Quotas console"),
        );
    };
    let (most, used) = tokio::join!(
        in_time(aws, "Service Quotas", aws.vcpu_quota(code)),
        in_time(aws, "EC2", aws.vcpus_in_use(quota, market))
    );
    let (most, used) = match (most, used) {
        (Ok(most), Ok(used)) => (most, used),
        (Err(failure), _) | (_, Err(failure)) => return Check::warning(name, failure),
    };
    let detail = format!(
        "{used} of {most} vCPUs in use, {more} more needed for {vm_type} ({}, {kind})",
        quota.name
    );
    if f64::from(used + more) <= most {
        return Check::ok(name, detail);
    }
    Check::failed(
        name,
        Failure::new(Kind::Capacity, detail).hint(format!(
            "ask for a higher quota in the Service Quotas console (Amazon EC2, {code}), or choose fewer --num-machines or a smaller --vm-type"
        )),
    )
}

async fn api_key(settings: &ApiSettings, api: &inductiva::Client) -> Check {
    let name = "api_key";
    if let Err(failure) = settings.require_key() {
        return Check::failed(name, failure);
    }
    let user = api.time().within(ANSWERED_WITHIN, api.user()).await;
    let user = user.unwrap_or_else(|_| Err(ApiError::no_answer_within(ANSWERED_WITHIN)));
    match user {
        Ok(user) => Check::ok(name, format!("of {user}")),
        // A start goes on without the API: the machines try it again themselves.
        Err(error @ ApiError::OutOfReach(_)) => Check::warning(name, error.into()),
        Err(error) => Check::failed(name, error.into()),
    }
}
