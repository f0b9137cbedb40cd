//! The profiles of ~/.aws/config and ~/.aws/credentials, as the SDK's own
//! parser reads them, in types.

use std::path::{Path, PathBuf};

use aws_config::profile::ProfileSet;
use aws_credential_types::Credentials;
use aws_runtime::env_config::{file::EnvConfigFiles, property::PropertiesKey};
use aws_types::os_shim_internal::{Env, Fs};

use crate::{
    bounds,
    error::{Failure, Kind, Result, causes},
};

/// Where the AWS CLI and the SDKs keep what they know of a user.
#[derive(Clone, Debug, Default)]
pub struct AwsFiles {
    /// `AWS_CONFIG_FILE`, else ~/.aws/config.
    pub config: PathBuf,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else ~/.aws/credentials.
    pub credentials: PathBuf,
    /// ~/.aws, which has the caches.
    pub folder: PathBuf,
}

/// All profiles and SSO sessions, read once.
#[derive(Clone, Debug)]
pub struct Profiles {
    sections: ProfileSet,
    files: AwsFiles,
}

/// A sign-in of IAM Identity Center: an `sso-session` section, or the start URL
/// that a profile of the older form has itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoSession {
    /// The section's name; None for the older form.
    pub name: Option<String>,
    /// `sso_start_url`, as it is written.
    pub start_url: String,
    pub region: String,
    /// `sso_registration_scopes`; empty in the older form.
    pub scopes: Vec<String>,
}

impl SsoSession {
    /// What the token's cache file is named after.
    pub fn cache_key(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.start_url)
    }
}

/// One profile. Empty values count as unset.
#[expect(
    clippy::struct_field_names,
    reason = "they are the names that the files have"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub region: Option<String>,
    /// The sign-in that `sso_session` names, or `sso_start_url` and `sso_region` are.
    pub sso: Option<SsoSession>,
    pub sso_account_id: Option<String>,
    pub sso_role_name: Option<String>,
    /// Whether it has `aws_access_key_id` and `aws_secret_access_key`.
    pub has_keys: bool,
    /// Whether it has `aws_session_token`: its keys are temporary ones.
    pub has_session_token: bool,
    pub role_arn: Option<String>,
    /// `source_profile`: whose credentials assume the role.
    pub source_profile: Option<String>,
    /// `credential_source`: where else the credentials that assume the role are.
    pub credential_source: Option<String>,
    pub external_id: Option<String>,
    pub role_session_name: Option<String>,
    pub duration_seconds: Option<u32>,
    pub mfa_serial: Option<String>,
    /// `mfa_process`: a command that prints a code.
    pub mfa_process: Option<String>,
    pub credential_process: Option<String>,
    pub web_identity_token_file: Option<String>,
    pub ca_bundle: Option<String>,
}

