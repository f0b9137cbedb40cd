//! Signing in to AWS: which credentials are used, and where they come from.

mod mfa;
pub mod private_files;
pub mod process;
pub mod profiles;
mod refusals;
pub mod sso;

use std::{fmt, path::Path, sync::Mutex, time::Duration};

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
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_types::service_config::ServiceConfigKey;

use self::{
    mfa::Mfa,
    profiles::{AwsFiles, Profile, Profiles, SsoSession},
    refusals::Refusal,
    sso::{How, Sso},
};
use crate::{
    error::{Failure, Kind, Result},
    settings::AwsSettings,
    terminal::output::Output,
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
    /// The credentials as they are now.
    pub credentials: Credentials,
}

/// Finds credentials and region. On a terminal a person may sign in to IAM
/// Identity Center on the way.
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
    let config = unsigned_config(settings, &profiles).await?;
    let region = match (config.region(), settings.fallback_region) {
        (None, Some(region)) => region.to_owned(),
        _ => region(&config)?,
    };
    let config = config
        .into_builder()
        .region(Region::new(region.clone()))
        .build();
    let (source, credentials, provider) = match Mfa::of(settings, &profiles, &config, out)? {
        Some(mfa) => {
            let first = mfa.credentials().await?;
            (mfa.source(), first.clone(), mfa.provider(first))
        }
        None => credentials(settings, &profiles, &config, out).await?,
    };
    let config = config
        .into_builder()
        .credentials_provider(provider)
        .identity_cache(
            aws_config::identity::IdentityCache::lazy()
                // Somebody may have to type a code.
                .load_timeout(Duration::from_mins(2))
                .build(),
        )
        .build();
    Ok(SignIn {
        config,
        region,
        source,
        credentials,
    })
}

/// A configuration without credentials, and with a region if there is one.
///
/// # Errors
/// Usage: certificates that are to be trusted and are none.
pub async fn unsigned_config(settings: &AwsSettings, profiles: &Profiles) -> Result<SdkConfig> {
    trust(settings, profiles)?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(aws_config::retry::RetryConfig::standard())
        .timeout_config(
            aws_config::timeout::TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_mins(1))
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
    let time = settings.http.time();
    let config = loader
        .sleep_impl(SharedAsyncSleep::new(time.clone()))
        .load()
        .await;
    time.follow_tests(ec2_address(&config).as_deref()).await;
    if !time.is_a_tests() {
        return Ok(config);
    }
    // Its own pauses and limits would run by the test's clock.
    Ok(config
        .into_builder()
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build())
}

/// Where calls to EC2 go, if not to AWS: as the SDK's client for EC2 reads it.
fn ec2_address(config: &SdkConfig) -> Option<String> {
    let typed = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return typed();
    }
    let key = ServiceConfigKey::builder()
        .service_id("EC2")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_ec2 = key
        .ok()
        .and_then(|key| config.service_config()?.load_config(key));
    of_ec2.or_else(typed)
}

/// Trusts the certificates that the environment or the profile names: where a
/// company opens TLS on the way, its own.
fn trust(settings: &AwsSettings, profiles: &Profiles) -> Result<()> {
    if let Some(bundle) = &settings.ca_bundle {
        return settings.http.trust(bundle, "AWS_CA_BUNDLE");
    }
    let name = settings.profile.as_deref().unwrap_or("default");
    match profiles.find(name)?.and_then(|profile| profile.ca_bundle) {
        Some(bundle) => {
            let named_by = format!("ca_bundle of profile {name}");
            settings.http.trust(Path::new(&bundle), &named_by)
        }
        None => Ok(()),
    }
}

/// The region of the configuration.
fn region(config: &SdkConfig) -> Result<String> {
    let hint = "name one with --region, in AWS_REGION, or in the profile: eu-west-2 is London, us-east-1 is N. Virginia";
    let region = config
        .region()
        .ok_or_else(|| Failure::usage("no AWS region is set").hint(hint))?
        .to_string();
    if is_region(&region) {
        Ok(region)
    } else {
        Err(Failure::usage(format!("{region:?} is not an AWS region")).hint(hint))
    }
}

/// Whether this has the form of a region's name.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.clone().count() >= 3
        && parts
            .next_back()
            .is_some_and(|number| number.parse::<u8>().is_ok())
        && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()))
}

