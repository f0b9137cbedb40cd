//! `image build`: makes a prepared image.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::{
    cli::ImageBuildArgs,
    commands::report::labelled,
    error::Result,
    identity,
    image::{
        build::{Build, Built},
        cost::monthly,
    },
    settings::{self, AwsSettings},
    terminal::{interrupt::Interrupt, output::Output},
    values::spans,
};

/// Makes a prepared image, and prints it.
pub async fn run(
    args: &ImageBuildArgs,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    let request = settings::image::build_request(args)?;
    let aws = identity::connect(settings, out).await?;
    let work = Build {
        aws: &aws,
        request: &request,
        expected_account: args.expect_account.as_deref(),
        interrupt,
        out,
    };
    let built = Box::pin(work.run()).await?;
    let report = BuildReport::of(built, &aws.region);
    out.result(&report, std::slice::from_ref(&report.image_id))
}

#[derive(Clone, Debug, Serialize)]
struct BuildReport {
    image_id: String,
    name: String,
    account: String,
    region: String,
    base_image_id: String,
    base_image_name: String,
    size_gib: u32,
    /// The GiB that are paid for, at most; null where EC2 does not tell.
    stored_gib: Option<f64>,
    usd_per_month: Option<f64>,
    builder_id: String,
    seconds: u64,
}

impl BuildReport {
    fn of(built: Built, region: &str) -> Self {
        Self {
            image_id: built.image.id,
            name: built.image.name,
            account: built.account,
            region: region.to_owned(),
            base_image_id: built.base.id,
            base_image_name: built.base.name,
            size_gib: built.image.snapshot_gib,
            stored_gib: built.gib,
            usd_per_month: built.usd_per_month,
            builder_id: built.builder_id,
            seconds: built.seconds,
        }
    }
}

impl fmt::Display for BuildReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("image", self.image_id.clone()),
            ("region", self.region.clone()),
            (
                "made from",
                format!("{} {}", self.base_image_id, self.base_image_name),
            ),
            ("disk", format!("{} GiB", self.size_gib)),
            ("cost", format!("at most {}", monthly(self.usd_per_month))),
            ("took", spans::in_words(Duration::from_secs(self.seconds))),
        ];
        labelled(f, &rows)
    }
}
