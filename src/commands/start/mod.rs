//! `start`: makes a machine group have N machines.

mod dry_run;
mod report;

use std::time::Duration;

use tokio::time::Instant;

use self::{
    dry_run::PlanReport,
    report::{StartReport, StartedMachine},
};
use super::report::GroupReport;
use crate::{
    aws::{Aws, run_instances::Launch},
    cli::{NetworkArgs, StartArgs},
    error::{Failure, Kind, Result},
    identity, inductiva,
    launch::{
        Launcher,
        key_pair::NewKeyPair,
        look_up::{self, Found, GroupLookup},
    },
    machines::waiting::Wait,
    model::{
        machine::{self, Machine, TAG_GROUP_ID},
        request::Request,
    },
    plan::{
        cost::{Cost, Prices},
        decision::{self, LaunchPlan, Plan, SecurityGroupChoice},
        facts::Facts,
    },
    settings::{self, AwsSettings},
    terminal::{command_line::terminate_command, interrupt::Interrupt, output::Output},
};

/// How often a plan is made anew when the facts change under it.
const MOST_PLANS: u32 = 20;
/// Before the next of them.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Machines that were launched show within a minute.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);
/// Between two looks for them.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const NOTHING_LAUNCHED: &str = "interrupted; nothing was launched";

/// Facts, plan, launch, report.
pub async fn run(
    args: &StartArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    let request = settings::request(args, out)?;
    let api_settings = settings::api(&args.boot.api)?;
    let api = inductiva::Client::new(
        &api_settings,
        request.runner.api_key.clone(),
        settings.http.clone(),
        out,
    )?;
    let key_pair = new_key_pair(&args.network)?;
    interrupt.starts(&request.group);
    out.say(&format!("machine group {}", request.group));
    let signing_in = Box::pin(identity::connect(settings, out));
    let aws = interrupt.or(signing_in, NOTHING_LAUNCHED).await?;
    let launcher = Launcher::new(
        &aws,
        &api,
        &request,
        key_pair.as_ref(),
        args.keep_on_failure,
        interrupt,
        out,
    );
    let start = Start {
        args,
        request: &request,
        aws: &aws,
        api: &api,
        launcher: &launcher,
        interrupt,
        out,
    };
    match Box::pin(start.fill()).await {
        Ok(Some(started)) => {
            launcher.drop_unused_group(&started.machines).await;
            start.finish(started).await
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(launcher.clean_up(failure).await),
    }
}

/// The key pair of `--create-key-pair`. Its private key goes to the current folder.
pub fn new_key_pair(args: &NetworkArgs) -> Result<Option<NewKeyPair>> {
    let Some(name) = args.create_key_pair.clone() else {
        return Ok(None);
    };
    let folder = settings::current_dir()?;
    Ok(Some(NewKeyPair::new(name, args.key_format, &folder)))
}

/// Everything that a start works with.
struct Start<'a> {
    args: &'a StartArgs,
    request: &'a Request,
    aws: &'a Aws,
    api: &'a inductiva::Client,
    launcher: &'a Launcher<'a>,
    interrupt: &'a Interrupt,
    out: Output,
}

/// What the group is made of now.
struct Started {
    account: String,
    group_id: Option<String>,
    image_id: Option<String>,
    machines: Vec<Machine>,
    cost: Cost,
}

/// What the group costs when it has all its machines.
pub fn cost(request: &Request, facts: &Facts, prices: &Prices) -> Cost {
    match decision::root_disk_gib(request, facts) {
        Ok(size_gib) => Cost::of(prices, request.num_machines, &request.volume, size_gib),
        Err(failure) => {
            let prices = Prices {
                disk: Err(failure.message),
                ..prices.clone()
            };
            Cost::of(&prices, request.num_machines, &request.volume, 0)
        }
    }
}

/// `--max-cost-per-hour`.
pub fn refuse_dear(args: &StartArgs, cost: &Cost) -> Result<()> {
    args.max_cost_per_hour
        .map_or(Ok(()), |most| cost.refuse_above(most))
}

