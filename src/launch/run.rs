//! What all parts of launching share: the world and the request, and what this run has
//! made and heard so far.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    time::{Duration, SystemTime},
};

use tokio::sync::OnceCell;

use super::{key_pair::NewKeyPair, look_up::Found, pace::Pace, world::World};
use crate::{
    error::{Failure, Kind, Result},
    model::{
        image::Image,
        machine::{Machine, TAG_GROUP_ID},
        request::Request,
        visibility::SHOWN_AFTER,
    },
    plan::{launch_plan::LaunchPlan, tokens::Hour},
    terminal::{interrupt::Interrupt, output::Output},
};

/// A run that has lost more time than this between two of its steps was asleep, or as
/// good as asleep: others may have counted its machines as theirs.
const ASLEEP: Duration = Duration::from_secs(30);
/// What a call that reads, or ends machines, usually takes at most, with the SDK's further
/// tries.
pub const TRIED_WITHIN: Duration = Duration::from_secs(30);
/// The first and the longest pause between two looks for machines: most show within
/// seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

pub struct Run<'a, W> {
    pub world: &'a W,
    pub request: &'a Request,
    /// A key pair to make for the machines.
    pub key_pair: Option<&'a NewKeyPair>,
    pub keep_on_failure: bool,
    pub allow_other_regions: bool,
    pub interrupt: &'a Interrupt,
    pub out: Output,
    pub pace: Pace,
    /// Which zones offer the types, once that was asked; none where EC2 does not tell.
    pub offerings: OnceCell<Option<Vec<(String, String)>>>,
    /// Machines that EC2 answered this run's calls with.
    made: RefCell<Vec<Machine>>,
    /// Other runs' machines that EC2 has answered with, and may not show yet.
    of_others: RefCell<Vec<Machine>>,
    /// The ids of all machines that the first look showed.
    seen_first: RefCell<Option<BTreeSet<String>>>,
    /// The group on Inductiva's side that this run made.
    pub own_group: RefCell<Option<Rc<OwnGroup>>>,
    /// Whether this run made the key pair.
    pub made_key_pair: Cell<bool>,
    /// The highest number that a launch of its hour is known to have had, although no
    /// machine says so.
    used_number: Cell<Option<(Hour, u32)>>,
    /// When the first of its launches was sent, by EC2's clock.
    first_sent: Cell<Option<SystemTime>>,
    /// Whether the run was asleep ([`ASLEEP`]).
    has_slept: Cell<bool>,
    /// Whether this is not the first round of `--wait-for-capacity` ([`super::rounds`]).
    pub is_later_round: Cell<bool>,
    /// The image of the first round, and its root disk in GiB.
    first_image: RefCell<Option<(Image, u32)>>,
}

/// What a start may do beyond its request.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaunchOptions {
    /// `--keep-on-failure`: the machines of a launch that failed stay.
    pub keep_on_failure: bool,
    /// `--allow-other-regions`: N counts the machines of this region only.
    pub allow_other_regions: bool,
}

/// A group that this run made on Inductiva's side.
#[derive(Debug)]
pub struct OwnGroup {
    pub id: String,
    /// Whether it was the only active group of its name just after it was made, once that
    /// was asked.
    pub is_only_one: OnceCell<bool>,
    /// Whether machines of it have been known. A start that has seen them alive does not
    /// wait for those of the start that made the group.
    pub has_had_machines: Cell<bool>,
}

impl<'a, W: World> Run<'a, W> {
    /// A run that has made nothing yet.
    pub fn new(
        world: &'a W,
        request: &'a Request,
        key_pair: Option<&'a NewKeyPair>,
        options: LaunchOptions,
        interrupt: &'a Interrupt,
        out: Output,
    ) -> Self {
        Self {
            world,
            request,
            key_pair,
            keep_on_failure: options.keep_on_failure,
            allow_other_regions: options.allow_other_regions,
            interrupt,
            out,
            pace: Pace::new(world.time()),
            offerings: OnceCell::new(),
            made: RefCell::default(),
            of_others: RefCell::default(),
            seen_first: RefCell::default(),
            own_group: RefCell::default(),
            made_key_pair: Cell::default(),
            used_number: Cell::default(),
            first_sent: Cell::default(),
            has_slept: Cell::default(),
            is_later_round: Cell::default(),
            first_image: RefCell::default(),
        }
    }

