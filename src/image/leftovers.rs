//! What killed builds have left: builders that are stopped, which their own deadline
//! cannot end, and snapshots without their image.

use std::time::{Duration, SystemTime};

use crate::{
    aws::{Aws, prepared_images::Deletion},
    error::{Failure, Kind, Result},
    model::{
        image::{Image, ImageState},
        machine::{self, Machine, State},
        prepared_image::{Snapshot, name_of},
        visibility::VISIBLE_WITHIN,
    },
    terminal::{
        command_line::{AwsOptions, command},
        output::Output,
    },
};

/// Nothing that is older than this belongs to a build at work: a stopped builder becomes
/// an image within minutes.
const OLD: Duration = Duration::from_hours(1);

/// How long a look for snapshots may take that is only a line beside a list.
const NO_LONGER_THAN: Duration = Duration::from_secs(10);

const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Whether a builder is left over: it has been stopped for an hour, and no image of it is
/// pending.
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

/// The old snapshots that belong to no image. A new snapshot may be one of an image that
/// is being made, and does not show it yet.
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
/// snapshots that are left over. If any of that fails, the build goes on.
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
            out.say(&builder_notice(machine));
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
            Ok(Deletion::IsGone) => out.say(&format!("deleted {id}, which had lost its image")),
            // Somebody has made an image of their own from it.
            Ok(Deletion::IsUsed(_)) => {}
            Err(failure) => out.warn(&failure.message),
        }
    }
}

/// What to say of a builder that exists.
pub fn builder_notice(machine: &Machine) -> String {
    let id = &machine.instance_id;
    let end = end_line(id, &machine.region);
    match machine.state {
        State::Stopped => format!(
            "{id} is a stopped machine of an image build, whose disk costs: if no build is at work, end it: {end}"
        ),
        _ => format!("{id} is preparing an image (an image build of a colleague, say)"),
    }
}

/// A snapshot that has lost its image, and still costs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftSnapshot {
    pub region: String,
    pub id: String,
}

/// The snapshots in these regions that have lost their image. A region that does not
/// answer is left out: nothing depends on it.
pub async fn left_snapshots(aws: &Aws, regions: &[String]) -> Vec<LeftSnapshot> {
    let mut asked = tokio::task::JoinSet::new();
    for region in regions {
        let aws = aws.in_region(region);
        asked.spawn(async move {
            let looking = Box::pin(orphans_of(&aws));
            let found = aws.time.within(NO_LONGER_THAN, looking).await;
            let ids = found.ok().and_then(Result::ok).unwrap_or_default();
            let left = ids.into_iter().map(|id| LeftSnapshot {
                region: aws.region.clone(),
                id,
            });
            left.collect::<Vec<_>>()
        });
    }
    let mut left: Vec<LeftSnapshot> = asked.join_all().await.into_iter().flatten().collect();
    left.sort();
    left
}

/// The ids of the snapshots that have lost their image in the region of `aws`.
///
/// # Errors
/// The snapshots or the images cannot be listed.
pub async fn orphans_of(aws: &Aws) -> Result<Vec<String>> {
    let snapshots = aws.prepared_snapshots().await?;
    // Most accounts have none, and need one call less.
    if snapshots.is_empty() {
        return Ok(Vec::new());
    }
    let images = aws.prepared_images().await?;
    let orphans = orphans(&snapshots, &images, aws.clock.now());
    Ok(orphans.into_iter().map(|s| s.id.clone()).collect())
}

/// What to say of such snapshots, a line for each region.
pub fn snapshot_notices(left: &[LeftSnapshot]) -> Vec<String> {
    let mut regions: Vec<&str> = left.iter().map(|s| s.region.as_str()).collect();
    regions.dedup();
    let line = |region: &str| {
        let here = left.iter().filter(|s| s.region == region);
        let ids: Vec<&str> = here.map(|s| s.id.as_str()).collect();
        format!(
            "left over in {region} without an image, and costing: {}; {} deletes them, and so does the next image build",
            ids.join(", "),
            line_in(region, &format!("image remove {}", ids.join(" ")))
        )
    };
    regions.into_iter().map(line).collect()
}

/// The command that ends a builder.
fn end_line(id: &str, region: &str) -> String {
    line_in(region, &format!("terminate --instance-id {id}"))
}

/// A command for a region, which may be another than this run's.
fn line_in(region: &str, arguments: &str) -> String {
    AwsOptions::of_this_run()
        .in_region(region)
        .command(arguments)
}

/// The failure when a builder could not be ended.
pub fn builder_may_be_running(failure: Failure, id: &str, why: &str) -> Failure {
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

/// Deletes the snapshots of an image that was just removed. For a while EC2 may still
/// take them for the image's.
///
/// # Errors
/// The first that could not be deleted.
pub async fn delete_snapshots(aws: &Aws, ids: &[String]) -> Result<()> {
    let until = aws.time.instant() + VISIBLE_WITHIN;
    for id in ids {
        while let Deletion::IsUsed(failure) = aws.delete_snapshot(id).await? {
            if aws.time.instant() >= until {
                return Err(failure);
            }
            aws.time.pause(AGAIN_AFTER).await;
        }
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
