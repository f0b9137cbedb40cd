//! `whoami`: the identity in use.

use std::fmt;

use serde::Serialize;

use super::report::labelled;
use crate::{
    aws::expiry,
    error::Result,
    identity,
    settings::AwsSettings,
    terminal::{output::Output, time},
};

/// Prints account, ARN, region, where the credentials came from, and when they end.
pub async fn run(settings: &AwsSettings, out: Output) -> Result<()> {
    let settings = AwsSettings {
        needs_region: false,
        ..settings.clone()
    };
    let aws = identity::connect(&settings, out).await?;
    let identity = aws.identity().await?;
    let report = WhoamiReport {
        account: identity.account,
        arn: identity.arn.clone(),
        region: identity::named_region(&settings)?.map(|_| aws.region.clone()),
        credentials_from: aws.source.to_string(),
        credentials_expire: expiry(aws.credentials()),
    };
    out.result(&report, &[identity.arn])
}

#[derive(Clone, Debug, Serialize)]
pub struct WhoamiReport {
    pub account: String,
    pub arn: String,
    /// The region that calls go to; null if none is set. A start needs one.
    pub region: Option<String>,
    pub credentials_from: String,
    /// When they end, RFC 3339; null for keys that do not end.
    pub credentials_expire: Option<String>,
}

impl fmt::Display for WhoamiReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![
            ("account", self.account.clone()),
            ("arn", self.arn.clone()),
            (
                "region",
                self.region.clone().unwrap_or_else(|| "n/a".into()),
            ),
            ("credentials from", self.credentials_from.clone()),
        ];
        if let Some(end) = &self.credentials_expire {
            rows.push(("credentials end", time::in_own_zone(end)));
        }
        labelled(f, &rows)
    }
}
