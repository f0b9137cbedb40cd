//! `--create-key-pair`: an EC2 key pair whose private key is in a file.
//!
//! The same command line has to work again. So a pair that exists is used if the file
//! holds its private key. If a run died between its two calls, what it left behind (an
//! empty file, and perhaps a pair) is replaced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{pace::Backoff, private_key};
use crate::{
    aws::{
        Aws,
        key_pairs::{CreateError, KeyPair},
    },
    error::{Failure, Result},
    terminal::output::Output,
    values::KeyFormat,
};

/// A key pair, and the file that its private key is in or goes to.
#[derive(Clone, Debug)]
pub struct NewKeyPair {
    name: String,
    format: KeyFormat,
    path: PathBuf,
}

/// What exists of a key pair already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPairState {
    ToMake,
    /// A pair of ours whose private key was lost before it was written. It has to be
    /// deleted first.
    Lost,
    /// The pair, and its private key in the file.
    Usable,
}

impl NewKeyPair {
    /// A key pair whose private key goes to a file in `folder`.
    pub fn new(name: String, format: KeyFormat, folder: &Path) -> Self {
        Self {
            path: folder.join(format!("{name}.{}", format.as_str())),
            format,
            name,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the file and at EC2's key pairs.
    ///
    /// # Errors
    /// The pair can neither be used nor made. It is a usage error if the file is in the
    /// way.
    pub async fn look(&self, aws: &Aws) -> Result<KeyPairState> {
        let file = match fs::read(&self.path) {
            Ok(contents) => Some(contents),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.cannot_use_file(&error)),
        };
        let pair = aws.key_pair(&self.name).await?;
        self.standing(file.as_deref(), pair.as_ref(), &aws.region)
    }

    fn standing(
        &self,
        file: Option<&[u8]>,
        pair: Option<&KeyPair>,
        region: &str,
    ) -> Result<KeyPairState> {
        let (name, path) = (&self.name, self.path.display());
        let other_name = "choose another name, or another folder to run in";
        match (file, pair) {
            (None | Some([]), None) => Ok(KeyPairState::ToMake),
            (Some([]), Some(pair)) if pair.is_ours => Ok(KeyPairState::Lost),
            (None | Some([]), Some(_)) => Err(Failure::failed(format!(
                "{region} has a key pair {name} already, and its private key is not in {path}"
            ))
            .hint(format!(
                "use it with --key-name {name}, or choose another name"
            ))),
            (Some(file), Some(pair)) => {
                let text = String::from_utf8_lossy(file);
                if private_key::has_fingerprint(&text, &pair.fingerprint) {
                    return Ok(KeyPairState::Usable);
                }
                let why = if private_key::is_comparable(&text, &pair.fingerprint) {
                    format!("{path} does not hold the private key of the key pair {name} in {region}")
                } else {
                    format!(
                        "{path} may hold the private key of the key pair {name} in {region} or not: what EC2 shows of that pair cannot be compared with this file"
                    )
                };
                Err(Failure::usage(why).hint(format!(
                    "use the key pair with --key-name {name}, {other_name}"
                )))
            }
            (Some(_), None) => Err(Failure::usage(format!(
                "{path} is there already, and {region} has no key pair {name} that it could belong to"
            ))
            .hint(other_name)),
        }
    }

    fn cannot_use_file(&self, error: &io::Error) -> Failure {
        Failure::usage(format!(
            "cannot use {} for the private key: {error}",
            self.path.display()
        ))
        .hint("choose another name, or another folder to run in")
    }

    /// Makes the pair unless it can be used as it is, and tells whether it made it. The
    /// file comes first: EC2 shows a private key only once, so there has to be a place
    /// for it.
    pub async fn make(&self, aws: &Aws, out: Output) -> Result<bool> {
        let path = self.path.display();
        let (mut file, is_new) = self.locked_file().await?;
        let mut contents = Vec::new();
        file.read_to_end(&mut contents)
            .map_err(|error| self.cannot_use_file(&error))?;
        // An empty file is what a run leaves that died.
        let contents = (!is_new).then_some(&*contents);
        let standing = aws
            .key_pair(&self.name)
            .await
            .and_then(|pair| self.standing(contents, pair.as_ref(), &aws.region));
        match standing {
            Ok(KeyPairState::Usable) => {
                out.say(&format!(
                    "using the key pair {}, whose private key is in {path}",
                    self.name
                ));
                return Ok(false);
            }
            Ok(KeyPairState::ToMake) => {}
            Ok(KeyPairState::Lost) => aws.delete_key_pair(&self.name).await?,
            Err(failure) => {
                self.remove_empty_file();
                return Err(failure);
            }
        }
        // The empty file may be one that everybody can read.
        for_owner_alone(&file).map_err(|error| self.cannot_use_file(&error))?;
        let key = self.create(aws, out).await?;
        let written = file
            .write_all(key.as_bytes())
            .and_then(|()| file.sync_all());
        if let Err(error) = written {
            // Half a private key is of no use.
            self.unmake(aws, out).await;
            return Err(Failure::failed(format!("cannot write {path}: {error}")));
        }
        out.say(&format!(
            "made the key pair {}, its private key is in {path}",
            self.name
        ));
        Ok(true)
    }

    /// Calls `CreateKeyPair`, and tries again where that makes sense. A pair that the
    /// last call may have made is deleted first. If that fails, the empty file stays, to
    /// tell the next run of the pair.
    async fn create(&self, aws: &Aws, out: Output) -> Result<String> {
        let mut throttling = Backoff::with_throttling(&aws.time);
        let mut failures = Backoff::with_failures(&aws.time);
        let mut maybe_made = false;
        loop {
            let ppk = self.format == KeyFormat::Ppk;
            let (pause, failure) = match aws.create_key_pair(&self.name, ppk).await {
                Ok(key) => return Ok(key),
                Err(CreateError::Refused(failure)) => (None, failure),
                Err(CreateError::Duplicate(failure)) if !maybe_made => {
                    let hint = format!(
                        "use it with --key-name {}, or choose another name",
                        self.name
                    );
                    (None, failure.hint(hint))
                }
                Err(CreateError::NotNow(failure)) => (throttling.next(), failure),
                // The duplicate is the pair that the unanswered call has made.
                Err(CreateError::Unknown(failure) | CreateError::Duplicate(failure)) => {
                    maybe_made = true;
                    aws.delete_key_pair(&self.name).await?;
                    (failures.next(), failure)
                }
            };
            let Some(pause) = pause else {
                self.remove_empty_file();
                return Err(failure);
            };
            out.say(&format!("{}; trying again", failure.message));
            aws.time.pause(pause).await;
        }
    }

    /// Deletes the pair and its file after a launch that failed.
    pub async fn unmake(&self, aws: &Aws, out: Output) {
        match aws.delete_key_pair(&self.name).await {
            Ok(()) => {
                let _ = fs::remove_file(&self.path);
            }
            Err(failure) => out.warn(&failure.message),
        }
    }

    /// Removes the file if it is empty: it would only be in the way.
    fn remove_empty_file(&self) {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Opens the file, readable by its owner alone and locked against other runs while it
    /// is open; and tells whether it was there before.
    async fn locked_file(&self) -> Result<(File, bool)> {
        let path = self.path.clone();
        let locking = tokio::task::spawn_blocking(move || {
            loop {
                let (file, is_new) = opened(&path)?;
                match file.lock() {
                    // Not every file system has locks.
                    Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
                    _ => {}
                }
                // Another run that held the lock before may have removed the file.
                if is_still_at(&file, &path) {
                    return Ok((file, is_new));
                }
            }
        });
        let locked = locking.await.unwrap_or_else(|error| Err(error.into()));
        locked.map_err(|error| self.cannot_use_file(&error))
    }
}

/// The file there, and whether it is new.
fn opened(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((options.open(path)?, false))
        }
        new => Ok((new?, true)),
    }
}

#[cfg(unix)]
fn for_owner_alone(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn for_owner_alone(_: &File) -> io::Result<()> {
    Ok(())
}

/// Whether `path` still leads to this open file.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// On systems where an open file cannot be removed.
#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}
