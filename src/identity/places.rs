//! The chain of places that may have credentials, and each of them.

use std::sync::Mutex;

use aws_config::{
    Region, SdkConfig, ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use super::{
    credentials_check, process,
    profiles::{AwsFiles, Profiles},
    refusals::{self, Refusal},
    settings::AwsSettings,
    sso::{How, Sso, session::sso_of},
};
use crate::{
    aws::Source,
    error::{Failure, Kind, Result},
    terminal::output::Output,
};

/// The first place that has credentials: a named profile and nothing else, or
/// the SDK's own order.
pub async fn credentials(
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Result<(Source, Credentials, SharedCredentialsProvider)> {
    let places = match &settings.profile {
        Some(name) => vec![Source::Profile(name.clone())],
        None => vec![
            Source::Environment,
            Source::Profile("default".into()),
            Source::WebIdentity,
            Source::Container,
            Source::InstanceMetadata,
        ],
    };
    for source in places {
        match of_place(&source, settings, profiles, config, out).await {
            Ok((first, provider)) => {
                return Ok((source, first, SharedCredentialsProvider::new(provider)));
            }
            // As botocore: half a pair is a mistake, not the lack of one.
            Err(Refusal::NotHere(_))
                if source == Source::Environment && settings.keys_in_environment =>
            {
                return Err(Failure::usage(
                    "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
                )
                .hint("set both, or neither to use another sign-in"));
            }
            Err(Refusal::NotHere(_)) if settings.profile.is_none() => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Err(Failure::new(
        Kind::NotSignedIn,
        "not signed in to AWS: no credentials were found",
    )
    .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile; `inductiva-aws configure sso` makes one for IAM Identity Center"))
}

/// The credentials of one place, and the provider of those that come after them.
pub async fn of_place(
    source: &Source,
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Result<(Credentials, Provider), Refusal> {
    if let Source::Profile(name) = source {
        credentials_check::check_sources(name, profiles).map_err(Refusal::Other)?;
    }
    let region = config.region().map_or("", AsRef::as_ref);
    let process = match source {
        Source::Profile(name) => {
            process::provider(name, profiles, settings, out).map_err(Refusal::Other)?
        }
        _ => None,
    };
    let inner = process.map_or_else(
        || provider(source, settings, config, region),
        SharedCredentialsProvider::new,
    );
    let mut provider = Provider {
        first: Mutex::new(None),
        sso: sso_of(source, settings, profiles, config, out).map_err(Refusal::Other)?,
        inner,
        source: source.clone(),
        region: region.to_owned(),
        files: settings.files.clone(),
    };
    let first = match provider.get().await {
        Err(Refusal::SignInNeeded(failure)) => {
            provider
                .get_after_login(failure, settings, config, out)
                .await?
        }
        other => other?,
    };
    provider.first = Mutex::new(Some(first.clone()));
    Ok((first, provider))
}

/// The SDK's provider for a place. Each needs an HTTP client: the SDK is built
/// without one of its own.
fn provider(
    source: &Source,
    settings: &AwsSettings,
    config: &SdkConfig,
    region: &str,
) -> SharedCredentialsProvider {
    let places = ProviderConfig::default()
        .with_region(Some(Region::new(region.to_owned())))
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack());
    let usual = || places.clone().with_http_client(settings.http.sdk_client());
    let nearby = places
        .clone()
        .with_http_client(settings.http.nearby_client());
    match source {
        Source::Environment => {
            SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
        }
        Source::Profile(name) => SharedCredentialsProvider::new(
            ProfileFileCredentialsProvider::builder()
                .configure(&usual())
                .profile_name(name)
                .build(),
        ),
        Source::WebIdentity => SharedCredentialsProvider::new(
            WebIdentityTokenCredentialsProvider::builder()
                .configure(&usual())
                .build(),
        ),
        Source::Container => SharedCredentialsProvider::new(
            EcsCredentialsProvider::builder().configure(&nearby).build(),
        ),
        Source::InstanceMetadata => SharedCredentialsProvider::new(
            ImdsCredentialsProvider::builder()
                .configure(&nearby)
                .build(),
        ),
    }
}

/// The SDK's provider with what it lacks: a token that is fresh beforehand, and
/// errors in words. Credentials that were looked up already are given first.
#[derive(Debug)]
pub struct Provider {
    first: Mutex<Option<Credentials>>,
    sso: Option<Sso>,
    inner: SharedCredentialsProvider,
    source: Source,
    region: String,
    files: AwsFiles,
}

impl Provider {
    async fn get(&self) -> Result<Credentials, Refusal> {
        if let Some(sso) = &self.sso {
            sso.token().await?;
        }
        let keys = self.inner.provide_credentials().await.map_err(|error| {
            let sso = self.sso.as_ref();
            refusals::explained(&self.source, sso, &self.region, &self.files, &error)
        })?;
        credentials_check::checked(keys, &self.source).map_err(Refusal::Other)
    }

    /// Offers to sign in where somebody is there to do it.
    async fn get_after_login(
        &mut self,
        failure: Failure,
        settings: &AwsSettings,
        config: &SdkConfig,
        out: Output,
    ) -> Result<Credentials, Refusal> {
        let Some(sso) = self.sso.as_ref().filter(|_| out.interactive) else {
            return Err(Refusal::SignInNeeded(failure));
        };
        out.prompt(&failure.message);
        let answer = out
            .ask("sign in now ([Y]/n)? ")
            .await
            .map_err(Refusal::Other)?;
        if !matches!(answer.as_str(), "" | "y" | "Y" | "yes") {
            return Err(Refusal::SignInNeeded(failure));
        }
        sso.login(How::usual(settings.desktop))
            .await
            .map_err(Refusal::Other)?;
        // The SDK's own has the old token in its memory.
        self.inner = provider(&self.source, settings, config, &self.region);
        self.get().await
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        match first {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => future::ProvideCredentials::new(async {
                self.get()
                    .await
                    .map_err(|refusal| CredentialsError::provider_error(Failure::from(refusal)))
            }),
        }
    }
}
