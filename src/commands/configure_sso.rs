//! `configure sso`: writes a profile that signs in with IAM Identity Center.

use crate::{
    aws::Aws,
    cli::ConfigureSsoArgs,
    error::{Failure, Result},
    output::Output,
    settings::AwsSettings,
};

/// To be built.
pub async fn run(_args: &ConfigureSsoArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    Aws::connect(settings, out).await?;
    Err(Failure::failed("not built yet"))
}
