//! The way back of a launch that failed.

use super::{Launcher, pace::Patience};
use crate::{
    error::{Failure, Kind},
    model::machine,
    terminal::command_line::terminate_command,
};

impl Launcher<'_> {
    /// Takes back what this run has launched and made, and says what it could
    /// not take back.
    pub async fn clean_up(&self, failure: Failure) -> Failure {
        let failure = self.undo(failure).await;
        if failure.kind != Kind::MachinesMayBeRunning {
            let group = self.made.group.borrow_mut().take();
            if let Some(id) = group {
                self.delete_group(&id).await;
            }
            if let Some(key_pair) = self.key_pair.filter(|_| self.made.key_pair.get()) {
                key_pair.unmake(self.aws, self.out).await;
            }
        }
        failure
    }

    /// Terminates what this run launched.
    async fn undo(&self, mut failure: Failure) -> Failure {
        let mut left = machine::ids(&self.made.machines.borrow());
        if left.is_empty() {
            return failure;
        }
        if !self.keep_on_failure {
            self.terminate(&mut left).await;
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

    /// Terminates machines until EC2 has said of each that it is going; those
    /// that remain are `left`. An id is not found while it is not visible yet.
    async fn terminate(&self, left: &mut Vec<String>) {
        self.out.say(&format!(
            "undoing: terminating {}",
            machine::count(left.len())
        ));
        let mut patience = Patience::with_visibility(&self.aws.time);
        let mut said = String::new();
        loop {
            let terminated = self.aws.terminate(left).await;
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
            if why.message != said {
                self.out.warn(&why.message);
                said = why.message;
            }
            match patience.next() {
                Some(pause) if why.kind == Kind::Failed => self.aws.time.pause(pause).await,
                _ => return,
            }
        }
    }
}
