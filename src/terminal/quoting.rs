//! Texts quoted for shells.

/// A word for a command line that somebody pastes: in quotes only if it needs them.
pub fn word(text: &str) -> String {
    // It refuses NUL, which no command line can contain.
    shlex::try_quote(text).map_or_else(|_| posix(text), String::from)
}

/// In quotes for `sh` and its relatives. The bytes of user data depend on this, and a
/// launch that is made again has to have the same bytes.
pub fn posix(text: &str) -> String {
    single_quoted(text, r"'\''")
}

/// In quotes for fish, where a backslash means something within quotes.
pub fn fish(text: &str) -> String {
    single_quoted(&text.replace('\\', r"\\"), r"\'")
}

/// In quotes for PowerShell. It takes typographic quotes for plain ones (its language
/// specification, "single-quote-character"), so each is doubled.
pub fn powershell(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        quoted.push(c);
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
    }
    quoted + "'"
}

fn single_quoted(text: &str, quote: &str) -> String {
    format!("'{}'", text.replace('\'', quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_own_quotes() {
        let text = r"it's a \ $HOME";
        assert_eq!(posix(text), r"'it'\''s a \ $HOME'");
        assert_eq!(fish(text), r"'it\'s a \\ $HOME'");
        assert_eq!(powershell(text), r"'it''s a \ $HOME'");
        assert_eq!(powershell("‘a’ ‚b‛"), "'‘‘a’’ ‚‚b‛‛'");
    }

    #[test]
    fn a_word_is_quoted_if_it_needs_to_be() {
        assert_eq!(word("my_group-1.b"), "my_group-1.b");
        for text in ["", "my group", "it's", "$HOME", "~", "a;b", "a\0b"] {
            let quoted = word(text);
            let read = shlex::split(&quoted).expect("words");
            assert_eq!((read, quoted != text), (vec![text.to_owned()], true));
        }
    }
}
