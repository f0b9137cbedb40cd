//! Which prepared image a start takes, or why it takes none.

use std::time::Duration;

use super::facts::Facts;
use crate::{
    model::{
        image::{Image, ImageState},
        prepared_image::{self, TAG_BASE, TAG_FILE_TRACKER, TAG_LAYOUT, TAG_TASK_RUNNER},
        request::Request,
        user_data::Script,
    },
    values::Volume,
};

/// The unit in which ages of more than a day are told.
const DAY: Duration = Duration::from_hours(24);

/// The newest prepared image that can take the place of the `standard` one.
///
/// # Errors
/// Why there is none. If several do not fit, why the newest one does not.
pub fn choose<'a>(
    request: &Request,
    facts: &'a Facts,
    standard: &Image,
) -> Result<&'a Image, String> {
    let Some(most) = request.prepared_image_age else {
        return Err("--no-prepared-image".into());
    };
    if request.image_id.is_some() {
        return Err("--image-id names another".into());
    }
    if request.script != Script::standard() {
        return Err("the script is one of your own".into());
    }
    let mut prepared: Vec<&Image> = facts
        .images
        .iter()
        .filter(|image| image.is_prepared(&facts.account))
        .collect();
    prepared.sort_by_key(|image| std::cmp::Reverse((&image.creation_date, &image.id)));
    let mut why_not = None;
    for image in prepared {
        match misfit(image, request, facts, standard, most) {
            None => return Ok(image),
            Some(why) => why_not = why_not.or_else(|| Some(format!("{} {why}", image.id))),
        }
    }
    Err(why_not.unwrap_or_else(|| {
        format!(
            "{} has none (inductiva-aws image build makes one)",
            facts.region
        )
    }))
}

/// How old an image is, in words.
pub fn age(image: &Image, facts: &Facts) -> String {
    let made = image.created_at;
    let age = made.map(|made| facts.looked_at.duration_since(made).unwrap_or_default());
    age.map_or_else(|| "of unknown age".into(), age_in_words)
}

/// `3 hours old`, `12 days old`.
fn age_in_words(age: Duration) -> String {
    let (number, unit) = if age < DAY {
        (age.as_secs() / 3_600, "hour")
    } else {
        (age.as_secs() / DAY.as_secs(), "day")
    };
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s} old")
}

