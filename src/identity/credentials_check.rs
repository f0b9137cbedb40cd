//! What keys may look like, wherever they come from: ASCII characters that can be sent.
//! The SDK panics at a line break in a key (smithy-rs issue 4565); and if something else
//! was copied with a key, AWS only says that the signature does not match.

use aws_credential_types::Credentials;

use crate::{
    aws::Source,
    error::{Failure, Result},
    terminal::mask,
};

/// The names of the three parts, in the order of [`parts`].
const NAMES: [&str; 3] = ["access key id", "secret access key", "session token"];
/// The variables that the three parts have in the environment.
const VARIABLES: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The keys without white space around them, such as the CR of a `.env` file from
/// Windows.
///
/// # Errors
/// Usage: a character that no key has. The message names where the keys are from.
pub fn checked(keys: Credentials, source: &Source) -> Result<Credentials> {
    let trimmed = trimmed(keys);
    know(&trimmed);
    for (at, part) in parts(&trimmed).into_iter().enumerate() {
        let Some(wrong) = wrong_character(part) else {
            continue;
        };
        let what = match source {
            Source::Environment => VARIABLES[at].to_owned(),
            _ => format!("the {} of {source}", NAMES[at]),
        };
        // The message names the character, and not the key.
        return Err(Failure::usage(format!(
            "{what} has {} in it, which no key has",
            spelled(wrong)
        ))
        .hint("copy it again, as one word: a key that was broken over two lines, or a file with Windows line ends, is the usual reason"));
    }
    Ok(trimmed)
}

/// Whether there are an id and a secret, which an answer may lack.
pub fn are_there(keys: &Credentials) -> bool {
    !keys.access_key_id().is_empty() && !keys.secret_access_key().is_empty()
}

/// Whether a request can be signed with the keys as they are.
pub fn can_sign(keys: &Credentials) -> bool {
    know(keys);
    are_there(keys)
        && parts(keys)
            .iter()
            .all(|part| wrong_character(part).is_none())
}

/// Has the keys masked from now on.
fn know(keys: &Credentials) {
    mask::know(keys.secret_access_key());
    mask::know(keys.session_token().unwrap_or_default());
}

fn trimmed(keys: Credentials) -> Credentials {
    if parts(&keys).iter().all(|part| *part == part.trim_end()) {
        // Unchanged keys also keep whatever else the SDK has put into them.
        return keys;
    }
    Credentials::new(
        keys.access_key_id().trim_end(),
        keys.secret_access_key().trim_end(),
        keys.session_token()
            .map(|token| token.trim_end().to_owned()),
        keys.expiry(),
        "Trimmed",
    )
}

fn parts(keys: &Credentials) -> [&str; 3] {
    [
        keys.access_key_id(),
        keys.secret_access_key(),
        keys.session_token().unwrap_or_default(),
    ]
}

/// Blanks are let through: the AWS CLI sends such keys, too, and AWS refuses them.
fn wrong_character(part: &str) -> Option<char> {
    part.chars().find(|c| !c.is_ascii_graphic() && *c != ' ')
}

fn spelled(character: char) -> String {
    match character {
        '\n' | '\r' => "a line break".into(),
        '\t' => "a tab".into(),
        other => format!("the character U+{:04X}", u32::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(id: &str, secret: &str, token: Option<&str>) -> Credentials {
        Credentials::new(id, secret, token.map(str::to_owned), None, "test")
    }

    #[test]
    fn white_space_at_the_end_is_cut_off() {
        let given = keys("AKIA\r", "secret \r\n", Some("token\t"));
        let checked = checked(given, &Source::Environment).expect("keys");
        assert_eq!(parts(&checked), ["AKIA", "secret", "token"]);
    }

    #[test]
    fn what_no_key_has_is_refused_by_the_name_of_the_source() {
        let profile = Source::Profile("w".into());
        for (id, secret, token, source, told) in [
            (
                "AK\nIA",
                "s",
                None,
                &profile,
                "the access key id of profile w has a line break",
            ),
            (
                "AKIA",
                "s\0t",
                None,
                &profile,
                "the secret access key of profile w has the character U+0000",
            ),
            (
                "AKIA",
                "s",
                Some("t\u{85}u"),
                &Source::Container,
                "the session token of container metadata has the character U+0085",
            ),
            (
                "AKIA",
                "s\tt",
                None,
                &Source::Environment,
                "AWS_SECRET_ACCESS_KEY has a tab",
            ),
            (
                "AKIA…",
                "s",
                None,
                &Source::Environment,
                "AWS_ACCESS_KEY_ID has the character U+2026",
            ),
            (
                "\nAKIA",
                "s",
                None,
                &Source::Environment,
                "AWS_ACCESS_KEY_ID has a line break",
            ),
        ] {
            let failure = checked(keys(id, secret, token), source).expect_err("keys");
            assert!(failure.message.starts_with(told), "{}", failure.message);
            assert_eq!(failure.kind, crate::error::Kind::Usage);
        }
    }
}
