//! Removing prepared images with their snapshots.

use super::leftovers::{delete_snapshots, orphans};
use crate::{aws::Aws, error::Result, model::image::Image, terminal::output::Output};

/// Removes an image, then its snapshots: they cannot be deleted while it uses them.
/// Asked again after an interruption in between, [`remove_orphans`] does the rest.
///
/// # Errors
/// EC2 has refused one of the calls.
pub async fn remove(aws: &Aws, image: &Image) -> Result<()> {
    aws.deregister_image(&image.id).await?;
    delete_snapshots(aws, &image.snapshot_ids).await
}

/// Deletes the old snapshots that are no image's; how many there were.
///
/// # Errors
/// They cannot be listed or deleted.
pub async fn remove_orphans(aws: &Aws, out: Output) -> Result<usize> {
    let (images, snapshots) = tokio::join!(aws.prepared_images(), aws.prepared_snapshots());
    let (images, snapshots) = (images?, snapshots?);
    let orphans = orphans(&snapshots, &images, aws.clock.now());
    for snapshot in &orphans {
        aws.delete_snapshot(&snapshot.id).await?;
        out.say(&format!(
            "deleted {}, which had lost its image",
            snapshot.id
        ));
    }
    Ok(orphans.len())
}
