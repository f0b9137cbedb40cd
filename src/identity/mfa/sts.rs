//! The two calls that take an MFA code: `GetSessionToken` and `AssumeRole`.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sts::types;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde_json::{Value, json};

use super::{code::Code, refused_mfa::RefusedMfa};
use crate::{
    aws::{errors, trace::Trace},
    error::{Failure, Kind, Result},
    identity::{credentials_check, patience::Patience, profiles::Profile},
    terminal::output::Output,
};

/// How long a session of `GetSessionToken` lasts: 12 hours, AWS's default (STS API
/// reference).
const SESSION_SECONDS: i32 = 43_200;

/// One call, still without a code.
#[derive(Clone, Debug)]
pub struct SessionCall<'a> {
    client: aws_sdk_sts::Client,
    region: String,
    patience: Patience,
    what: StsCall<'a>,
}

#[derive(Clone, Debug)]
enum StsCall<'a> {
    SessionToken,
    AssumeRole { arn: &'a str, profile: &'a Profile },
}

#[derive(Clone, Debug)]
pub struct Session {
    pub credentials: Credentials,
    /// AWS's `AssumedRoleUser`, for a role.
    pub role: Option<Value>,
}

/// Why a call made nothing.
pub enum NoSession {
    /// The code is wrong, or was used before.
    WrongCode(Failure),
    Other(Failure),
}

impl<'a> SessionCall<'a> {
    /// `GetSessionToken` with long-term keys.
    pub fn session_token(
        keys: Credentials,
        config: &SdkConfig,
        patience: &Patience,
        out: Output,
    ) -> Self {
        Self::new(keys, config, patience, out, StsCall::SessionToken)
    }

    /// `AssumeRole` as the profile has it.
    pub fn assume_role(
        (arn, profile): (&'a str, &'a Profile),
        keys: Credentials,
        config: &SdkConfig,
        patience: &Patience,
        out: Output,
    ) -> Self {
        Self::new(
            keys,
            config,
            patience,
            out,
            StsCall::AssumeRole { arn, profile },
        )
    }

    fn new(
        keys: Credentials,
        config: &SdkConfig,
        patience: &Patience,
        out: Output,
        what: StsCall<'a>,
    ) -> Self {
        let region = config.region().map_or(String::new(), ToString::to_string);
        Self {
            client: client(keys, config, patience, out),
            region,
            patience: patience.clone(),
            what,
        }
    }

