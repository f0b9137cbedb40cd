//! The SDK's configuration, without credentials.

use std::{fmt::Write as _, path::Path, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig,
    imds::{self, region::ImdsRegionProvider},
    meta::region::{ProvideRegion, future},
    provider_config::ProviderConfig,
};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_types::service_config::ServiceConfigKey;

use super::{addresses, ini, profiles::Profiles, settings::AwsSettings};
use crate::error::{Failure, Result};

/// How long connecting to the instance's metadata service may take, and how long its
/// answer. With one try, as in botocore, it is known within 2 s that there is none.
const METADATA_TIME: Duration = Duration::from_secs(1);
/// The partitions, by the second part of an ARN, each with one of its regions.
const PARTITIONS: [(&str, &str); 3] = [
    ("aws", "us-east-1"),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
];

/// A configuration without credentials. It has a region if one is typed, set or in the
/// profile.
///
/// # Errors
/// Usage: a file of certificates that holds none, or an address that cannot be used.
pub async fn unsigned_config(settings: &AwsSettings, profiles: &Profiles) -> Result<SdkConfig> {
    addresses::check(settings, profiles)?;
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
    let profile = profiles.find(settings.profile_name());
    let region = settings.region.clone();
    let region = region.or_else(|| profile?.region).map(Region::new);
    loader = loader
        .profile_files(for_the_sdk(settings, profiles))
        .profile_name("default")
        .region(ToldRegion(region));
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
    // Stalled-stream protection has pauses and limits of its own, which would follow the
    // test's clock.
    Ok(config
        .into_builder()
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build())
}

/// Tells the SDK the region or that there is none, so that it does not ask the metadata
/// service.
#[derive(Debug)]
struct ToldRegion(Option<Region>);

impl ProvideRegion for ToldRegion {
    fn region(&self) -> future::ProvideRegion<'_> {
        future::ProvideRegion::ready(self.0.clone())
    }
}

/// The profile's settings that the SDK reads itself, such as the addresses of services,
/// as the only profile of a file. The SDK reads the user's own files differently from the
/// AWS CLI, and refuses more of them.
fn for_the_sdk(settings: &AwsSettings, profiles: &Profiles) -> EnvConfigFiles {
    let profile = settings.profile_name();
    let mut text = "[default]\n".to_owned();
    for (name, value) in profiles.properties(profile).into_iter().flatten() {
        // Credentials and region are not left to the SDK.
        let is_secret = name.starts_with("aws_");
        let is_others = is_secret || matches!(name.as_str(), "services" | "region");
        if !is_others && is_plain(name) && is_plain(value) {
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    let services = profiles.services(profile).into_iter().flatten();
    let services: Vec<_> = services
        .filter_map(|(name, value)| Some((name, ini::nested(value)?)))
        .collect();
    if !services.is_empty() {
        text.push_str("services = own\n[services own]\n");
    }
    for (name, properties) in services {
        // The AWS CLI writes an underscore where the SDK looks for a hyphen.
        let mut names = vec![name.clone(), name.replace('_', "-")];
        names.dedup();
        for name in names.iter().filter(|name| is_plain(name)) {
            let _ = writeln!(text, "{name} =");
            for (name, value) in &properties {
                if is_plain(name) && is_plain(value) {
                    let _ = writeln!(text, "  {name} = {value}");
                }
            }
        }
    }
    EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, text)
        .build()
}

/// Whether the SDK reads a text as it is: a `#` or `;` after a blank begins a comment for
/// it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// The address that EC2 calls go to if not to AWS, as the SDK's client for EC2 reads it.
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

/// Trusts the certificates that the environment or the profile names: a company that
/// opens TLS connections on their way has its own.
fn trust(settings: &AwsSettings, profiles: &Profiles) -> Result<()> {
    if let Some(bundle) = &settings.ca_bundle {
        return settings.http.trust(bundle, "AWS_CA_BUNDLE");
    }
    let name = settings.profile_name();
    match profiles.find(name).and_then(|profile| profile.ca_bundle) {
        Some(bundle) => {
            let named_by = format!("ca_bundle of profile {name}");
            settings.http.trust(Path::new(&bundle), &named_by)
        }
        None => Ok(()),
    }
}

/// The region that calls go to.
///
/// # Errors
/// Usage: there is none, or the text is not a region's name.
pub async fn region(
    settings: &AwsSettings,
    profiles: &Profiles,
    config: &SdkConfig,
) -> Result<String> {
    let hint = "name one with --region, in AWS_REGION, or in the profile: eu-west-2 is London, us-east-1 is N. Virginia";
    let region = match config.region() {
        Some(region) => region.to_string(),
        None if !settings.needs_region => usual_region(settings, profiles),
        None => of_the_instance(settings)
            .await
            .ok_or_else(|| Failure::usage("no AWS region is set").hint(hint))?,
    };
    if is_region(&region) {
        return Ok(region);
    }
    let hint = if region.contains(['#', ';']) {
        "a comment needs a line of its own: the AWS CLI takes it for a part of the region, too"
    } else {
        hint
    };
    Err(Failure::usage(format!("{region:?} is not an AWS region")).hint(hint))
}

/// The region of the EC2 instance that this program runs on.
async fn of_the_instance(settings: &AwsSettings) -> Option<String> {
    let places = ProviderConfig::default().with_http_client(settings.http.nearby_client());
    let provider = ImdsRegionProvider::builder()
        .configure(&places)
        .imds_client(metadata_client(&places))
        .build();
    provider.region().await.map(|region| region.to_string())
}

/// A client for the instance's metadata service.
pub fn metadata_client(places: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(places)
        .max_attempts(1)
        .connect_timeout(METADATA_TIME)
        .read_timeout(METADATA_TIME)
        .build()
}

/// The region to sign in with where none is set: that of IAM Identity Center, or one in
/// the partition of the profile's ARNs.
fn usual_region(settings: &AwsSettings, profiles: &Profiles) -> String {
    let profile = profiles.find(settings.profile_name()).unwrap_or_default();
    if let Ok(Some(sso)) = profiles.sso(&profile) {
        return sso.region;
    }
    let arns = [
        settings.mfa.serial.as_deref(),
        settings.mfa.serial_variable.as_deref(),
        profile.role_arn.as_deref(),
        profile.login_session.as_deref(),
        profile.mfa_serial.as_deref(),
    ];
    let partition = arns.into_iter().flatten().find_map(|arn| {
        let partition = arn.strip_prefix("arn:")?.split(':').next()?;
        PARTITIONS.iter().find(|(name, _)| *name == partition)
    });
    partition
        .map_or(PARTITIONS[0].1, |(_, region)| region)
        .to_owned()
}

/// Whether a text has the form of a region's name.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.clone().count() >= 3
        && parts
            .next_back()
            .is_some_and(|number| number.parse::<u8>().is_ok())
        && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()))
}
