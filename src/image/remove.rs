//! Removing prepared images with their snapshots.

use super::leftovers::{delete_snapshots, orphans_of};
use crate::{
    aws::{Aws, prepared_images::Deletion},
    error::Result,
    model::image::Image,
};

/// Removes an image, then its snapshots: they cannot be deleted while it uses them.
/// Asked again after an interruption in between, [`remove_orphans`] does the rest.
///
/// # Errors
/// EC2 has refused one of the calls.
pub async fn remove(aws: &Aws, image: &Image) -> Result<()> {
    aws.deregister_image(&image.id).await?;
    delete_snapshots(aws, &image.snapshot_ids).await
}

/// Deletes the old snapshots that are no image's, and adds their ids to `deleted`.
///
/// # Errors
/// They cannot be listed or deleted.
pub async fn remove_orphans(aws: &Aws, deleted: &mut Vec<String>) -> Result<()> {
    for id in orphans_of(aws).await? {
        // Somebody may have made an image of their own of it.
        if let Deletion::IsGone = aws.delete_snapshot(&id).await? {
            deleted.push(id);
        }
    }
    Ok(())
}
