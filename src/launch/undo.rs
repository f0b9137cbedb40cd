//! The undo of a launch that failed.

use super::{
    pace::Backoff,
    run::{Run, TRIED_WITHIN},
    world::World,
};
use crate::{
    error::{Failure, Kind},
    model::machine::{self, Machine},
    terminal::command_line::terminate_command,
};

impl<W: World> Run<'_, W> {
    /// Undoes the machines and the group that this run has made, and says what it could
    /// not undo.
    pub async fn undo(&self, failure: Failure) -> Failure {
        let failure = self.undo_machines(failure).await;
        if failure.kind != Kind::MachinesMayBeRunning && !self.others_use_own_group().await {
            self.drop_own_group().await;
        }
        failure
    }

    /// Terminates the machines that this run launched, except those that another start
    /// may count.
    async fn undo_machines(&self, mut failure: Failure) -> Failure {
        let made = self.made();
        if made.is_empty() {
            return failure;
        }
        // Others are machines of an equal start, with which EC2 has answered this run's
        // call.
        let (own, others): (Vec<Machine>, Vec<Machine>) =
            made.into_iter().partition(|m| self.may_have_launched(m));
        let mut left = machine::ids(&own);
        if !self.keep_on_failure {
            self.terminate(&mut left).await;
        }
        left.extend(machine::ids(&others));
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

    /// Terminates machines until EC2 has said of each that it is going; `left` keeps
    /// those that remain. An id is not found as long as the machine is not visible.
    async fn terminate(&self, left: &mut Vec<String>) {
        self.out.say(&format!(
            "undoing: terminating {}",
            machine::count(left.len())
        ));
        let mut backoff = Backoff::with_visibility(self.world.time());
        let mut said = None;
        while !left.is_empty() {
            // What a look shows counts from its beginning.
            let before = self.while_awake();
            if self.another_start_may_count_them().await {
                self.out.warn(
                    "nothing more is terminated: another start of the group may count these machines",
                );
                return;
            }
            let ending = self.world.terminate(left, before);
            let terminated = self.awake(TRIED_WITHIN, ending).await;
            let still = terminated.left(left);
            self.interrupt
                .ended(left.iter().filter(|id| !still.contains(id)));
            *left = still;
            if left.is_empty() {
                return;
            }
            let why = terminated.failure.unwrap_or_else(|| {
                Failure::failed("EC2 did not say that the machines are shutting down")
            });
            // Once for the same machines, whatever else differs: every message has the id
            // of its request.
            let about = Some((why.kind, left.clone()));
            if said != about {
                self.out.warn(&why.message);
                said = about;
            }
            match backoff.next() {
                Some(pause) if why.kind.may_pass() => {
                    self.awake(pause, self.world.time().pause(pause)).await;
                }
                _ => return,
            }
        }
    }

    /// Whether another start may have seen this run's machines and counted them as its
    /// group's. It may if its own machines show, or if this run was asleep meanwhile.
    async fn another_start_may_count_them(&self) -> bool {
        let machines = self.awake(TRIED_WITHIN, self.world.machines()).await;
        // Where EC2 does not answer, nobody has been seen.
        let machines = machines.unwrap_or_default();
        self.has_slept() || machines.iter().any(|m| self.is_a_strangers(m))
    }
}
