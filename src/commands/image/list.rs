//! `image list`: the prepared images.

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use crate::{
    aws::{Aws, pricing::Worth},
    cli::ImageListArgs,
    commands::report::{RegionsReport, or_na},
    error::Result,
    image::{
        cost::{gib, usd_per_month},
        leftovers::{LeftSnapshot, builder_notice, orphans, snapshot_notices},
    },
    machines::everywhere::Survey,
    model::{
        image::{Image, ImageState},
        machine::Machine,
        prepared_image::{Snapshot, TAG_BASE, TAG_FILE_TRACKER, TAG_LAYOUT, TAG_TASK_RUNNER},
    },
    plan::known::Known,
    terminal::{
        command_line::command,
        output::{Output, table_within},
        table::{shortening, whole},
        time::span,
    },
};

/// Prints the images, and names what builds have left behind.
pub async fn run(args: &ImageListArgs, aws: &Aws, out: Output) -> Result<()> {
    let survey = if args.all_regions {
        Survey::everywhere(aws, out).await?
    } else {
        Survey::here(aws).await?
    };
    let now = aws.clock.now();
    let mut images = Vec::new();
    let mut left = Vec::new();
    let mut failure = None;
    for region in &survey.regions {
        let aws = aws.in_region(region);
        let (found, snapshots, price) = tokio::join!(
            aws.prepared_images(),
            aws.prepared_snapshots(),
            aws.snapshot_price(Worth::A_LIST)
        );
        // Without prices and sizes the list is still worth showing.
        let snapshots = snapshots.unwrap_or_default();
        let found = match found {
            Ok(found) => found,
            Err(why) if !args.all_regions => return Err(why),
            Err(why) => {
                failure = failure.or(Some(why.while_doing(region)));
                continue;
            }
        };
        let of_region = |snapshot: &Snapshot| LeftSnapshot {
            region: region.clone(),
            id: snapshot.id.clone(),
        };
        let orphans = orphans(&snapshots, &found, now);
        left.extend(orphans.into_iter().map(of_region));
        let of_region = found
            .iter()
            .map(|image| ListedImage::of(image, region, &snapshots, &price, &survey.machines, now));
        images.extend(of_region);
    }
    for line in snapshot_notices(&left) {
        out.say(&line);
    }
    for machine in survey
        .machines
        .iter()
        .filter(|m| m.is_builder() && !m.state.is_gone())
    {
        out.say(&builder_notice(machine));
    }
    images.sort_by(|a, b| (&a.region, &b.creation_date).cmp(&(&b.region, &a.creation_date)));
    let report = ImageListReport {
        images,
        regions: RegionsReport::from(&survey),
        width: out.width(),
    };
    if report.images.is_empty() && failure.is_none() {
        out.say(&nothing(&survey));
    }
    let ids: Vec<String> = report.images.iter().map(|i| i.image_id.clone()).collect();
    out.result(&report, &ids)?;
    let failure = failure.or_else(|| survey.not_whole("the list is not complete"));
    failure.map_or(Ok(()), Err)
}

/// Says that there is no image, and how to get one.
fn nothing(survey: &Survey) -> String {
    let there = if survey.everywhere {
        "any region".to_owned()
    } else {
        survey.regions.join(", ")
    };
    format!(
        "no prepared images in {there}; {} makes one",
        command("image build")
    )
}

#[derive(Clone, Debug, Serialize)]
struct ImageListReport {
    images: Vec<ListedImage>,
    #[serde(flatten)]
    regions: RegionsReport,
    /// The columns of the terminal; none where nothing is cut.
    #[serde(skip)]
    width: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct ListedImage {
    image_id: String,
    region: String,
    /// `pending`, `available` or `failed`.
    state: &'static str,
    creation_date: String,
    age_seconds: Option<u64>,
    layout: Option<String>,
    /// The name of the image that it was made from.
    base: Option<String>,
    task_runner_image: Option<String>,
    file_tracker_image: Option<String>,
    size_gib: u32,
    /// The GiB that are paid for, at most.
    stored_gib: Option<f64>,
    usd_per_month: Option<f64>,
    /// The machine groups whose machines were launched from it.
    used_by: BTreeSet<String>,
}

impl ListedImage {
    fn of(
        image: &Image,
        region: &str,
        snapshots: &[Snapshot],
        price: &Known<f64>,
        machines: &[Machine],
        now: SystemTime,
    ) -> Self {
        let tag = |key| image.tag(key).map(str::to_owned);
        let age = |at| now.duration_since(at).unwrap_or_default().as_secs();
        let gib = gib(image, snapshots);
        let is_of_it = |m: &&Machine| {
            m.region == region && !m.state.is_gone() && m.image_id.as_ref() == Some(&image.id)
        };
        let used_by = machines.iter().filter(is_of_it);
        Self {
            image_id: image.id.clone(),
            region: region.to_owned(),
            state: match image.state {
                ImageState::Pending => "pending",
                ImageState::Available => "available",
                ImageState::Failed => "failed",
            },
            creation_date: image.creation_date.clone(),
            age_seconds: image.created_at.map(age),
            layout: tag(TAG_LAYOUT),
            base: tag(TAG_BASE),
            task_runner_image: tag(TAG_TASK_RUNNER),
            file_tracker_image: tag(TAG_FILE_TRACKER),
            size_gib: image.snapshot_gib,
            stored_gib: gib,
            usd_per_month: usd_per_month(gib, price),
            used_by: used_by
                .map(|m| m.group().unwrap_or(&m.instance_id).to_owned())
                .collect(),
        }
    }
}

impl fmt::Display for ImageListReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing has no header either.
        if self.images.is_empty() {
            return Ok(());
        }
        let number = |n: Option<f64>| n.map_or("n/a".into(), |n| format!("{n:.2}"));
        let rows: Vec<Vec<String>> = self
            .images
            .iter()
            .map(|image| {
                let age = image.age_seconds.map(Duration::from_secs);
                let containers = [&image.task_runner_image, &image.file_tracker_image];
                let containers: Vec<&str> = containers
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect();
                let used_by: Vec<&str> = image.used_by.iter().map(String::as_str).collect();
                vec![
                    image.image_id.clone(),
                    image.region.clone(),
                    image.state.to_owned(),
                    age.map_or("n/a".into(), span),
                    number(image.usd_per_month),
                    or_na(
                        Some(used_by.join(" "))
                            .as_deref()
                            .filter(|text| !text.is_empty()),
                    ),
                    or_na(image.base.as_deref()),
                    containers.join(" "),
                    number(image.stored_gib),
                ]
            })
            .collect();
        let columns = [
            whole("IMAGE"),
            whole("REGION"),
            whole("STATE"),
            whole("AGE"),
            whole("USD/MONTH"),
            shortening("IN USE BY"),
            shortening("MADE FROM"),
            shortening("CONTAINERS"),
            whole("GIB"),
        ];
        f.write_str(&table_within(self.width, &columns, &rows))
    }
}
