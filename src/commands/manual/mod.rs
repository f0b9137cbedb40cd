//! `man`: the manual. It has a page for the program and one for each command, made from
//! the grammar and from the texts beside this file.

mod page;
mod text;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;

use self::page::ManualPage;
use crate::{
    cli::{Cli, ManArgs},
    error::{Failure, Result},
    terminal::output::Output,
};

/// Prints a page, or writes all of them into a folder.
///
/// # Errors
/// Usage: the command does not exist. Files that cannot be written.
pub fn run(args: &ManArgs, out: Output) -> Result<()> {
    let mut grammar = Cli::grammar();
    grammar.build();
    let pages = page::all(&grammar);
    if let Some(folder) = &args.directory {
        return write(&pages, folder, out);
    }
    let wanted = args.command.join(" ");
    let Some(page) = pages.iter().find(|page| page.is_of(&wanted)) else {
        return Err(Failure::usage(format!("there is no command {wanted}"))
            .hint("inductiva-aws --help names the commands there are"));
    };
    out.bytes(page.roff().as_bytes())
}

/// Writes each page into its file, and prints the files' names.
fn write(pages: &[ManualPage], folder: &Path, out: Output) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut names = String::new();
    for page in pages {
        let path = folder.join(page.file_name());
        fs::write(&path, page.roff())
            .with_context(|| format!("cannot write {}", path.display()))?;
        let _ = writeln!(names, "{}", path.display());
    }
    out.bytes(names.as_bytes())
}
