//! The words of a command or of a section's name, as the AWS CLI reads them: Python's
//! `shlex.split`, which knows quotes and nothing else of a shell.

/// The words of a text. Quotes keep blanks and everything else within them.
///
/// # Errors
/// What is not closed, in words that follow the text.
pub fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => {
                let next = rest.next().ok_or("ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            '\'' | '"' => quoted(character, &mut rest, word.get_or_insert_default())?,
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads what is between two quotes. In double quotes a backslash escapes a double quote
/// and another backslash, and nothing else.
fn quoted(
    quote: char,
    rest: &mut impl Iterator<Item = char>,
    word: &mut String,
) -> Result<(), &'static str> {
    const OPEN: &str = "has a quote that is not closed";
    loop {
        match rest.next().ok_or(OPEN)? {
            end if end == quote => return Ok(()),
            '\\' if quote == '"' => {
                let next = rest.next().ok_or(OPEN)?;
                if !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_keep_what_is_in_them_and_there_is_no_shell() {
        for (text, words) in [
            ("profile w", vec!["profile", "w"]),
            ("  profile\t\"my work\" ", vec!["profile", "my work"]),
            (
                "sh -c \"true ; cat ~/x\"",
                vec!["sh", "-c", "true ; cat ~/x"],
            ),
            ("a # b", vec!["a", "#", "b"]),
            ("'' a''b", vec!["", "ab"]),
            (r#""a\"b\\c\$d" e\ f '\'"#, vec![r#"a"b\c\$d"#, "e f", r"\"]),
            ("größe", vec!["größe"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).expect(text), words, "{text}");
        }
        for text in ["it's", "\"a", "a\\", "\"a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
