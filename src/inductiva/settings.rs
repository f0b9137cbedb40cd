//! How to reach the Inductiva API.

use crate::error::{Failure, Result};

/// How to reach the Inductiva API.
#[derive(Clone)]
pub struct ApiSettings {
    /// Without a trailing slash.
    pub url: String,
    /// None if there is no key anywhere.
    pub key: Option<String>,
}

impl ApiSettings {
    /// The key, for what needs one.
    pub fn require_key(&self) -> Result<String> {
        self.key.clone().ok_or_else(|| {
            Failure::usage("there is no Inductiva API key")
                .hint("get one at https://inductiva.ai/; `inductiva-aws configure` stores it, or give it as --api-key or in INDUCTIVA_API_KEY")
        })
    }
}
