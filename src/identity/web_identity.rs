//! A role that is assumed with a token in a file, as pods and CI jobs have one.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;

use super::{mfa, patience::Patience, profiles::Profile, refusals, settings::Environment};
use crate::{
    aws::{Source, trace::Trace},
    bounds,
    error::{Failure, Kind, Result},
    terminal::{mask, output::Output},
};

/// What the environment and the profile say of it; the environment goes first.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    token_file: PathBuf,
    role_arn: Option<String>,
    session_name: Option<String>,
}

impl WebIdentity {
    /// None where neither names a token file.
    pub fn new(environment: &Environment, profile: &Profile) -> Option<Self> {
        let first = |variable: &Option<String>, property: &Option<String>| {
            variable.clone().or_else(|| property.clone())
        };
        let token_file = first(
            &environment.web_identity_token_file,
            &profile.web_identity_token_file,
        )?;
        Some(Self {
            token_file: token_file.into(),
            role_arn: first(&environment.role_arn, &profile.role_arn),
            session_name: first(&environment.role_session_name, &profile.role_session_name),
        })
    }

    /// A new session.
    ///
    /// # Errors
    /// Not signed in: there is no token, or AWS does not accept it.
    pub async fn session(
        &self,
        source: &Source,
        config: &SdkConfig,
        patience: &Patience,
        out: Output,
    ) -> Result<Credentials> {
        let role_arn = self.role_arn.as_deref().ok_or_else(|| {
            Failure::usage(format!(
                "no role is named for the web identity token in {}",
                self.token_file.display()
            ))
            .hint("name the role in AWS_ROLE_ARN, or as role_arn in the profile")
        })?;
        let token = bounds::read_text(&self.token_file).map_err(|error| {
            Failure::new(
                Kind::NotSignedIn,
                format!(
                    "not signed in to AWS: {source}: cannot read {}: {error}",
                    self.token_file.display()
                ),
            )
        })?;
        mask::know(&token);
        let client = aws_sdk_sts::config::Builder::from(config)
            .interceptor(Trace(out))
            .interceptor(patience.slow());
        let call = aws_sdk_sts::Client::from_conf(client.build())
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(self.session_name())
            .web_identity_token(token.trim());
        let region = config.region().map_or("", AsRef::as_ref);
        let answer = patience.for_call(call.send()).await;
        let answer = answer.map_err(|error| refusals::by_sts(source, &error, region))?;
        let keys = answer.credentials.and_then(mfa::credentials_of);
        keys.ok_or_else(|| Failure::failed(format!("{source}: AWS gave no keys")))
    }

    fn session_name(&self) -> String {
        self.session_name.clone().unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            format!("inductiva-aws-{}", now.map_or(0, |now| now.as_secs()))
        })
    }
}
