//! Why there are no credentials, in words. The SDK's own `Display` ends with "an error
//! occurred while loading credentials".

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{
    console_login::{self, ConsoleLogin},
    profiles::{AwsFiles, Profiles},
    sso::{NoToken, Sso},
};
use crate::{
    aws::{Source, errors},
    error::{Failure, Kind, causes},
    terminal::mask,
};

/// Why a place gives no credentials.
#[derive(Debug)]
pub enum NoCredentials {
    /// It has none. Another place may have some.
    NotHere(Failure),
    /// A person has to sign in, by this method.
    SignInNeeded(Failure, SignInMethod),
    /// It should have credentials, but cannot give them.
    Other(Failure),
}

/// How a person can sign in.
#[derive(Debug)]
pub enum SignInMethod {
    /// To IAM Identity Center.
    Sso(Box<Sso>),
    /// With the AWS console, as this identity.
    Console(Box<ConsoleLogin>, String),
}

impl NoCredentials {
    /// Why a session of IAM Identity Center has no token.
    pub fn of_sso(why: NoToken, sso: &Sso) -> Self {
        match why {
            NoToken::SignInNeeded(failure) => {
                Self::SignInNeeded(failure, SignInMethod::Sso(Box::new(sso.clone())))
            }
            NoToken::Other(failure) => Self::Other(failure),
        }
    }

    /// Why a console sign-in has no keys.
    pub fn of_console(why: console_login::NoKeys, console: &ConsoleLogin, session: &str) -> Self {
        match why {
            console_login::NoKeys::SignInNeeded(failure) => {
                let way = SignInMethod::Console(Box::new(console.clone()), session.to_owned());
                Self::SignInNeeded(failure, way)
            }
            console_login::NoKeys::Other(failure) => Self::Other(failure),
        }
    }

    /// The same for a place that was named, and so ought to have credentials.
    pub fn or_other(self) -> Self {
        match self {
            Self::NotHere(failure) => Self::Other(failure),
            other => other,
        }
    }
}

impl From<Failure> for NoCredentials {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<NoCredentials> for Failure {
    fn from(refusal: NoCredentials) -> Self {
        match refusal {
            NoCredentials::NotHere(failure)
            | NoCredentials::SignInNeeded(failure, _)
            | NoCredentials::Other(failure) => failure,
        }
    }
}

/// What an error of the SDK's provider for the container or the instance means.
pub fn by_provider(source: &Source, error: &CredentialsError) -> NoCredentials {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => NoCredentials::NotHere(Failure::new(
            Kind::NotSignedIn,
            format!("not signed in to AWS: no {source}"),
        )),
        _ => NoCredentials::Other(other(source, error)),
    }
}

/// The failure of a profile without credentials.
pub fn nothing(source: &Source, profiles: &Profiles) -> Failure {
    let names = profiles.names();
    let there = match names.as_slice() {
        [] | [_] => String::new(),
        names => format!("; there are: {}", names.join(", ")),
    };
    Failure::new(
        Kind::NotSignedIn,
        format!("not signed in to AWS: {source} has no credentials in {}", profiles.places()),
    )
    .hint(format!("a profile has aws_access_key_id and aws_secret_access_key, sso_session, login_session, credential_process, or role_arn with source_profile; `inductiva-aws configure sso` makes one for IAM Identity Center{there}"))
}

/// Why the SSO portal gave no credentials.
pub fn by_portal(
    source: &Source,
    sso: &Sso,
    files: &AwsFiles,
    error: &SdkError<GetRoleCredentialsError, HttpResponse>,
) -> NoCredentials {
    let said = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or("no reason given");
    let said = &mask::foreign(said);
    match errors::code(error) {
        Some("UnauthorizedException") => NoCredentials::of_sso(sso.ended(said), sso),
        Some("ForbiddenException" | "ResourceNotFoundException") => {
            let start_url = &sso.session.start_url;
            NoCredentials::Other(
                Failure::new(
                    Kind::NotPermitted,
                    format!("{source} names a role that IAM Identity Center does not give you: {said}"),
                )
                .hint(format!("check sso_account_id and sso_role_name in {}: {start_url} shows what you have, `inductiva-aws configure sso` makes a profile for it", files.config.display())),
            )
        }
        _ => NoCredentials::Other(errors::sign_in_failure(
            error,
            "cannot get credentials from IAM Identity Center",
            &sso.session.region,
        )),
    }
}

/// Why STS gave no credentials for a role that a profile or the environment names.
pub fn by_sts<E>(source: &Source, error: &SdkError<E, HttpResponse>, region: &str) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let what = format!("cannot assume the role of {source}");
    let mut failure = errors::sign_in_failure(error, &what, region);
    if failure.kind == Kind::Failed {
        failure.kind = Kind::NotSignedIn;
    }
    match errors::code(error) {
        Some("AccessDenied") => failure.hint("the role has to be there and to trust who assumes it, and that one needs the permission sts:AssumeRole; a role may also demand MFA (mfa_serial) or external_id"),
        Some("ExpiredTokenException") => failure.hint("the web identity token has expired; the tool that writes the token file must write a new one"),
        Some("InvalidIdentityToken" | "IDPRejectedClaim") => failure.hint("the role does not take this web identity token: check the identity provider of the account and the role's trust policy"),
        _ => failure,
    }
}

/// All other errors of providers.
fn other(source: &Source, error: &CredentialsError) -> Failure {
    let said = mask::foreign(&causes(error));
    if matches!(error, CredentialsError::ProviderTimedOut(_)) {
        return Failure::new(
            Kind::NotSignedIn,
            format!("not signed in to AWS: {source} did not answer in time"),
        );
    }
    Failure::new(
        Kind::NotSignedIn,
        format!("not signed in to AWS: {source}: {said}"),
    )
    .hint("`inductiva-aws whoami --profile NAME` tries another sign-in")
}
