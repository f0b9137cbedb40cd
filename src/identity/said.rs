//! What a program says on its stderr, passed on line by line without secrets.

use std::time::Duration;

use tokio::{io::AsyncReadExt as _, process::ChildStderr};

use crate::{
    terminal::{mask, output::Output},
    time::Time,
};

/// A question, such as the request to touch a security key, has no end of line. So an
/// unfinished line is shown when nothing more has come for this long.
const QUESTION_AFTER: Duration = Duration::from_millis(300);
/// A longer line is shown in parts.
const LONGEST: usize = 4 * 1024;

/// The stderr of a program that runs.
pub struct Said {
    stderr: ChildStderr,
    /// What has come and is not shown yet.
    line: Vec<u8>,
    out: Output,
}

impl Said {
    pub fn new(stderr: ChildStderr, out: Output) -> Self {
        Self {
            stderr,
            line: Vec::new(),
            out,
        }
    }

    /// Shows lines until no more can come.
    pub async fn show(&mut self, time: &Time) {
        let mut bytes = [0; 1024];
        loop {
            let read = self.stderr.read(&mut bytes);
            let read = if self.line.is_empty() {
                read.await
            } else if let Ok(read) = time.within(QUESTION_AFTER, read).await {
                read
            } else {
                self.show_line();
                continue;
            };
            match read {
                Ok(0) | Err(_) => return,
                Ok(number) => self.take(&bytes[..number]),
            }
        }
    }

    /// Shows what a program that has ended has left unread.
    pub fn show_rest(mut self) {
        #[cfg(unix)]
        if let Some(mut stderr) = nonblocking(&self.stderr) {
            let mut bytes = [0; 1024];
            while let Ok(number @ 1..) = std::io::Read::read(&mut stderr, &mut bytes) {
                self.take(&bytes[..number]);
            }
        }
        self.show_line();
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.show_line();
            } else {
                self.line.push(*byte);
            }
            if self.line.len() >= LONGEST {
                self.show_line();
            }
        }
    }

    fn show_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            let line = String::from_utf8_lossy(&line);
            self.out.prompt(&mask::foreign(&line));
        }
    }
}

/// The same pipe, read past the runtime: it never blocks.
#[cfg(unix)]
fn nonblocking(stderr: &ChildStderr) -> Option<std::fs::File> {
    use std::os::fd::AsFd as _;
    let pipe = stderr.as_fd().try_clone_to_owned().ok()?;
    Some(std::fs::File::from(pipe))
}
