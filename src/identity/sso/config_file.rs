//! Adding to ~/.aws/config: what is there stays as it is, byte by byte.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
};

use url::Url;

use crate::{
    error::{Failure, Result},
    identity::{
        config::is_region,
        private_files,
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
    /// Where its calls go.
    pub region: String,
}

impl SsoProfile {
    /// Adds what is not there yet; whether there was anything to add.
    ///
    /// # Errors
    /// Usage: the profile or the session is there with other values, or the
    /// file cannot be written. Nothing is changed then.
    pub async fn add_to(&self, files: &AwsFiles, time: &Time, out: Output) -> Result<bool> {
        // Accounts and roles are named by the portal: a line break would end the line.
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
        let cannot = |error: std::io::Error| {
            Failure::usage(format!("cannot add to {}: {error}", files.config.display()))
        };
        let lock = files.folder.join("inductiva-aws/config.lock");
        let _lock = private_files::Lock::wait(&lock, time, out).await;
        let sections = self.missing(&Profiles::load(files)?, files)?;
        if sections.is_empty() {
            return Ok(false);
        }
        append(files, &sections).map_err(cannot)?;
        Ok(true)
    }

    /// The sections that are not there.
    fn missing(&self, profiles: &Profiles, files: &AwsFiles) -> Result<String> {
        let Self {
            name,
            session,
            account_id,
            role_name,
            region,
        } = self;
        let session_name = session.cache_key();
        let session_section = match profiles.find_session(session_name)? {
            Some(there) => {
                refuse_other_session(session, &there, files)?;
                String::new()
            }
            None => format!(
                "\n[sso-session {session_name}]\nsso_start_url = {}\nsso_region = {}\nsso_registration_scopes = {}\n",
                session.start_url,
                session.region,
                session.scopes.join(","),
            ),
        };
        let header = match name.as_str() {
            "default" => "default".to_owned(),
            name => format!("profile {name}"),
        };
        let profile_section = match profiles.find(name) {
            Some(there) if self.is(&there) => String::new(),
            Some(_) => {
                return Err(Failure::usage(format!(
                    "there is a profile {name} with other values in {} or {}",
                    files.config.display(),
                    files.credentials.display()
                ))
                .hint("choose another name with --profile, or remove that profile first"));
            }
            None => format!(
                "\n[{header}]\nsso_session = {session_name}\nsso_account_id = {account_id}\nsso_role_name = {role_name}\nregion = {region}\n"
            ),
        };
        Ok(session_section + &profile_section)
    }

    fn is(&self, there: &Profile) -> bool {
        there.sso_session == self.session.name
            && there.sso_account_id.as_ref() == Some(&self.account_id)
            && there.sso_role_name.as_ref() == Some(&self.role_name)
            && there.region.as_ref() == Some(&self.region)
            && there.role_arn.is_none()
            && !there.has_keys
    }
}

/// Refuses a session that is there already with another start URL or region.
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

/// In one write at the end, so that links, modes and all that is there stay.
fn append(files: &AwsFiles, sections: &str) -> std::io::Result<()> {
    if let Some(folder) = files.config.parent() {
        private_files::make_folder(folder)?;
    }
    let mut options = File::options();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&files.config)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let text = match (length, last) {
        (0, _) => sections.trim_start().to_owned(),
        (_, [b'\n']) => sections.to_owned(),
        _ => format!("\n{sections}"),
    };
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A name that a section's header can have, as the SDKs read it.
pub fn section_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_/.%@:+".contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a name has letters, digits and the characters - _ / . % @ : + alone".into())
    }
}

/// An address such as <https://d-1234567890.awsapps.com/start>; what browsers
/// show behind a `#` is left out.
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
