//! Adds to ~/.aws/config. What is there stays as it is, byte by byte.

use url::Url;

use crate::{
    error::{Failure, Result},
    identity::{
        config::is_region,
        files, ini_edit,
        profiles::{AwsFiles, Profile, Profiles, SsoSession},
    },
    terminal::output::Output,
    time::Time,
};

/// A profile for IAM Identity Center, and its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoProfile {
    pub name: String,
    /// Its session, which has a name.
    pub session: SsoSession,
    /// 12 digits.
    pub account_id: String,
    /// The name of a permission set.
    pub role_name: String,
    /// The region that calls of the profile go to.
    pub region: String,
}

impl SsoProfile {
    /// Adds what is missing, and tells whether anything was. With `may_change` a profile
    /// that signs in with IAM Identity Center and has other values gets these.
    ///
    /// # Errors
    /// Usage: the profile or the session exists with other values, or the file cannot be
    /// written. Nothing is changed then.
    pub async fn add_to(
        &self,
        files: &AwsFiles,
        may_change: bool,
        time: &Time,
        out: Output,
    ) -> Result<bool> {
        // The portal names accounts and roles, and a line break would end the line.
        let values = [
            &self.name,
            &self.session.start_url,
            &self.session.region,
            &self.account_id,
            &self.role_name,
            &self.region,
        ];
        if let Some(wrong) = values.iter().find(|text| text.contains(char::is_control)) {
            return Err(Failure::usage(format!(
                "{wrong:?} cannot be written to {}: it has a control character in it",
                files.config.display()
            ))
            .hint("choose another account or role (--sso-account-id, --sso-role-name)"));
        }
        let _lock = files::lock(files, time, out).await;
        let profiles = Profiles::load(files)?;
        let session = self.missing_session(&profiles, files)?;
        let there = profiles.find(&self.name);
        let is_there = there.as_ref().is_some_and(|there| self.is(there));
        if is_there && session.is_empty() {
            return Ok(false);
        }
        let may_write = |there: &Profile| is_there || may_change && is_plain_sso(there);
        if !there.as_ref().is_none_or(may_write) {
            return Err(Failure::usage(format!(
                "there is a profile {} with other values in {} or {}",
                self.name,
                files.config.display(),
                files.credentials.display()
            ))
            .hint("choose another name with --profile, or remove that profile first"));
        }
        files::change_config(files, |text| {
            let text = match (text, text.chars().next_back()) {
                (text, _) if session.is_empty() => text.to_owned(),
                ("", _) => session.trim_start().to_owned(),
                (text, Some('\n')) => format!("{text}{session}"),
                (text, _) => format!("{text}\n{session}"),
            };
            if is_there {
                text
            } else {
                self.written_to(&text)
            }
        })?;
        Ok(true)
    }

    /// The file's text with this profile in it.
    fn written_to(&self, text: &str) -> String {
        let headers = files::headers(&self.name);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let values = [
            ("sso_session", self.session.cache_key()),
            ("sso_account_id", &self.account_id),
            ("sso_role_name", &self.role_name),
            ("region", &self.region),
        ];
        ini_edit::set(text, &headers, &values)
    }

    /// The section of the session, if it does not exist.
    fn missing_session(&self, profiles: &Profiles, files: &AwsFiles) -> Result<String> {
        let session = &self.session;
        let name = session.cache_key();
        if let Some(there) = profiles.find_session(name)? {
            refuse_other_session(session, &there, files)?;
            return Ok(String::new());
        }
        Ok(format!(
            "\n[sso-session {name}]\nsso_start_url = {}\nsso_region = {}\nsso_registration_scopes = {}\n",
            session.start_url,
            session.region,
            session.scopes.join(","),
        ))
    }

    /// Whether a profile has exactly these values.
    pub fn is(&self, there: &Profile) -> bool {
        there.sso_session == self.session.name
            && there.sso_account_id.as_ref() == Some(&self.account_id)
            && there.sso_role_name.as_ref() == Some(&self.role_name)
            && there.region.as_ref() == Some(&self.region)
            && there.role_arn.is_none()
            && !there.has_keys
    }
}

/// Refuses a session that exists with another start URL or region.
pub fn refuse_other_session(
    wanted: &SsoSession,
    there: &SsoSession,
    files: &AwsFiles,
) -> Result<()> {
    if (&wanted.start_url, &wanted.region) == (&there.start_url, &there.region) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "[sso-session {}] in {} has the start URL {} in {}",
        there.cache_key(),
        files.config.display(),
        there.start_url,
        there.region
    ))
    .hint("choose another name with --sso-session, or correct that section first"))
}

/// Whether a profile signs in with IAM Identity Center and in no other way.
pub fn is_plain_sso(profile: &Profile) -> bool {
    profile.is_sso()
        && profile.sso_start_url.is_none()
        && profile.role_arn.is_none()
        && profile.credential_process.is_none()
        && profile.login_session.is_none()
        && profile.web_identity_token_file.is_none()
        && !profile.has_keys
}

/// A name that a section's header can have, as the SDKs read it.
pub fn section_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_/.%@:+".contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a name may only have letters, digits and the characters - _ / . % @ : +".into())
    }
}

/// An address such as <https://d-1234567890.awsapps.com/start>. What browsers add behind
/// a `#` is left out.
pub fn start_url(text: &str) -> Result<String, String> {
    let wrong = "a start URL looks like https://d-1234567890.awsapps.com/start";
    let mut url = Url::parse(text.trim()).map_err(|_| wrong)?;
    if url.scheme() != "https" || url.host_str().is_none_or(|host| !host.contains('.')) {
        return Err(wrong.into());
    }
    url.set_fragment(None);
    Ok(url.to_string().trim_end_matches('/').to_owned())
}

pub fn region(text: &str) -> Result<String, String> {
    if is_region(text) {
        Ok(text.to_owned())
    } else {
        Err("a region looks like eu-west-2".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_urls_are_those_of_a_portal() {
        for (given, wanted) in [
            (
                "https://d-1.awsapps.com/start",
                "https://d-1.awsapps.com/start",
            ),
            (
                " https://d-1.awsapps.com/start/#/?tab=accounts ",
                "https://d-1.awsapps.com/start",
            ),
            (
                "https://identitycenter.amazonaws.com/ssoins-1",
                "https://identitycenter.amazonaws.com/ssoins-1",
            ),
            (
                "https://start.home.awsapps.cn/directory/x",
                "https://start.home.awsapps.cn/directory/x",
            ),
        ] {
            assert_eq!(start_url(given).as_deref(), Ok(wanted));
        }
        for wrong in [
            "",
            "d-1.awsapps.com/start",
            "http://d-1.awsapps.com/start",
            "https://start",
            "file:///x",
        ] {
            assert!(start_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_those_that_the_sdks_read() {
        assert!(section_name("my-sso@work.1").is_ok());
        for wrong in ["", "a b", "a]", "a\nb", "é"] {
            assert!(section_name(wrong).is_err(), "{wrong}");
        }
    }
}
