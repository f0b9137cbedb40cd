//! `whoami`: the identity in use.

use super::report::WhoamiReport;
use crate::{
    aws::{Aws, expiry},
    error::Result,
    settings::AwsSettings,
    terminal::output::Output,
};

/// Prints account, ARN, region, where the credentials came from, and when they end.
pub async fn run(settings: &AwsSettings, out: Output) -> Result<()> {
    let aws = Aws::connect(settings, out).await?;
    let identity = aws.identity().await?;
    let report = WhoamiReport {
        account: identity.account,
        arn: identity.arn.clone(),
        region: aws.region.clone(),
        credentials_from: aws.source.to_string(),
        credentials_expire: expiry(aws.credentials()),
    };
    out.result(&report, &[identity.arn])
}
