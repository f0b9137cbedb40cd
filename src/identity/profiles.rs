//! What the profiles of ~/.aws/config and ~/.aws/credentials mean, as the AWS CLI
//! understands them, in types.

mod read;

use std::{collections::BTreeMap, path::PathBuf};

use aws_credential_types::Credentials;

use super::ini::{self, Properties};
use crate::{
    error::{Failure, Kind, Result},
    terminal::output::Output,
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
    /// The profiles of both files; where both set a property, the credentials file
    /// counts.
    merged: BTreeMap<String, Properties>,
    in_config: BTreeMap<String, Properties>,
    in_credentials: BTreeMap<String, Properties>,
    sso_sessions: BTreeMap<String, Properties>,
    services: BTreeMap<String, Properties>,
    /// Sections of the config file of another kind.
    others: Vec<String>,
    /// What cannot be read, for [`Self::warn`].
    odd: Vec<String>,
    files: AwsFiles,
}

/// A sign-in with IAM Identity Center: an `sso-session` section, or the start URL that a
/// profile of the older form has itself.
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
    /// `sso_session`: the name of an `sso-session` section.
    pub sso_session: Option<String>,
    pub sso_start_url: Option<String>,
    pub sso_region: Option<String>,
    pub sso_account_id: Option<String>,
    pub sso_role_name: Option<String>,
    /// Whether it has `aws_access_key_id` or `aws_secret_access_key`.
    pub has_keys: bool,
    pub role_arn: Option<String>,
    /// `source_profile`: whose credentials assume the role.
    pub source_profile: Option<String>,
    /// `credential_source`: where else the credentials that assume the role are.
    pub credential_source: Option<String>,
    pub external_id: Option<String>,
    pub role_session_name: Option<String>,
    /// As in the AWS CLI, a text that is no number counts as unset.
    pub duration_seconds: Option<u32>,
    pub mfa_serial: Option<String>,
    /// `mfa_process`: a command that prints a code.
    pub mfa_process: Option<String>,
    pub credential_process: Option<String>,
    pub web_identity_token_file: Option<String>,
    /// `login_session`: the identity that signed in with `aws login`.
    pub login_session: Option<String>,
    pub ca_bundle: Option<String>,
}

impl Profile {
    /// The role that is assumed with other keys; none where a web identity assumes it.
    pub fn role(&self) -> Option<&str> {
        let arn = self.role_arn.as_deref();
        arn.filter(|_| self.web_identity_token_file.is_none())
    }

    /// Whether the profile is for a sign-in with IAM Identity Center.
    pub fn is_sso(&self) -> bool {
        self.sso_account_id.is_some() || self.sso_role_name.is_some()
    }
}

impl Profiles {
    /// Warns of what cannot be read, once for each file.
    pub fn warn(&self, out: Output) {
        for odd in &self.odd {
            out.warn(odd);
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.merged.keys().map(String::as_str).collect()
    }

    pub fn session_names(&self) -> Vec<&str> {
        self.sso_sessions.keys().map(String::as_str).collect()
    }

    /// The profile of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<Profile> {
        let properties = self.merged.get(name)?;
        let get = |key: &str| properties.get(key).cloned();
        Some(Profile {
            name: name.to_owned(),
            region: get("region"),
            sso_session: get("sso_session"),
            sso_start_url: get("sso_start_url"),
            sso_region: get("sso_region"),
            sso_account_id: get("sso_account_id"),
            sso_role_name: get("sso_role_name"),
            has_keys: ["aws_access_key_id", "aws_secret_access_key"]
                .iter()
                .any(|key| properties.contains_key(*key)),
            role_arn: get("role_arn"),
            source_profile: get("source_profile"),
            credential_source: get("credential_source"),
            external_id: get("external_id"),
            role_session_name: get("role_session_name"),
            duration_seconds: get("duration_seconds").and_then(|text| text.parse().ok()),
            mfa_serial: get("mfa_serial"),
            mfa_process: get("mfa_process"),
            credential_process: get("credential_process"),
            web_identity_token_file: get("web_identity_token_file"),
            login_session: get("login_session"),
            ca_bundle: get("ca_bundle"),
        })
    }

