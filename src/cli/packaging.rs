//! For shells and packagers: `completions` and `man`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Command whose page to print, such as start or configure sso
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write all pages into this folder, one file each, and print their names
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub directory: Option<PathBuf>,
}
