//! The chain of places that may have credentials, in the order of the AWS CLI
//! (botocore's `create_credential_resolver`), and each of them.

mod own;
mod roles;

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::SystemTime,
};

use aws_config::SdkConfig;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_smithy_types::date_time::{DateTime, Format};

use super::{
    console_login, credentials_check,
    mfa::Sessions,
    patience::Patience,
    profiles::{Profile, Profiles},
    refusals::{self, NoCredentials},
    settings::{AwsSettings, Environment},
    sso::How,
};
use crate::{
    aws::Source,
    error::{Failure, Kind, Result},
    terminal::output::Output,
};

/// Everything that it takes to look for credentials.
#[derive(Clone, Debug)]
pub struct SignIn {
    settings: AwsSettings,
    profiles: Profiles,
    /// It has a region and no credentials.
    config: SdkConfig,
    sessions: Sessions,
    nearby: Arc<Nearby>,
    patience: Patience,
    out: Output,
}

/// The SDK's providers for this machine and for the container. They remember what they
/// got, in case their services do not answer later.
#[derive(Debug, Default)]
struct Nearby {
    container: OnceLock<SharedCredentialsProvider>,
    instance: OnceLock<SharedCredentialsProvider>,
}

/// A place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CredentialPlace {
    Environment,
    /// The role of the profile.
    Role,
    WebIdentity,
    /// All else that the profile has.
    Profile,
    /// One of the settings' older files, by its index.
    OlderFile(usize),
    Container,
    Instance,
}

impl SignIn {
    /// # Errors
    /// Usage, before any call: a code that is not six digits, a device that has no codes,
    /// or MFA without keys that it could be for.
    pub fn new(
        settings: &AwsSettings,
        profiles: &Profiles,
        config: &SdkConfig,
        out: Output,
    ) -> Result<Self> {
        let sign_in = Self {
            settings: settings.clone(),
            profiles: profiles.clone(),
            config: config.clone(),
            sessions: Sessions::new(settings, config, out)?,
            nearby: Arc::default(),
            patience: Patience::new(settings, out),
            out,
        };
        sign_in.check_mfa()?;
        Ok(sign_in)
    }

