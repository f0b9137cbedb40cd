//! EC2 in a simulated world: client tokens, machines that show late, capacity.

use std::time::{Duration, UNIX_EPOCH};

use super::state::{Job, SimulatedMachine, SimulatedState};
use crate::{
    aws::run_instances::{LaunchError, NoCapacity, Remedy},
    error::{Failure, Kind, Tried},
    model::machine::{Machine, State, TAG_GROUP_ID},
    plan::luck::Luck,
};

#[derive(Debug)]
pub struct SimulatedCall {
    pub token: String,
    pub place: String,
    pub bytes: String,
    pub least: u32,
    pub number: u32,
    pub image_id: String,
    pub tags: Vec<(String, String)>,
}

pub fn no_capacity(call: &SimulatedCall) -> LaunchError {
    LaunchError::NoCapacity(Box::new(NoCapacity {
        remedy: Remedy::Place,
        tried: Tried {
            vm_type: "t2.micro".into(),
            availability_zone: Some(call.place.clone()),
            subnet_id: None,
            market: crate::values::Market::OnDemand,
            machines: call.number,
            code: "InsufficientInstanceCapacity".into(),
            reason: String::new(),
        },
        failure: Failure::new(Kind::Capacity, "no capacity"),
    }))
}

impl SimulatedState {
    /// The machines that a look by tags shows.
    pub fn shown(&self) -> Vec<Machine> {
        let shown = self
            .machines
            .iter()
            .filter(|m| m.tags_show <= self.now && self.now < m.gone);
        shown.map(|m| m.as_shown(self.now)).collect()
    }

    fn has_capacity(&self, place: &str) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds"
        )]
        let minute = (self.now / 40.0) as u64;
        let place_hash: u64 = place.bytes().map(u64::from).sum();
        let mut luck = Luck::new(self.weather.salt ^ (minute << 20) ^ (place_hash << 50));
        !self.weather.places
            || match place {
                "any" => luck.chance(0.5),
                "eu-west-2a" => luck.chance(0.8),
                _ => false,
            }
    }

    /// `RunInstances`, at the moment when it arrives.
    pub fn run_instances(
        &mut self,
        by: usize,
        call: &SimulatedCall,
    ) -> Result<Vec<Machine>, LaunchError> {
        let now = self.now;
        let key = (call.token.clone(), call.place.clone());
        if let Some((bytes, indices)) = self.tokens.get(&key).cloned() {
            let any_lives = indices.iter().any(|&i| self.machines[i].lives(now));
            let last = indices
                .iter()
                .map(|&i| self.machines[i].ended)
                .fold(0.0, f64::max);
            if any_lives || last + self.weather.token_life >= now {
                if bytes != call.bytes {
                    self.tell(|| format!("{by}: mismatch"));
                    return Err(LaunchError::TokenMismatch);
                }
                if !any_lives && self.weather.says_spent {
                    self.tell(|| format!("{by}: spent"));
                    return Err(LaunchError::TokenSpent);
                }
                self.tell(|| format!("{by}: replay"));
                return Ok(indices
                    .iter()
                    .map(|&i| self.machines[i].as_shown(now))
                    .collect());
            }
        }
        let mut number = call.number;
        if !self.has_capacity(&call.place) {
            number = 0;
        } else if call.least < call.number && self.luck.chance(0.3) {
            number = self.luck.number(0, call.number);
        }
        if number < call.least || number == 0 {
            self.tell(|| format!("{by}: no capacity in {}", call.place));
            return Err(no_capacity(call));
        }
        let first = self.machines.len();
        let together = self.luck.chance(0.5);
        let lag = self.lag();
        for index in 0..number as usize {
            let shows = now + if together { lag } else { self.lag() };
            let late = self.weather.tags_are_late;
            let tags_show = shows
                + if late {
                    self.luck.between(0.0, 8.0)
                } else {
                    0.0
                };
            let machine = Machine {
                launched_at: Some(UNIX_EPOCH + Duration::from_secs_f64(now.floor())),
                image_id: Some(call.image_id.clone()),
                tags: call.tags.clone(),
                ..Machine::example(&format!("i-{}", first + index), State::Pending)
            };
            self.machines.push(SimulatedMachine {
                machine,
                at: now,
                shows,
                tags_show,
                ended: f64::INFINITY,
                gone: f64::INFINITY,
                ends_itself: false,
                by,
            });
            if self.weather.machines_end {
                let life = self.luck.between(300.0, 10_800.0);
                self.at(now + life, move |state| state.ends_itself(first + index));
            }
        }
        let indices: Vec<usize> = (first..self.machines.len()).collect();
        self.tokens
            .insert(key, (call.bytes.clone(), indices.clone()));
        self.tell(|| format!("{by}: launched {number} from i-{first} in {}", call.place));
        self.accepted();
        Ok(indices
            .iter()
            .map(|&i| self.machines[i].as_shown(now))
            .collect())
    }

    fn lag(&mut self) -> f64 {
        let luck = self.luck.unit();
        self.weather.visible_within * luck * luck
    }

    pub fn end(&mut self, index: usize, by: Option<usize>) {
        if !self.machines[index].lives(self.now) {
            return;
        }
        let linger = match self.weather.linger {
            Some(linger) => linger,
            None => self.luck.between(0.0, 3_600.0),
        };
        let machine = &mut self.machines[index];
        machine.ended = self.now;
        machine.gone = self.now + linger;
        let id = machine.machine.instance_id.clone();
        self.tell(|| format!("{by:?}: {id} ends"));
        let Some(by) = by.filter(|&by| self.processes[by].what != Job::Terminate) else {
            return;
        };
        let how = if self.processes[by].interrupted_at <= self.now {
            "ended by an interruption"
        } else {
            "overtaken"
        };
        for other in 0..self.processes.len() {
            let process = &self.processes[other];
            if other != by && process.code == Some(0) && process.counted.contains(&id) {
                self.broke(how, format!("{by} ends {id}, which {other} counted"));
            }
        }
    }

    fn ends_itself(&mut self, index: usize) {
        if !self.machines[index].lives(self.now) {
            return;
        }
        self.end(index, None);
        self.machines[index].ends_itself = true;
        if self.live() == 0 && self.luck.chance(0.8) {
            let machine = &self.machines[index].machine;
            let id = machine.tag(TAG_GROUP_ID).unwrap_or_default().to_owned();
            let now = self.now;
            for group in self
                .groups
                .iter_mut()
                .filter(|g| g.id == id && g.ended > now)
            {
                group.ended = now;
            }
        }
    }
}
