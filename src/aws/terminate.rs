//! `TerminateInstances`. A machine that cannot be ended does not keep others from being
//! ended.

use std::{collections::VecDeque, time::SystemTime};

use aws_sdk_ec2::types;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{
    Aws,
    errors::{self, Sort, code},
    instances::state,
    send_before::SendBefore,
};
use crate::{error::Failure, model::machine::State};

/// The most ids in one call. AWS advises against more than 1,000 (EC2 API reference), and
/// one bad id fails its whole call.
const BATCH: usize = 100;
/// How many calls are made at a time where a batch is taken apart. EC2 refills five a
/// second and allows a hundred at once (EC2 developer guide, "Request throttling").
const SIDE_BY_SIDE: usize = 8;
/// How often ids are asked for that EC2's answer leaves out. EC2 has to answer for each
/// id.
const TRIES: u32 = 3;

/// What became of machines that were to be terminated.
#[derive(Clone, Debug, Default)]
pub struct Terminated {
    /// The machines that EC2 answered for, and their states.
    pub states: Vec<(String, State)>,
    /// The machines that EC2 refused to end, each with its reason.
    pub refused: Vec<RefusedMachine>,
    /// Why a call failed: the last one that did.
    pub failure: Option<Failure>,
}

/// A machine that EC2 refused to end.
#[derive(Clone, Debug)]
pub struct RefusedMachine {
    pub id: String,
    pub cause: RefusalCause,
    pub failure: Failure,
}

/// What keeps a machine from being ended. The remedy depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalCause {
    Protected,
    NotPermitted,
    /// EC2 does not know the id, or not yet.
    Unknown,
    Other,
}

impl Terminated {
    /// Those of `ids` that are not known to be ending.
    pub fn left(&self, ids: &[String]) -> Vec<String> {
        let gone = |id: &String| {
            self.states
                .iter()
                .any(|(gone, state)| gone == id && state.is_gone())
        };
        ids.iter().filter(|id| !gone(id)).cloned().collect()
    }
}

/// The ids of one call.
struct Batch {
    ids: Vec<String>,
    /// Whether a larger call with these ids has failed.
    is_part: bool,
    /// How many answers have left these ids out so far.
    left_out: u32,
}

enum BatchOutcome {
    States(Vec<(String, State)>),
    /// EC2 has refused the call because of some of its ids.
    OfAnId(RefusalCause, Failure, Vec<String>),
    /// It failed for another reason. All of its ids, or none, may be ending.
    Failed(Failure),
}

impl Aws {
    /// Ends machines, any number of them, as far as that is possible. A call that fails
    /// because of some of its ids is taken apart: the ids that EC2 names are left out; if
    /// it names none, or others remain, each half is tried by itself.
    ///
    /// EC2 may have ended a part of a call that it refuses: "if you terminate instances
    /// across multiple Availability Zones" and one is protected, those of the other zones
    /// are ended (EC2 API reference, `TerminateInstances`). To ask for them once more
    /// does no harm.
    pub async fn terminate(&self, ids: &[String]) -> Terminated {
        self.terminate_unless(None, ids).await
    }

    /// The same, but no request goes out at `before` or later, by this computer's clock.
    pub async fn terminate_before(&self, before: SystemTime, ids: &[String]) -> Terminated {
        let deadline = SendBefore::new(before, &self.time);
        self.terminate_unless(Some(&deadline), ids).await
    }

    async fn terminate_unless(&self, deadline: Option<&SendBefore>, ids: &[String]) -> Terminated {
        let mut terminated = Terminated::default();
        let batch = |ids: &[String]| Batch {
            ids: ids.to_vec(),
            is_part: false,
            left_out: 0,
        };
        let mut waiting: VecDeque<Batch> = ids.chunks(BATCH).map(batch).collect();
        let mut calls = FuturesUnordered::new();
        loop {
            while calls.len() < SIDE_BY_SIDE
                && let Some(batch) = waiting.pop_front()
            {
                calls.push(self.terminate_batch(batch, deadline));
            }
            let Some((batch, answer)) = calls.next().await else {
                return terminated;
            };
            waiting.extend(terminated.take(batch, answer));
        }
    }

