//! `credentials`: session credentials for other programs.

use crate::{
    aws::Aws,
    cli::CredentialsArgs,
    error::{Failure, Result},
    output::Output,
    settings::AwsSettings,
};

/// To be built.
pub async fn run(_args: &CredentialsArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    Aws::connect(settings, out).await?;
    Err(Failure::failed("not built yet"))
}
