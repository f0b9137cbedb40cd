//! `image`: prepared images.

mod build;
mod list;
mod remove;

use crate::{
    cli::ImageCommand,
    error::Result,
    identity,
    settings::AwsSettings,
    terminal::{interrupt::Interrupt, output::Output},
};

pub async fn run(
    image: &ImageCommand,
    settings: &AwsSettings,
    out: Output,
    interrupt: &Interrupt,
) -> Result<()> {
    match image {
        ImageCommand::Build(args) => Box::pin(build::run(args, settings, out, interrupt)).await,
        ImageCommand::List(args) => {
            let aws = identity::connect(settings, out).await?;
            Box::pin(list::run(args, &aws, out)).await
        }
        ImageCommand::Remove(args) => {
            let aws = identity::connect(settings, out).await?;
            Box::pin(remove::run(args, &aws, out)).await
        }
    }
}
