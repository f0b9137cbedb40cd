//! Why a call of Inductiva's API had no answer that can be used.

use std::time::Duration;

use crate::{
    error::{Failure, Kind},
    terminal::mask,
    values::spans,
};

/// Why a call had no answer that can be used.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// 401 or 403.
    KeyRefused(String),
    /// No connection, no answer in time or none that can be read, or an answer that says
    /// "later": 408, 429, a redirect, a 5xx.
    OutOfReach(String),
    /// 409: a group of this name exists.
    NameTaken(String),
    /// The group of this name has machines of another provider, this one.
    OtherProvider(String),
    Unexpected(String),
}

impl ApiError {
    pub fn no_answer_within(limit: Duration) -> Self {
        Self::OutOfReach(format!("no answer within {}", spans::in_words(limit)))
    }

    pub fn why(&self) -> &str {
        match self {
            Self::KeyRefused(why)
            | Self::OutOfReach(why)
            | Self::NameTaken(why)
            | Self::OtherProvider(why)
            | Self::Unexpected(why) => why,
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::KeyRefused(why) => Self::new(Kind::NotSignedIn, format!("Inductiva refused the API key: {why}"))
                .hint("get a new key at https://inductiva.ai/ and give it as --api-key, in INDUCTIVA_API_KEY or in ~/.inductiva/api_key"),
            ApiError::OutOfReach(why) => Self::failed(format!("Inductiva's API is out of reach: {why}"))
                .hint("try again later; --api-url and INDUCTIVA_API_URL say where it is"),
            ApiError::OtherProvider(why) => Self::failed(format!("machines on AWS cannot join the group: {why}"))
                .hint("choose another --machine-group-name"),
            ApiError::NameTaken(why) | ApiError::Unexpected(why) => Self::failed(format!("Inductiva's API refused the call: {why}")),
        }
    }
}

/// The `detail` of an error: a text, or a list of `{loc, msg, type}`.
pub(super) fn detail(status: u16, body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let said = match &value["detail"] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            let item = |item: &serde_json::Value| {
                let place: Vec<String> = item["loc"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|part| part.as_str().map_or(part.to_string(), str::to_owned))
                    .collect();
                format!(
                    "{}: {}",
                    place.join("."),
                    item["msg"].as_str().unwrap_or_default()
                )
            };
            items.iter().map(item).collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    };
    let said = mask::foreign(&said);
    if said.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status}, {said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_in_both_forms() {
        assert_eq!(
            detail(409, r#"{"detail": "name taken"}"#),
            "HTTP 409, name taken"
        );
        assert_eq!(
            detail(
                422,
                r#"{"detail": [{"loc": ["body", "name"], "msg": "too long", "type": "x"}]}"#
            ),
            "HTTP 422, body.name: too long"
        );
        assert_eq!(detail(502, "<html>"), "HTTP 502");
    }
}
