//! `check`: everything that `start` would need, tried without launching.

use crate::{
    aws::Aws,
    cli::CheckArgs,
    error::{Failure, Result},
    output::Output,
    settings::AwsSettings,
};

/// To be built.
pub async fn run(_args: &CheckArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    Aws::connect(settings, out).await?;
    Err(Failure::failed("not built yet"))
}
