//! What is safe to print of text from outside. Values are kept as they came; what people
//! and logs read goes through here.

use std::fmt::Write as _;

/// Text as one line, without anything that a terminal would obey or that would deceive a
/// reader. Line breaks become blanks, as a new line could pass for a row of a table, or
/// in a CI log for a command.
pub fn visible(text: &str) -> String {
    let shown = |c: char| match c {
        _ if breaks_line(c) => Some(' '),
        '\t' => Some(c),
        _ if is_hidden(c) => None,
        _ => Some(c),
    };
    text.chars().filter_map(shown).collect()
}

/// The same, without white space at the end.
pub fn printable(line: &str) -> String {
    visible(line.trim_end())
}

/// The same for a cell of a table, where a tab would shift what follows.
pub fn cell(text: &str) -> String {
    printable(text).replace('\t', " ")
}

/// Text that this program has put together. Its lines and its colours stay, and
/// everything else of that kind goes.
pub fn screened(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = colour_at(rest);
        if !colour.is_empty() {
            kept.push_str(colour);
            rest = &rest[colour.len()..];
            continue;
        }
        if matches!(c, '\n' | '\t') || !breaks_line(c) && !is_hidden(c) {
            kept.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    kept
}

/// JSON without anything that a terminal would obey. The values stay the same.
pub fn escaped_json(document: &str) -> String {
    let mut escaped = String::new();
    for c in document.chars() {
        // The document's own characters are none of these, and characters below U+0020
        // are escaped in its texts already.
        if c > '\u{7e}' && (is_hidden(c) || breaks_line(c)) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The sequence that sets colours (ECMA-48, SGR) at the beginning of a text.
fn colour_at(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("\u{1b}[") else {
        return "";
    };
    let parameters = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    if parameters.starts_with('m') {
        &text[..=text.len() - parameters.len()]
    } else {
        ""
    }
}

/// LF, VT, FF, CR, NEL, and Unicode's separators of lines and paragraphs.
fn breaks_line(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Control characters with C1, and characters that turn the direction of text or hide in
/// it (Unicode, `Bidi_Control`; the byte order mark; tags).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_comes_of_whatever_there_is() {
        for (text, told) in [
            ("a\nb\r\nc", "a b  c"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}x", "[2J]0;titlex"),
            ("\u{9b}2Jx\u{90}", "2Jx"),
            ("a\u{202e}b\u{2066}c\u{200f}", "abc"),
            ("a\u{2028}b\u{85}c\u{b}d", "a b c d"),
            ("größe\tx \u{1f600}\n", "größe\tx \u{1f600}"),
        ] {
            assert_eq!(printable(text), told, "{text:?}");
        }
        assert_eq!(cell("a\tb\n"), "a b");
    }

    #[test]
    fn colours_and_lines_of_our_own_stay() {
        let own = "\u{1b}[1mHEAD\u{1b}[0m\nrow\n";
        assert_eq!(screened(own), own);
        assert_eq!(
            screened("a\u{1b}[2Jb\r\u{1b}]8;;x\u{7}\u{9b}1mc\u{202e}\u{1b}[1"),
            "a[2Jb]8;;x1mc[1"
        );
    }

    #[test]
    fn json_keeps_the_values() {
        let value = serde_json::json!({"a": "\u{1b}[2J\n\u{9b}\u{202e}\u{2028}\u{7f}ü"});
        let document = escaped_json(&value.to_string());
        assert!(
            document
                .chars()
                .all(|c| c == 'ü' || (' '..='~').contains(&c)),
            "{document}"
        );
        let read: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(read, value);
    }
}
