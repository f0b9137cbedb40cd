//! `start`: makes a machine group have N machines.

mod dry_run;
pub mod free_plan;
mod report;

use std::cell::{Cell, RefCell};

use self::{
    dry_run::PlanReport,
    report::{StartReport, StartedMachine},
};
use super::report::{BudgetReport, GroupReport};
use crate::{
    aws::{Aws, run_instances::Launch},
    cli::{NetworkArgs, StartArgs},
    error::{Failure, Kind, Result},
    identity, inductiva,
    launch::{
        Filled, LaunchOptions, Launcher, NOTHING_LAUNCHED, group_id,
        key_pair::{KeyPairState, NewKeyPair},
        look_up::{Found, GroupLookup},
        world::RealWorld,
    },
    machines::{ended_at_once::ended_at_once, waiting::Wait},
    model::{
        machine::{self, Machine},
        place::Candidate,
        request::Request,
    },
    plan::{
        choices::SecurityGroupChoice, cost::Cost, decision::Plan, facts::Facts,
        launch_plan::LaunchPlan, parts::Parts, prices::Prices,
    },
    settings::{self, AwsSettings},
    terminal::{command_line::terminate_command, interrupt::Interrupt, output::Output},
    values::{VmType, WaitFor},
};

/// Looks up the facts, plans, launches and reports.
pub async fn run(
    args: &StartArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    let request = settings::request::checked(args, out)?;
    let api_settings = settings::api(&args.boot.api)?;
    let api = inductiva::Client::new(
        &api_settings,
        request.runner.api_key.clone(),
        settings.http.clone(),
        out,
    )?;
    let key_pair = new_key_pair(&args.network)?;
    interrupt.starts(&request.group);
    let signing_in = Box::pin(identity::connect(settings, out));
    let aws = interrupt.or(signing_in, NOTHING_LAUNCHED).await?;
    let world = RealWorld {
        aws: &aws,
        api: &api,
        request: &request,
        expected_account: args.expect_account.as_deref(),
    };
    let key_pair = key_pair.as_ref();
    match Box::pin(carried_out(args, &world, key_pair, interrupt, out)).await? {
        Done::Reported => Ok(()),
        Done::IsOf(types) => {
            let request = &request.of_types(types);
            let world = RealWorld { request, ..world };
            Box::pin(carried_out(args, &world, key_pair, interrupt, out))
                .await
                .map(drop)
        }
    }
}

/// What a start came to.
enum Done {
    Reported,
    /// Nothing yet: the request names no types, and the group is of these.
    IsOf(Vec<VmType>),
}

