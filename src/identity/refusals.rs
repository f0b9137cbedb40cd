//! Why credentials are not to be had, in words: the SDK's own `Display` ends
//! with "an error occurred while loading credentials".

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{
    profiles::AwsFiles,
    sso::{Sso, Trouble},
};
use crate::{
    aws::{Source, errors},
    error::{Failure, Kind, causes, find_cause},
    terminal::mask,
};

/// Why a place gives no credentials.
#[derive(Debug)]
pub enum Refusal {
    /// It has none: another place may.
    NotHere(Failure),
    /// A person has to sign in to IAM Identity Center.
    SignInNeeded(Failure),
    /// It should have some.
    Other(Failure),
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::SignInNeeded(failure) => Self::SignInNeeded(failure),
            Trouble::Other(failure) => Self::Other(failure),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotHere(failure)
            | Refusal::SignInNeeded(failure)
            | Refusal::Other(failure) => failure,
        }
    }
}

/// What the SDK's provider for `source` means.
pub fn explained(
    source: &Source,
    sso: Option<&Sso>,
    region: &str,
    files: &AwsFiles,
    error: &CredentialsError,
) -> Refusal {
    if let Some(error) = find_cause::<SdkError<GetRoleCredentialsError, HttpResponse>>(error) {
        return by_portal(source, sso, region, files, error);
    }
    if let Some(error) = find_cause::<SdkError<AssumeRoleError, HttpResponse>>(error) {
        return Refusal::Other(by_sts(source, error, region));
    }
    if let Some(error) = find_cause::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>(error)
    {
        return Refusal::Other(by_sts(source, error, region));
    }
    // Of a command that prints keys.
    if let Some(failure) = find_cause::<Failure>(error) {
        return Refusal::Other(failure.clone());
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Refusal::NotHere(nothing(source, files)),
        CredentialsError::InvalidConfiguration(_) => {
            let why = mask::foreign(&causes(error));
            let why = why
                .rsplit("could not be built: ")
                .next()
                .unwrap_or_default();
            let hint = format!(
                "correct it in {} or {}",
                files.config.display(),
                files.credentials.display()
            );
            Refusal::Other(
                Failure::usage(format!("cannot sign in to AWS with {source}: {why}")).hint(hint),
            )
        }
        _ => Refusal::Other(other(source, error)),
    }
}

/// A place that has no credentials.
fn nothing(source: &Source, files: &AwsFiles) -> Failure {
    let places = format!(
        "{} and {}",
        files.config.display(),
        files.credentials.display()
    );
    match source {
        Source::Profile(name) => Failure::new(
            Kind::NotSignedIn,
            format!("not signed in to AWS: profile {name} has no credentials in {places}"),
        )
        .hint("a profile has aws_access_key_id and aws_secret_access_key, sso_session, credential_process, or role_arn with source_profile; `inductiva-aws configure sso` makes one for IAM Identity Center"),
        _ => Failure::new(Kind::NotSignedIn, format!("not signed in to AWS: no {source}")),
    }
}

/// The SSO portal's answer, or none.
fn by_portal(
    source: &Source,
    sso: Option<&Sso>,
    region: &str,
    files: &AwsFiles,
    error: &SdkError<GetRoleCredentialsError, HttpResponse>,
) -> Refusal {
    let said = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or("no reason given");
    let said = &mask::foreign(said);
    match (errors::code(error), sso) {
        (Some("UnauthorizedException"), Some(sso)) => sso.ended(said).into(),
        (Some("ForbiddenException" | "ResourceNotFoundException"), Some(sso)) => {
            let start_url = &sso.session.start_url;
            Refusal::Other(
                Failure::new(
                    Kind::NotPermitted,
                    format!("{source} names a role that IAM Identity Center does not give you: {said}"),
                )
                .hint(format!("check sso_account_id and sso_role_name in {}: {start_url} shows what you have, `inductiva-aws configure sso` makes a profile for it", files.config.display())),
            )
        }
        _ => Refusal::Other(errors::sign_in_failure(
            error,
            "cannot get credentials from IAM Identity Center",
            region,
        )),
    }
}

/// The answer of STS to a role that a profile or the environment names, or none.
fn by_sts<E>(source: &Source, error: &SdkError<E, HttpResponse>, region: &str) -> Failure
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

/// All else that providers say.
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
