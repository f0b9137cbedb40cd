//! Keys in the files of the EC2 command line tools and of boto 2, which the AWS CLI still
//! reads. Neither file can hold a session's keys.

use std::{io, path::PathBuf};

use aws_credential_types::Credentials;

use super::ini;
use crate::{
    bounds,
    error::{Failure, Result},
};

/// A file that need not exist.
#[derive(Clone, Debug)]
pub enum OlderFile {
    /// `AWS_CREDENTIAL_FILE`: lines `AWSAccessKeyId=…` and `AWSSecretKey=…`.
    Ec2Tools(PathBuf),
    /// `BOTO_CONFIG`, else /etc/boto.cfg and ~/.boto: a section `[Credentials]`.
    Boto2(PathBuf),
}

impl OlderFile {
    /// For messages.
    pub fn path(&self) -> String {
        let (Self::Ec2Tools(path) | Self::Boto2(path)) = self;
        path.display().to_string()
    }

    /// The keys; none where there is no key id.
    ///
    /// # Errors
    /// Usage: the file cannot be read, or has a key id and no secret key. The AWS CLI
    /// fails there, too.
    pub fn keys(&self) -> Result<Option<Credentials>> {
        let Some(text) = self.text()? else {
            return Ok(None);
        };
        let [id, secret] = match self {
            Self::Ec2Tools(_) => {
                ["AWSAccessKeyId", "AWSSecretKey"].map(|name| of_line(&text, name))
            }
            Self::Boto2(_) => of_section(&text),
        };
        match (id, secret) {
            (None, _) => Ok(None),
            (Some(id), Some(secret)) => Ok(Some(Credentials::new(id, secret, None, None, "File"))),
            (Some(_), None) => Err(Failure::usage(format!(
                "{} has an access key id and no secret access key",
                self.path()
            ))
            .hint("add it, or remove the id")),
        }
    }

    fn text(&self) -> Result<Option<String>> {
        let (Self::Ec2Tools(path) | Self::Boto2(path)) = self;
        let why = match (bounds::read_text(path), self) {
            (Ok(text), _) => return Ok(Some(text)),
            (Err(error), Self::Boto2(_)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            (Err(error), _) => error,
        };
        let hint = match self {
            Self::Ec2Tools(_) => "AWS_CREDENTIAL_FILE names it: unset it if it is not needed",
            Self::Boto2(_) => "it is looked at for keys because nothing before it has any",
        };
        Err(Failure::usage(format!("cannot read {}: {why}", self.path())).hint(hint))
    }
}

/// The value of a line; the last one counts.
fn of_line(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().rev().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    values.next().filter(|value| !value.is_empty())
}

fn of_section(text: &str) -> [Option<String>; 2] {
    let sections = ini::parse(text).sections;
    let section = sections
        .into_iter()
        .find(|section| section.name == "Credentials");
    ["aws_access_key_id", "aws_secret_access_key"].map(|name| {
        let section = section.as_ref()?;
        section.properties.get(name).cloned()
    })
}
