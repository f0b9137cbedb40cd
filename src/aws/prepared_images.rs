//! Prepared images and their snapshots: making, finding and removing them.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::types::{self, Filter, InstanceType, ResourceType};

use super::{
    Aws,
    errors::{Sort, code, failure, sort_of_error},
    filter,
    images::image,
    tag_specification,
};
use crate::{
    error::{Failure, Result},
    model::{
        image::Image,
        machine::{LAUNCHER, Machine, TAG_LAUNCHER},
        prepared_image::{NAME_PREFIX, Snapshot, TAG_BUILDER, TAG_LAYOUT, name_of},
        visibility::VISIBLE_WITHIN,
    },
};

/// The pause between two tries to remove an image.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Why EC2 has not said that it makes an image.
pub struct NotMade {
    pub failure: Failure,
    /// There may be an image all the same, as nobody has read the answer.
    pub may_be_made_yet: bool,
}

/// What became of a snapshot that was to be deleted.
pub enum Deletion {
    IsGone,
    /// An image uses it. One that was removed a moment ago may still count.
    IsUsed(Failure),
}

impl Aws {
    /// The prepared images of this account in the region, pending ones too.
    pub async fn prepared_images(&self) -> Result<Vec<Image>> {
        let filters = vec![
            filter("name", [format!("{NAME_PREFIX}*").as_str()]),
            filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]),
        ];
        self.own_images(filters).await
    }

    /// The image of a builder, whatever became of the call that asked for it.
    pub async fn image_of_builder(&self, builder_id: &str) -> Result<Option<Image>> {
        let name = name_of(builder_id);
        let mut images = self
            .own_images(vec![filter("name", [name.as_str()])])
            .await?;
        images.retain(|image| image.name == name);
        Ok(images.pop())
    }

    async fn own_images(&self, filters: Vec<Filter>) -> Result<Vec<Image>> {
        let call = self.ec2.describe_images().owners("self");
        match call.set_filters(Some(filters)).send().await {
            Ok(answer) => Ok(answer
                .images
                .unwrap_or_default()
                .into_iter()
                .map(image)
                .collect()),
            Err(error) => Err(self
                .failure(&error, "cannot list the prepared images")
                .await),
        }
    }

    /// Asks for an image of a stopped builder. There is no client token, but a second
    /// call is refused for its name, if the first was accepted.
    ///
    /// # Errors
    /// EC2 has refused, or nobody knows.
    pub async fn create_image(
        &self,
        builder_id: &str,
        tags: &[(String, String)],
    ) -> Result<(), NotMade> {
        let answer = self
            .ec2
            .create_image()
            .instance_id(builder_id)
            .name(name_of(builder_id))
            .description("Made by inductiva-aws image build")
            .tag_specifications(tag_specification(ResourceType::Image, tags))
            .tag_specifications(tag_specification(ResourceType::Snapshot, tags))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("InvalidAMIName.Duplicate") => Ok(()),
            Err(error) => {
                let what = format!("cannot make an image of {builder_id}");
                Err(NotMade {
                    failure: self.failure(&error, &what).await,
                    may_be_made_yet: sort_of_error(&error) == Sort::Unknown,
                })
            }
        }
    }

    /// Stops a machine. To ask once more does no harm.
    pub async fn stop_instance(&self, id: &str) -> Result<()> {
        let answer = self.ec2.stop_instances().instance_ids(id).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failure(&error, &format!("cannot stop {id}")).await),
        }
    }

    /// The builder that was launched with this client token.
    pub async fn launched_with(&self, client_token: &str) -> Result<Vec<Machine>> {
        self.machines(vec![filter("client-token", [client_token])])
            .await
    }

    /// The machines that prepare images in this region, terminated ones too.
    pub async fn builders(&self) -> Result<Vec<Machine>> {
        let filters = vec![
            filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]),
            filter("tag-key", [TAG_BUILDER]),
        ];
        self.machines(filters).await
    }

    /// Whether machines of this type have a live console.
    pub async fn has_live_console(&self, vm_type: &str) -> Result<bool> {
        let answer = self
            .ec2
            .describe_instance_types()
            .instance_types(InstanceType::from(vm_type))
            .filters(filter("hypervisor", ["nitro"]))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(!answer.instance_types.unwrap_or_default().is_empty()),
            Err(error) => {
                let what = format!("cannot look up the type {vm_type}");
                Err(failure(&error, &what, &self.region))
            }
        }
    }

    /// Removes an image. It is no error if the image is gone already.
    ///
    /// # Errors
    /// EC2 has refused, or still shows it.
    pub async fn deregister_image(&self, id: &str) -> Result<()> {
        let until = self.time.instant() + VISIBLE_WITHIN;
        loop {
            let answer = self.ec2.deregister_image().image_id(id).send().await;
            let Err(error) = answer else {
                return Ok(());
            };
            match code(&error) {
                Some("InvalidAMIID.NotFound") => return Ok(()),
                // Either it is gone, or it is "not in a state from which" this can be
                // done ("Error codes for the Amazon EC2 API"): a pending image would
                // still appear.
                Some("InvalidAMIID.Unavailable") => {
                    let shown = self.own_images(vec![filter("image-id", [id])]).await?;
                    if shown.is_empty() {
                        return Ok(());
                    }
                    if self.time.instant() < until {
                        self.time.pause(TRY_AGAIN_AFTER).await;
                        continue;
                    }
                }
                _ => {}
            }
            let what = format!("cannot remove the image {id}");
            return Err(self.failure(&error, &what).await);
        }
    }

    /// The snapshots of prepared images, including those that have lost their image.
    pub async fn prepared_snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut snapshots = Vec::new();
        let mut pages = self
            .ec2
            .describe_snapshots()
            .owner_ids("self")
            .filters(filter(&format!("tag:{TAG_LAUNCHER}"), [LAUNCHER]))
            .filters(filter("tag-key", [TAG_LAYOUT]))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let what = "cannot list the snapshots of prepared images";
                    return Err(self.failure(&error, what).await);
                }
            };
            let found = page.snapshots.unwrap_or_default();
            snapshots.extend(found.into_iter().filter_map(snapshot));
        }
        Ok(snapshots)
    }

    /// Deletes a snapshot. It is no error if the snapshot is gone already.
    ///
    /// # Errors
    /// EC2 has refused for another reason than that an image uses the snapshot.
    pub async fn delete_snapshot(&self, id: &str) -> Result<Deletion> {
        let answer = self.ec2.delete_snapshot().snapshot_id(id).send().await;
        let Err(error) = answer else {
            return Ok(Deletion::IsGone);
        };
        let code = code(&error).map(str::to_owned);
        let failure = self
            .failure(&error, &format!("cannot delete the snapshot {id}"))
            .await;
        match code.as_deref() {
            Some("InvalidSnapshot.NotFound") => Ok(Deletion::IsGone),
            Some("InvalidSnapshot.InUse") => Ok(Deletion::IsUsed(failure)),
            _ => Err(failure),
        }
    }
}

fn snapshot(snapshot: types::Snapshot) -> Option<Snapshot> {
    let size_gib = snapshot.volume_size.and_then(|gib| u32::try_from(gib).ok());
    Some(Snapshot {
        id: snapshot.snapshot_id?,
        size_gib: size_gib.unwrap_or(0),
        full_bytes: snapshot
            .full_snapshot_size_in_bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .filter(|bytes| *bytes > 0),
        made_at: snapshot
            .start_time
            .and_then(|time| SystemTime::try_from(time).ok()),
    })
}
