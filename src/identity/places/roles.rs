//! Roles, and the credentials that assume them.

use std::{future::Future, pin::Pin};

use aws_credential_types::Credentials;

use super::SignIn;
use crate::{
    aws::Source,
    error::{Failure, Kind, Result},
    identity::{
        profiles::Profile, refusals::NoCredentials, settings::Environment,
        web_identity::WebIdentity,
    },
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl SignIn {
    /// The MFA device that goes into the call that assumes the role.
    pub(super) fn serial_for_role(&self, profile: &Profile) -> Option<String> {
        let mfa = &self.settings.mfa;
        let variable = || {
            let serial = mfa.serial_variable.clone()?;
            // Only a user's own keys go with a device; those of a session do not.
            self.is_assumed_by_a_user(profile).then_some(serial)
        };
        let typed = mfa.serial.clone().or_else(variable);
        typed.or_else(|| profile.mfa_serial.clone())
    }

    /// Whether the role is assumed with long-term keys, which are a user's.
    fn is_assumed_by_a_user(&self, profile: &Profile) -> bool {
        if let Some(name) = &profile.source_profile {
            let of_file = |keys: Result<Option<Credentials>>| keys.ok().flatten();
            let keys = of_file(self.profiles.keys_in_credentials_file(name))
                .or_else(|| of_file(self.profiles.keys_in_config_file(name)));
            return keys.is_some_and(|keys| keys.session_token().is_none());
        }
        profile.credential_source.as_deref() == Some("Environment")
            && self.settings.environment.session_token.is_none()
    }

    /// The credentials of a profile's role. `visited` are the profiles whose roles are
    /// assumed with this one.
    pub(super) fn role<'a>(
        &'a self,
        profile: &'a Profile,
        serial: Option<String>,
        mut visited: Vec<String>,
    ) -> Boxed<'a, Result<Credentials, NoCredentials>> {
        Box::pin(async move {
            let Some(arn) = profile.role() else {
                return Err(Failure::failed("there is no role").into());
            };
            let device = serial.as_deref();
            let device = device.map(|serial| self.sessions.device(serial, profile));
            let device = device.transpose()?;
            if let Some(device) = &device
                && let Some(kept) = self.sessions.kept_role(arn, profile, device).await
            {
                return Ok(kept);
            }
            visited.push(profile.name.clone());
            let keys = self.source_keys(profile, device.is_some(), visited).await?;
            let session = self.sessions.role(arn, profile, device.as_ref(), keys);
            Ok(session.await?)
        })
    }

    /// The credentials that assume a profile's role.
    async fn source_keys(
        &self,
        profile: &Profile,
        has_device: bool,
        visited: Vec<String>,
    ) -> Result<Credentials, NoCredentials> {
        let name = &profile.name;
        let source = match (&profile.source_profile, &profile.credential_source) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(format!(
                    "profile {name} has both source_profile and credential_source"
                ))
                .hint("take one of them away")
                .into());
            }
            (None, None) => {
                return Err(Failure::usage(format!(
                    "profile {name} has role_arn, and neither source_profile nor credential_source"
                ))
                .into());
            }
            (None, Some(place)) => {
                return match credential_source(place, profile)? {
                    Source::Environment if self.settings.environment.access_key_id.is_none() => {
                        Err(no_source(
                            profile,
                            "credential_source Environment",
                            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                        ))
                    }
                    Source::Environment => Ok(self.environments_keys()?),
                    source => self
                        .nearby_keys(&source)
                        .await
                        .map_err(NoCredentials::or_other),
                };
            }
            (Some(source), None) => source,
        };
        let Some(source) = self.profiles.find(source) else {
            return Err(Failure::usage(format!(
                "source_profile of profile {name} names {source}, which is not in {}",
                self.profiles.places()
            ))
            .hint(format!("there are: {}", self.profiles.names().join(", ")))
            .into());
        };
        // A profile may name itself if it has keys of its own.
        let is_own = source.name == *name && source.has_keys;
        if visited.contains(&source.name) && !is_own {
            let why = if source.name == *name {
                format!("profile {name} is its own source_profile and has no keys")
            } else {
                format!(
                    "profile {} is its own source_profile, by way of {}",
                    source.name,
                    visited.join(", ")
                )
            };
            return Err(Failure::usage(why).into());
        }
        if source.role().is_some() && !source.has_keys {
            let serial = source.mfa_serial.clone();
            return self.role(&source, serial, visited).await;
        }
        let keys = match WebIdentity::new(&Environment::default(), &source) {
            Some(identity) => {
                let source = Source::Profile(source.name.clone());
                let session = identity.session(&source, &self.config, &self.patience, self.out);
                session.await?
            }
            None => match self.own(&source).await {
                Err(NoCredentials::NotHere(_)) => {
                    return Err(no_source(
                        profile,
                        &format!("source_profile {}", source.name),
                        "give it keys, a sign-in or a role of its own",
                    ));
                }
                other => other?,
            },
        };
        match &source.mfa_serial {
            // As in the AWS CLI, the code in the role's own call is enough.
            Some(serial) if !has_device && keys.session_token().is_none() => {
                self.session(keys, serial, &source).await
            }
            _ => Ok(keys),
        }
    }
}

fn no_source(profile: &Profile, source: &str, hint: &str) -> NoCredentials {
    let name = &profile.name;
    NoCredentials::Other(
        Failure::new(
            Kind::NotSignedIn,
            format!("not signed in to AWS: {source} of profile {name} has no credentials"),
        )
        .hint(hint),
    )
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