    fn check_mfa(&self) -> Result<()> {
        let typed = &self.settings.mfa.serial;
        let profile = self.profiles.find(self.settings.profile_name());
        if let Some(serial) = typed {
            self.sessions.device(serial, &Profile::default())?;
            if !self.uses_environment() && profile.is_none() {
                return Err(Failure::new(
                    Kind::NotSignedIn,
                    "cannot sign in with MFA: there are no access keys",
                )
                .hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile"));
            }
        }
        let named = typed.is_some()
            || self.settings.mfa.serial_variable.is_some()
            || !self.uses_environment()
                && profile.is_some_and(|profile| self.names_device(profile));
        if self.sessions.has_typed_code() && !named {
            return Err(
                Failure::usage("--mfa-code needs to know the device").hint(
                    "name it with --mfa-serial, in AWS_MFA_SERIAL_NUMBER, or as mfa_serial in the profile",
                ),
            );
        }
        Ok(())
    }

    /// Whether the profile, or one that its role is assumed with, has `mfa_serial`.
    fn names_device(&self, profile: Profile) -> bool {
        let mut visited: Vec<String> = Vec::new();
        let mut next = Some(profile);
        while let Some(profile) = next.filter(|profile| !visited.contains(&profile.name)) {
            if profile.mfa_serial.is_some() {
                return true;
            }
            let source = profile.source_profile.as_ref();
            next = source.and_then(|name| self.profiles.find(name));
            visited.push(profile.name);
        }
        false
    }

    /// Whether the environment's keys count: a typed profile goes before them.
    fn uses_environment(&self) -> bool {
        !self.settings.profile_is_typed && self.settings.environment.access_key_id.is_some()
    }

    /// Searches the chain: the first place that has credentials, what it has now, and
    /// what provides more of them later.
    ///
    /// # Errors
    /// Not signed in: no place has credentials, or one that should have them cannot give
    /// them.
    pub async fn found(self) -> Result<(Source, Credentials, SharedCredentialsProvider)> {
        for place in self.places() {
            let first = match self.at(place).await {
                Err(NoCredentials::NotHere(_)) => continue,
                Err(NoCredentials::SignInNeeded(failure, way)) => {
                    if !self.signed_in(&failure, &way).await? {
                        return Err(failure);
                    }
                    self.at(place).await?
                }
                other => other?,
            };
            let source = self.source(place);
            let provider = SharedCredentialsProvider::new(Provider {
                first: Mutex::new(Some(first.clone())),
                place,
                sign_in: self,
            });
            return Ok((source, first, provider));
        }
        Err(self.nothing())
    }

    fn places(&self) -> Vec<CredentialPlace> {
        let own = [
            CredentialPlace::Environment,
            CredentialPlace::Role,
            CredentialPlace::WebIdentity,
            CredentialPlace::Profile,
        ];
        let older = (0..self.settings.older_files.len()).map(CredentialPlace::OlderFile);
        let all = own.into_iter().chain(older);
        let all = all.chain([CredentialPlace::Container, CredentialPlace::Instance]);
        all.filter(|place| *place != CredentialPlace::Environment || self.uses_environment())
            .collect()
    }

    fn source(&self, place: CredentialPlace) -> Source {
        match place {
            CredentialPlace::Environment => Source::Environment,
            CredentialPlace::WebIdentity if self.environments_web_identity().is_some() => {
                Source::WebIdentity
            }
            CredentialPlace::Role | CredentialPlace::WebIdentity | CredentialPlace::Profile => {
                Source::Profile(self.settings.profile_name().to_owned())
            }
            CredentialPlace::OlderFile(at) => {
                Source::OlderFile(self.settings.older_files[at].path())
            }
            CredentialPlace::Container => Source::Container,
            CredentialPlace::Instance => Source::InstanceMetadata,
        }
    }

    /// The credentials of one place.
    async fn at(&self, place: CredentialPlace) -> Result<Credentials, NoCredentials> {
        let source = self.source(place);
        let profile = self.profiles.find(self.settings.profile_name());
        let not_here = || NoCredentials::NotHere(Failure::failed(format!("no {source}")));
        let keys = match (place, profile) {
            (CredentialPlace::Environment, _) => {
                let keys = self.environments_keys().map_err(NoCredentials::Other)?;
                return self.with_mfa(keys, &Profile::default(), &source).await;
            }
            (CredentialPlace::Role, Some(profile)) if profile.role().is_some() => {
                let serial = self.serial_for_role(&profile);
                return self.role(&profile, serial, Vec::new()).await;
            }
            (CredentialPlace::Profile, Some(profile)) => {
                let keys = self.own(&profile).await?;
                return self.with_mfa(keys, &profile, &source).await;
            }
            (CredentialPlace::WebIdentity, profile) => {
                let profile = profile.unwrap_or_default();
                let identity = self.web_identity(&profile).ok_or_else(not_here)?;
                let session = identity.session(&source, &self.config, &self.patience, self.out);
                session.await.map_err(NoCredentials::Other)?
            }
            (CredentialPlace::OlderFile(at), _) => {
                let keys = self.settings.older_files[at].keys()?.ok_or_else(not_here)?;
                let keys = credentials_check::checked(keys, &source)?;
                return self.with_mfa(keys, &Profile::default(), &source).await;
            }
            (CredentialPlace::Container | CredentialPlace::Instance, _) => {
                self.nearby_keys(&source).await?
            }
            _ => return Err(not_here()),
        };
        if self.settings.mfa.serial.is_some() {
            return Err(already_a_session(&format!("the keys of {source}")).into());
        }
        Ok(keys)
    }

    fn environments_keys(&self) -> Result<Credentials> {
        let Environment {
            access_key_id,
            secret_access_key,
            session_token,
            expiration,
            ..
        } = &self.settings.environment;
        let (Some(id), Some(secret)) = (access_key_id, secret_access_key) else {
            // As in botocore, half a pair is a mistake, and not the same as no keys.
            return Err(Failure::usage(
                "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
            )
            .hint("set both, or neither to use another sign-in"));
        };
        // A user's own keys have no end, even if an earlier session left its variable
        // behind.
        let expiration = expiration.as_ref().filter(|_| session_token.is_some());
        let end = expiration.and_then(|text| {
            let end = DateTime::from_str(text.trim(), Format::DateTimeWithOffset).ok()?;
            SystemTime::try_from(end).ok()
        });
        if end.is_some_and(|end| end <= self.settings.http.time().now()) {
            let end = expiration.map_or("", String::as_str);
            return Err(Failure::new(
                Kind::NotSignedIn,
                format!("not signed in to AWS: the session in the environment ended at {end} (AWS_CREDENTIAL_EXPIRATION)"),
            )
            .hint(Source::Environment.renewal()));
        }
        let keys = Credentials::new(id, secret, session_token.clone(), end, "Environment");
        credentials_check::checked(keys, &Source::Environment)
    }

    /// The keys as they are, or a session that is made with them and an MFA device.
    async fn with_mfa(
        &self,
        keys: Credentials,
        profile: &Profile,
        source: &Source,
    ) -> Result<Credentials, NoCredentials> {
        let mfa = &self.settings.mfa;
        let is_session = keys.session_token().is_some();
        if is_session && mfa.serial.is_some() {
            return Err(already_a_session(&match source {
                Source::Environment => "the keys in the environment (AWS_SESSION_TOKEN)".to_owned(),
                source => format!("the keys of {source}"),
            })
            .into());
        }
        let serials = [&mfa.serial, &mfa.serial_variable, &profile.mfa_serial];
        match serials.into_iter().find_map(Option::as_ref) {
            // Keys that are a session's need no device: other tools for MFA keep their
            // sessions in profiles.
            Some(serial) if !is_session => self.session(keys, serial, profile).await,
            _ => Ok(keys),
        }
    }

    async fn session(
        &self,
        keys: Credentials,
        serial: &str,
        profile: &Profile,
    ) -> Result<Credentials, NoCredentials> {
        let device = self.sessions.device(serial, profile)?;
        Ok(self.sessions.of_keys(keys, &device).await?)
    }

    /// Offers to sign in where somebody is there to do it, and tells whether they did.
    async fn signed_in(&self, failure: &Failure, way: &refusals::SignInMethod) -> Result<bool> {
        if !self.out.interactive {
            return Ok(false);
        }
        self.out.prompt(&failure.message);
        let answer = self.out.ask("sign in now ([Y]/n)? ").await;
        let is_yes = |answer: String| matches!(answer.as_str(), "" | "y" | "Y" | "yes");
        if !answer.is_ok_and(is_yes) {
            return Ok(false);
        }
        match way {
            refusals::SignInMethod::Sso(sso) => {
                sso.login(How::usual(self.settings.desktop)).await?;
            }
            refusals::SignInMethod::Console(console, session) => {
                let way = console_login::LoginFlow::usual(self.settings.desktop);
                let (identity, token) = console_login::sign_in(console, way).await?;
                if identity != *session {
                    return Err(Failure::new(
                        Kind::NotSignedIn,
                        format!("signed in as {identity}, and the profile is of {session}"),
                    )
                    .hint("sign out of the console in the browser first; `inductiva-aws login --console --profile NAME` makes another profile"));
                }
                console.folder().write(session, &token, self.out);
            }
        }
        Ok(true)
    }

    /// The failure when no place has credentials.
    fn nothing(&self) -> Failure {
        if self.settings.profile.is_some() {
            let source = Source::Profile(self.settings.profile_name().to_owned());
            return refusals::nothing(&source, &self.profiles);
        }
        let names = self.profiles.names();
        let ways = match names.as_slice() {
            [] => "`inductiva-aws login` signs in with the browser, `inductiva-aws configure` stores access keys, and `inductiva-aws configure sso` makes a profile for IAM Identity Center".to_owned(),
            // Where there are profiles, `login` alone is for IAM Identity Center.
            names => format!(
                "name a profile with --profile (there are: {}); `inductiva-aws login --console` signs in with the browser, and `inductiva-aws configure` stores access keys",
                names.join(", ")
            ),
        };
        Failure::new(
            Kind::NotSignedIn,
            "not signed in to AWS: no credentials were found",
        )
        .hint(format!(
            "{ways}; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ))
    }
}

fn already_a_session(what: &str) -> Failure {
    Failure::usage(format!(
        "{what} are a session already, and AWS makes no MFA session of a session"
    ))
    .hint("leave out --mfa-serial to use them as they are, or sign in with a user's own keys (they begin with AKIA)")
}

/// Provides the credentials of a place: first those that were looked up already, later
/// new ones.
#[derive(Debug)]
struct Provider {
    first: Mutex<Option<Credentials>>,
    place: CredentialPlace,
    sign_in: SignIn,
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        match first {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => future::ProvideCredentials::new(async {
                let keys = self.sign_in.at(self.place).await;
                keys.map_err(|refusal| CredentialsError::provider_error(Failure::from(refusal)))
            }),
        }
    }
}
