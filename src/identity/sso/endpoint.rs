//! Where IAM Identity Center's OIDC service is.

use aws_config::SdkConfig;
use aws_sdk_ssooidc::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_types::service_config::ServiceConfigKey;
use url::Url;

use crate::error::{Failure, Result, causes};

/// Which of a service's kinds of addresses to use, where it has several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variant {
    pub fips: Option<bool>,
    pub dual_stack: Option<bool>,
}

impl Variant {
    pub fn of(config: &SdkConfig) -> Self {
        Self {
            fips: config.use_fips(),
            dual_stack: config.use_dual_stack(),
        }
    }
}

/// The address that is set for the service or for all services: by an option, in the
/// environment, or in the profile.
pub fn endpoint_url(config: &SdkConfig, by_botocores_name: Option<&str>) -> Option<String> {
    let set = |profile_key: &str| {
        let key = ServiceConfigKey::builder()
            .service_id("SSO OIDC")
            .env("AWS_ENDPOINT_URL")
            .profile(profile_key)
            .build()
            .ok()?;
        config.service_config()?.load_config(key)
    };
    // The loader keeps what the environment or the profile says in the same place.
    let by_flag = config.get_origin("endpoint_url").is_client_config();
    let flag = config.endpoint_url().filter(|_| by_flag).map(str::to_owned);
    // No profile has a key of this name, so that only the environment is left.
    flag.or_else(|| set("none"))
        .or_else(|| by_botocores_name.map(str::to_owned))
        .or_else(|| set("endpoint_url"))
}

/// The service's address: the one that the SDK would find.
pub async fn base_url(region: &str, variant: Variant, endpoint: Option<&str>) -> Result<Url> {
    let params = Params::builder()
        .region(region)
        .set_use_fips(variant.fips)
        .set_use_dual_stack(variant.dual_stack)
        .set_endpoint(endpoint.map(str::to_owned))
        .build()
        .map_err(|error| causes(&error));
    let found = match &params {
        Ok(params) => DefaultResolver::new()
            .resolve_endpoint(params)
            .await
            .map_err(|error| error.to_string())
            .and_then(|endpoint| Url::parse(endpoint.url()).map_err(|error| causes(&error))),
        Err(error) => Err(error.clone()),
    };
    found.map_err(|why| {
        Failure::usage(format!(
            "{region:?} has no IAM Identity Center sign-in page: {why}"
        ))
        .hint("check sso_region")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sign_in_page_is_in_the_regions_own_partition() {
        for (region, (fips, dual_stack), endpoint, wanted) in [
            (
                "eu-west-2",
                (None, None),
                None,
                "https://oidc.eu-west-2.amazonaws.com/",
            ),
            (
                "cn-north-1",
                (None, None),
                None,
                "https://oidc.cn-north-1.amazonaws.com.cn/",
            ),
            (
                "us-gov-west-1",
                (None, None),
                None,
                "https://oidc.us-gov-west-1.amazonaws.com/",
            ),
            (
                "us-east-1",
                (Some(true), None),
                None,
                "https://oidc-fips.us-east-1.amazonaws.com/",
            ),
            (
                "us-east-1",
                (None, Some(true)),
                None,
                "https://oidc.us-east-1.api.aws/",
            ),
            (
                "us-gov-west-1",
                (Some(true), Some(true)),
                None,
                "https://oidc-fips.us-gov-west-1.api.aws/",
            ),
            (
                "eu-west-2",
                (None, None),
                Some("http://127.0.0.1:1/x"),
                "http://127.0.0.1:1/x",
            ),
        ] {
            let found = base_url(region, Variant { fips, dual_stack }, endpoint).await;
            assert_eq!(found.expect("a page").as_str(), wanted);
        }
    }
}
