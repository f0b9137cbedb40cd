//! The secrets that this run has come across. They are kept out of everything that it
//! prints, as an API, a proxy or a console may repeat what it was sent.

use std::{
    borrow::Cow,
    sync::{PoisonError, RwLock},
};

use url::form_urlencoded;

/// How a secret is shown to people.
pub const HIDDEN: &str = "********";
/// A shorter secret, such as an MFA code, may be part of an innocent id or number. So
/// only a whole word counts as one, and only in words from outside.
const LONG: usize = 8;

static SECRETS: RwLock<Vec<Secret>> = RwLock::new(Vec::new());

struct Secret {
    /// The secret as it is, as in an address, and as in JSON.
    spellings: Vec<String>,
    is_long: bool,
}

/// Remembers a secret. From now on nothing is printed with it.
pub fn know(secret: &str) {
    let secret = secret.trim();
    if secret.is_empty() {
        return;
    }
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    if secrets.iter().any(|known| known.spellings[0] == secret) {
        return;
    }
    let mut spellings = vec![secret.to_owned()];
    let quoted = serde_json::Value::from(secret).to_string();
    for spelling in [
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        quoted[1..quoted.len() - 1].to_owned(),
        secret.replace('/', r"\/"),
    ] {
        if !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    }
    secrets.push(Secret {
        spellings,
        is_long: secret.chars().count() >= LONG,
    });
    // One secret may begin with another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.spellings[0].len()));
}

/// Remembers the password in an address, such as a proxy's, if there is one.
pub fn know_password_of(address: &str) {
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    let Some((user_info, _)) = after_scheme.rsplit_once('@') else {
        return;
    };
    let Some((_, password)) = user_info.split_once(':') else {
        return;
    };
    know(password);
    know(&percent_decoded(password));
}

/// The text without those secrets that are too long to be there by chance.
pub fn masked(text: &str) -> Cow<'_, str> {
    replaced(text, |secret| secret.is_long)
}

/// Words from outside, without any of the secrets.
pub fn foreign(text: &str) -> String {
    replaced(text, |_| true).into_owned()
}

fn replaced(text: &str, counts: impl Fn(&Secret) -> bool) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| counts(secret)) {
        for spelling in &secret.spellings {
            if !text.contains(spelling.as_str()) {
                continue;
            }
            text = Cow::Owned(if secret.is_long {
                text.replace(spelling.as_str(), HIDDEN)
            } else {
                without_word(&text, spelling)
            });
        }
    }
    text
}

fn without_word(text: &str, word: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let last = before.chars().next_back().or(kept.chars().next_back());
        kept.push_str(before);
        kept.push_str(if joins(last) || joins(after.chars().next()) {
            word
        } else {
            HIDDEN
        });
        rest = after;
    }
    kept + rest
}

fn percent_decoded(text: &str) -> String {
    // As the value in a form, where `+` and `&` would mean something else.
    let form = format!("p={}", text.replace('+', "%2B").replace('&', "%26"));
    let value = form_urlencoded::parse(form.as_bytes()).next();
    value.map_or(String::new(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_secret_is_hidden_wherever_it_is_and_however_it_is_spelled() {
        know("Marked/Secret+1\n");
        for text in [
            "xMarked/Secret+1x",
            "token=Marked%2FSecret%2B1",
            r"Marked\/Secret+1",
        ] {
            let masked = masked(text);
            assert!(masked.contains(HIDDEN), "{masked}");
            assert!(!masked.contains("Secret"), "{masked}");
        }
        know("Marked\"Quoted\\One");
        assert_eq!(
            masked(r#"{"a":"Marked\"Quoted\\One"}"#),
            r#"{"a":"********"}"#
        );
    }

    #[test]
    fn a_short_one_is_hidden_as_a_word_of_others() {
        know("918273");
        assert_eq!(
            foreign("918273: the code 918273 of i-0918273 is not '918273', 9182731"),
            "********: the code ******** of i-0918273 is not '********', 9182731"
        );
        assert_eq!(masked("918273 bytes"), "918273 bytes");
    }

    #[test]
    fn of_two_secrets_the_longer_goes_first() {
        know("MarkedShort");
        know("MarkedShortAndLong");
        assert_eq!(
            masked("MarkedShortAndLong MarkedShort"),
            "******** ********"
        );
    }

    #[test]
    fn the_password_of_an_address_is_a_secret() {
        know_password_of("http://ana:Marked%2Fproxy@proxy.example.com:3128");
        know_password_of("http://proxy.example.com/@nobody");
        for text in ["ana:Marked%2Fproxy@", "ana Marked/proxy"] {
            assert!(!masked(text).contains("proxy"), "{}", masked(text));
        }
        assert_eq!(masked("proxy.example.com"), "proxy.example.com");
    }
}
