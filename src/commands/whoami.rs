//! `whoami`: the identity in use.

use crate::{aws::Aws, error::Result, output::Output, report::WhoamiReport, settings::AwsSettings};

/// Prints account, ARN, region, and where the credentials came from.
pub async fn run(settings: &AwsSettings, out: Output) -> Result<()> {
    let aws = Aws::connect(settings, out).await?;
    let identity = aws.identity().await?;
    let report = WhoamiReport {
        account: identity.account,
        arn: identity.arn.clone(),
        region: aws.region,
        credentials_from: aws.source.to_string(),
    };
    out.result(&report, &[identity.arn])
}