    async fn terminate_batch(
        &self,
        batch: Batch,
        deadline: Option<&SendBefore>,
    ) -> (Batch, BatchOutcome) {
        let mut call = self
            .ec2
            .terminate_instances()
            .set_instance_ids(Some(batch.ids.clone()))
            .customize();
        if let Some(deadline) = deadline {
            call = call.interceptor(deadline.clone());
        }
        let answer = call.send().await;
        let answer = match answer {
            Ok(answer) => {
                let change = |change: types::InstanceStateChange| {
                    Some((change.instance_id?, state(change.current_state.as_ref())))
                };
                let changes = answer.terminating_instances.unwrap_or_default();
                BatchOutcome::States(changes.into_iter().filter_map(change).collect())
            }
            Err(error) => {
                let failure = self.failure(&error, "cannot terminate").await;
                let sort = errors::sort_of_error(&error);
                let of_an_id = error.as_service_error().is_some()
                    && matches!(sort, Sort::NotPermitted | Sort::NotFound | Sort::Fatal);
                if of_an_id {
                    let cause = match (code(&error), sort) {
                        (Some("OperationNotPermitted"), _) => RefusalCause::Protected,
                        (Some("InvalidInstanceID.NotFound"), _) => RefusalCause::Unknown,
                        (_, Sort::NotPermitted) => RefusalCause::NotPermitted,
                        _ => RefusalCause::Other,
                    };
                    let mut named = named(&errors::said(&error), &batch.ids);
                    if named.is_empty() {
                        named = self::named(&failure.message, &batch.ids);
                    }
                    BatchOutcome::OfAnId(cause, failure, named)
                } else {
                    BatchOutcome::Failed(failure)
                }
            }
        };
        (batch, answer)
    }
}

impl Terminated {
    /// Notes what a call came to, and returns the calls that are still to be made.
    fn take(&mut self, batch: Batch, answer: BatchOutcome) -> Vec<Batch> {
        let Batch {
            ids,
            is_part,
            left_out,
        } = batch;
        match answer {
            BatchOutcome::States(states) => {
                let is_told = |id: &&String| states.iter().any(|(told, _)| told == *id);
                let untold = ids.iter().filter(|id| !is_told(id)).cloned();
                let untold: Vec<String> = untold.collect();
                self.states.extend(states);
                let left_out = left_out + 1;
                if untold.is_empty() {
                    return Vec::new();
                }
                if left_out == TRIES {
                    self.failure = Some(Failure::failed(format!(
                        "EC2 did not answer for {}",
                        untold.join(" ")
                    )));
                    return Vec::new();
                }
                vec![Batch {
                    ids: untold,
                    is_part,
                    left_out,
                }]
            }
            BatchOutcome::OfAnId(cause, failure, named) => {
                let refused = if ids.len() == 1 { ids.clone() } else { named };
                let refusal = |id: &String| RefusedMachine {
                    id: id.clone(),
                    cause,
                    failure: failure.clone(),
                };
                self.refused.extend(refused.iter().map(refusal));
                self.failure = Some(failure);
                let rest = ids.into_iter().filter(|id| !refused.contains(id));
                let rest: Vec<String> = rest.collect();
                let part = |ids: &[String]| Batch {
                    ids: ids.to_vec(),
                    is_part: true,
                    left_out,
                };
                // Usually there is one bad id. Without it the others are ended at once.
                let whole = !is_part && !refused.is_empty();
                match rest.len() {
                    0 => Vec::new(),
                    1 => vec![part(&rest)],
                    _ if whole => vec![part(&rest)],
                    many => {
                        let (one, other) = rest.split_at(many / 2);
                        vec![part(one), part(other)]
                    }
                }
            }
            BatchOutcome::Failed(failure) => {
                self.failure = Some(failure);
                Vec::new()
            }
        }
    }
}

/// Those of `ids` that EC2 names in its message, as it has no field for them (`The
/// instance IDs 'i-1, i-2' do not exist`, `… on resource:
/// arn:aws:ec2:eu-west-2:123456789012:instance/i-1`). Where none is found, the halves
/// tell.
fn named(message: &str, ids: &[String]) -> Vec<String> {
    let is_named = |id: &&String| {
        message
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .any(|word| word == id.as_str())
    };
    ids.iter().filter(is_named).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_its_id_in_an_arn() {
        let ids = ["i-1".to_owned(), "i-12".to_owned()];
        let said = "User: arn:aws:iam::123456789012:user/jo is not authorized to perform: \
                    ec2:TerminateInstances on resource: \
                    arn:aws:ec2:eu-west-2:123456789012:instance/i-12 with an explicit deny";
        assert_eq!(named(said, &ids), ["i-12"]);
        assert_eq!(
            named("The instance IDs 'i-1, i-12' do not exist", &ids),
            ids
        );
    }
}
