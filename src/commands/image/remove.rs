//! `image remove`: removes prepared images with their snapshots.

use std::fmt;

use serde::Serialize;

use crate::{
    aws::Aws,
    cli::ImageRemoveArgs,
    commands::report::RegionsReport,
    error::{Failure, Kind, Result},
    image::remove::{remove, remove_orphans},
    machines::everywhere::Survey,
    model::image::Image,
    terminal::output::Output,
};

/// Asks, and removes. Machines that run are not touched: they have their own disks.
pub async fn run(args: &ImageRemoveArgs, aws: &Aws, out: Output) -> Result<()> {
    let survey = if args.all_regions {
        Survey::everywhere(aws, out).await?
    } else {
        Survey::here(aws).await?
    };
    let mut found: Vec<(Aws, Image)> = Vec::new();
    for region in &survey.regions {
        let aws = aws.in_region(region);
        let images = aws.prepared_images().await?;
        found.extend(images.into_iter().map(|image| (aws.clone(), image)));
    }
    if !args.all {
        refuse_unknown(&args.ids, &found, &aws.region)?;
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
    let mut failure = None;
    // One that cannot be removed keeps no other.
    for (aws, image) in &found {
        match remove(aws, image).await {
            Ok(()) => removed.push(image.id.clone()),
            Err(why) => failure = failure.or(Some(why)),
        }
    }
    for region in &survey.regions {
        let aws = aws.in_region(region);
        if let Err(why) = Box::pin(remove_orphans(&aws, out)).await {
            failure = failure.or(Some(why));
        }
    }
    let report = RemoveReport {
        removed,
        regions: RegionsReport::from(&survey),
    };
    out.result(&report, &report.removed)?;
    failure.map_or(Ok(()), Err)
}

/// Ids that are not those of prepared images here: nothing else is removed.
fn refuse_unknown(ids: &[String], found: &[(Aws, Image)], region: &str) -> Result<()> {
    let is_unknown = |id: &&String| !found.iter().any(|(_, image)| image.id == **id);
    let unknown: Vec<&str> = ids.iter().filter(is_unknown).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Kind::NotFound,
        format!("{region} has no prepared image {}", unknown.join(", ")),
    )
    .hint("inductiva-aws image list --all-regions shows them; nothing was removed"))
}

#[derive(Clone, Debug, Serialize)]
struct RemoveReport {
    removed: Vec<String>,
    #[serde(flatten)]
    regions: RegionsReport,
}

impl fmt::Display for RemoveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.removed.is_empty() {
            return writeln!(f, "there is no prepared image");
        }
        self.removed
            .iter()
            .try_for_each(|id| writeln!(f, "removed {id}"))
    }
}
