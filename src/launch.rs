//! Carrying a plan out: the group on Inductiva's side, what is made only once,
//! `RunInstances`, and the way back when it fails.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    aws::{
        Aws,
        launch::{Launch, LaunchError},
    },
    error::{Failure, Kind, Result},
    facts::GroupLookup,
    inductiva::{self, ApiError},
    interrupt::Interrupt,
    keypair::NewKeyPair,
    machines::{self, Machine, TAG_GROUP_ID},
    output::Output,
    plan::{LaunchPlan, Request, SecurityGroupChoice, packed_user_data, terminate_command},
};

/// How long machines of another start with the same intent may take to show
/// (ids are not visible at once: EC2 user guide, eventual consistency).
const VISIBLE_WITHIN: Duration = Duration::from_mins(1);
/// Between two looks for them.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What carrying out a plan came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The plan's machines, and the group's id on Inductiva's side.
    Launched(Vec<Machine>, Option<String>),
    /// The facts have changed under the plan: look again.
    Replan {
        /// Some calls of the plan had gone through before.
        launched_some: bool,
    },
}

/// Everything a launch works with.
pub struct Launcher<'a> {
    /// EC2.
    pub aws: &'a Aws,
    /// Inductiva.
    pub api: &'a inductiva::Client,
    /// What was asked for.
    pub request: &'a Request,
    /// A key pair to make for it.
    pub key_pair: Option<&'a NewKeyPair>,
    /// `--keep-on-failure`.
    pub keep_on_failure: bool,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// The streams.
    pub out: Output,
}

/// The group on Inductiva's side that a launch uses.
struct InductivaGroup {
    id: Option<String>,
    made_here: bool,
}

