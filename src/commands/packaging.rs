//! `completions`: for shells and packagers.

use clap_complete::Shell;

use crate::{cli::Cli, error::Result, terminal::output::Output};

/// Prints the completion script of `shell`.
pub fn completions(shell: Shell, out: Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::grammar(), "inductiva-aws", &mut script);
    out.bytes(&script)
}
