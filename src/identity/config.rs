//! The SDK's configuration, without credentials.

use std::{path::Path, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_types::service_config::ServiceConfigKey;

use super::{addresses, profiles::Profiles, settings::AwsSettings};
use crate::error::{Failure, Result};

/// A configuration without credentials, and with a region if there is one.
///
/// # Errors
/// Usage: certificates that are to be trusted and are none, addresses that are none.
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

pub fn region(config: &SdkConfig) -> Result<String> {
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
