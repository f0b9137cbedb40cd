//! How much is read of anything from outside, and how long it is waited for. All limits
//! are in this one place.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::Duration,
};

/// An answer of AWS's. A page of a thousand machines has some 8 MiB.
pub const AWS_ANSWER: usize = 64 * MIB;
pub const INDUCTIVA_ANSWER: usize = 16 * MIB;
/// A script, a configuration, a key, certificates, or a kept sign-in.
pub const FILE: usize = MIB;
pub const HELPER_OUTPUT: usize = 64 * 1024;
/// How long a profile's command may take where nobody sees it.
pub const HELPER_TIME: Duration = Duration::from_mins(1);
/// The same on a terminal, where a person may have a browser to use or a key to touch.
pub const HELPER_TIME_WITH_A_PERSON: Duration = Duration::from_mins(10);
/// After this time it is said what is waited for.
pub const HELPER_SAID_AFTER: Duration = Duration::from_secs(2);
/// The same for a lock that another run of this program holds.
pub const LOCK_SAID_AFTER: Duration = Duration::from_secs(2);
/// The pages of one answer. EC2 has at least 5 results on each, and usually 1000.
pub const PAGES: usize = 1_000;

const MIB: usize = 1024 * 1024;

/// Reads a whole file or pipe (`<(…)`). `/dev/null` is empty.
///
/// # Errors
/// It cannot be read, has more than [`FILE`] bytes, or is neither file nor pipe.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // For a folder the system has an error of its own.
    let about = file.metadata()?;
    if !about.is_dir() && !is_readable(&about) {
        return Err(io::Error::other("it is neither a file nor a pipe"));
    }
    read_up_to(file, FILE)
}

/// The same as text.
///
/// # Errors
/// As [`read`]; or it is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

fn read_up_to(stream: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    stream.take(one_more).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::other(format!(
            "it has more than {}",
            size(limit)
        )));
    }
    Ok(bytes)
}

/// `64 MiB`, `64 KiB`.
pub fn size(bytes: usize) -> String {
    if bytes >= MIB {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{} KiB", bytes / 1024)
    }
}

#[cfg(unix)]
fn is_readable(file: &fs::Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let kind = file.file_type();
    let is_null = || fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == file.rdev());
    kind.is_file() || kind.is_fifo() || kind.is_char_device() && is_null()
}

#[cfg(not(unix))]
fn is_readable(file: &fs::Metadata) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_up_to_its_limit() {
        assert_eq!(read_up_to(&b"abc"[..], 3).expect("it fits"), b"abc");
        let error = read_up_to(io::repeat(b'x'), 2 * MIB).expect_err("it never ends");
        assert_eq!(error.to_string(), "it has more than 2 MiB");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_but_for_the_empty_one() {
        assert_eq!(read(Path::new("/dev/null")).expect("it is empty"), b"");
        let error = read(Path::new("/dev/zero")).expect_err("it never ends");
        assert_eq!(error.to_string(), "it is neither a file nor a pipe");
        let error = read(Path::new("/")).expect_err("it is a folder");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
