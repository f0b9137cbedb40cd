//! Writing to ~/.aws/config and ~/.aws/credentials: whole files, one run at a time.

use std::path::Path;

use super::{
    ini_edit,
    private_files::{self, Lock},
    profiles::AwsFiles,
};
use crate::{
    bounds,
    error::{Failure, Result},
    terminal::output::Output,
    time::Time,
};

/// Makes other runs wait that would write to one of the files.
pub async fn lock(files: &AwsFiles, time: &Time, out: Output) -> Option<Lock> {
    let path = files.folder.join("inductiva-aws/config.lock");
    Lock::wait(&path, time, out).await
}

/// Sets values of a profile in the config file.
///
/// # Errors
/// Usage: the file cannot be read or written.
pub fn set_in_config(files: &AwsFiles, profile: &str, values: &[(&str, &str)]) -> Result<()> {
    let headers = headers(profile);
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    change(&files.config, |text| ini_edit::set(text, &headers, values))
}

/// Sets values of a profile in the credentials file. Only its owner can read the file
/// from then on.
///
/// # Errors
/// Usage: the file cannot be read or written.
pub fn set_in_credentials(files: &AwsFiles, profile: &str, values: &[(&str, &str)]) -> Result<()> {
    let path = &files.credentials;
    let text = ini_edit::set(&read(path)?, &[profile], values);
    private_files::replace(path, text.as_bytes(), true)
        .map_err(|error| cannot("write", path, &error))
}

/// Changes the config file.
///
/// # Errors
/// Usage: the file cannot be read or written.
pub fn change_config(files: &AwsFiles, change_text: impl Fn(&str) -> String) -> Result<()> {
    change(&files.config, change_text)
}

fn change(path: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let text = change(&read(path)?);
    private_files::replace(path, text.as_bytes(), false)
        .map_err(|error| cannot("write", path, &error))
}

fn read(path: &Path) -> Result<String> {
    match bounds::read_text(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(cannot("read", path, &error)),
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot {what} {}: {error}", path.display()))
        .hint("nothing was changed in it")
}

/// Refuses a profile's name that no header can have, before anybody is asked for
/// anything.
///
/// # Errors
/// Usage: the name.
pub fn check_name(profile: &str) -> Result<()> {
    let wrong = |c: char| c.is_control() || "'\"\\[]".contains(c);
    if profile.trim().is_empty() || profile != profile.trim() || profile.contains(wrong) {
        return Err(Failure::usage(format!(
            "{profile:?} cannot be written as the name of a profile"
        ))
        .hint("a name has no quotes, brackets or backslashes in it, and no blanks around it"));
    }
    Ok(())
}

/// The headers that a profile may have in the config file, the usual one first.
pub fn headers(profile: &str) -> Vec<String> {
    if profile == "default" {
        return ["default", "profile default"].map(str::to_owned).into();
    }
    let quoted = format!("profile \"{profile}\"");
    let needs_quotes = profile.contains(|c: char| c.is_whitespace() || "'\"\\".contains(c));
    if needs_quotes {
        return vec![quoted];
    }
    vec![
        format!("profile {profile}"),
        quoted,
        format!("profile '{profile}'"),
    ]
}
