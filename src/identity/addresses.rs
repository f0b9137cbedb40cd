//! Addresses that somebody typed or set. They are checked before any call is made, as the
//! SDK's error for a wrong one quotes the whole request; and they are shown without their
//! password.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use url::{Host, Url};

use super::{profiles::Profiles, settings::AwsSettings};
use crate::error::{Failure, Result};

/// The services that are called, as variables name them, and as the `services` section of
/// a profile does. The AWS CLI writes underscores there, the Rust SDK hyphens.
const SERVICES: [(&str, &[&str]); 7] = [
    ("EC2", &["ec2"]),
    ("PRICING", &["pricing"]),
    ("SERVICE_QUOTAS", &["service_quotas", "service-quotas"]),
    ("SIGNIN", &["signin"]),
    ("SSO", &["sso"]),
    ("SSO_OIDC", &["sso_oidc", "sso-oidc"]),
    ("STS", &["sts"]),
];

/// The variable for all services. Those for single services begin with it.
const GENERAL: &str = "AWS_ENDPOINT_URL";

/// The variables that say where AWS is.
pub fn variables() -> impl Iterator<Item = String> {
    let of_service = |(name, _): (&str, &[&str])| format!("{GENERAL}_{name}");
    std::iter::once(GENERAL.to_owned()).chain(SERVICES.into_iter().map(of_service))
}

/// The addresses that a profile sets, by the variables that would do the same.
pub fn of_profile(profiles: &Profiles, profile: &str) -> Vec<(String, String)> {
    let general = profiles.endpoint(profile).into_iter();
    let mut set: Vec<(String, String)> = general.map(|url| (GENERAL.to_owned(), url)).collect();
    for (service, names) in SERVICES {
        let mut urls = names.iter();
        if let Some(url) = urls.find_map(|name| profiles.service_endpoint(profile, name)) {
            set.push((format!("{GENERAL}_{service}"), url));
        }
    }
    set
}

/// Checks every address that an AWS call may go to.
///
/// # Errors
/// Usage: a text that is no address. The message names the option, variable or file that
/// has it.
pub fn check(settings: &AwsSettings, profiles: &Profiles) -> Result<()> {
    if let Some(url) = &settings.endpoint_url {
        check_one(url, "--endpoint-url")?;
    }
    for (variable, url) in &settings.endpoint_variables {
        check_one(url, variable)?;
    }
    let profile = settings.profile_name();
    let config = settings.files.config.display();
    if let Some(url) = profiles.endpoint(profile) {
        check_one(
            &url,
            &format!("endpoint_url of profile {profile} in {config}"),
        )?;
    }
    for name in SERVICES.into_iter().flat_map(|(_, names)| names) {
        if let Some(url) = profiles.service_endpoint(profile, name) {
            let place = format!(
                "endpoint_url of {name} in the services section of profile {profile} in {config}"
            );
            check_one(&url, &place)?;
        }
    }
    Ok(())
}

fn check_one(text: &str, place: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Failure::usage(format!("{place} is empty"))
            .hint("remove it, or give it an address: https://HOST"));
    }
    parsed(text).map(drop).map_err(|why| {
        Failure::usage(format!(
            "{place} is not an address that AWS can be called at: {} {why}",
            shown(text)
        ))
        .hint("an address looks like https://HOST or http://HOST:PORT, without quotes or blanks around it")
    })
}

/// The address, if HTTP calls can be made to it exactly as it is written.
///
/// # Errors
/// What is wrong with it, in words that follow the address.
pub fn parsed(text: &str) -> Result<Url, &'static str> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("has a blank, a line break or another control character in it");
    }
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err("does not begin with https:// or http://");
    }
    let url = Url::parse(text).map_err(|_| "cannot be read")?;
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    // The HTTP stack takes fewer addresses than browsers do.
    if has_host && HttpRequest::empty().set_uri(text.to_owned()).is_ok() {
        Ok(url)
    } else {
        Err("cannot be read")
    }
}

/// Whether a call to this address stays on this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An address for a message: in quotes, with what is not printable escaped, and
/// without user and password.
pub fn shown(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    // A password with a slash in it makes the text no address, but is still not shown.
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) => format!("********@{host}"),
        None => rest.to_owned(),
    };
    format!("{:?}", scheme + &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_or_not_at_all() {
        for good in [
            "http://localhost:4566",
            "https://ec2.eu-west-2.amazonaws.com",
            "HTTPS://[::1]:80/path",
            "http://127.0.0.1:5000/123456789012",
        ] {
            assert!(parsed(good).is_ok(), "{good}");
        }
        for bad in [
            "localhost:4566",
            "\"http://localhost\"",
            "'http://localhost'",
            "http://localhost ",
            " http://localhost",
            "http://localhost\n",
            "http://local host",
            "http:/localhost",
            "http:localhost",
            "http://",
            "https://?x",
            "ftp://localhost",
            "http://local\u{85}host",
            "http://localhost:port",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (text, told) in [
            ("http://host/x", "\"http://host/x\""),
            ("http://ana:pass@host/x", "\"http://********@host/x\""),
            ("ana:p@ss/w@host", "\"********@host\""),
            ("http://ho\nst\u{202e}", "\"http://ho\\nst\\u{202e}\""),
        ] {
            assert_eq!(shown(text), told);
        }
    }
}
