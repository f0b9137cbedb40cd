//! `start`: makes a machine group have N machines.

use crate::{
    aws::{Aws, launch::Launch},
    cli::StartArgs,
    cost::{Cost, Prices},
    error::{Failure, Result},
    facts::{self, Found, GroupLookup},
    inductiva,
    interrupt::Interrupt,
    keypair::NewKeyPair,
    launch::{Launcher, Outcome},
    machines::{self, Machine, TAG_GROUP_ID},
    output::Output,
    plan::{self, LaunchPlan, Plan, Request, SecurityGroupChoice, packed_user_data},
    report::{GroupReport, MachineReport, PlanReport, StartReport},
    settings::{self, ApiSettings, AwsSettings},
    wait::Wait,
};

/// How often a plan is made anew when the facts change under it.
const MOST_PLANS: u32 = 5;

/// Facts, plan, launch, report.
pub async fn run(
    args: &StartArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    let request = settings::request(args, out)?;
    let api_settings = ApiSettings::of(&args.boot.api)?;
    let api = inductiva::Client::new(
        &api_settings,
        request.runner.api_key.clone(),
        settings.http.clone(),
        out,
    )?;
    let key_pair = NewKeyPair::of(&args.network)?;
    out.say(&format!("machine group {}", request.group));
    let nothing_launched = "interrupted; nothing was launched";
    let aws = interrupt
        .or(Box::pin(Aws::connect(settings, out)), nothing_launched)
        .await?;
    for _ in 0..MOST_PLANS {
        let gathering = Box::pin(facts::gather(
            &aws,
            &api,
            &request,
            args.expect_account.as_deref(),
        ));
        let found = interrupt.or(gathering, nothing_launched).await?;
        let plan = plan::plan(&request, &found.facts)?;
        let cost = cost(&request, &found);
        if args.dry_run {
            return dry_run(args, &aws, &request, &found, &plan, cost, out).await;
        }
        let started = match plan {
            Plan::Complete(machines) => {
                let group_id = group_id(&found, &machines);
                out.say(&format!(
                    "the group has {} already, nothing to launch",
                    machines::count(machines.len())
                ));
                Started {
                    image_id: machines.first().and_then(|m| m.image_id.clone()),
                    existing: machines.len(),
                    machines,
                    group_id,
                    cost,
                }
            }
            Plan::Launch(plan) => {
                refuse_dear(args, &cost)?;
                out.say(&format!("cost: {cost}"));
                let launcher = Launcher {
                    aws: &aws,
                    api: &api,
                    request: &request,
                    key_pair: key_pair.as_ref(),
                    keep_on_failure: args.keep_on_failure,
                    interrupt,
                    out,
                };
                match launcher.launch(&plan, &found.group).await? {
                    Outcome::Replan { .. } => continue,
                    Outcome::Launched(new, group_id) => Started {
                        image_id: Some(plan.image.id.clone()),
                        existing: plan.existing.len(),
                        machines: plan.existing.into_iter().chain(new).collect(),
                        group_id,
                        cost,
                    },
                }
            }
        };
        return finish(args, &request, &aws, &api, &found, started, interrupt, out).await;
    }
    Err(Failure::failed(format!(
        "the group {} keeps changing while it is looked at: nothing was launched",
        request.group
    ))
    .hint("is another start of the group running? try again when it is done"))
}

/// What the group is made of now.
struct Started {
    group_id: Option<String>,
    image_id: Option<String>,
    existing: usize,
    machines: Vec<Machine>,
    cost: Cost,
}

/// What the group costs when it has all its machines.
fn cost(request: &Request, found: &Found) -> Cost {
    match plan::root_disk_gib(request, &found.facts) {
        Ok(size_gib) => Cost::of(
            &found.prices,
            request.num_machines,
            &request.volume,
            size_gib,
        ),
        Err(failure) => {
            let prices = Prices {
                disk: Err(failure.message),
                ..found.prices.clone()
            };
            Cost::of(&prices, request.num_machines, &request.volume, 0)
        }
    }
}

