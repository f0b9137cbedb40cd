//! The credentials that a profile has itself, and those of this machine.

use aws_config::{
    Region, ecs::EcsCredentialsProvider, imds::credentials::ImdsCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};

use super::SignIn;
use crate::{
    aws::{Source, errors},
    error::{Failure, Result},
    identity::{
        config::metadata_client,
        console_login::ConsoleLogin,
        credentials_check,
        process::CredentialProcess,
        profiles::Profile,
        refusals::{self, NoCredentials},
        settings::{AwsSettings, Environment},
        sso::session::sso_of,
        web_identity::WebIdentity,
    },
};

impl SignIn {
    /// The credentials that a profile has otherwise than by its role or its web identity.
    pub(super) async fn own(&self, profile: &Profile) -> Result<Credentials, NoCredentials> {
        let name = &profile.name;
        let source = Source::Profile(name.clone());
        if profile.is_sso() {
            return self.sso(profile).await;
        }
        if let Some(keys) = self.profiles.keys_in_credentials_file(name)? {
            return Ok(credentials_check::checked(keys, &source)?);
        }
        if let Some(session) = &profile.login_session {
            let keys = self.console(name, session).await?;
            return Ok(credentials_check::checked(keys, &source)?);
        }
        let process = CredentialProcess::of(profile, &self.profiles, &self.settings, self.out)?;
        if let Some(process) = process {
            if self.settings.only_at_hand {
                let why = format!("credential_process of profile {name} is not run for this");
                return Err(Failure::failed(why).into());
            }
            return Ok(credentials_check::checked(process.keys().await?, &source)?);
        }
        if let Some(keys) = self.profiles.keys_in_config_file(name)? {
            return Ok(credentials_check::checked(keys, &source)?);
        }
        if profile.sso_session.is_some() || profile.sso_start_url.is_some() {
            return Err(half_an_sso_profile(profile, &self.settings).into());
        }
        Err(NoCredentials::NotHere(refusals::nothing(
            &source,
            &self.profiles,
        )))
    }

    async fn sso(&self, profile: &Profile) -> Result<Credentials, NoCredentials> {
        let (Some(account_id), Some(role_name)) = (&profile.sso_account_id, &profile.sso_role_name)
        else {
            return Err(half_an_sso_profile(profile, &self.settings).into());
        };
        let sso = sso_of(
            profile,
            &self.settings,
            &self.profiles,
            &self.config,
            self.out,
        )?;
        let token = if self.settings.only_at_hand {
            sso.token_at_hand()
        } else {
            sso.token().await
        };
        let token = token.map_err(|why| NoCredentials::of_sso(why, &sso))?;
        let source = Source::Profile(profile.name.clone());
        let portal = sso.portal(&token);
        let keys = portal
            .role_credentials(account_id, role_name)
            .await
            .map_err(|error| refusals::by_portal(&source, &sso, &self.settings.files, &error))?;
        if !credentials_check::are_there(&keys) {
            let message = format!("{source}: IAM Identity Center gave no keys");
            return Err(Failure::failed(message).hint(errors::BY_OTHERS).into());
        }
        Ok(credentials_check::checked(keys, &source)?)
    }

    async fn console(&self, profile: &str, session: &str) -> Result<Credentials, NoCredentials> {
        let region = self.config.region().map_or("", AsRef::as_ref);
        let console = ConsoleLogin::new(
            profile,
            region,
            &self.settings,
            &self.profiles,
            &self.config,
            self.out,
        )?;
        let keys = if self.settings.only_at_hand {
            console.credentials_at_hand(session)
        } else {
            console.credentials(session).await
        };
        keys.map_err(|why| NoCredentials::of_console(why, &console, session))
    }

    pub(super) fn web_identity(&self, profile: &Profile) -> Option<WebIdentity> {
        let none = Environment::default();
        let environment = if self.settings.profile_is_typed {
            &none
        } else {
            &self.settings.environment
        };
        WebIdentity::new(environment, profile)
    }

    pub(super) fn environments_web_identity(&self) -> Option<&str> {
        let file = self.settings.environment.web_identity_token_file.as_deref();
        file.filter(|_| !self.settings.profile_is_typed)
    }

    /// The credentials of the container or the instance.
    pub(super) async fn nearby_keys(&self, source: &Source) -> Result<Credentials, NoCredentials> {
        let provider = match source {
            Source::Container => self.nearby.container.get_or_init(|| {
                let provider = EcsCredentialsProvider::builder().configure(&self.places_config());
                SharedCredentialsProvider::new(provider.build())
            }),
            _ => self.nearby.instance.get_or_init(|| {
                let places = self.places_config();
                SharedCredentialsProvider::new(
                    ImdsCredentialsProvider::builder()
                        .configure(&places)
                        .imds_client(metadata_client(&places))
                        .build(),
                )
            }),
        };
        let asking = provider.provide_credentials();
        let keys = self.patience.for_provider(asking).await;
        let keys = keys.map_err(|error| refusals::by_provider(source, &error))?;
        Ok(credentials_check::checked(keys, source)?)
    }

    fn places_config(&self) -> ProviderConfig {
        let region = self.config.region().map(ToString::to_string);
        ProviderConfig::default()
            .with_region(region.map(Region::new))
            .with_http_client(self.settings.http.nearby_client())
    }
}

fn half_an_sso_profile(profile: &Profile, settings: &AwsSettings) -> Failure {
    Failure::usage(format!(
        "profile {} signs in with IAM Identity Center, but has no sso_account_id or no sso_role_name",
        profile.name
    ))
    .hint(format!(
        "add them in {}, or make a profile with `inductiva-aws configure sso`",
        settings.files.config.display()
    ))
}