/// The first place that has credentials: a named profile and nothing else, or
/// the SDK's own order.
async fn credentials(
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
async fn of_place(
    source: &Source,
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Result<(Credentials, Provider), Refusal> {
    let region = config.region().map_or("", AsRef::as_ref);
    let process = match source {
        Source::Profile(name) => {
            process::provider(name, profiles, settings).map_err(Refusal::Other)?
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

/// The sign-in that the credentials of a profile, or of the profile that it
/// begins with, depend on.
fn sso_of(
    source: &Source,
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Result<Option<Sso>> {
    let Source::Profile(name) = source else {
        return Ok(None);
    };
    let Some(base) = profiles.sso_base(name)? else {
        return Ok(None);
    };
    let Profile {
        sso: Some(session),
        sso_account_id: Some(_),
        sso_role_name: Some(_),
        ..
    } = &base
    else {
        return Err(Failure::usage(format!(
            "profile {} signs in with IAM Identity Center, but has no sso_account_id or no sso_role_name",
            base.name
        ))
        .hint(format!(
            "add them in {}, or make a profile with `inductiva-aws configure sso`",
            settings.files.config.display()
        )));
    };
    let command = login_command(settings, &base.name);
    let session = session.clone();
    Ok(Some(sso(session, command, settings, profiles, config, out)))
}

/// The session that a command is about: the named one, or that of the profile.
///
/// # Errors
/// Usage: neither names one. Not signed in: there is no such profile.
pub async fn sso_session(
    settings: &AwsSettings,
    session: Option<&str>,
    out: Output,
) -> Result<Sso> {
    let profiles = Profiles::load(&settings.files).await?;
    let (session, command) = if let Some(name) = session {
        (profiles.get_session(name)?, login_to_session(name))
    } else {
        let name = settings.profile.as_deref().unwrap_or("default");
        if settings.profile.is_some() {
            profiles.get(name)?;
        }
        let base = profiles.sso_base(name)?;
        let Some((session, base)) = base.and_then(|base| Some((base.sso.clone()?, base.name)))
        else {
            return Err(no_session(name, settings, &profiles));
        };
        (session, login_command(settings, &base))
    };
    let config = unsigned_config(settings, &profiles).await?;
    Ok(sso(session, command, settings, &profiles, &config, out))
}

/// A session with what it takes to speak to it.
pub fn sso(
    session: SsoSession,
    login_command: String,
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
    out: Output,
) -> Sso {
    let profile = settings.profile.as_deref().unwrap_or("default");
    Sso {
        session,
        config: config.clone(),
        oidc_endpoint: profiles.service_endpoint(profile, "sso_oidc"),
        files: settings.files.clone(),
        time: settings.http.time().clone(),
        login_command,
        out,
    }
}

/// The profile does not sign in with IAM Identity Center.
fn no_session(profile: &str, settings: &AwsSettings, profiles: &Profiles) -> Failure {
    let message = if settings.profile.is_some() {
        format!("profile {profile} does not sign in with IAM Identity Center")
    } else {
        "no profile is named, and the default one does not sign in with IAM Identity Center".into()
    };
    let with_sso = |name: &&str| profiles.sso_base(name).is_ok_and(|base| base.is_some());
    let names: Vec<&str> = profiles.names().into_iter().filter(with_sso).collect();
    let hint = if names.is_empty() {
        "`inductiva-aws configure sso` makes a profile that does".to_owned()
    } else {
        format!("name one that does with --profile: {}", names.join(", "))
    };
    Failure::usage(message).hint(hint)
}

/// The command that signs in to a session, for messages.
pub fn login_to_session(name: &str) -> String {
    format!("inductiva-aws login --sso-session {}", shell_word(name))
}

/// The command that signs in again, for messages.
fn login_command(settings: &AwsSettings, profile: &str) -> String {
    if settings.profile.is_none() && profile == "default" {
        "inductiva-aws login".into()
    } else {
        format!("inductiva-aws login --profile {}", shell_word(profile))
    }
}

/// A word as a shell takes it.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
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
struct Provider {
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
        self.inner.provide_credentials().await.map_err(|error| {
            let sso = self.sso.as_ref();
            refusals::explained(&self.source, sso, &self.region, &self.files, &error)
        })
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
