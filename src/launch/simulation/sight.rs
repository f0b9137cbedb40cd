//! The simulated world as one of its runs sees it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    ec2::SimulatedCall,
    executor::{Shared, SimulatedClock, nap},
    state::{SimulatedState, micros},
};
use crate::{
    aws::{
        Identity,
        run_instances::{self, Launch, LaunchError},
        terminate::Terminated,
    },
    error::{Failure, Result},
    inductiva::{ApiError, Group},
    launch::{
        key_pair::NewKeyPair,
        look_up::{Found, GroupLookup},
        world::World,
    },
    machines::{everywhere, last_look},
    model::{
        machine::{Machine, State},
        network::Subnet,
        request::Request,
        vm_type::VmTypeFacts,
    },
    plan::{examples::facts, prices::Prices},
    terminal::output::Output,
    time::Time,
};

/// EC2 refuses requests that were signed longer ago, in seconds.
const SIGNATURES_LAST: f64 = 300.0;
/// How long a `RunInstances` call may take, in seconds.
const ANSWERED_WITHIN: f64 = run_instances::ANSWERED_WITHIN.as_secs_f64();

/// The world as one run sees it.
pub struct Sight {
    pub world: Shared,
    pub who: usize,
    pub request: Request,
    pub time: Time,
    /// Whether it was started on a day on which a newer image was out.
    newer_image: bool,
}

impl Sight {
    pub fn new(world: &Shared, who: usize, request: Request) -> Self {
        let clock = SimulatedClock {
            world: world.clone(),
            who,
        };
        let state = world.state();
        let newer_image = state.now > state.weather.new_image_at;
        drop(state);
        Self {
            world: world.clone(),
            who,
            request,
            time: Time::simulated(Arc::new(clock)),
            newer_image,
        }
    }

