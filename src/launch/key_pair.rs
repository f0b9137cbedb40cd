//! `--create-key-pair`: an EC2 key pair whose private key goes to a file.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    aws::Aws,
    error::{Failure, Result},
    terminal::output::Output,
    values::KeyFormat,
};

/// A key pair to be made, and where its private key goes.
#[derive(Clone, Debug)]
pub struct NewKeyPair {
    name: String,
    format: KeyFormat,
    path: PathBuf,
}

impl NewKeyPair {
    /// One whose private key goes to a file in `folder`.
    pub fn new(name: String, format: KeyFormat, folder: &Path) -> Self {
        Self {
            path: folder.join(format!("{name}.{}", format.as_str())),
            format,
            name,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Refuses to go where a file is already.
    ///
    /// # Errors
    /// A usage failure.
    pub fn check_file(&self) -> Result<()> {
        if self.path.exists() {
            let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(self.cannot_make_file(&error));
        }
        Ok(())
    }

    fn cannot_make_file(&self, error: &std::io::Error) -> Failure {
        Failure::usage(format!(
            "cannot make {} for the private key: {error}",
            self.path.display()
        ))
        .hint(format!(
            "remove that file, or use the key pair with --key-name {}",
            self.name
        ))
    }

    /// Makes it. The file comes first: EC2 tells a private key once, and it
    /// must not be lost for want of a place.
    pub async fn make(&self, aws: &Aws, out: Output) -> Result<()> {
        let path = self.path.display();
        let mut file = self
            .new_file()
            .map_err(|error| self.cannot_make_file(&error))?;
        match aws
            .create_key_pair(&self.name, self.format == KeyFormat::Ppk)
            .await
        {
            Ok(key) => file
                .write_all(key.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(|error| Failure::failed(format!("cannot write {path}: {error}")))?,
            Err(failure) => {
                // Nothing is in it; a left-over would only be in the way of the next try.
                let _ = fs::remove_file(&self.path);
                return Err(failure);
            }
        }
        out.say(&format!(
            "made the key pair {}, its private key is in {path}",
            self.name
        ));
        Ok(())
    }

    /// Takes it back after a launch that failed.
    pub async fn unmake(&self, aws: &Aws, out: Output) {
        match aws.delete_key_pair(&self.name).await {
            Ok(()) => {
                let _ = fs::remove_file(&self.path);
            }
            Err(failure) => out.warn(&failure.message),
        }
    }

    /// A new file for the owner alone; never one that is there already.
    fn new_file(&self) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)
    }
}
