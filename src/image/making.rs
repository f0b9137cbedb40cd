//! Making an image from a stopped builder, until it is complete.

use std::{cell::Cell, time::Duration};

use super::builder::{INTERRUPTED, LOOK_AGAIN_AFTER, interrupted};
use crate::{
    aws::Aws,
    error::{Failure, Result},
    model::{
        image::{Image, ImageState},
        visibility::VISIBLE_WITHIN,
    },
    terminal::{interrupt::Interrupt, output::Output},
};

/// Snapshots of tens of GiB take minutes, and sometimes many.
const AVAILABLE_WITHIN: Duration = Duration::from_hours(2);

/// What an image has to be.
pub struct Expected<'a> {
    pub tags: &'a [(String, String)],
    pub architecture: &'a str,
    pub root_gib: u32,
}

pub struct Making<'a> {
    pub aws: &'a Aws,
    pub interrupt: &'a Interrupt,
    pub out: Output,
    /// Whether there may be an image by now, even if EC2 does not show it yet.
    pub has_begun: &'a Cell<bool>,
}

impl Making<'_> {
    /// Makes the image, and waits until it is available and as expected. From then on an
    /// interruption is too late: what was asked for exists.
    ///
    /// # Errors
    /// EC2 has refused; the image has failed or lacks something; or somebody interrupted.
    pub async fn image_of(&self, builder_id: &str, expected: &Expected<'_>) -> Result<Image> {
        if self.interrupt.fired() {
            return Err(interrupted());
        }
        if let Err(not_made) = self.aws.create_image(builder_id, expected.tags).await {
            self.has_begun.set(not_made.may_be_made_yet);
            return Err(not_made.failure);
        }
        self.has_begun.set(true);
        let time = &self.aws.time;
        let began = time.instant();
        let mut progress = self.out.progress();
        loop {
            if self.interrupt.fired() {
                return Err(interrupted());
            }
            let image = self.aws.image_of_builder(builder_id).await?;
            let waited = time.instant().duration_since(began);
            match image {
                Some(image) if image.state == ImageState::Available => {
                    return match fault(&image, expected) {
                        None => Ok(image),
                        Some(why) => Err(Failure::failed(format!(
                            "the image {} cannot be used: {why}",
                            image.id
                        ))),
                    };
                }
                Some(image) if image.state == ImageState::Failed => {
                    return Err(Failure::failed(format!("EC2 could not make {}", image.id))
                        .hint("run the same command again"));
                }
                None if waited >= VISIBLE_WITHIN => {
                    return Err(Failure::failed(format!(
                        "EC2 shows no image of {builder_id}"
                    )));
                }
                Some(_) | None => {}
            }
            if waited >= AVAILABLE_WITHIN {
                return Err(Failure::failed(format!(
                    "the image of {builder_id} is still pending"
                )));
            }
            progress.update("making the image, which takes some minutes".into());
            let pause = async {
                time.pause(LOOK_AGAIN_AFTER).await;
                Ok(())
            };
            self.interrupt.or(pause, INTERRUPTED).await?;
        }
    }
}

/// What an available image lacks.
fn fault(image: &Image, expected: &Expected<'_>) -> Option<String> {
    let missing = expected.tags.iter().find(|tag| !image.tags.contains(tag));
    if let Some((key, _)) = missing {
        return Some(format!("its tag {key} is not the one that was asked for"));
    }
    if image.architecture != expected.architecture {
        return Some(format!("it is for {}", image.architecture));
    }
    if image.snapshot_gib != expected.root_gib {
        return Some(format!(
            "its root disk has {} GiB, not {}",
            image.snapshot_gib, expected.root_gib
        ));
    }
    image
        .snapshot_ids
        .is_empty()
        .then(|| "it has no snapshot".into())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::plan::examples;

    #[test]
    fn an_image_is_whole_or_not_used() {
        let facts = examples::facts(Vec::new(), SystemTime::UNIX_EPOCH);
        let tags = [("a".to_owned(), "b".to_owned())];
        let whole = Image {
            tags: tags.to_vec(),
            snapshot_ids: vec!["snap-1".into()],
            ..facts.images[0].clone()
        };
        let expected = Expected {
            tags: &tags,
            architecture: "x86_64",
            root_gib: 8,
        };
        assert_eq!(fault(&whole, &expected), None);
        let changes: [fn(&mut Image); 5] = [
            |i| i.tags.clear(),
            |i| i.tags[0].1 = "c".into(),
            |i| i.architecture = "arm64".into(),
            |i| i.snapshot_gib = 7,
            |i| i.snapshot_ids.clear(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut image = whole.clone();
            change(&mut image);
            assert!(fault(&image, &expected).is_some(), "{number}");
        }
    }
}
