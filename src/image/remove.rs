//! Removing prepared images with their snapshots.

use super::leftovers::{delete_snapshots, orphans_of};
use crate::{
    aws::{Aws, prepared_images::Deletion},
    error::Result,
    model::image::Image,
};

/// Removes an image, and then its snapshots, which cannot be deleted while it uses them.
/// After an interruption in between, [`remove_orphans`] does the rest.
///
/// # Errors
/// EC2 has refused one of the calls.
pub async fn remove(aws: &Aws, image: &Image) -> Result<()> {
    aws.deregister_image(&image.id).await?;
    delete_snapshots(aws, &image.snapshot_ids).await
}

/// Deletes the old snapshots that belong to no image, and adds their ids to `deleted`.
///
/// # Errors
/// They cannot be listed or deleted, or one that was `named` is in use.
pub async fn remove_orphans(aws: &Aws, named: &[String], deleted: &mut Vec<String>) -> Result<()> {
    let mut in_use = Ok(());
    for id in orphans_of(aws).await? {
        match aws.delete_snapshot(&id).await? {
            Deletion::IsGone => deleted.push(id),
            // Somebody has made an image of their own from it.
            Deletion::IsUsed(failure) if named.contains(&id) => in_use = in_use.and(Err(failure)),
            Deletion::IsUsed(_) => {}
        }
    }
    in_use
}