    /// Makes the call, with a device's serial number and code.
    pub async fn send(&self, mfa: Option<(&str, &Code)>) -> Result<Session, NoSession> {
        let serial = mfa.map(|(serial, _)| serial.to_owned());
        let code = mfa.map(|(_, code)| code.digits().to_owned());
        let made = match &self.what {
            StsCall::SessionToken => {
                let call = self
                    .client
                    .get_session_token()
                    .duration_seconds(SESSION_SECONDS)
                    .set_serial_number(serial)
                    .set_token_code(code);
                let answer = self.patience.for_call(call.send()).await;
                answer
                    .map(|answer| (answer.credentials, None))
                    .map_err(|error| self.refusal(&error, mfa))
            }
            StsCall::AssumeRole { arn, profile } => {
                let call = self
                    .client
                    .assume_role()
                    .role_arn(*arn)
                    .role_session_name(session_name(profile))
                    .set_external_id(profile.external_id.clone())
                    .set_duration_seconds(
                        profile
                            .duration_seconds
                            .map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)),
                    )
                    .set_serial_number(serial)
                    .set_token_code(code);
                let answer = self.patience.for_call(call.send()).await;
                answer
                    .map(|answer| (answer.credentials, answer.assumed_role_user))
                    .map_err(|error| self.refusal(&error, mfa))
            }
        };
        let (credentials, role) = made?;
        let credentials = credentials.and_then(credentials_of).ok_or_else(|| {
            NoSession::Other(Failure::failed(format!(
                "{}: AWS gave no keys",
                self.failed()
            )))
        })?;
        Ok(Session {
            credentials,
            role: role.map(|user| json!({"AssumedRoleId": user.assumed_role_id, "Arn": user.arn})),
        })
    }

    /// The call without a code.
    pub async fn without_mfa(&self) -> Result<Session> {
        self.send(None).await.map_err(|refusal| match refusal {
            NoSession::WrongCode(failure) | NoSession::Other(failure) => failure,
        })
    }

    fn failed(&self) -> String {
        match &self.what {
            StsCall::SessionToken => "cannot sign in with MFA".into(),
            StsCall::AssumeRole { arn, profile } => {
                format!("cannot assume the role {arn} (profile {})", profile.name)
            }
        }
    }

    fn refusal<E>(&self, error: &SdkError<E, HttpResponse>, mfa: Option<(&str, &Code)>) -> NoSession
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let failure = errors::failure(error, &self.failed(), &self.region);
        let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = metadata.and_then(ErrorMetadata::code).unwrap_or_default();
        if let Some((serial, _)) = mfa {
            match metadata.and_then(RefusedMfa::of) {
                Some(RefusedMfa::Code) => return wrong_code(serial),
                Some(RefusedMfa::Device) => return wrong_device(failure.message, serial),
                None => {}
            }
        }
        NoSession::Other(match (&self.what, failure.kind) {
            // AWS does not say what is wrong on the role's side.
            (StsCall::AssumeRole { profile, .. }, Kind::NotPermitted) => {
                Failure { policy: None, ..failure }.hint(role_hint(profile, mfa.is_some()))
            }
            // STS has this code for everything that a request has wrong in it. Its message
            // names what it is; any role can be assumed for an hour.
            (StsCall::AssumeRole { profile, .. }, _)
                if code == "ValidationError"
                    && profile.duration_seconds.is_some_and(|asked| asked > 3_600) =>
            {
                failure.hint("if AWS means the duration, lower duration_seconds in the profile: a role that is assumed with a session's keys lasts an hour at most, others as long as the role allows")
            }
            _ => failure,
        })
    }
}

fn client(
    keys: Credentials,
    config: &SdkConfig,
    patience: &Patience,
    out: Output,
) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::config::Builder::from(config)
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .interceptor(Trace(out))
        .interceptor(patience.slow())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

/// Whether AWS refuses these keys. A session ends early when the keys that made it, or
/// their user, are deleted. Without an answer the keys count as accepted.
pub async fn is_refused(
    keys: Credentials,
    config: &SdkConfig,
    patience: &Patience,
    out: Output,
) -> bool {
    let call = client(keys, config, patience, out).get_caller_identity();
    let answer = patience.for_call(call.send()).await;
    answer.is_err_and(|error| errors::sort_of_error(&error) == errors::Sort::NotSignedIn)
}

fn wrong_code(serial: &str) -> NoSession {
    NoSession::WrongCode(
        Failure::new(
            Kind::NotSignedIn,
            format!("AWS does not take this MFA code of {serial}"),
        )
        .hint("is it the device's newest code, and of this device? each works once, for about 30 s, and needs the device's clock to be right"),
    )
}

fn wrong_device(message: String, serial: &str) -> NoSession {
    NoSession::Other(Failure::new(Kind::NotSignedIn, message).hint(format!(
        "does {serial} belong to the user whose keys these are? the device's ARN is in the IAM console under \"Security credentials\""
    )))
}

fn role_hint(profile: &Profile, with_mfa: bool) -> String {
    let mut hint = format!(
        "the role's trust policy has to name the identity that assumes it, and its own policies have to allow sts:AssumeRole; if the role asks for an external id, profile {} needs external_id",
        profile.name
    );
    if !with_mfa {
        hint.push_str("; if it asks for MFA, mfa_serial or --mfa-serial");
    }
    hint
}

/// The name that the session of a role has in AWS's records.
fn session_name(profile: &Profile) -> String {
    profile.role_session_name.clone().unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        format!("inductiva-aws-{}", now.map_or(0, |now| now.as_secs()))
    })
}

/// The keys of an answer; none where they could not be used.
pub fn credentials_of(made: types::Credentials) -> Option<Credentials> {
    let expires = SystemTime::try_from(made.expiration).ok()?;
    let keys = Credentials::new(
        made.access_key_id,
        made.secret_access_key,
        Some(made.session_token),
        Some(expires),
        "Mfa",
    );
    credentials_check::can_sign(&keys).then_some(keys)
}
