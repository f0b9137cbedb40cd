//! Inductiva's groups in a simulated world.

use std::time::{Duration, UNIX_EPOCH};

use super::state::{SimulatedGroup, SimulatedState};
use crate::inductiva::{ApiError, Group};

impl SimulatedState {
    /// Whether Inductiva is out of reach now.
    fn api_is_down(&mut self) -> bool {
        if self.weather.flapping >= 1.0 || self.now < self.down_until {
            return true;
        }
        let flapping = self.weather.flapping;
        let down = self.luck.chance(flapping);
        if down {
            self.down_until = self.now + self.luck.between(0.0, 60.0);
        }
        down
    }

    pub fn active_groups(&mut self) -> Result<Vec<Group>, ApiError> {
        if self.api_is_down() {
            return Err(ApiError::OutOfReach("down".into()));
        }
        let active = self.groups.iter().filter(|g| g.ended > self.now);
        let group = |group: &SimulatedGroup| Group {
            id: group.id.clone(),
            name: "g".into(),
            provider_id: Some("LOCAL".into()),
            machine_type: None,
            disk_size_gb: None,
            created_at: Some(UNIX_EPOCH + Duration::from_secs_f64(group.made)),
            status: Some("started".into()),
            machines: Vec::new(),
        };
        Ok(active.map(group).collect())
    }

    pub fn make_group(&mut self, by: usize) -> Result<String, ApiError> {
        if !self.active_groups()?.is_empty() && !self.weather.duplicates {
            return Err(ApiError::NameTaken("taken".into()));
        }
        let id = format!("group-{}", self.groups.len());
        self.tell(|| format!("{by}: makes {id}"));
        self.groups.push(SimulatedGroup {
            id: id.clone(),
            made: self.now,
            ended: f64::INFINITY,
        });
        Ok(id)
    }

    pub fn delete_group(&mut self, id: &str) -> Result<(), ApiError> {
        if self.api_is_down() {
            return Err(ApiError::OutOfReach("down".into()));
        }
        let now = self.now;
        for group in self
            .groups
            .iter_mut()
            .filter(|g| g.id == id && g.ended > now)
        {
            group.ended = now;
        }
        self.tell(|| format!("{id} is deleted"));
        Ok(())
    }
}
