//! What may not be known.

/// A price, or another fact; else why it is not known.
pub type Known<T> = Result<T, String>;
