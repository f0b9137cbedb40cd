//! Facts that may be unknown.

/// A price or another fact, or else why it is not known.
pub type Known<T> = Result<T, String>;
