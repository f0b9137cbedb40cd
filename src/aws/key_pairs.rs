//! EC2's key pairs.

use aws_sdk_ec2::{
    config::retry::RetryConfig,
    error::SdkError,
    operation::create_key_pair::{
        CreateKeyPairError, CreateKeyPairOutput, builders::CreateKeyPairFluentBuilder,
    },
    types::{KeyFormat, KeyType, ResourceType},
};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{
    Aws, clock,
    errors::{self, Sort, code},
    filter, tag_specification,
};
use crate::{
    error::{Failure, Result},
    model::machine::{LAUNCHER, TAG_LAUNCHER},
};

/// A key pair as EC2 shows it. The private key is missing: EC2 tells it only once.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The fingerprint of the public or the private key, which depends on the pair's type
    /// and origin (EC2 API reference, `KeyPairInfo`).
    pub fingerprint: String,
    /// Whether this program made it.
    pub is_ours: bool,
}

/// Why there is no new key pair.
#[derive(Clone, Debug)]
pub enum CreateError {
    /// A pair of that name exists.
    Duplicate(Failure),
    /// EC2 throttled the call, or was not reached: nothing was made.
    NotNow(Failure),
    /// There was no answer, or one without the private key. There may be a pair now whose
    /// private key nobody has.
    Unknown(Failure),
    /// EC2 refused: nothing was made.
    Refused(Failure),
}

impl Aws {
    /// The key pair of this name.
    pub async fn key_pair(&self, name: &str) -> Result<Option<KeyPair>> {
        let answer = self
            .ec2
            .describe_key_pairs()
            .filters(filter("key-name", [name]))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let what = format!("cannot look up the key pair {name}");
                return Err(self.failure(&error, &what).await);
            }
        };
        // A filter takes `*` and `?` as wildcards.
        let mut pairs = answer.key_pairs.unwrap_or_default().into_iter();
        let pair = pairs.find(|pair| pair.key_name.as_deref() == Some(name));
        Ok(pair.map(|pair| KeyPair {
            is_ours: pair.tags.unwrap_or_default().iter().any(|tag| {
                tag.key.as_deref() == Some(TAG_LAUNCHER) && tag.value.as_deref() == Some(LAUNCHER)
            }),
            fingerprint: pair.key_fingerprint.unwrap_or_default(),
        }))
    }

    /// Makes an EC2 key pair, without a second try. Returns the private key.
    pub async fn create_key_pair(&self, name: &str, ppk: bool) -> Result<String, CreateError> {
        let what = format!("cannot make the key pair {name}");
        let mut answer = self.try_create_key_pair(name, ppk).await;
        if answer.as_ref().is_err_and(clock::has_expired) {
            answer = self.try_create_key_pair(name, ppk).await;
        }
        let error = match answer {
            Ok(answer) => {
                let key = answer.key_material.filter(|key| !key.is_empty());
                return key.ok_or_else(|| {
                    let why = format!("{what}: EC2's answer does not have the private key");
                    CreateError::Unknown(Failure::failed(why))
                });
            }
            Err(error) => error,
        };
        let failure = self.failure(&error, &what).await;
        Err(match errors::sort_of_error(&error) {
            Sort::NotNow => CreateError::NotNow(failure),
            Sort::Unknown => CreateError::Unknown(failure),
            _ if code(&error) == Some("InvalidKeyPair.Duplicate") => {
                CreateError::Duplicate(failure)
            }
            _ => CreateError::Refused(failure),
        })
    }

    async fn try_create_key_pair(
        &self,
        name: &str,
        ppk: bool,
    ) -> Result<CreateKeyPairOutput, SdkError<CreateKeyPairError, HttpResponse>> {
        self.key_pair_call(name, ppk)
            .customize()
            // A second try would be refused because of the pair that the first has made.
            .config_override(
                aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled()),
            )
            .send()
            .await
    }

    /// Whether EC2 would permit making the key pair.
    pub async fn dry_run_key_pair(&self, name: &str) -> Result<()> {
        let answer = self.key_pair_call(name, false).dry_run(true).send().await;
        self.dry_run_verdict(answer, &format!("cannot make the key pair {name}"))
            .await
    }

    fn key_pair_call(&self, name: &str, ppk: bool) -> CreateKeyPairFluentBuilder {
        let tags = [(TAG_LAUNCHER.to_owned(), LAUNCHER.to_owned())];
        self.ec2
            .create_key_pair()
            .key_name(name)
            .key_type(KeyType::Ed25519)
            .key_format(if ppk { KeyFormat::Ppk } else { KeyFormat::Pem })
            .tag_specifications(tag_specification(ResourceType::KeyPair, &tags))
    }

    /// Deletes a key pair. It is no error if there is none.
    pub async fn delete_key_pair(&self, name: &str) -> Result<()> {
        let answer = self.ec2.delete_key_pair().key_name(name).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                let what = format!("cannot delete the key pair {name}");
                Err(self.failure(&error, &what).await)
            }
        }
    }
}
