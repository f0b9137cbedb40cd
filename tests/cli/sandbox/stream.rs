//! What a run of the program has printed, of which no test lets anything pass unseen.

use std::{cell::Cell, fmt, ops::Deref, panic::Location};

use super::run::without_usual_options;

/// What was printed on one stream. To read it is to have looked at it; what nobody
/// has looked at fails the test when the run goes out of scope, unless it is empty.
pub struct Stream {
    text: String,
    name: &'static str,
    /// Where in the test the program was run.
    run_at: &'static Location<'static>,
    is_seen: Cell<bool>,
}

impl Stream {
    pub fn new(text: String, name: &'static str, run_at: &'static Location<'static>) -> Self {
        Self {
            text,
            name,
            run_at,
            is_seen: Cell::new(false),
        }
    }

    pub fn as_str(&self) -> &str {
        self
    }

    /// The same with what was read from the stream while the program ran.
    pub fn after(mut self, said: &str) -> Self {
        self.text.insert_str(0, said);
        self
    }

    /// It is not what the test is about, because of `why`.
    pub fn ignore(&self, why: &'static str) {
        assert!(!why.is_empty(), "why is it ignored?");
        self.is_seen.set(true);
    }
}

impl Deref for Stream {
    type Target = str;

    fn deref(&self) -> &str {
        self.is_seen.set(true);
        &self.text
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl AsRef<[u8]> for Stream {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<str> for Stream {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Stream {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl PartialEq<String> for Stream {
    fn eq(&self, other: &String) -> bool {
        **self == **other
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A second panic would end all tests.
        if !crate::UNSEEN_OUTPUT_FAILS || self.is_seen.get() || std::thread::panicking() {
            return;
        }
        let text = without_usual_options(&self.text);
        assert!(
            text.trim().is_empty(),
            "the run at {} has printed this on {}, at which the test does not look:\n{text}",
            self.run_at,
            self.name
        );
    }
}