    /// The profile of that name.
    ///
    /// # Errors
    /// Not signed in: neither file has the profile. The message names those that there
    /// are.
    pub fn get(&self, name: &str) -> Result<Profile> {
        self.find(name).ok_or_else(|| {
            let names = self.names();
            let config = self.files.config.display();
            let hint = if self.others.iter().any(|other| other == name) {
                format!("{config} has [{name}]: write [profile {name}] there")
            } else if names.is_empty() {
                "there are no profiles: `inductiva-aws configure` makes one, `inductiva-aws configure sso` one for IAM Identity Center".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            let message = format!("there is no AWS profile {name:?} in {}", self.places());
            Failure::new(Kind::NotSignedIn, message).hint(hint)
        })
    }

    /// The keys that the credentials file has for a profile.
    ///
    /// # Errors
    /// Usage: one key of the pair is missing.
    pub fn keys_in_credentials_file(&self, name: &str) -> Result<Option<Credentials>> {
        let file = self.files.credentials.display();
        keys(self.in_credentials.get(name), name, &file.to_string())
    }

    /// The keys that the config file has for a profile.
    ///
    /// # Errors
    /// Usage: one key of the pair is missing.
    pub fn keys_in_config_file(&self, name: &str) -> Result<Option<Credentials>> {
        let file = self.files.config.display();
        keys(self.in_config.get(name), name, &file.to_string())
    }

    /// A profile's properties, for the settings that the SDK reads itself.
    pub fn properties(&self, name: &str) -> Option<&Properties> {
        self.merged.get(name)
    }

    /// The `services` section that a profile names.
    pub fn services(&self, profile: &str) -> Option<&Properties> {
        self.services
            .get(self.merged.get(profile)?.get("services")?)
    }

    /// The sign-in with IAM Identity Center that a profile names or has itself.
    ///
    /// # Errors
    /// Usage: it is not complete, it contradicts the section that it names, or that
    /// section does not exist.
    pub fn sso(&self, profile: &Profile) -> Result<Option<SsoSession>> {
        let Profile {
            name,
            sso_start_url,
            sso_region,
            ..
        } = profile;
        let config = self.files.config.display();
        if let Some(session) = &profile.sso_session {
            let in_profile = |failure: Failure| failure.while_doing(&format!("profile {name}"));
            let session = self.get_session(session).map_err(in_profile)?;
            for (key, own, of_session) in [
                ("sso_start_url", sso_start_url, &session.start_url),
                ("sso_region", sso_region, &session.region),
            ] {
                if let Some(own) = own.as_ref().filter(|own| *own != of_session) {
                    return Err(Failure::usage(format!(
                        "profile {name} has {key} {own}, and its sso-session {} has {of_session}",
                        session.cache_key()
                    ))
                    .hint(format!("remove {key} from the profile in {config}")));
                }
            }
            return Ok(Some(session));
        }
        match (sso_start_url, sso_region) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(Failure::usage(format!(
                "profile {name} has sso_start_url and no sso_region"
            ))
            .hint(format!("add sso_region in {config}"))),
            (Some(start_url), Some(region)) => Ok(Some(SsoSession {
                name: None,
                start_url: start_url.clone(),
                region: region.clone(),
                scopes: Vec::new(),
            })),
        }
    }

    /// The profile at the end of this one's chain of roles, if it signs in with IAM
    /// Identity Center, with that sign-in. None also where a profile of the chain does
    /// not exist.
    ///
    /// # Errors
    /// As [`Self::sso`].
    pub fn sso_base(&self, name: &str) -> Result<Option<(Profile, SsoSession)>> {
        let mut seen: Vec<String> = Vec::new();
        let mut next = name.to_owned();
        loop {
            let Some(profile) = self.find(&next) else {
                return Ok(None);
            };
            if profile.web_identity_token_file.is_some() || !seen.is_empty() && profile.has_keys {
                return Ok(None);
            }
            let source = profile.source_profile.clone();
            match source.filter(|source| profile.role_arn.is_some() && *source != next) {
                Some(source) if seen.contains(&source) => return Ok(None),
                Some(source) => seen.push(std::mem::replace(&mut next, source)),
                None if profile.credential_source.is_some() => return Ok(None),
                None => return Ok(self.sso(&profile)?.map(|session| (profile, session))),
            }
        }
    }

    /// The SSO session of that name, if there is one.
    ///
    /// # Errors
    /// A section without a start URL or region.
    pub fn find_session(&self, name: &str) -> Result<Option<SsoSession>> {
        let Some(section) = self.sso_sessions.get(name) else {
            return Ok(None);
        };
        let need = |key: &str| {
            section.get(key).cloned().ok_or_else(|| {
                let config = self.files.config.display();
                Failure::usage(format!("[sso-session {name}] in {config} has no {key}"))
                    .hint("it needs sso_start_url and sso_region")
            })
        };
        let scopes = section.get("sso_registration_scopes");
        Ok(Some(SsoSession {
            name: Some(name.to_owned()),
            start_url: need("sso_start_url")?,
            region: need("sso_region")?,
            scopes: scopes.map_or(Vec::new(), |scopes| {
                let scopes = scopes.split(',').map(str::trim);
                let scopes = scopes.filter(|scope| !scope.is_empty());
                scopes.map(str::to_owned).collect()
            }),
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
        self.merged.get(profile)?.get("endpoint_url").cloned()
    }

    /// `endpoint_url` of a service in the `services` section that the profile names.
    pub fn service_endpoint(&self, profile: &str, service: &str) -> Option<String> {
        let service = ini::nested(self.services(profile)?.get(service)?)?;
        let url = service.get("endpoint_url").cloned();
        url.filter(|url| !url.is_empty())
    }

    /// The names of both files, for messages.
    pub fn places(&self) -> String {
        let AwsFiles {
            config,
            credentials,
            ..
        } = &self.files;
        format!("{} and {}", config.display(), credentials.display())
    }
}

/// The keys of a section. A session token may have the name that it had in boto 2.
fn keys(section: Option<&Properties>, profile: &str, file: &str) -> Result<Option<Credentials>> {
    let Some(id) = section.and_then(|section| section.get("aws_access_key_id")) else {
        return Ok(None);
    };
    let get = |key: &str| section.and_then(|section| section.get(key)).cloned();
    let secret = get("aws_secret_access_key");
    // A key id that goes on in the next line has swallowed the secret, so a missing
    // secret is not what is wrong.
    let secret = secret.or_else(|| id.contains('\n').then(String::new));
    let secret = secret.ok_or_else(|| {
        Failure::usage(format!(
            "profile {profile} has aws_access_key_id and no aws_secret_access_key in {file}"
        ))
        .hint("a pair of keys has to be in one file")
    })?;
    let token = get("aws_security_token").or_else(|| get("aws_session_token"));
    Ok(Some(Credentials::new(id, secret, token, None, "Profile")))
}
