//! Signing in with MFA, and the roles on the way there. The SDK knows of
//! neither `mfa_serial` nor `duration_seconds` in a profile, and leaves them out
//! without a word.

mod cache;
mod code;
mod device;
mod sts;

use std::{fmt, future::Future, pin::Pin, sync::Mutex, time::SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use self::{
    cache::SessionFile,
    code::Code,
    device::{Codes, Device},
    sts::SessionCall,
};
use super::{
    credentials_check,
    places::of_place,
    private_files::Lock,
    process,
    profiles::{Profile, Profiles},
    settings::AwsSettings,
};
use crate::{
    aws::Source,
    error::{Failure, Kind, Result},
    terminal::output::Output,
};

/// A sign-in that takes MFA, or a role with a duration of its own.
#[derive(Clone)]
pub struct Mfa {
    start: FirstKeys,
    settings: AwsSettings,
    profiles: Profiles,
    config: SdkConfig,
    code: Option<Code>,
    out: Output,
}

#[derive(Clone, Debug)]
enum FirstKeys {
    Environment,
    Profile(Box<Profile>),
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Mfa {
    /// None where neither the command line nor the profile asks for it. `config`
    /// has a region and no credentials.
    ///
    /// # Errors
    /// Usage failures, before any call: a code that is none, a device that has
    /// none, MFA for keys that are a session already.
    pub fn of(
        settings: &AwsSettings,
        profiles: &Profiles,
        config: &SdkConfig,
        out: Output,
    ) -> Result<Option<Self>> {
        let code = match settings.mfa_code.as_deref().map(str::parse::<Code>) {
            None => None,
            Some(Ok(code)) => Some(code),
            Some(Err(())) => {
                return Err(Failure::usage("an MFA code has six digits (--mfa-code)"));
            }
        };
        let start = match &settings.profile {
            Some(name) => Some(FirstKeys::Profile(Box::new(profiles.get(name)?))),
            None if settings.keys_in_environment => Some(FirstKeys::Environment),
            None => profiles
                .find("default")?
                .map(|profile| FirstKeys::Profile(Box::new(profile))),
        };
        let wanted = match &start {
            _ if settings.mfa_serial.is_some() => true,
            Some(FirstKeys::Profile(profile)) => wants_more_than_the_sdk(profile, profiles)?,
            _ => false,
        };
        let Some(start) = start.filter(|_| wanted) else {
            return match (&settings.mfa_serial, code) {
                (Some(_), _) => Err(Failure::new(
                    Kind::NotSignedIn,
                    "cannot sign in with MFA: there are no access keys",
                )
                .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile")),
                (None, Some(_)) => Err(Failure::usage(
                    "--mfa-code needs to know the device",
                )
                .hint("name it with --mfa-serial, or as mfa_serial in the profile")),
                (None, None) => Ok(None),
            };
        };
        if let (Some(_), FirstKeys::Environment, true) = (
            &settings.mfa_serial,
            &start,
            settings.session_in_environment,
        ) {
            return Err(already_a_session(
                "the keys in the environment (AWS_SESSION_TOKEN)",
            ));
        }
        let mfa = Self {
            start,
            settings: settings.clone(),
            profiles: profiles.clone(),
            config: config.clone(),
            code,
            out,
        };
        if let FirstKeys::Profile(profile) = &mfa.start
            && let Some(serial) = mfa.serial(profile)
        {
            mfa.device(serial, profile)?;
        } else if let Some(serial) = &mfa.settings.mfa_serial {
            mfa.device(serial, &Profile::default())?;
        }
        Ok(Some(mfa))
    }

    /// Where the keys come from that everything starts with.
    pub fn source(&self) -> Source {
        match &self.start {
            FirstKeys::Environment => Source::Environment,
            FirstKeys::Profile(profile) => Source::Profile(profile.name.clone()),
        }
    }

    /// A session: one that is kept, or a new one.
    pub async fn credentials(&self) -> Result<Credentials> {
        match &self.start {
            FirstKeys::Environment => {
                let keys = self.keys(&Source::Environment).await?;
                let serial = self.settings.mfa_serial.as_deref().unwrap_or_default();
                self.session_of_keys(keys, self.device(serial, &Profile::default())?)
                    .await
            }
            FirstKeys::Profile(profile) => {
                self.of_profile(profile, self.serial(profile), Vec::new())
                    .await
            }
        }
    }

    /// The provider of this session, and of those that come after it.
    pub fn provider(self, first: Credentials) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Sessions {
            first: Mutex::new(Some(first)),
            mfa: self,
        })
    }

    /// The device for a profile that is signed in with itself.
    fn serial<'a>(&'a self, profile: &'a Profile) -> Option<&'a str> {
        let named = self.settings.mfa_serial.as_deref();
        named.or(profile.mfa_serial.as_deref())
    }

    fn device(&self, serial: &str, profile: &Profile) -> Result<Device> {
        let codes = match (&self.code, &profile.mfa_process) {
            (Some(code), _) => Codes::Given(code.clone()),
            (None, Some(command)) => Codes::Process(command.clone()),
            (None, None) if self.settings.no_input => Codes::Nowhere,
            (None, None) => Codes::Asked,
        };
        Device::new(
            serial,
            codes,
            &self.settings.files.folder,
            self.settings.http.time().clone(),
        )
    }

    /// `visited`: the profiles whose roles are assumed with this one.
    fn of_profile<'a>(
        &'a self,
        profile: &'a Profile,
        serial: Option<&'a str>,
        visited: Vec<String>,
    ) -> Boxed<'a, Result<Credentials>> {
        Box::pin(async move {
            if let Some(arn) = role_of(profile) {
                return self.role(arn, profile, serial, visited).await;
            }
            let keys = self.keys(&Source::Profile(profile.name.clone())).await?;
            match serial {
                Some(serial) if keys.session_token().is_none() => {
                    self.session_of_keys(keys, self.device(serial, profile)?)
                        .await
                }
                Some(_) if self.settings.mfa_serial.is_some() => Err(already_a_session(&format!(
                    "the keys of profile {}",
                    profile.name
                ))),
                // Other tools that sign in with MFA keep their sessions so.
                _ => Ok(keys),
            }
        })
    }

    async fn role(
        &self,
        arn: &str,
        profile: &Profile,
        serial: Option<&str>,
        mut visited: Vec<String>,
    ) -> Result<Credentials> {
        if visited.contains(&profile.name) {
            return Err(Failure::usage(format!(
                "profile {} is its own source_profile, by way of {}",
                profile.name,
                visited.join(", ")
            )));
        }
        let device = match serial {
            Some(serial) => Some(self.device(serial, profile)?),
            None => None,
        };
        let file = SessionFile::of_role(&self.settings.files.folder, arn, profile, serial);
        let _lock = self.lock(&file).await?;
        if let Some(kept) = file.read(SystemTime::now()) {
            return Ok(kept);
        }
        visited.push(profile.name.clone());
        let keys = match (&profile.source_profile, &profile.credential_source) {
            (Some(name), _) if *name == profile.name => {
                let keys = self.profiles.keys(name).ok_or_else(|| {
                    Failure::usage(format!(
                        "profile {name} is its own source_profile and has no keys"
                    ))
                })?;
                credentials_check::checked(keys, &Source::Profile(name.clone()))?
            }
            (Some(name), _) => {
                let source = self.profiles.get(name)?;
                // The role's own code is enough: as the AWS CLI does it.
                let serial = source
                    .mfa_serial
                    .clone()
                    .filter(|_| serial.is_none() || role_of(&source).is_some());
                self.of_profile(&source, serial.as_deref(), visited).await?
            }
            (None, Some(place)) => self.keys(&credential_source(place, profile)?).await?,
            (None, None) => {
                return Err(Failure::usage(format!(
                    "profile {} has role_arn, and neither source_profile nor credential_source",
                    profile.name
                )));
            }
        };
        let call = SessionCall::assume_role(arn, profile, keys, &self.config, self.out);
        self.made(&call, device, &file).await
    }

    async fn session_of_keys(&self, keys: Credentials, device: Device) -> Result<Credentials> {
        let folder = &self.settings.files.folder;
        let file = SessionFile::of_keys(folder, keys.access_key_id(), device.serial());
        let _lock = self.lock(&file).await?;
        if let Some(kept) = file.read(SystemTime::now()) {
            return Ok(kept);
        }
        let call = SessionCall::session_token(keys, &self.config, self.out);
        self.made(&call, Some(device), &file).await
    }

    /// Makes the session and keeps it. What was kept before stays until then.
    async fn made(
        &self,
        call: &SessionCall<'_>,
        device: Option<Device>,
        file: &SessionFile,
    ) -> Result<Credentials> {
        let session = match device {
            Some(device) => device.session(call, self.out).await?,
            None => call.without_mfa().await?,
        };
        if let Err(error) = file.write(&session.credentials, session.role) {
            self.out.warn(&format!(
                "the session cannot be kept in {}: {error}",
                file.path.display()
            ));
        }
        Ok(session.credentials)
    }

    async fn lock(&self, file: &SessionFile) -> Result<Lock> {
        Lock::wait(&file.lock).await.map_err(|error| {
            Failure::failed(format!("cannot lock {}: {error}", file.lock.display()))
        })
    }

    /// Keys as they are found without MFA.
    async fn keys(&self, source: &Source) -> Result<Credentials> {
        of_place(
            source,
            &self.settings,
            &self.profiles,
            &self.config,
            self.out,
        )
        .await
        .map(|(keys, _)| keys)
        .map_err(Failure::from)
    }
}