impl Launcher<'_> {
    /// Launches what the plan says.
    ///
    /// # Errors
    /// Whatever failed, after everything that this run made for the launch has
    /// been undone; or, naming the machines, that it has not.
    pub async fn launch(&self, plan: &LaunchPlan, lookup: &GroupLookup) -> Result<Outcome> {
        let (group, security_group) =
            tokio::join!(self.group(plan, lookup), self.security_group(plan));
        let group = group?;
        let key_pair = match (&security_group, self.key_pair) {
            (Ok(_), Some(key_pair)) => key_pair.make(self.aws, self.out).await,
            _ => Ok(()),
        };
        let key_pair_made = self
            .key_pair
            .filter(|_| security_group.is_ok() && key_pair.is_ok());
        let launched = match (security_group, key_pair) {
            (Ok(security_group_id), Ok(())) => {
                self.launch_into(plan, &group, &security_group_id).await
            }
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
        let unused = match &launched {
            Ok(Outcome::Launched(..)) => false,
            Ok(Outcome::Replan { launched_some }) => !launched_some,
            Err(failure) => failure.kind != Kind::MachinesMayBeRunning,
        };
        if unused {
            if let Some(id) = group.id.filter(|_| group.made_here) {
                self.delete_group(&id).await;
            }
            if let Some(key_pair) = key_pair_made {
                key_pair.unmake(self.aws, self.out).await;
            }
        }
        launched
    }

    /// The group's id: the one that is there, or a new one's. Without the API,
    /// machines find the group by its name.
    async fn group(&self, plan: &LaunchPlan, lookup: &GroupLookup) -> Result<InductivaGroup> {
        let found = |id: Option<String>| InductivaGroup {
            id,
            made_here: false,
        };
        let out_of_reach = |why: &str| {
            let known = plan
                .existing
                .iter()
                .filter_map(|m| m.tag(TAG_GROUP_ID))
                .find(|id| !id.is_empty());
            self.out.warn(&format!(
                "Inductiva's API is out of reach ({why}): launching all the same, the machines look for the group {} themselves",
                self.request.group
            ));
            found(known.map(str::to_owned))
        };
        match lookup {
            GroupLookup::Active(group) => return Ok(found(Some(group.id.clone()))),
            GroupLookup::OutOfReach(why) => return Ok(out_of_reach(why)),
            GroupLookup::Absent => {}
        }
        let created = self
            .api
            .create_group(
                &self.request.group,
                &self.request.vm_type,
                &plan.vm_type,
                plan.volume_gib,
            )
            .await;
        match created {
            Ok(id) => Ok(InductivaGroup {
                id: Some(id),
                made_here: true,
            }),
            Err(ApiError::OutOfReach(why)) => Ok(out_of_reach(&why)),
            Err(error) => Err(Failure::from(error).while_doing("cannot make the machine group")),
        }
    }

    async fn delete_group(&self, id: &str) {
        if let Err(error) = self.api.delete_group(id).await {
            self.out.warn(&format!(
                "the machine group {} ({id}) is left on Inductiva's side: {}",
                self.request.group,
                error.why()
            ));
        }
    }

    async fn security_group(&self, plan: &LaunchPlan) -> Result<String> {
        match &plan.security_group {
            SecurityGroupChoice::Existing(id) => Ok(id.clone()),
            SecurityGroupChoice::New { name, vpc_id } => {
                self.aws
                    .create_security_group(name, vpc_id, self.request.ssh_from.as_ref())
                    .await
            }
        }
    }

    async fn launch_into(
        &self,
        plan: &LaunchPlan,
        group: &InductivaGroup,
        security_group_id: &str,
    ) -> Result<Outcome> {
        let user_data = packed_user_data(plan.user_data(self.request, group.id.as_deref()))?;
        let tags = plan.tags(self.request, group.id.as_deref());
        let mut launched: Vec<Machine> = Vec::new();
        for (call, number) in plan.calls().into_iter().enumerate() {
            let launch = Launch {
                request: self.request,
                plan,
                security_group_id: Some(security_group_id),
                tags: &tags,
                user_data: &user_data,
                number,
            };
            match self.run_instances(plan, launch, call).await {
                Ok(Some(machines)) => launched.extend(machines),
                Ok(None) => {
                    return Ok(Outcome::Replan {
                        launched_some: !launched.is_empty(),
                    });
                }
                Err(failure) => return Err(self.undo(&launched, failure).await),
            }
        }
        if self.interrupt.fired() {
            let interrupted = Failure::new(Kind::Interrupted, "interrupted while launching");
            return Err(self.undo(&launched, interrupted).await);
        }
        self.out
            .say(&format!("launched {}", machines::ids(&launched).join(" ")));
        Ok(Outcome::Launched(launched, group.id.clone()))
    }

    /// One call's machines; none when the facts have changed.
    async fn run_instances(
        &self,
        plan: &LaunchPlan,
        launch: Launch<'_>,
        call: usize,
    ) -> Result<Option<Vec<Machine>>> {
        let mut generation = 0;
        let mut patience = Patience::new();
        loop {
            // Nothing more is launched once somebody has said stop.
            if self.interrupt.fired() {
                return Err(Failure::new(
                    Kind::Interrupted,
                    "interrupted while launching",
                ));
            }
            let token = plan.intent.client_token(call, generation);
            match self.aws.run_instances(launch, &token).await {
                // A launch of long ago, whose token outlived its machines.
                Ok(machines) if machines.iter().all(|m| m.state.is_gone()) => generation += 1,
                Ok(machines) if machines.iter().any(|m| m.state.is_gone()) => return Ok(None),
                Ok(machines) => return Ok(Some(machines)),
                Err(LaunchError::TokenMismatch) => {
                    if self.another_start_shows(plan).await? {
                        return Ok(None);
                    }
                    generation += 1;
                }
                Err(LaunchError::Refused(failure)) => return Err(failure),
                // The same token: what was launched already is not launched again.
                Err(LaunchError::Throttled(failure)) => {
                    if !self.try_again(&mut patience, &failure).await {
                        return Err(failure);
                    }
                }
                Err(LaunchError::Unknown(failure)) => {
                    if !self.try_again(&mut patience, &failure).await {
                        return Err(self.nobody_knows(failure));
                    }
                }
            }
        }
    }

    /// Waits for the next try; no when there is to be none.
    async fn try_again(&self, patience: &mut Patience, failure: &Failure) -> bool {
        let Some(pause) = patience.next() else {
            return false;
        };
        self.out.say(&format!("{}; trying again", failure.message));
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.interrupt.until(1) => false,
        }
    }

    /// No answer says whether the launch took place.
    fn nobody_knows(&self, failure: Failure) -> Failure {
        let group = &self.request.group;
        Failure {
            kind: Kind::MachinesMayBeRunning,
            message: format!("{}; machines of the group {group} may be running", failure.message),
            ..failure
        }
        .hint(format!(
            "run the same line again with --machine-group-name '{group}' (nothing is launched twice), or end them: {}",
            terminate_command(group)
        ))
    }

    /// A start with this intent was accepted with other bytes: whether its
    /// machines show.
    async fn another_start_shows(&self, plan: &LaunchPlan) -> Result<bool> {
        self.out
            .say("another start of this group is under way: waiting for its machines to show");
        let deadline = Instant::now() + VISIBLE_WITHIN;
        loop {
            let machines = self.aws.group_machines(&self.request.group).await?;
            if machines.iter().any(|m| !plan.intent.knows(&m.instance_id)) {
                return Ok(true);
            }
            if Instant::now() + LOOK_EVERY > deadline || self.interrupt.fired() {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Terminates what this run launched, and says so if it cannot.
    async fn undo(&self, launched: &[Machine], mut failure: Failure) -> Failure {
        let mut left = machines::ids(launched);
        if left.is_empty() {
            return failure;
        }
        if !self.keep_on_failure {
            self.out.say(&format!(
                "undoing: terminating {}",
                machines::count(left.len())
            ));
            let mut patience = Patience::new();
            loop {
                let terminated = self.aws.terminate(&left).await;
                left = terminated.left(&left);
                let Some(why) = terminated.failure.filter(|_| !left.is_empty()) else {
                    break;
                };
                self.out.warn(&why.message);
                // An id that is not visible yet is not found, for some seconds.
                match patience.next() {
                    Some(pause) if why.kind == Kind::Failed => tokio::time::sleep(pause).await,
                    _ => break,
                }
            }
        }
        if left.is_empty() {
            failure.message = format!("{}; what had been launched was terminated", failure.message);
            return failure;
        }
        failure.kind = Kind::MachinesMayBeRunning;
        failure
            .hint(format!(
                "end them: {}",
                terminate_command(&self.request.group)
            ))
            .machines(left)
    }
}

/// Pauses that grow, for as long as trying again makes sense.
struct Patience {
    until: Instant,
    next: Duration,
}

impl Patience {
    /// Throttling lasts for seconds, EC2's bad moments for tens of them.
    const LIMIT: Duration = Duration::from_secs(30);
    /// `RunInstances` has two calls a second to refill its bucket with.
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(5);

    fn new() -> Self {
        Self {
            until: Instant::now() + Self::LIMIT,
            next: Self::FIRST,
        }
    }

    /// The pause before the next try; none when the time is up.
    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.next = (pause * 2).min(Self::LONGEST);
        (Instant::now() + pause < self.until).then_some(pause)
    }
}
