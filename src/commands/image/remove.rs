//! `image remove`: removes prepared images with their snapshots.

use std::fmt;

use serde::Serialize;

use crate::{
    aws::Aws,
    cli::{ImageRemoveArgs, SNAPSHOT},
    commands::report::RegionsReport,
    error::{Failure, Kind, Result},
    image::{
        leftovers::orphans_of,
        remove::{remove, remove_orphans},
    },
    machines::everywhere::Survey,
    model::image::Image,
    terminal::{command_line::command, output::Output},
};

/// Asks, and removes the images. Running machines are not touched, as they have their own
/// disks.
pub async fn run(args: &ImageRemoveArgs, aws: &Aws, out: Output) -> Result<()> {
    let survey = if args.all_regions {
        Survey::everywhere(aws, out).await?
    } else {
        Survey::here(aws).await?
    };
    let mut found: Vec<(Aws, Image)> = Vec::new();
    let mut failure = None;
    for region in &survey.regions {
        let aws = aws.in_region(region);
        match aws.prepared_images().await {
            Ok(images) => found.extend(images.into_iter().map(|image| (aws.clone(), image))),
            Err(why) if !args.all_regions => return Err(why),
            Err(why) => failure = failure.or(Some(why.while_doing(region))),
        }
    }
    if !args.all {
        refuse_unknown(&args.ids, &found, aws).await?;
        found.retain(|(_, image)| args.ids.contains(&image.id));
    }
    if !found.is_empty() && !args.yes {
        for (aws, image) in &found {
            out.say(&format!(
                "{} in {}, of {}",
                image.id, aws.region, image.creation_date
            ));
        }
        let question = match found.len() {
            1 => "the image will be removed. Are you sure you want to proceed".to_owned(),
            n => format!("{n} images will be removed. Are you sure you want to proceed"),
        };
        if !out.confirm(&question).await? {
            return Err(Failure::failed("not confirmed: nothing was removed"));
        }
    }
    let mut removed = Vec::new();
    // If one cannot be removed, the others are still removed.
    for (aws, image) in &found {
        match remove(aws, image).await {
            Ok(()) => removed.push(image.id.clone()),
            Err(why) => failure = failure.or(Some(why)),
        }
    }
    let mut deleted_snapshots = Vec::new();
    for region in &survey.regions {
        let aws = aws.in_region(region);
        if let Err(why) = Box::pin(remove_orphans(&aws, &args.ids, &mut deleted_snapshots)).await {
            failure = failure.or(Some(why));
        }
    }
    let report = RemoveReport {
        removed,
        deleted_snapshots,
        regions: RegionsReport::from(&survey),
        had_nothing_to_do: found.is_empty() && failure.is_none(),
    };
    out.result(&report, &report.removed)?;
    let failure = failure.or_else(|| survey.not_whole("images may be left"));
    failure.map_or(Ok(()), Err)
}

/// Refuses ids that are neither those of prepared images in this region nor of snapshots
/// that have lost theirs. Nothing else is removed.
async fn refuse_unknown(ids: &[String], found: &[(Aws, Image)], aws: &Aws) -> Result<()> {
    let is_unknown = |id: &&String| !found.iter().any(|(_, image)| image.id == **id);
    let mut unknown: Vec<&str> = ids.iter().filter(is_unknown).map(String::as_str).collect();
    if unknown.iter().any(|id| id.starts_with(SNAPSHOT)) {
        let orphans = orphans_of(aws).await?;
        unknown.retain(|id| !orphans.iter().any(|orphan| orphan == id));
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let (region, ids) = (&aws.region, unknown.join(", "));
    let message = if unknown.iter().all(|id| id.starts_with(SNAPSHOT)) {
        format!("{region} has no snapshot {ids} that is an hour old and has lost a prepared image")
    } else {
        format!("{region} has no prepared image {ids}")
    };
    Err(Failure::new(Kind::NotFound, message).hint(format!(
        "{} shows them; nothing was removed",
        command("image list --all-regions")
    )))
}

#[derive(Clone, Debug, Serialize)]
struct RemoveReport {
    removed: Vec<String>,
    /// The snapshots that had lost their image before.
    deleted_snapshots: Vec<String>,
    #[serde(flatten)]
    regions: RegionsReport,
    #[serde(skip)]
    had_nothing_to_do: bool,
}

impl fmt::Display for RemoveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.had_nothing_to_do && self.deleted_snapshots.is_empty() {
            return writeln!(f, "there is no prepared image");
        }
        for id in &self.removed {
            writeln!(f, "removed {id}")?;
        }
        self.deleted_snapshots
            .iter()
            .try_for_each(|id| writeln!(f, "deleted {id}, which had lost its image"))
    }
}