    /// Makes a call; none where no answer comes in time. A request that is not late takes
    /// effect when it arrives, whatever has become of its caller.
    async fn call<T: Send + 'static>(
        &self,
        before: Option<SystemTime>,
        apply: impl FnOnce(&mut SimulatedState) -> T + Send + 'static,
    ) -> Result<Option<T>, TooLate> {
        let slot: Arc<Mutex<Option<T>>> = Arc::default();
        let who = self.who;
        {
            let mut state = self.world.state();
            let die = state.weather.die / 2.0;
            if state.luck.chance(die) {
                state.processes[who].is_dead = true;
            }
        }
        if self.world.state().processes[who].is_dead {
            std::future::pending::<()>().await;
        }
        nap(&self.world, who).await;
        if before.is_some_and(|before| self.time.now() >= before) {
            return Err(TooLate);
        }
        let (until, dies) = {
            let mut state = self.world.state();
            let weather = state.weather.clone();
            let mut transit = state.luck.between(0.02, 0.25);
            if state.luck.chance(weather.slow) {
                transit = state.luck.between(1.0, 25.0);
            }
            if state.luck.chance(weather.nap / 10.0) {
                transit = state.luck.between(30.0, 420.0);
            }
            let mut back = state.luck.between(0.02, 0.25);
            if state.luck.chance(weather.slow) {
                back = state.luck.between(1.0, 25.0);
            }
            let is_lost = state.luck.chance(weather.lose);
            let dies = state.luck.chance(weather.die / 2.0);
            let until = state.now + ANSWERED_WITHIN;
            let arrives = state.now + transit;
            if transit <= SIGNATURES_LAST {
                let slot = Arc::clone(&slot);
                state.at(arrives, move |state| {
                    let answer = apply(state);
                    if !is_lost {
                        state.at(arrives + back, move |_| {
                            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                        });
                    }
                });
            }
            state.at(until, |_| {});
            (until, dies)
        };
        if dies {
            self.world.state().processes[who].is_dead = true;
        }
        std::future::poll_fn(|context| {
            let is_there = || {
                let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                slot.is_some()
            };
            self.world.ready(context, |state| {
                is_there() || micros(state.now) >= micros(until)
            })
        })
        .await;
        nap(&self.world, who).await;
        Ok(slot.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    /// A call that only reads. The SDK tries it again.
    async fn read<T: Send + 'static>(&self, read: fn(&mut SimulatedState) -> T) -> T {
        loop {
            if let Ok(Some(answer)) = self.call(None, read).await {
                return answer;
            }
            self.time.pause(Duration::from_millis(500)).await;
        }
    }

    /// A call of Inductiva's API.
    async fn api<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut SimulatedState) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.call(None, call).await {
            Ok(Some(answer)) => answer,
            _ => Err(ApiError::OutOfReach("no answer".into())),
        }
    }

    /// `terminate NAME`: ends the machines that show, and reports success only after a
    /// look that began late enough ([`last_look`]). It takes `at_least` this long.
    pub async fn terminate_all(&self, at_least: Duration) -> u8 {
        let mut group = self.group().await;
        let mut began = self.time.now();
        let mut seen: BTreeMap<String, Machine> = BTreeMap::new();
        let mut some_lived = false;
        loop {
            let asked_at = self.time.now();
            let machines = self.read(|state| state.shown()).await;
            let live = machines.iter().filter(|m| m.state.is_live());
            let ids: Vec<String> = live.map(|m| m.instance_id.clone()).collect();
            seen.extend(machines.into_iter().map(|m| (m.instance_id.clone(), m)));
            if !ids.is_empty() {
                some_lived = true;
                if !self.end_all(&ids).await {
                    return 3;
                }
                self.time.pause(Duration::from_millis(200)).await;
                continue;
            }
            let seen: Vec<Machine> = seen.values().cloned().collect();
            // Nobody knows the name, and the command says so at once.
            if seen.is_empty() && matches!(group, Ok(None)) && at_least.is_zero() {
                return 1;
            }
            let groups = group.as_ref().ok().map(Option::as_slice);
            let sign = last_look::sign(&seen, some_lived, groups, asked_at);
            if asked_at < began + last_look::look_for(sign.as_ref()).max(at_least) {
                self.time.pause(Duration::from_secs(2)).await;
                continue;
            }
            // Another start may have made the group anew meanwhile.
            let side = self.group().await;
            let Ok(Some(new)) = &side else { break };
            let is_known = matches!(&group, Ok(Some(known)) if known.id == new.id);
            if is_known || last_look::without_machines(&seen, new).is_none() {
                let _ = self.delete_group(&new.id).await;
                break;
            }
            began = self.time.now();
            group = side;
        }
        // Inductiva could not be asked, and EC2 has shown nothing.
        if group.is_err() && !some_lived && seen.is_empty() {
            return 3;
        }
        0
    }

    /// `TerminateInstances`.
    async fn end(&self, ids: &[String], before: Option<SystemTime>) -> Terminated {
        let (ids, who) = (ids.to_vec(), self.who);
        let end = move |state: &mut SimulatedState| {
            let mut ended = Vec::new();
            for index in 0..state.machines.len() {
                let machine = &state.machines[index];
                let id = machine.machine.instance_id.clone();
                if ids.contains(&id) && machine.shows <= state.now {
                    state.end(index, Some(who));
                    ended.push((id, State::ShuttingDown));
                }
            }
            ended
        };
        let states = self.call(before, end).await;
        Terminated {
            states: states.ok().flatten().unwrap_or_default(),
            ..Terminated::default()
        }
    }

    async fn end_all(&self, ids: &[String]) -> bool {
        let mut left = ids.to_vec();
        for _ in 0..6 {
            left = self.end(&left, None).await.left(&left);
            if left.is_empty() {
                return true;
            }
            self.time.pause(Duration::from_secs(1)).await;
        }
        false
    }
}

struct TooLate;

impl World for Sight {
    fn time(&self) -> &Time {
        &self.time
    }

    fn ec2_time(&self, local: SystemTime) -> SystemTime {
        local
    }