impl Start<'_> {
    /// Plans and launches until the group has its machines; none after a dry run.
    async fn fill(&self) -> Result<Option<Started>> {
        let mut plans = 0;
        let mut settling: Option<Instant> = None;
        while plans < MOST_PLANS {
            let mut found = self.look().await?;
            found.facts.know(&self.launcher.known());
            let plan = decision::plan(self.request, &found.facts)?;
            if matches!(plan, Plan::Settling) {
                let since = *settling.get_or_insert_with(|| {
                    self.out.say(
                        "an earlier start of this group may be under way: waiting for its machines to show",
                    );
                    self.aws.time.instant()
                });
                if self.aws.time.instant().duration_since(since) > SETTLED_WITHIN {
                    break;
                }
                self.pause(LOOK_EVERY).await?;
                continue;
            }
            settling = None;
            let cost = cost(self.request, &found.facts, &found.prices);
            if self.args.dry_run {
                let (args, request) = (self.args, self.request);
                dry_run(args, self.aws, request, &found, &plan, cost, self.out).await?;
                return Ok(None);
            }
            plans += 1;
            let account = found.identity.account.clone();
            match plan {
                Plan::Complete(machines) => {
                    if self.launcher.known().is_empty() {
                        self.out.say(&format!(
                            "the group has {} already, nothing to launch",
                            machine::count(machines.len())
                        ));
                    }
                    return Ok(Some(Started {
                        account,
                        group_id: group_id(&found, &machines),
                        image_id: machines.first().and_then(|m| m.image_id.clone()),
                        machines,
                        cost,
                    }));
                }
                Plan::Launch(plan) => {
                    refuse_dear(self.args, &cost)?;
                    if plans == 1 {
                        self.out.say(&format!("cost: {cost}"));
                    }
                    match self.launcher.launch(&plan, &found.group).await? {
                        Some((new, group_id))
                            if self.is_enough(&plan, plan.existing.len() + new.len()) =>
                        {
                            return Ok(Some(Started {
                                account,
                                group_id,
                                image_id: Some(plan.image.id.clone()),
                                machines: plan.existing.into_iter().chain(new).collect(),
                                cost,
                            }));
                        }
                        _ => self.pause(AGAIN_AFTER).await?,
                    }
                }
                Plan::Settling => {}
            }
        }
        Err(Failure::failed(format!(
            "the group {} keeps changing while it is looked at",
            self.request.group
        ))
        .hint("is another start of the group running? try again when it is done"))
    }

    /// Whether the group has its machines, or as many as there were.
    fn is_enough(&self, plan: &LaunchPlan, have: usize) -> bool {
        let wanted = self.request.num_machines as usize;
        let enough = plan.or_fewer && plan.is_new() && have >= self.request.least() as usize;
        if enough && have < wanted {
            self.out.say(&format!(
                "the group has {} of the {wanted} asked for: there was no capacity for more (the same line later tries again)",
                machine::count(have)
            ));
        }
        enough || have == wanted
    }

    /// The facts as they are now.
    async fn look(&self) -> Result<Found> {
        let gathering = Box::pin(look_up::gather(
            self.aws,
            self.api,
            self.request,
            self.args.expect_account.as_deref(),
        ));
        self.unless_interrupted(gathering).await
    }

    async fn pause(&self, pause: Duration) -> Result<()> {
        let sleep = async {
            self.aws.time.pause(pause).await;
            Ok(())
        };
        self.unless_interrupted(sleep).await
    }

    async fn unless_interrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let message = if self.launcher.known().is_empty() {
            NOTHING_LAUNCHED
        } else {
            "interrupted while launching"
        };
        self.interrupt.or(work, message).await
    }
}

/// The ids of the machines that are not gone.
fn live_ids(machines: &[Machine]) -> Vec<String> {
    let left = machines.iter().filter(|m| !m.state.is_gone());
    left.map(|m| m.instance_id.clone()).collect()
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

impl Start<'_> {
    /// Waits if asked to, and reports in any case: ids that were launched are said
    /// even when waiting fails.
    async fn finish(&self, mut started: Started) -> Result<()> {
        let waited = match self.args.wait {
            None => Ok(()),
            Some(until) => {
                let wait = Wait {
                    aws: self.aws,
                    api: self.api,
                    group: &self.request.group,
                    until,
                    timeout: self.args.timeout,
                    out: self.out,
                };
                self.interrupt
                    .or(
                        wait.run(&mut started.machines),
                        "interrupted while waiting; the machines go on",
                    )
                    .await
                    .map_err(|failure| wait.machines_left(failure, &started.machines))
            }
        };
        // Nothing of this run is left, unless it is the group.
        if waited.as_ref().is_err_and(|f| f.kind == Kind::Failed) {
            self.launcher.drop_deserted_group().await;
        }
        let launched = self.launcher.launched_of(&started.machines);
        let report = StartReport {
            machine_group: GroupReport {
                name: self.request.group.clone(),
                id: started.group_id,
            },
            account: started.account,
            region: self.aws.region.clone(),
            vm_type: self.request.vm_types_text(),
            requested: self.request.num_machines,
            image_id: started.image_id,
            launched,
            existing: started.machines.len() - launched,
            machines: started.machines.iter().map(StartedMachine::from).collect(),
            cost: started.cost,
        };
        let reported = self.out.result(&report, &machine::ids(&started.machines));
        // A disk that is full: the machines run all the same, and are to be known.
        let reported = reported.map_err(|failure| {
            Failure {
                kind: Kind::MachinesMayBeRunning,
                ..failure
            }
            .hint(format!(
                "end them: {}",
                terminate_command(&self.request.group)
            ))
            .machines(live_ids(&started.machines))
        });
        waited.and(reported)
    }
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
        Plan::Settling => return Ok(()),
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
    let key_pair = new_key_pair(&args.network)?;
    permitted(aws, request, plan, group_id.as_deref(), key_pair.as_ref()).await?;
    out.say("EC2 would permit this launch (capacity and quotas are only known when it happens)");
    Ok(())
}

/// EC2's own answer to the calls that the plan comes to.
pub async fn permitted(
    aws: &Aws,
    request: &Request,
    plan: &LaunchPlan,
    group_id: Option<&str>,
    key_pair: Option<&NewKeyPair>,
) -> Result<()> {
    let mut request = request.clone();
    if let Some(key_pair) = key_pair {
        aws.dry_run_key_pair(key_pair.name()).await?;
        // EC2 would look for it.
        request.key_name = None;
    }
    let request = &request;
    let tags = plan.first_tags(request, group_id);
    let user_data = plan.user_data(request, group_id)?;
    let security_group_id = match &plan.security_group {
        SecurityGroupChoice::Existing(id) => Some(id.as_str()),
        SecurityGroupChoice::New { name, vpc_id } => {
            aws.dry_run_security_group(name, vpc_id).await?;
            None
        }
    };
    let number = plan.calls.first().map_or(plan.number, |call| call.number);
    let launch = Launch {
        request,
        plan,
        candidate: &request.first_choice(),
        security_group_id,
        tags: &tags,
        user_data: &user_data,
        least: number,
        number,
    };
    aws.dry_run_instances(launch).await
}
