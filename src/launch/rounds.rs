//! `--wait-for-capacity`: where there is no capacity, the launch is tried again after a
//! pause, for as long as the user says.
//!
//! Each round is a launch like the first one: it has a look of its own, and all rules of
//! [`crate::plan::protocol`] hold for it. It follows only rounds that have launched
//! nothing. What exists by then is the key pair, the security group, and the group on
//! Inductiva's side, which keeps other starts from taking the launch for given up.

use std::time::Duration;

use super::{Filled, Launcher, look_up::Found, world::World};
use crate::{
    error::{Failure, Kind, Result},
    plan::launch_plan::LaunchPlan,
    values::spans,
};

/// The first and the longest pause. Capacity that comes back within a minute is met soon,
/// and a day takes no more than some 150 rounds.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

impl<W: World> Launcher<'_, W> {
    /// Plans and launches until the group has its machines. `approve` sees each
    /// plan before anything is made for it.
    ///
    /// # Errors
    /// Whatever failed. What this run has made still exists: see [`Self::clean_up`].
    pub async fn fill(
        &self,
        approve: impl Fn(&Found, &LaunchPlan) -> Result<()>,
    ) -> Result<Filled> {
        let run = &self.run;
        let Some(limit) = run.request.wait_for_capacity else {
            return self.round(&approve).await;
        };
        // This clock goes on while a computer sleeps.
        let time = run.world.time();
        let until = time.now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.round(&approve).await {
                Err(failure) if self.may_be_tried_again(&failure) => failure,
                done => return done,
            };
            let left = until.duration_since(time.now()).unwrap_or_default();
            if left.is_zero() {
                return Err(gave_up(failure));
            }
            let next = pause.min(left);
            // The places that were tried, and EC2's answers, have been said already.
            let why = match failure.kind {
                Kind::Capacity => "no capacity",
                _ => &failure.message,
            };
            let minutes = Duration::from_mins(left.as_secs().div_ceil(60));
            run.out.say(&format!(
                "{why}: trying again in {}, for {} at most",
                spans::in_words(next),
                spans::in_words(minutes),
            ));
            run.pause(next).await?;
            run.begins_anew();
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether the failure may pass, and nothing has been launched.
    fn may_be_tried_again(&self, failure: &Failure) -> bool {
        let may_pass = match failure.kind {
            Kind::Capacity => true,
            // In the first round this is a failure at once.
            Kind::Unreachable => self.run.is_later_round.get(),
            _ => false,
        };
        may_pass && self.run.made().is_empty()
    }
}

fn gave_up(failure: Failure) -> Failure {
    Failure {
        message: format!(
            "{}, until the time of --wait-for-capacity was over",
            failure.message
        ),
        ..failure
    }
}