/// Whether the profile, or one that its role is assumed with, has what the SDK
/// leaves out.
fn wants_more_than_the_sdk(profile: &Profile, profiles: &Profiles) -> Result<bool> {
    let mut visited = vec![profile.name.clone()];
    let mut profile = profile.clone();
    loop {
        if profile.mfa_serial.is_some() {
            return Ok(true);
        }
        if role_of(&profile).is_none() {
            // Its command has limits here, and none in the SDK.
            return Ok(visited.len() > 1 && process::is_of(&profile));
        }
        // The SDK would sign with white space at the end of a variable.
        let by_environment = profile.credential_source.as_deref() == Some("Environment");
        if profile.duration_seconds.is_some() || by_environment {
            return Ok(true);
        }
        match profile.source_profile.clone() {
            Some(name) if !visited.contains(&name) => match profiles.find(&name)? {
                Some(source) => {
                    profile = source;
                    visited.push(name);
                }
                None => return Ok(false),
            },
            _ => return Ok(false),
        }
    }
}

/// The role to assume with other keys.
fn role_of(profile: &Profile) -> Option<&str> {
    let arn = profile.role_arn.as_deref();
    arn.filter(|_| profile.web_identity_token_file.is_none())
}

fn credential_source(place: &str, profile: &Profile) -> Result<Source> {
    match place {
        "Environment" => Ok(Source::Environment),
        "EcsContainer" => Ok(Source::Container),
        "Ec2InstanceMetadata" => Ok(Source::InstanceMetadata),
        _ => Err(Failure::usage(format!(
            "profile {}: credential_source is {place:?}",
            profile.name
        ))
        .hint("it can be Environment, EcsContainer or Ec2InstanceMetadata")),
    }
}

fn already_a_session(what: &str) -> Failure {
    Failure::usage(format!(
        "{what} are a session already, and AWS makes no MFA session of a session"
    ))
    .hint("leave out --mfa-serial to use them as they are, or sign in with a user's own keys (they begin with AKIA)")
}

impl fmt::Debug for Mfa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mfa from {}", self.source())
    }
}

/// The session, and those that come after it.
#[derive(Debug)]
struct Sessions {
    first: Mutex<Option<Credentials>>,
    mfa: Mfa,
}

impl ProvideCredentials for Sessions {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        match first {
            Some(session) => future::ProvideCredentials::ready(Ok(session)),
            None => future::ProvideCredentials::new(async {
                self.mfa
                    .credentials()
                    .await
                    .map_err(CredentialsError::provider_error)
            }),
        }
    }
}
