//! `inductiva-aws`: machines of one's own AWS account on the Inductiva platform.

mod aws;
mod bounds;
mod cli;
mod commands;
mod error;
mod http;
mod identity;
mod image;
mod inductiva;
mod launch;
mod machines;
mod model;
mod plan;
mod settings;
mod terminal;
mod time;
mod values;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::{
    cli::{Cli, Command, Configure, ImageCommand},
    error::{Failure, Kind, Result},
    terminal::{
        command_line,
        interrupt::Interrupt,
        output::{Format, Output},
        panics,
    },
};

fn main() -> ExitCode {
    panics::end_the_program(|| plain_output(Cli::format_despite_errors()));
    if let Err(failure) = settings::home::settle() {
        plain_output(Cli::format_despite_errors()).failure(&failure);
        return ExitCode::from(failure.kind.exit_code());
    }
    if identity::opens_a_page() {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::of_arguments() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let out = settings::output(&cli.global);
    panics::report_to(out);
    if matches!(cli.command, Command::Terminate(_)) {
        panics::ending();
    }
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")
        .map_err(Failure::from)
        .and_then(|runtime| {
            let ended = runtime.block_on(run(&cli, out));
            // Prompts read stdin on a thread that may never return.
            runtime.shutdown_background();
            ended
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Shows a command line's error, or the help or version that was asked for. It is JSON if
/// the rest of the line asks for that.
fn refused(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && Cli::format_despite_errors().is_document() {
        let text = error.render().to_string();
        let (message, hint) = text.split_once("\n\n").unwrap_or((&text, ""));
        let failure = Failure::usage(message.trim_start_matches("error: ").trim())
            .hint(hint.trim().replace("\n\n", "; "));
        plain_output(Format::Json).failure(&failure);
    } else {
        // A reader that went away is no failure of ours.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The streams where the global options are not known.
fn plain_output(format: Format) -> Output {
    Output {
        format,
        quiet: false,
        verbose: 0,
        interactive: false,
    }
}

async fn run(cli: &Cli, out: Output) -> Result<()> {
    let interrupt = Interrupt::listen();
    panics::name_machines_of(&interrupt);
    tokio::select! {
        // If an interruption ends a command, the command's own result goes first.
        biased;
        result = dispatch(cli, out, &interrupt) => result,
        failure = interrupted(&cli.command, &interrupt, out) => Err(failure),
    }
}

/// The interruption that ends a command at once. A start undoes what it can at the first
/// one; the second one ends it.
async fn interrupted(command: &Command, interrupt: &Interrupt, out: Output) -> Failure {
    match command {
        Command::Start(_) => {
            interrupt.until(1).await;
            out.say("interrupted: bringing what is under way to an end; interrupt again to stop at once");
            interrupt.until(2).await;
            interrupt.insisted()
        }
        Command::Image {
            image: ImageCommand::Build(_),
        } => {
            interrupt.until(1).await;
            out.say("interrupted: ending what was launched; interrupt again to stop at once");
            interrupt.until(2).await;
            interrupt.insisted_on_build()
        }
        Command::Terminate(_) => {
            interrupt.until(1).await;
            Failure::new(
                Kind::Interrupted,
                "interrupted: machines that were to be terminated may still be running",
            )
            .hint(format!(
                "{} shows them; run the same command again to end them",
                command_line::command("list")
            ))
            .machines(interrupt.running())
        }
        _ => {
            interrupt.until(1).await;
            Failure::new(Kind::Interrupted, "interrupted")
        }
    }
}

async fn dispatch(cli: &Cli, out: Output, interrupt: &Interrupt) -> Result<()> {
    let aws = settings::aws(&cli.global);
    match &cli.command {
        Command::Start(args) => Box::pin(commands::start::run(args, &aws, out, interrupt)).await,
        Command::List(args) => Box::pin(commands::list::run(args, &aws, out, interrupt)).await,
        Command::Terminate(args) => {
            Box::pin(commands::terminate::run(args, &aws, out, interrupt)).await
        }
        Command::Image { image } => {
            Box::pin(commands::image::run(image, &aws, out, interrupt)).await
        }
        Command::Logs(args) => Box::pin(commands::logs::run(args, &aws, out, interrupt)).await,
        Command::Cost(args) => commands::cost::run(args, &aws, out).await,
        Command::Types(args) => commands::types::run(args, &aws, out).await,
        Command::Check(args) => commands::check::run(args, &aws, out).await,
        Command::Login(args) => commands::login::run(args, &aws, out).await,
        Command::Logout(args) => commands::logout::run(args, &aws, out).await,
        Command::Configure { what: None } => commands::configure::run(&aws, out).await,
        Command::Configure {
            what: Some(Configure::Sso(args)),
        } => commands::configure_sso::run(args, &aws, out).await,
        Command::Credentials(args) => commands::credentials::run(args, &aws, out).await,
        Command::Whoami => commands::whoami::run(&aws, out).await,
        Command::UserData(args) => commands::user_data::run(args, out),
        Command::Completions(args) => commands::completions::script(args.shell, out),
        Command::CompleteWords(args) => commands::completions::words(args, out).await,
        Command::Man(args) => commands::manual::run(args, out),
    }
}