impl Profiles {
    /// Reads both files; one that is not there has no profiles.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub async fn load(files: &AwsFiles) -> Result<Self> {
        for path in [&files.config, &files.credentials] {
            readable(path)?;
        }
        let sections = aws_config::profile::load(
            &Fs::real(),
            &Env::real(),
            &EnvConfigFiles::default(),
            None,
        )
        .await
        .map_err(|error| {
            Failure::usage(format!("cannot read the AWS profiles: {}", causes(&error)))
                .hint("a section is [profile NAME], [sso-session NAME] or, in the credentials file, [NAME]; below it are lines NAME = VALUE")
        })?;
        Ok(Self {
            sections,
            files: files.clone(),
        })
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.sections.profiles().collect();
        names.sort_unstable();
        names
    }

    /// The names of the SSO sessions, sorted.
    pub fn session_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.sections.sso_sessions().collect();
        names.sort_unstable();
        names
    }

    /// The profile of that name, if there is one.
    ///
    /// # Errors
    /// A profile that contradicts itself or the sections it names.
    pub fn find(&self, name: &str) -> Result<Option<Profile>> {
        let Some(section) = self.sections.get_profile(name) else {
            return Ok(None);
        };
        let get = |key: &str| section.get(key).map(str::trim).and_then(non_empty);
        let has = |key: &str| get(key).is_some();
        Ok(Some(Profile {
            name: name.to_owned(),
            region: get("region"),
            sso: self.sso_of(name, &get)?,
            sso_account_id: get("sso_account_id"),
            sso_role_name: get("sso_role_name"),
            has_keys: has("aws_access_key_id") && has("aws_secret_access_key"),
            has_session_token: has("aws_session_token"),
            role_arn: get("role_arn"),
            source_profile: get("source_profile"),
            credential_source: get("credential_source"),
            external_id: get("external_id"),
            role_session_name: get("role_session_name"),
            duration_seconds: self.seconds(name, get("duration_seconds"))?,
            mfa_serial: get("mfa_serial"),
            mfa_process: get("mfa_process"),
            credential_process: get("credential_process"),
            web_identity_token_file: get("web_identity_token_file"),
            ca_bundle: get("ca_bundle"),
        }))
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// As [`Self::find`]; a profile that is in neither file, with those that are.
    pub fn get(&self, name: &str) -> Result<Profile> {
        self.find(name)?.ok_or_else(|| {
            let names = self.names();
            let hint = if names.is_empty() {
                "there are no profiles: `inductiva-aws configure sso` makes one".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            let message = format!("there is no AWS profile {name:?} in {}", self.places());
            Failure::new(Kind::NotSignedIn, message).hint(hint)
        })
    }

    /// The keys that stand in the profile itself.
    pub fn keys(&self, name: &str) -> Option<Credentials> {
        let section = self.sections.get_profile(name)?;
        let get = |key: &str| section.get(key).map(str::trim).and_then(non_empty);
        Some(Credentials::new(
            get("aws_access_key_id")?,
            get("aws_secret_access_key")?,
            get("aws_session_token"),
            None,
            "Profile",
        ))
    }

    /// The profile at the bottom of this one's chain of roles, if that signs in
    /// with IAM Identity Center. None, too, where there is no such profile.
    ///
    /// # Errors
    /// As [`Self::find`]; a source profile that is in neither file.
    pub fn sso_base(&self, name: &str) -> Result<Option<Profile>> {
        let mut seen: Vec<String> = Vec::new();
        let mut next = name.to_owned();
        loop {
            let Some(profile) = self.find(&next)? else {
                return match seen.last() {
                    Some(before) => Err(self.no_source(before, &next)),
                    None => Ok(None),
                };
            };
            // The order is the SDK's: the keys of a source profile go before all else.
            if profile.web_identity_token_file.is_some() || !seen.is_empty() && profile.has_keys {
                return Ok(None);
            }
            let source = profile.source_profile.clone();
            match source.filter(|source| profile.role_arn.is_some() && *source != next) {
                Some(source) if seen.contains(&source) => return Ok(None),
                Some(source) => seen.push(std::mem::replace(&mut next, source)),
                None if profile.credential_source.is_some() || profile.sso.is_none() => {
                    return Ok(None);
                }
                None => return Ok(Some(profile)),
            }
        }
    }

    /// The SSO session of that name, if there is one.
    ///
    /// # Errors
    /// A section without a start URL or region.
    pub fn find_session(&self, name: &str) -> Result<Option<SsoSession>> {
        let Some(section) = self.sections.sso_session(name) else {
            return Ok(None);
        };
        let get = |key: &str| section.get(key).map(str::trim).and_then(non_empty);
        let need = |key: &str| {
            get(key).ok_or_else(|| {
                let config = self.files.config.display();
                Failure::usage(format!("[sso-session {name}] in {config} has no {key}"))
                    .hint("it needs sso_start_url and sso_region")
            })
        };
        let scopes = get("sso_registration_scopes").unwrap_or_default();
        Ok(Some(SsoSession {
            name: Some(name.to_owned()),
            start_url: need("sso_start_url")?,
            region: need("sso_region")?,
            scopes: scopes
                .split(',')
                .map(str::trim)
                .filter_map(non_empty)
                .collect(),
        }))
    }

    /// The SSO session of that name.
    ///
    /// # Errors
    /// As [`Self::find_session`]; a session that is not there, with those that are.
    pub fn get_session(&self, name: &str) -> Result<SsoSession> {
        self.find_session(name)?.ok_or_else(|| {
            let names = self.session_names();
            let hint = if names.is_empty() {
                "there are none: `inductiva-aws configure sso` makes one".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            let config = self.files.config.display();
            Failure::usage(format!("there is no [sso-session {name}] in {config}")).hint(hint)
        })
    }

    /// `endpoint_url` of the profile itself.
    pub fn endpoint(&self, profile: &str) -> Option<String> {
        let url = self.sections.get_profile(profile)?.get("endpoint_url")?;
        Some(url.to_owned())
    }

    /// `endpoint_url` of a service in the `services` section that the profile names.
    pub fn service_endpoint(&self, profile: &str, service: &str) -> Option<String> {
        let section = self.sections.get_profile(profile)?.get("services")?;
        let key = PropertiesKey::builder()
            .section_key("services")
            .section_name(section)
            .property_name(service)
            .sub_property_name("endpoint_url")
            .build()
            .ok()?;
        non_empty(self.sections.other_sections().get(&key)?)
    }

    fn no_source(&self, profile: &str, source: &str) -> Failure {
        Failure::usage(format!(
            "source_profile of profile {profile} names {source}, which is not in {}",
            self.places()
        ))
        .hint(format!("there are: {}", self.names().join(", ")))
    }

    /// Both files, for messages.
    fn places(&self) -> String {
        let AwsFiles {
            config,
            credentials,
            ..
        } = &self.files;
        format!("{} and {}", config.display(), credentials.display())
    }

    fn sso_of(
        &self,
        profile: &str,
        get: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<SsoSession>> {
        if let Some(session) = get("sso_session") {
            return self
                .get_session(&session)
                .map(Some)
                .map_err(|failure| failure.while_doing(&format!("profile {profile}")));
        }
        match (get("sso_start_url"), get("sso_region")) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(Failure::usage(format!(
                "profile {profile} has sso_start_url and no sso_region"
            ))
            .hint(format!("add sso_region in {}", self.files.config.display()))),
            (Some(start_url), Some(region)) => Ok(Some(SsoSession {
                name: None,
                start_url,
                region,
                scopes: Vec::new(),
            })),
        }
    }

    fn seconds(&self, profile: &str, given: Option<String>) -> Result<Option<u32>> {
        let parse = |text: String| {
            text.parse().map_err(|_| {
                Failure::usage(format!(
                    "profile {profile}: duration_seconds is {text:?}, not a number of seconds"
                ))
                .hint(format!("correct it in {}", self.files.config.display()))
            })
        };
        given.map(parse).transpose()
    }
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The SDK takes a file that cannot be read for an empty one.
fn readable(path: &Path) -> Result<()> {
    match bounds::read(path).map(String::from_utf8) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(Failure::usage(format!(
            "{} is not text in UTF-8",
            path.display()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::usage(format!(
            "cannot read {}: {error}",
            path.display()
        ))),
    }
}
