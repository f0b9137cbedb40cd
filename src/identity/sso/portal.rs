//! The portal of IAM Identity Center: what a token gives, and how its session is ended.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sso::{
    Client, operation::get_role_credentials::GetRoleCredentialsError, types::RoleCredentials,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    aws::{errors, pages::Pages, trace::Trace},
    error::{Failure, Result},
    identity::patience::Patience,
    terminal::output::Output,
};

/// An account that the person may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    /// As its owner called it.
    pub name: String,
}

/// The portal, for one token.
pub struct Portal<'a> {
    client: Client,
    region: &'a str,
    access_token: &'a str,
    patience: &'a Patience,
}

impl<'a> Portal<'a> {
    pub fn new(
        region: &'a str,
        access_token: &'a str,
        config: &SdkConfig,
        patience: &'a Patience,
        out: Output,
    ) -> Self {
        let client = aws_sdk_sso::config::Builder::from(config)
            .region(Region::new(region.to_owned()))
            .interceptor(Trace(out))
            .interceptor(patience.slow())
            .interceptor(Pages::default())
            .build();
        Self {
            client: Client::from_conf(client),
            region,
            access_token,
            patience,
        }
    }

    /// All accounts, by their names.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let mut pages = self
            .client
            .list_accounts()
            .access_token(self.access_token)
            .into_paginator()
            .items()
            .send();
        let mut accounts = Vec::new();
        while let Some(account) = pages.next().await {
            let account = account.map_err(|error| self.failure(&error, "list your accounts"))?;
            let id = account.account_id.unwrap_or_default();
            let name = account.account_name.unwrap_or_else(|| id.clone());
            accounts.push(Account { id, name });
        }
        accounts.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(accounts)
    }

    /// The names of the roles in an account, sorted.
    pub async fn roles(&self, account_id: &str) -> Result<Vec<String>> {
        let mut pages = self
            .client
            .list_account_roles()
            .access_token(self.access_token)
            .account_id(account_id)
            .into_paginator()
            .items()
            .send();
        let mut roles = Vec::new();
        while let Some(role) = pages.next().await {
            let what = format!("list your roles in account {account_id}");
            let role = role.map_err(|error| self.failure(&error, &what))?;
            roles.extend(role.role_name);
        }
        roles.sort();
        Ok(roles)
    }

    pub async fn role_credentials(
        &self,
        account_id: &str,
        role_name: &str,
    ) -> Result<Credentials, SdkError<GetRoleCredentialsError, HttpResponse>> {
        let call = self.client.get_role_credentials();
        let call = call
            .access_token(self.access_token)
            .account_id(account_id)
            .role_name(role_name);
        let answer = self.patience.for_call(call.send()).await?;
        let keys = answer
            .role_credentials
            .unwrap_or_else(|| RoleCredentials::builder().build());
        let end = u64::try_from(keys.expiration).map(Duration::from_millis);
        let end = end.ok().and_then(|end| UNIX_EPOCH.checked_add(end));
        Ok(Credentials::new(
            keys.access_key_id.unwrap_or_default(),
            keys.secret_access_key.unwrap_or_default(),
            keys.session_token,
            end,
            "Sso",
        ))
    }

    /// Ends the session: its tokens are no longer good.
    pub async fn logout(&self) -> Result<()> {
        match self
            .client
            .logout()
            .access_token(self.access_token)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            // The session has been ended already.
            Err(error) if errors::code(&error) == Some("UnauthorizedException") => Ok(()),
            Err(error) => Err(self.failure(&error, "end the session")),
        }
    }

    fn failure<E>(&self, error: &SdkError<E, HttpResponse>, what: &str) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let what = format!("IAM Identity Center: cannot {what}");
        errors::sign_in_failure(error, &what, self.region)
    }
}