/// Plans and launches, or shows the plan.
async fn carried_out(
    args: &StartArgs,
    world: &RealWorld<'_>,
    key_pair: Option<&NewKeyPair>,
    interrupt: &Interrupt,
    out: Output,
) -> Result<Done> {
    let RealWorld {
        aws, api, request, ..
    } = *world;
    let options = LaunchOptions {
        keep_on_failure: args.keep_on_failure,
        allow_other_regions: args.allow_other_regions,
    };
    let launcher = Launcher::new(world, request, key_pair, options, interrupt, out);
    let or_begin_anew = |failure| launcher.other_types().map(Done::IsOf).ok_or(failure);
    if args.dry_run {
        return match Box::pin(launcher.decide()).await {
            Ok((found, plan)) => dry_run(args, aws, request, &found, &plan, out)
                .await
                .map(|()| Done::Reported),
            Err(failure) => or_begin_anew(failure),
        };
    }
    let start = Start {
        args,
        request,
        aws,
        api,
        launcher: &launcher,
        interrupt,
        budget: RefCell::default(),
        out,
    };
    match Box::pin(start.fill()).await {
        Ok(filled) => {
            launcher.drop_unused_group(&filled.machines).await;
            Box::pin(start.finish(filled))
                .await
                .map(|()| Done::Reported)
        }
        Err(failure) => match or_begin_anew(failure) {
            Ok(done) => Ok(done),
            Err(failure) => {
                let failure = launcher.clean_up(failure).await;
                Err(free_plan::explained(failure, aws).await)
            }
        },
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
    launcher: &'a Launcher<'a, RealWorld<'a>>,
    interrupt: &'a Interrupt,
    /// The budget of what was launched.
    budget: RefCell<Option<BudgetReport>>,
    out: Output,
}

/// What the group costs once it has all its machines.
pub fn cost(request: &Request, facts: &Facts, prices: &Prices) -> Cost {
    Cost::of(&Parts::of(request, facts, prices), request.num_machines)
}

/// Refuses more than `--max-cost-per-hour`.
pub fn refuse_dear(args: &StartArgs, cost: &Cost) -> Result<()> {
    args.max_cost_per_hour
        .map_or(Ok(()), |most| cost.refuse_above(most))
}

/// The ids of the machines that are not gone.
fn live_ids(machines: &[Machine]) -> Vec<String> {
    let left = machines.iter().filter(|m| !m.state.is_gone());
    left.map(|m| m.instance_id.clone()).collect()
}

impl Start<'_> {
    /// Launches what the group lacks. The cost is said once, and is never more than the
    /// user allows.
    async fn fill(&self) -> Result<Filled> {
        let is_said = Cell::new(false);
        let approve = |found: &Found, plan: &LaunchPlan| {
            let cost = cost(self.request, &found.facts, &found.prices);
            refuse_dear(self.args, &cost)?;
            if !is_said.replace(true) {
                // The name is said before anything is made: that of a new group stands
                // nowhere else.
                let group = &self.request.group;
                let named = if self.args.boot.machine_group_name.is_some() {
                    String::new()
                } else {
                    format!(", a new one: to run this again, add --machine-group-name {group}")
                };
                self.out.say(&format!("machine group {group}{named}"));
                self.out.say(&format!("cost: {cost}"));
                if let Ok(image) = plan.prepared_image(&found.facts) {
                    self.out.say(&image);
                }
                if let Some(budget) = BudgetReport::of(self.request, plan) {
                    self.out.say(&format!("budget: {budget}"));
                    self.budget.replace(Some(budget));
                }
                for warning in &plan.warnings {
                    self.out.warn(warning);
                }
            }
            Ok(())
        };
        Box::pin(self.launcher.fill(approve)).await
    }

    fn wait(&self, until: WaitFor) -> Wait<'_> {
        Wait {
            aws: self.aws,
            api: self.api,
            group: &self.request.group,
            until,
            timeout: self.args.timeout,
            out: self.out,
        }
    }

    /// Looks whether EC2 has ended machines of this run already.
    async fn ended_at_once(&self, machines: &mut [Machine]) -> Result<()> {
        if self.launcher.launched_of(machines) == 0 || self.interrupt.fired() {
            return Ok(());
        }
        match ended_at_once(self.aws, machines).await {
            None => Ok(()),
            Some(failure) => Err(self.wait(WaitFor::Running).machines_left(failure, machines)),
        }
    }

    /// Waits if asked to, and reports in any case: the ids of launched machines are
    /// printed even if waiting fails.
    async fn finish(&self, mut filled: Filled) -> Result<()> {
        machine::sort_by_launch(&mut filled.machines);
        let waited = match self.args.wait {
            None => self.ended_at_once(&mut filled.machines).await,
            Some(until) => {
                let wait = self.wait(until);
                self.interrupt
                    .or(
                        wait.run(&mut filled.machines),
                        "interrupted while waiting; the machines go on",
                    )
                    .await
                    .map_err(|failure| wait.machines_left(failure, &filled.machines))
            }
        };
        // Nothing of this run is left, except perhaps the group.
        if waited.as_ref().is_err_and(|f| f.kind.may_pass()) {
            self.launcher.drop_deserted_group().await;
        }
        let cost = cost(self.request, &filled.found.facts, &filled.found.prices);
        let launched = self.launcher.launched_of(&filled.machines);
        let report = StartReport {
            machine_group: GroupReport {
                name: self.request.group.clone(),
                id: filled.group_id,
            },
            account: filled.found.identity.account,
            region: self.aws.region.clone(),
            vm_type: self.request.vm_types_text(),
            requested: self.request.num_machines,
            image_id: filled.image_id,
            launched,
            existing: filled.machines.len() - launched,
            machines: filled.machines.iter().map(StartedMachine::from).collect(),
            one_of_several_types: self.request.has_several_types(),
            width: self.out.width(),
            cost,
            budget: self.budget.take(),
        };
        let reported = self.out.result(&report, &machine::ids(&filled.machines));
        // If the disk is full, the machines run all the same, and the user has to know
        // them.
        let reported = reported.map_err(|failure| {
            Failure {
                kind: Kind::MachinesMayBeRunning,
                ..failure
            }
            .hint(format!(
                "end them: {}",
                terminate_command(&self.request.group)
            ))
            .machines(live_ids(&filled.machines))
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
    out: Output,
) -> Result<()> {
    let cost = cost(request, &found.facts, &found.prices);
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
        Plan::Settling | Plan::OtherTypes(_) => return Ok(()),
    };
    out.result(
        &PlanReport::launch(
            request,
            group_id.clone(),
            account,
            region,
            plan,
            plan.prepared_image(&found.facts),
            cost.clone(),
        ),
        &[],
    )?;
    refuse_dear(args, &cost)?;
    let key_pair = new_key_pair(&args.network)?;
    let to_make = match &key_pair {
        Some(pair) if pair.look(aws).await? != KeyPairState::Usable => Some(pair),
        _ => None,
    };
    permitted(aws, request, plan, group_id.as_deref(), to_make).await?;
    out.say("EC2 would permit this launch (capacity and quotas are only known when it happens)");
    Ok(())
}

/// EC2's own verdict on the calls that the plan would make. `key_pair` would be made.
pub async fn permitted(
    aws: &Aws,
    request: &Request,
    plan: &LaunchPlan,
    group_id: Option<&str>,
    key_pair: Option<&NewKeyPair>,
) -> Result<()> {
    let mut request = request.clone();
    request.runner = request.runner.without_secrets();
    if let Some(key_pair) = key_pair {
        aws.dry_run_key_pair(key_pair.name()).await?;
        // EC2 would look for a key pair that does not exist yet.
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
        candidate: &Candidate {
            place: plan.first_place.clone(),
            ..request.first_choice()
        },
        security_group_id,
        tags: &tags,
        user_data: &user_data,
        least: number,
        number,
    };
    aws.dry_run_instances(launch).await
}
