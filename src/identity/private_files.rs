//! Files with secrets. Only their owner can read them, they are replaced whole, and one
//! process at a time changes them.

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

/// Makes a folder and those above it. Only its owner can look into it. One that exists is
/// left as it is.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The contents of such a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounds::read(path)
}

/// Writes a file that only its owner can read (0600), and makes its folder where it is
/// missing. A reader sees the old file or the new one, whole.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    // Temporary files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a file that other programs read and write, too, such as ~/.aws/config. A link
/// stays a link, and the mode stays unless only the owner is to read the file. A new file
/// is its owner's alone. A reader sees the old file or the new one, whole.
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

/// A lock that other runs of this program respect. It is freed when it is dropped, and
/// when the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holding it is its use")] File);

impl Lock {
    /// Waits for the lock of this file, which is made where it is missing. After two
    /// seconds it says what it waits for.
    ///
    /// None where the file system has no locks, with a warning (on many clusters Lustre
    /// is mounted without them); and where no file can be made, which the caller then
    /// finds out when it writes beside it.
    pub async fn wait(path: &Path, time: &Time, out: Output) -> Option<Self> {
        let file = opened(path).ok()?;
        // It runs on a thread of its own, so that Ctrl-C is heard meanwhile.
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
