//! Sessions that take a call to STS: with the code of an MFA device, or of a role. Those
//! for which a code was typed are kept.

mod cache;
mod code;
mod device;
mod refused_mfa;
mod sts;

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;

use self::{
    cache::SessionFile,
    code::Code,
    device::{Codes, TRIES},
    sts::{NoSession, SessionCall},
};
pub use self::{device::Device, sts::credentials_of};
use super::{patience::Patience, private_files::Lock, profiles::Profile, settings::AwsSettings};
use crate::{
    error::{Failure, Result},
    terminal::output::Output,
};

/// Makes sessions, and keeps those that took a code.
#[derive(Clone, Debug)]
pub struct Sessions {
    settings: AwsSettings,
    /// It has a region and no credentials.
    config: SdkConfig,
    /// `--mfa-code`.
    typed: Option<Code>,
    patience: Patience,
    out: Output,
}

impl Sessions {
    /// # Errors
    /// Usage, before any call: a typed code that is not six digits.
    pub fn new(settings: &AwsSettings, config: &SdkConfig, out: Output) -> Result<Self> {
        let typed = match settings.mfa.code.as_deref().map(str::parse::<Code>) {
            None => None,
            Some(Ok(code)) => Some(code),
            Some(Err(())) => {
                return Err(Failure::usage("an MFA code has six digits (--mfa-code)"));
            }
        };
        Ok(Self {
            settings: settings.clone(),
            config: config.clone(),
            typed,
            patience: Patience::new(settings, out),
            out,
        })
    }

    /// Whether a code was typed, which is for a device.
    pub fn has_typed_code(&self) -> bool {
        self.typed.is_some()
    }

    /// A device, with all ways to its codes that there are.
    ///
    /// # Errors
    /// Usage: an ARN that is no MFA device's, or a device that has no codes.
    pub fn device(&self, serial: &str, profile: &Profile) -> Result<Device> {
        let codes = if self.settings.only_at_hand {
            Codes::Nowhere
        } else if let Some(code) = &self.typed {
            Codes::Typed(code.clone())
        } else if let Some(code) = &self.settings.mfa.code_variable {
            Codes::Variable(code.clone())
        } else if let Some(command) = &profile.mfa_process {
            Codes::Process(command.clone())
        } else if self.settings.no_input {
            Codes::Nowhere
        } else {
            Codes::Asked
        };
        let time = self.settings.http.time().clone();
        Device::new(serial, codes, &self.settings.files.folder, time)
    }

    /// A session of a user's own keys: the one that is kept, or a new one.
    ///
    /// # Errors
    /// Not signed in: no code, or AWS refuses.
    pub async fn of_keys(&self, keys: Credentials, device: &Device) -> Result<Credentials> {
        let folder = &self.settings.files.folder;
        let file = SessionFile::of_keys(folder, keys.access_key_id(), device.serial());
        let before = file.read(SystemTime::now());
        if let Some(kept) = &before
            && self.is_good(kept, &file, device).await
        {
            return Ok(kept.clone());
        }
        let call = SessionCall::session_token(keys, &self.config, &self.patience, self.out);
        self.made(&call, device, &file, before).await
    }

    /// The kept session of a role that takes a code, if AWS still accepts it.
    pub async fn kept_role(
        &self,
        arn: &str,
        profile: &Profile,
        device: &Device,
    ) -> Option<Credentials> {
        let file = self.file_of_role(arn, profile, device);
        let kept = file.read(SystemTime::now())?;
        self.is_good(&kept, &file, device).await.then_some(kept)
    }

    /// Makes a session of a role. It is kept if it took a device's code.
    ///
    /// # Errors
    /// Not signed in: there is no code, or AWS refuses. Not permitted: these keys may not
    /// assume the role.
    pub async fn role(
        &self,
        arn: &str,
        profile: &Profile,
        device: Option<&Device>,
        keys: Credentials,
    ) -> Result<Credentials> {
        let call =
            SessionCall::assume_role((arn, profile), keys, &self.config, &self.patience, self.out);
        let Some(device) = device else {
            return Ok(call.without_mfa().await?.credentials);
        };
        let file = self.file_of_role(arn, profile, device);
        let before = file.read(SystemTime::now());
        self.made(&call, device, &file, before).await
    }

    fn file_of_role(&self, arn: &str, profile: &Profile, device: &Device) -> SessionFile {
        let folder = &self.settings.files.folder;
        SessionFile::of_role(folder, arn, profile, Some(device.serial()))
    }

    /// Whether a kept session is to be used: AWS still accepts it, and nobody typed a
    /// code for a new one. A code that was sent already cannot make a new one.
    async fn is_good(&self, kept: &Credentials, file: &SessionFile, device: &Device) -> bool {
        if self
            .typed
            .as_ref()
            .is_some_and(|code| !device.is_spent(code))
        {
            return false;
        }
        let is_refused =
            sts::is_refused(kept.clone(), &self.config, &self.patience, self.out).await;
        if is_refused {
            self.out.say(&format!(
                "AWS no longer takes the session in {}: it takes a new one",
                file.path.display()
            ));
        }
        !is_refused
    }

    /// Makes a session and keeps it. What was kept before stays until then.
    ///
    /// The lock is taken only once there is a code, so that no other run waits for a
    /// person who is typing one.
    async fn made(
        &self,
        call: &SessionCall<'_>,
        device: &Device,
        file: &SessionFile,
        before: Option<Credentials>,
    ) -> Result<Credentials> {
        let mut tries_left = TRIES;
        loop {
            tries_left -= 1;
            let code = match device.code(self.out).await? {
                Ok(code) => code,
                Err(why) if tries_left > 0 => {
                    self.out.warn(&why.message);
                    continue;
                }
                Err(why) => return Err(why),
            };
            let _lock = Lock::wait(&file.lock, self.settings.http.time(), self.out).await;
            // Another run may have made a session meanwhile, perhaps with this very code.
            let kept = file.read(SystemTime::now());
            if let Some(kept) = kept.filter(|kept| before.as_ref().is_none_or(|b| b != kept)) {
                return Ok(kept);
            }
            if let Err(why) = device.spend(&code) {
                if device.asks() && tries_left > 0 {
                    self.out.warn(&why.message);
                    continue;
                }
                return Err(why);
            }
            let session = match call.send(Some((device.serial(), &code))).await {
                Ok(session) => session,
                Err(NoSession::WrongCode(why)) if device.asks() && tries_left > 0 => {
                    self.out.warn(&why.message);
                    continue;
                }
                Err(NoSession::WrongCode(why)) => return Err(device.refused(why)),
                Err(NoSession::Other(why)) => return Err(why),
            };
            if let Err(error) = file.write(&session.credentials, session.role) {
                self.out.warn(&format!(
                    "the session cannot be kept in {}: {error}",
                    file.path.display()
                ));
            }
            return Ok(session.credentials);
        }
    }
}
