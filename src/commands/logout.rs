//! `logout`: ends an IAM Identity Center session.

use crate::{
    aws::Aws,
    cli::LogoutArgs,
    error::{Failure, Result},
    output::Output,
    settings::AwsSettings,
};

/// To be built.
pub async fn run(_args: &LogoutArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    Aws::connect(settings, out).await?;
    Err(Failure::failed("not built yet"))
}
