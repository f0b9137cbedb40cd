//! What is safe to print of text from outside.

/// A line without what a terminal would obey.
pub fn printable(line: &str) -> String {
    line.trim_end()
        .chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}