/// `--max-cost-per-hour`.
fn refuse_dear(args: &StartArgs, cost: &Cost) -> Result<()> {
    args.max_cost_per_hour
        .map_or(Ok(()), |most| cost.refuse_above(most))
}

/// The group's id: Inductiva's answer, or else the machines' own tag.
fn group_id(found: &Found, machines: &[Machine]) -> Option<String> {
    match &found.group {
        GroupLookup::Active(group) => Some(group.id.clone()),
        _ => machines
            .iter()
            .filter_map(|m| m.tag(TAG_GROUP_ID))
            .find(|id| !id.is_empty())
            .map(str::to_owned),
    }
}

/// Waits if asked to, and reports in any case: ids that were launched are said
/// even when waiting fails.
#[expect(
    clippy::too_many_arguments,
    reason = "the last step of a recipe takes what the others made"
)]
async fn finish(
    args: &StartArgs,
    request: &Request,
    aws: &Aws,
    api: &inductiva::Client,
    found: &Found,
    mut started: Started,
    interrupt: &Interrupt,
    out: Output,
) -> Result<()> {
    let waited = match args.wait {
        None => Ok(()),
        Some(until) => {
            let wait = Wait {
                aws,
                api,
                group: &request.group,
                until,
                timeout: args.timeout,
                out,
            };
            interrupt
                .or(
                    wait.run(&mut started.machines),
                    "interrupted while waiting; the machines go on",
                )
                .await
                .map_err(|failure| wait.machines_left(failure, &started.machines))
        }
    };
    let report = StartReport {
        machine_group: GroupReport {
            name: request.group.clone(),
            id: started.group_id,
        },
        account: found.identity.account.clone(),
        region: aws.region.clone(),
        vm_type: request.vm_type.to_string(),
        image_id: started.image_id,
        launched: started.machines.len() - started.existing,
        existing: started.existing,
        machines: started.machines.iter().map(MachineReport::from).collect(),
        cost: started.cost,
    };
    let reported = out.result(&report, &machines::ids(&started.machines));
    waited.and(reported)
}

/// Prints the plan, and asks EC2 whether it would permit it. Nothing is made.
async fn dry_run(
    args: &StartArgs,
    aws: &Aws,
    request: &Request,
    found: &Found,
    plan: &Plan,
    cost: Cost,
    out: Output,
) -> Result<()> {
    let (account, region) = (&found.identity.account, &aws.region);
    let group_id = group_id(found, &[]);
    if let GroupLookup::OutOfReach(why) = &found.group {
        out.warn(&format!("Inductiva's API is out of reach: {why}"));
    }
    let plan = match plan {
        Plan::Complete(machines) => {
            return out.result(
                &PlanReport::complete(request, group_id, account, region, machines.len(), cost),
                &[],
            );
        }
        Plan::Launch(plan) => plan,
    };
    out.result(
        &PlanReport::launch(
            request,
            group_id.clone(),
            account,
            region,
            plan,
            cost.clone(),
        ),
        &[],
    )?;
    refuse_dear(args, &cost)?;
    permitted(aws, request, plan, group_id.as_deref()).await?;
    out.say("EC2 would permit this launch (capacity and quotas are only known when it happens)");
    Ok(())
}

/// EC2's own answer to the calls that the plan comes to.
async fn permitted(
    aws: &Aws,
    request: &Request,
    plan: &LaunchPlan,
    group_id: Option<&str>,
) -> Result<()> {
    let tags = plan.tags(request, group_id);
    let user_data = packed_user_data(plan.user_data(request, group_id))?;
    let security_group_id = match &plan.security_group {
        SecurityGroupChoice::Existing(id) => Some(id.as_str()),
        SecurityGroupChoice::New { name, vpc_id } => {
            aws.dry_run_security_group(name, vpc_id).await?;
            None
        }
    };
    let launch = Launch {
        request,
        plan,
        security_group_id,
        tags: &tags,
        user_data: &user_data,
        number: plan.calls().first().copied().unwrap_or(plan.number),
    };
    aws.dry_run_instances(launch).await
}
