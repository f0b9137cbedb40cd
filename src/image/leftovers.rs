//! What builds that were killed have left: builders that are stopped, which no
//! deadline of theirs reaches, and snapshots without their image.

use std::time::{Duration, SystemTime};

use crate::{
    aws::Aws,
    error::{Failure, Kind, Result},
    model::{
        image::{Image, ImageState},
        machine::{self, Machine, State},
        prepared_image::{Snapshot, name_of},
    },
    terminal::{command_line::command, output::Output},
};

/// What is as old is no colleague's that is at work: an image of a stopped builder is
/// asked for within minutes.
const OLD: Duration = Duration::from_hours(1);

/// Whether a builder is left over: stopped for an hour, and no image of it pending.
pub fn is_left_over(machine: &Machine, images: &[Image], now: SystemTime) -> bool {
    let name = name_of(&machine.instance_id);
    let is_pending = images
        .iter()
        .any(|image| image.name == name && image.state == ImageState::Pending);
    machine.is_builder()
        && machine.state == State::Stopped
        && !is_pending
        && machine.stopped_at.is_some_and(|at| is_old(at, now))
}

fn is_old(made: SystemTime, now: SystemTime) -> bool {
    now.duration_since(made).is_ok_and(|age| age >= OLD)
}

/// The snapshots that are no image's, and old: those of an image that is being made may
/// not show with it yet.
pub fn orphans<'a>(
    snapshots: &'a [Snapshot],
    images: &[Image],
    now: SystemTime,
) -> Vec<&'a Snapshot> {
    let is_used = |id: &String| images.iter().any(|image| image.snapshot_ids.contains(id));
    let is_orphan = |snapshot: &&Snapshot| {
        !is_used(&snapshot.id) && snapshot.made_at.is_some_and(|at| is_old(at, now))
    };
    snapshots.iter().filter(is_orphan).collect()
}

/// Ends builders that are left over, names the others that are stopped, and deletes
/// snapshots that are left over. Nothing of it keeps a build from going on.
pub async fn clear(aws: &Aws, out: Output) {
    let (builders, images, snapshots) = tokio::join!(
        aws.builders(),
        aws.prepared_images(),
        aws.prepared_snapshots()
    );
    let cannot = |failure: Failure| {
        let why = failure.message;
        out.warn(&format!("cannot look for what earlier builds left: {why}"));
    };
    let images = match images {
        Ok(images) => images,
        Err(failure) => return cannot(failure),
    };
    match builders {
        Ok(builders) => end_builders(aws, &builders, &images, out).await,
        Err(failure) => cannot(failure),
    }
    match snapshots {
        Ok(snapshots) => delete_orphans(aws, &snapshots, &images, out).await,
        Err(failure) => cannot(failure),
    }
}

async fn end_builders(aws: &Aws, builders: &[Machine], images: &[Image], out: Output) {
    let now = aws.clock.now();
    let mut old = Vec::new();
    for machine in builders.iter().filter(|m| !m.state.is_gone()) {
        if is_left_over(machine, images, now) {
            old.push(machine.clone());
        } else {
            out.say(&told(machine));
        }
    }
    if old.is_empty() {
        return;
    }
    let left = aws
        .terminate(&machine::ids(&old))
        .await
        .left(&machine::ids(&old));
    for machine in old {
        let id = &machine.instance_id;
        if left.contains(id) {
            let line = end_line(id, &machine.region);
            out.warn(&format!(
                "{id} of an earlier image build is still there; end it: {line}"
            ));
        } else {
            out.say(&format!(
                "terminated {id}, which an earlier image build left stopped"
            ));
        }
    }
}

async fn delete_orphans(aws: &Aws, snapshots: &[Snapshot], images: &[Image], out: Output) {
    for snapshot in orphans(snapshots, images, aws.clock.now()) {
        let id = &snapshot.id;
        match aws.delete_snapshot(id).await {
            Ok(()) => out.say(&format!("deleted {id}, which had lost its image")),
            Err(failure) => out.warn(&failure.message),
        }
    }
}

