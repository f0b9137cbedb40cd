//! `completions` and `man`, for shells and packagers.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct CompleteWordsArgs {
    /// The shell that asks
    pub shell: CompletingShell,
    /// The words so far, the program's name first and the unfinished one last
    #[arg(last = true, value_name = "WORD")]
    pub words: Vec<OsString>,
}

/// The shells whose scripts ask the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletingShell {
    Bash,
    Fish,
    Zsh,
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
