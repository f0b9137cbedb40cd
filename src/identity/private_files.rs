//! Files with secrets: for their owner alone, replaced whole, and changed by
//! one process at a time.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use crate::{
    bounds,
    terminal::{output::Output, panics},
    time::Time,
};

/// Makes a folder, and those above it, that only its owner can look into; one
/// that is there is left as it is.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// What is in such a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounds::read(path)
}

/// Writes a file that only its owner can read (0600), in a folder that is made
/// where it is missing. A reader sees the old file or the new one, whole.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    // Temporary files are made with 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a file that others read and write, too, such as ~/.aws/config: a link to it
/// stays one, and its mode stays unless only its owner is to read it. A new file is
/// its owner's alone. A reader sees the old file or the new one, whole.
pub fn replace(path: &Path, contents: &[u8], is_private: bool) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(contents)?;
    if let Ok(there) = fs::metadata(path).map(|about| about.permissions())
        && !is_private
    {
        file.as_file().set_permissions(there)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// A lock that other runs of this program respect; dropping it, or the end of
/// the process, frees it.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holding it is its use")] File);

impl Lock {
    /// Waits for the lock of that file, which is made where it is missing; after two
    /// seconds it is said what for.
    ///
    /// None where there are no locks, which is told (Lustre is mounted without them
    /// on many clusters), and where no file can be made: whoever writes beside it
    /// tells that.
    pub async fn wait(path: &Path, time: &Time, out: Output) -> Option<Self> {
        let file = opened(path).ok()?;
        // On a thread of its own, so that Ctrl-C is heard meanwhile.
        let locked = tokio::task::spawn_blocking(move || {
            loop {
                match file.lock() {
                    Ok(()) => return Ok(file),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        });
        let mut locked = Box::pin(panics::joined(locked));
        let locked = if let Ok(locked) = time.within(bounds::LOCK_SAID_AFTER, &mut locked).await {
            locked
        } else {
            out.say(&format!(
                "waiting for another run of inductiva-aws, which holds {}",
                path.display()
            ));
            locked.await
        };
        locked
            .map_err(|error| {
                out.warn(&format!(
                    "cannot lock {}: {error}; going on without: do not sign in twice at once",
                    path.display()
                ));
            })
            .ok()
            .map(Self)
    }
}

fn opened(path: &Path) -> io::Result<File> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
