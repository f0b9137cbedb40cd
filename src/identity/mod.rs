//! Signing in to AWS: which credentials are used, and where they come from.

pub mod private_files;
pub mod profiles;

use std::{fmt, sync::Mutex};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, ecs::EcsCredentialsProvider,
    environment::EnvironmentVariableCredentialsProvider,
    imds::credentials::ImdsCredentialsProvider, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, web_identity_token::WebIdentityTokenCredentialsProvider,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use self::profiles::Profiles;
use crate::{
    error::{Failure, Kind, Result, causes},
    output::Output,
    settings::AwsSettings,
};

/// Where credentials came from, as `whoami` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A profile of ~/.aws/config or ~/.aws/credentials.
    Profile(String),
    /// `AWS_ACCESS_KEY_ID` and the variables that go with it.
    Environment,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    WebIdentity,
    /// The container's metadata service.
    Container,
    /// The EC2 instance's own role.
    InstanceMetadata,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Environment => f.write_str("environment variables"),
            Self::WebIdentity => f.write_str("web identity token"),
            Self::Container => f.write_str("container metadata"),
            Self::InstanceMetadata => f.write_str("EC2 instance metadata"),
        }
    }
}

/// Signed in: a configuration with credentials and a region.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// What every client of the SDK is made from.
    pub config: SdkConfig,
    /// The region that calls go to.
    pub region: String,
    /// Where the credentials came from.
    pub source: Source,
}

/// Finds credentials and region.
///
/// # Errors
/// Not signed in: no credentials, an unknown profile, or a sign-in that has
/// ended. Usage: no region, or text that is none.
pub async fn sign_in(settings: &AwsSettings, out: Output) -> Result<SignIn> {
    let profiles = Profiles::load(&settings.files).await?;
    if let Some(profile) = &settings.profile {
        profiles.get(profile)?;
        if settings.keys_in_environment {
            out.say(&format!(
                "signing in with profile {profile}; the keys in the environment are not used"
            ));
        }
    }
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(aws_config::retry::RetryConfig::standard())
        .timeout_config(
            aws_config::timeout::TimeoutConfig::builder()
                .connect_timeout(std::time::Duration::from_secs(5))
                .operation_attempt_timeout(std::time::Duration::from_mins(1))
                .build(),
        )
        .http_client(settings.http.sdk_client())
        .no_credentials();
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    let region = region(&config)?;
    let (source, provider) = credentials(settings, &region).await?;
    let config = config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .identity_cache(aws_config::identity::IdentityCache::lazy().build())
        .build();
    Ok(SignIn {
        config,
        region,
        source,
    })
}

/// The region of the configuration.
fn region(config: &SdkConfig) -> Result<String> {
    let hint = "name one with --region, in AWS_REGION, or in the profile: eu-west-2 is London, us-east-1 is N. Virginia";
    let region = config
        .region()
        .ok_or_else(|| Failure::usage("no AWS region is set").hint(hint))?
        .to_string();
    let mut parts = region.split('-');
    let is_region = parts.clone().count() >= 3
        && parts
            .next_back()
            .is_some_and(|number| number.parse::<u8>().is_ok())
        && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()));
    if is_region {
        Ok(region)
    } else {
        Err(Failure::usage(format!("{region:?} is not an AWS region")).hint(hint))
    }
}

/// The first place that has credentials: a named profile and nothing else, or
/// the SDK's own order.
async fn credentials(settings: &AwsSettings, region: &str) -> Result<(Source, Known)> {
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
        let provider = provider(&source, settings, region);
        match provider.provide_credentials().await {
            Ok(first) => {
                let known = Known {
                    first: Mutex::new(Some(first)),
                    provider,
                };
                return Ok((source, known));
            }
            Err(CredentialsError::CredentialsNotLoaded(_)) if settings.profile.is_none() => {}
            Err(error) => return Err(refused(&source, &error)),
        }
    }
    Err(Failure::new(
        Kind::NotSignedIn,
        "not signed in to AWS: no credentials were found",
    )
    .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"))
}

/// The SDK's provider for a place. The metadata services are on this machine:
/// they keep the SDK's own HTTP client with its short time limits.
fn provider(source: &Source, settings: &AwsSettings, region: &str) -> SharedCredentialsProvider {
    let nearby = ProviderConfig::default().with_region(Some(Region::new(region.to_owned())));
    let far = || nearby.clone().with_http_client(settings.http.sdk_client());
    match source {
        Source::Environment => {
            SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
        }
        Source::Profile(name) => SharedCredentialsProvider::new(
            ProfileFileCredentialsProvider::builder()
                .configure(&far())
                .profile_name(name)
                .build(),
        ),
        Source::WebIdentity => SharedCredentialsProvider::new(
            WebIdentityTokenCredentialsProvider::builder()
                .configure(&far())
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

/// A place that should have credentials and has none to give.
fn refused(source: &Source, error: &CredentialsError) -> Failure {
    let hint = match source {
        Source::Profile(name) => {
            format!(
                "if the profile {name} signs in with IAM Identity Center: aws sso login --profile {name}"
            )
        }
        _ => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"
            .into(),
    };
    Failure::new(
        Kind::NotSignedIn,
        format!("not signed in to AWS: {source}: {}", causes(error)),
    )
    .hint(hint)
}

/// Credentials that were looked up already, and then their provider.
#[derive(Debug)]
struct Known {
    first: Mutex<Option<Credentials>>,
    provider: SharedCredentialsProvider,
}

impl ProvideCredentials for Known {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        match first {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => self.provider.provide_credentials(),
        }
    }
}