    /// Begins another round, with nothing launched so far. It goes by what it sees from
    /// now on, and is no longer the group's sole maker: another start may use the group
    /// by then.
    pub fn begins_anew(&self) {
        self.is_later_round.set(true);
        self.seen_first.take();
        self.first_sent.set(None);
        self.has_slept.set(false);
    }

    /// Keeps to the image of the first round even if there is a newer one: the same token
    /// has to have the same bytes.
    pub fn keep_image(&self, plan: &mut LaunchPlan) {
        if self.request.wait_for_capacity.is_none() || !plan.is_new() {
            return;
        }
        let mut first = self.first_image.borrow_mut();
        let (image, gib) = first.get_or_insert_with(|| (plan.image.clone(), plan.volume_gib));
        plan.image.clone_from(image);
        plan.volume_gib = *gib;
    }

    /// The facts as they are now, with the machines that this run knows of.
    pub async fn look(&self) -> Result<Found> {
        let mut found = self.unless_interrupted(self.world.look()).await?;
        found.facts.know(&self.known());
        if let Some(own) = self.own_group.borrow().as_deref() {
            let mut machines = found.facts.machines.iter();
            let has_some = machines.any(|m| m.tag(TAG_GROUP_ID) == Some(own.id.as_str()));
            own.has_had_machines
                .set(has_some || own.has_had_machines.get());
        }
        let ids = found.facts.machines.iter().map(|m| m.instance_id.clone());
        self.seen_first
            .borrow_mut()
            .get_or_insert_with(|| ids.collect());
        Ok(found)
    }

    /// Machines that this run knows of, whether or not EC2 shows them.
    pub fn known(&self) -> Vec<Machine> {
        let (made, of_others) = (self.made.borrow(), self.of_others.borrow());
        made.iter().chain(of_others.iter()).cloned().collect()
    }

    /// The machines that EC2 has answered this run's calls with.
    pub fn made(&self) -> Vec<Machine> {
        self.made.borrow().clone()
    }

    /// Whether EC2 has answered this run's calls with the machine.
    pub fn has_made(&self, machine: &Machine) -> bool {
        let made = self.made.borrow();
        made.iter().any(|m| m.instance_id == machine.instance_id)
    }

    /// Whether the machine is neither this run's nor was there at its first look.
    pub fn is_a_strangers(&self, machine: &Machine) -> bool {
        let seen = self.seen_first.borrow();
        let was_there = seen
            .as_ref()
            .is_some_and(|seen| seen.contains(&machine.instance_id));
        machine.state.is_live() && !was_there && !self.has_made(machine)
    }

    /// Remembers machines that EC2 has answered this run's calls with.
    pub fn add_made(&self, machines: &[Machine]) {
        self.interrupt
            .launched(machines.iter().map(|m| &m.instance_id));
        let new: Vec<Machine> = machines
            .iter()
            .filter(|m| !self.has_made(m))
            .cloned()
            .collect();
        self.made.borrow_mut().extend(new);
    }

    /// Forgets machines that this run has ended.
    pub fn forget_made(&self, ended: &[String]) {
        self.interrupt.ended(ended);
        let mut made = self.made.borrow_mut();
        made.retain(|m| !ended.contains(&m.instance_id));
    }

    /// Remembers other runs' machines that EC2 has answered with.
    pub fn add_of_others(&self, machines: Vec<Machine>) {
        self.of_others.borrow_mut().extend(machines);
    }

    /// The highest number that a launch of its hour had, although no machine says so.
    pub fn used_number(&self) -> Option<(Hour, u32)> {
        self.used_number.get()
    }