    fn local_time(&self, ec2: SystemTime) -> SystemTime {
        ec2
    }

    async fn look(&self) -> Result<Found> {
        let asked_at = self.time.now();
        let (machines, group) = tokio::join!(self.machines(), self.group());
        let mut facts = facts(machines?, asked_at);
        if self.world.state().weather.places {
            facts.subnets.push(Subnet {
                zone: "eu-west-2b".into(),
                id: "subnet-2".into(),
                ..facts.subnets[0].clone()
            });
        }
        if self.newer_image {
            let newer = crate::model::image::Image {
                id: "ami-2".into(),
                creation_date: "2027".into(),
                ..facts.images[0].clone()
            };
            facts.images.push(newer);
        }
        Ok(Found {
            asked_at,
            identity: Identity {
                account: facts.account.clone(),
                arn: String::new(),
            },
            facts,
            group: match group {
                Ok(Some(group)) => GroupLookup::Active(group),
                Ok(None) => GroupLookup::Absent,
                Err(why) => GroupLookup::OutOfReach(why.why().to_owned()),
            },
            prices: Prices::unknown("a simulation has no prices"),
        })
    }

    async fn machines(&self) -> Result<Vec<Machine>> {
        Ok(self.read(|state| state.shown()).await)
    }

    async fn everywhere(&self) -> Result<everywhere::Survey> {
        Ok(everywhere::Survey {
            everywhere: true,
            ..everywhere::Survey::default()
        })
    }

    async fn run_instances(
        &self,
        launch: Launch<'_>,
        client_token: &str,
        before: SystemTime,
    ) -> Result<Vec<Machine>, LaunchError> {
        let call = SimulatedCall {
            token: client_token.to_owned(),
            place: launch.candidate.place.to_string(),
            bytes: format!(
                "{} {} {} {} {:?} {:?}",
                launch.candidate,
                launch.least,
                launch.number,
                launch.plan.image.id,
                launch.tags,
                launch.user_data
            ),
            least: launch.least,
            number: launch.number,
            image_id: launch.plan.image.id.clone(),
            tags: launch.tags.to_vec(),
        };
        let who = self.who;
        let answer = self.call(Some(before), move |state| state.run_instances(who, &call));
        match answer.await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(LaunchError::Unknown(Failure::failed("no answer"))),
            Err(TooLate) => Err(LaunchError::TooLate),
        }
    }

    async fn terminate(&self, ids: &[String], before: SystemTime) -> Terminated {
        self.end(ids, Some(before)).await
    }

    async fn offerings(&self) -> Option<Vec<(String, String)>> {
        None
    }

    async fn make_security_group(&self, _: &str, _: &str) -> Result<String> {
        Ok("sg-1".into())
    }

    async fn look_at_key_pair(&self, _: &NewKeyPair) -> Result<()> {
        Ok(())
    }

    async fn make_key_pair(&self, _: &NewKeyPair, _: Output) -> Result<bool> {
        Ok(false)
    }

    async fn unmake_key_pair(&self, _: &NewKeyPair, _: Output) {}

    async fn group(&self) -> Result<Option<Group>, ApiError> {
        let mut answer = self.api(SimulatedState::active_groups).await;
        for _ in 0..2 {
            if answer.is_ok() {
                break;
            }
            self.time.pause(Duration::from_millis(500)).await;
            answer = self.api(SimulatedState::active_groups).await;
        }
        answer.map(|groups| groups.into_iter().next())
    }

    async fn active_groups(&self) -> Result<Vec<Group>, ApiError> {
        self.api(SimulatedState::active_groups).await
    }

    async fn make_group(&self, _: &VmTypeFacts, _: u32) -> Result<String, ApiError> {
        let who = self.who;
        self.api(move |state| state.make_group(who)).await
    }

    async fn delete_group(&self, id: &str) -> Result<(), ApiError> {
        let id = id.to_owned();
        self.api(move |state| state.delete_group(&id)).await
    }
}