/// Why an image does not fit.
fn misfit(
    image: &Image,
    request: &Request,
    facts: &Facts,
    standard: &Image,
    most: Duration,
) -> Option<String> {
    let tag = |key| image.tag(key).unwrap_or_default();
    let layout = prepared_image::layout();
    if image.state != ImageState::Available {
        return Some("is not available yet".into());
    }
    if tag(TAG_LAYOUT) != layout {
        return Some(format!(
            "was made by another release (layout {}, not {layout})",
            tag(TAG_LAYOUT)
        ));
    }
    let family = prepared_image::family(&standard.name);
    if prepared_image::family(tag(TAG_BASE)) != family || family.is_none() {
        return Some(format!("was made from {}", tag(TAG_BASE)));
    }
    if image.architecture != standard.architecture {
        return Some(format!("is for {}", image.architecture));
    }
    let containers = [
        (TAG_TASK_RUNNER, &request.runner.task_runner_image),
        (TAG_FILE_TRACKER, &request.runner.file_tracker_image),
    ];
    for (key, wanted) in containers {
        if tag(key) != wanted.as_str() {
            return Some(format!("holds {}, not {wanted}", tag(key)));
        }
    }
    // A larger disk than the standard image needs would cost more.
    let size = request.volume.size_gib;
    let size = size.unwrap_or(Volume::DEFAULT_GIB.max(standard.snapshot_gib));
    if image.snapshot_gib > size {
        return Some(format!(
            "needs a disk of {} GiB, more than {size}",
            image.snapshot_gib
        ));
    }
    // A time in the future only means that clocks differ: the image is new.
    let Some(made) = image.created_at else {
        return Some("is of unknown age".into());
    };
    let age = facts.looked_at.duration_since(made).unwrap_or_default();
    (age > most).then(|| {
        format!(
            "is {} (--prepared-image-age; inductiva-aws image build makes a new one)",
            age_in_words(age)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        model::{machine::LAUNCHER, machine::TAG_LAUNCHER},
        plan::examples,
    };

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 100 * DAY
    }

    fn facts(images: impl IntoIterator<Item = Image>) -> Facts {
        let mut facts = examples::facts(Vec::new(), now());
        facts.images.extend(images);
        facts
    }

    fn prepared(id: &str, days: u32) -> Image {
        let facts = examples::facts(Vec::new(), now());
        let standard = &facts.images[0];
        let created_at = now().checked_sub(days * DAY).expect("a time");
        Image {
            id: id.into(),
            name: prepared_image::name_of("i-1"),
            owner: facts.account.clone(),
            created_at: Some(created_at),
            creation_date: format!("{:03}", 100 - days),
            tags: prepared_image::tags(standard, &examples::request(1).runner),
            ..standard.clone()
        }
    }

    fn chosen(request: &Request, facts: &Facts) -> Result<String, String> {
        let standard = &facts.images[0];
        choose(request, facts, standard).map(|image| image.id.clone())
    }

    #[test]
    fn the_newest_that_fits_is_taken() {
        let request = examples::request(1);
        let three = [
            prepared("ami-a", 3),
            prepared("ami-b", 1),
            prepared("ami-c", 2),
        ];
        assert_eq!(chosen(&request, &facts(three)), Ok("ami-b".into()));
        // The newest image does not fit, and the next one does.
        let mut other = prepared("ami-b", 1);
        other.tags.retain(|(key, _)| key != TAG_LAYOUT);
        other.tags.push((TAG_LAYOUT.into(), "0".into()));
        let two = [prepared("ami-a", 3), other];
        assert_eq!(chosen(&request, &facts(two)), Ok("ami-a".into()));
    }

    /// Changes one thing of an image.
    type ImageChange = fn(&mut Image);

    #[test]
    fn one_that_does_not_fit_is_not_taken_and_the_reason_is_told() {
        let gpu = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 1";
        let tagged = |key: &str, value: &str| {
            let mut image = prepared("ami-a", 1);
            image.tags.retain(|(k, _)| k != key);
            image.tags.push((key.to_owned(), value.to_owned()));
            image
        };
        let usual = || prepared("ami-a", 1);
        let changes = [
            (
                Image {
                    state: ImageState::Pending,
                    ..usual()
                },
                "is not available yet",
            ),
            (
                tagged(TAG_LAYOUT, "0"),
                "was made by another release (layout 0, not ",
            ),
            (tagged(TAG_BASE, gpu), "was made from Deep Learning"),
            (tagged(TAG_BASE, "debian-12"), "was made from debian-12"),
            (
                tagged(TAG_TASK_RUNNER, "mine/runner:1"),
                "holds mine/runner:1, not ",
            ),
            (
                tagged(TAG_FILE_TRACKER, "mine/tracker:1"),
                "holds mine/tracker:1, not ",
            ),
            (
                Image {
                    architecture: "arm64".into(),
                    ..usual()
                },
                "is for arm64",
            ),
            (
                Image {
                    snapshot_gib: 51,
                    ..usual()
                },
                "needs a disk of 51 GiB, more than 50",
            ),
            (
                prepared("ami-a", 31),
                "is 31 days old (--prepared-image-age",
            ),
            (
                Image {
                    created_at: None,
                    ..usual()
                },
                "is of unknown age",
            ),
        ];
        let request = examples::request(1);
        for (image, expected) in changes {
            let why = chosen(&request, &facts([image])).expect_err(expected);
            let expected = format!("ami-a {expected}");
            assert!(why.starts_with(&expected), "{why}, not {expected}");
        }
        // Images that others own, or that lack our tag, do not count at all.
        let changes: [ImageChange; 3] = [
            |i| i.owner = "999999999999".into(),
            |i| i.name = "mine".into(),
            |i| {
                i.tags.retain(|(key, value)| {
                    (key.as_str(), value.as_str()) != (TAG_LAUNCHER, LAUNCHER)
                });
            },
        ];
        for change in changes {
            let mut image = prepared("ami-a", 1);
            change(&mut image);
            let why = chosen(&request, &facts([image])).expect_err("not ours");
            assert!(why.contains("has none"), "{why}");
        }
    }

    /// Makes a request one that takes no prepared image.
    type Without = fn(&mut Request);

    #[test]
    fn a_request_may_do_without() {
        let usual = examples::request(1);
        let facts = facts([prepared("ami-a", 1)]);
        assert_eq!(chosen(&usual, &facts), Ok("ami-a".into()));
        let changes: [(Without, &str); 3] = [
            (|r| r.prepared_image_age = None, "--no-prepared-image"),
            (|r| r.image_id = Some("ami-9".into()), "--image-id"),
            (
                |r| r.script = Script::custom(b"#!/bin/sh".into()),
                "the script",
            ),
        ];
        for (change, expected) in changes {
            let mut request = usual.clone();
            change(&mut request);
            let why = chosen(&request, &facts).expect_err(expected);
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn the_age_is_the_one_asked_for() {
        let mut request = examples::request(1);
        let facts = facts([prepared("ami-a", 20)]);
        request.prepared_image_age = Some(20 * DAY);
        assert_eq!(chosen(&request, &facts), Ok("ami-a".into()));
        request.prepared_image_age = Some(19 * DAY);
        assert!(chosen(&request, &facts).is_err());
    }
}