    /// Remembers that a launch had this number.
    pub fn use_up(&self, number: (Hour, u32)) {
        self.used_number
            .set(self.used_number.get().max(Some(number)));
    }

    /// Remembers that a launch is about to be sent.
    pub fn sends(&self) {
        if self.first_sent.get().is_none() {
            let now = self.world.ec2_time(self.world.time().now());
            self.first_sent.set(Some(now));
        }
    }

    /// Whether this run may have launched the machine. EC2 tells launch times in whole
    /// seconds.
    pub fn may_have_launched(&self, machine: &Machine) -> bool {
        match (self.first_sent.get(), machine.launched_at) {
            (Some(sent), Some(launched)) => seconds(launched) >= seconds(sent),
            _ => true,
        }
    }

    /// Whether the run has lost time between two of its steps.
    pub fn has_slept(&self) -> bool {
        self.has_slept.get()
    }

    /// The time by which a decision made now has to be carried out. Later than that, the
    /// run has slept.
    pub fn while_awake(&self) -> SystemTime {
        self.world.time().now() + ASLEEP
    }

    /// Does `work`, which takes `usually` at most, and notices if it took much longer. It
    /// goes by the wall clock: the monotonic clock stands still while a computer sleeps.
    pub async fn awake<T>(&self, usually: Duration, work: impl Future<Output = T>) -> T {
        let time = self.world.time();
        let before = time.now();
        let done = work.await;
        let took = time.now().duration_since(before).unwrap_or_default();
        if took > usually + ASLEEP {
            self.has_slept.set(true);
        }
        done
    }

    /// Pauses, unless somebody interrupts.
    pub async fn pause(&self, pause: Duration) -> Result<()> {
        let sleep = async {
            self.awake(pause, self.world.time().pause(pause)).await;
            Ok(())
        };
        self.unless_interrupted(sleep).await
    }

    /// Does `work`, unless somebody interrupts.
    pub async fn unless_interrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let message = if self.known().is_empty() {
            NOTHING_LAUNCHED
        } else {
            "interrupted while launching"
        };
        let work = self.interrupt.or(work, message);
        self.awake(TRIED_WITHIN, work).await
    }

    /// Waits for machines that are neither in `seen` nor known to this run, and tells
    /// whether any shows. The last look begins after the wait is over.
    pub async fn something_shows(&self, seen: &[String]) -> Result<bool> {
        self.something_shows_until(seen, self.world.time().now() + SHOWN_AFTER)
            .await
    }

    /// The same until `until`, by this computer's clock.
    pub async fn something_shows_until(&self, seen: &[String], until: SystemTime) -> Result<bool> {
        let known = self.known();
        let waiting_since = self.world.time().now();
        loop {
            let asked_at = self.world.time().now();
            let machines = self.unless_interrupted(self.world.machines()).await?;
            let is_known = |m: &Machine| {
                let mut all = seen.iter().chain(known.iter().map(|m| &m.instance_id));
                all.any(|id| *id == m.instance_id)
            };
            if !machines.iter().all(is_known) {
                return Ok(true);
            }
            if asked_at >= until {
                return Ok(false);
            }
            let left = until.duration_since(asked_at).unwrap_or_default();
            self.pause(look_again_after(waiting_since, asked_at).min(left))
                .await?;
        }
    }
}

/// How long to pause after a look, in a wait that began at `waiting_since`: the longer
/// it has lasted, the longer the pause.
pub fn look_again_after(waiting_since: SystemTime, looked_at: SystemTime) -> Duration {
    let waited = looked_at.duration_since(waiting_since).unwrap_or_default();
    (waited / 4).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

/// What a start says that was interrupted before it launched anything.
pub const NOTHING_LAUNCHED: &str = "interrupted; nothing was launched";

/// The failure of a start that was interrupted.
pub fn interrupted() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted while launching")
}

fn seconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs()
}