/// What is to be said of a builder.
pub fn told(machine: &Machine) -> String {
    let id = &machine.instance_id;
    let end = end_line(id, &machine.region);
    match machine.state {
        State::Stopped => format!(
            "{id} is a stopped machine of an image build, whose disk costs: if no build is at work, end it: {end}"
        ),
        _ => format!("{id} is preparing an image (an image build of a colleague, say)"),
    }
}

/// The command that ends a builder. Of an option given twice the last one counts.
fn end_line(id: &str, region: &str) -> String {
    let line = command(&format!("terminate --instance-id {id}"));
    if line.contains(&format!("--region {region}")) {
        line
    } else {
        format!("{line} --region {region}")
    }
}

/// A builder that could not be ended.
pub fn may_be_running(failure: Failure, id: &str, why: &str) -> Failure {
    Failure {
        kind: Kind::MachinesMayBeRunning,
        message: format!("{}; {id} is still there: {why}", failure.message),
        ..failure
    }
    .hint(format!(
        "end it: {}",
        command(&format!("terminate --instance-id {id}"))
    ))
    .machines([id.to_owned()])
}

/// Deletes the snapshots; the ids of those that were there.
///
/// # Errors
/// The first that could not be deleted.
pub async fn delete_snapshots(aws: &Aws, ids: &[String]) -> Result<()> {
    for id in ids {
        aws.delete_snapshot(id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::prepared_image::builder_tags, plan::examples};

    const HOUR: Duration = Duration::from_hours(1);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 1_000 * HOUR
    }

    fn before(age: Duration) -> SystemTime {
        now().checked_sub(age).expect("a time")
    }

    fn image(state: ImageState) -> Image {
        let facts = examples::facts(Vec::new(), now());
        Image {
            name: name_of("i-1"),
            state,
            snapshot_ids: vec!["snap-1".into()],
            ..facts.images[0].clone()
        }
    }

    #[test]
    fn a_builder_is_left_over_once_it_was_stopped_for_an_hour_and_no_image_is_pending() {
        let builder = |state, since: Option<Duration>| Machine {
            stopped_at: since.map(before),
            tags: builder_tags(),
            ..Machine::example("i-1", state)
        };
        let old = builder(State::Stopped, Some(HOUR));
        assert!(is_left_over(&old, &[], now()));
        assert!(is_left_over(&old, &[image(ImageState::Available)], now()));
        assert!(!is_left_over(&old, &[image(ImageState::Pending)], now()));
        let other = Machine {
            tags: Vec::new(),
            ..old.clone()
        };
        assert!(!is_left_over(&other, &[], now()));
        let young = Duration::from_secs(3_599);
        for (state, since) in [
            (State::Stopped, Some(young)),
            (State::Stopped, None),
            (State::Stopping, Some(HOUR)),
            (State::Running, Some(HOUR)),
        ] {
            assert!(
                !is_left_over(&builder(state, since), &[], now()),
                "{state} {since:?}"
            );
        }
    }

    #[test]
    fn a_snapshot_is_left_over_once_it_is_old_and_no_images() {
        let snapshot = |id: &str, age: Duration| Snapshot {
            id: id.into(),
            size_gib: 50,
            full_bytes: None,
            made_at: Some(before(age)),
        };
        let unknown = Snapshot {
            made_at: None,
            ..snapshot("snap-4", HOUR)
        };
        let snapshots = [
            snapshot("snap-1", 2 * HOUR),
            snapshot("snap-2", HOUR),
            snapshot("snap-3", Duration::from_secs(3_599)),
            unknown,
        ];
        let images = [image(ImageState::Available)];
        let found = orphans(&snapshots, &images, now());
        let ids: Vec<&str> = found.iter().map(|s| s.id.as_str()).collect();
        assert_eq!(ids, ["snap-2"]);
    }
}
