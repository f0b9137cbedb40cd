//! `configure sso`: adds a profile for IAM Identity Center to ~/.aws/config.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::{login::how, questions::Prompt};
use crate::{
    cli::ConfigureSsoArgs,
    error::{Failure, Result},
    identity::{
        self,
        profiles::{Profiles, SsoSession},
        sso::{
            NoToken, Sso,
            config_file::{self, SsoProfile, is_plain_sso},
            portal::{Account, Portal},
        },
    },
    settings::AwsSettings,
    terminal::{output::Output, quoting},
};

/// Asks for what is not given, signs in, and adds the profile.
pub async fn run(args: &ConfigureSsoArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    let profiles = Profiles::load(&settings.files)?;
    profiles.warn(out);
    let config = identity::unsigned_config(settings, &profiles).await?;
    let default_region = config.region().map(ToString::to_string);
    if !out.interactive {
        // A wrong region is refused before anybody signs in.
        let region = settings.typed_region.as_ref().or(default_region.as_ref());
        let session = args.login.sso_session.as_ref();
        for (flag, given) in [
            ("--profile", settings.profile.as_ref()),
            ("--region", region),
            ("--sso-session", session),
        ] {
            given.ok_or_else(|| missing(flag))?;
        }
    }
    let session = session(args, settings, &profiles, out).await?;
    let command = identity::login_to_session(session.cache_key());
    let sso = identity::sso(session, command, settings, &profiles, &config, out);
    let (portal_token, accounts) = signed_in(args, settings, &sso).await?;
    let portal = sso.portal(&portal_token);
    let account = account(args, accounts, out).await?;
    let role_name = role(args, &portal, &account, out).await?;
    let session = sso.session.clone();
    let region = Prompt {
        flag: "--region",
        text: "region of the machines",
        default: Some(default_region.as_ref().unwrap_or(&session.region)),
        without_terminal: WITHOUT_TERMINAL,
    };
    let unasked = default_region.clone().filter(|_| !out.interactive);
    let given = settings.typed_region.clone().or(unasked);
    let region = region.answer(given, out, config_file::region).await?;
    let name = Prompt {
        flag: "--profile",
        text: "name of the profile",
        default: Some(&format!("{role_name}-{}", account.id)),
        without_terminal: WITHOUT_TERMINAL,
    };
    let name = name
        .answer(settings.profile.clone(), out, config_file::section_name)
        .await?;
    let profile = SsoProfile {
        name,
        session,
        account_id: account.id,
        role_name,
        region,
    };
    let may_change = may_change(&profile, settings, out).await?;
    let added = profile
        .add_to(&settings.files, may_change, settings.http.time(), out)
        .await?;
    out.say(&format!(
        "try it: inductiva-aws whoami --profile {}",
        quoting::word(&profile.name)
    ));
    out.result(&report(profile, settings, added), &[])
}

/// Whether to change a profile of that name that signs in in another way.
async fn may_change(profile: &SsoProfile, settings: &AwsSettings, out: Output) -> Result<bool> {
    let there = Profiles::load(&settings.files)?.find(&profile.name);
    let Some(there) = there.filter(|there| is_plain_sso(there) && !profile.is(there)) else {
        return Ok(false);
    };
    if !out.interactive {
        return Ok(false);
    }
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "n/a".into());
    out.prompt(&format!(
        "there is a profile {}: role {} of account {}, region {}",
        there.name,
        shown(&there.sso_role_name),
        shown(&there.sso_account_id),
        shown(&there.region)
    ));
    out.confirm("change it").await
}

fn report(profile: SsoProfile, settings: &AwsSettings, added: bool) -> SsoProfileReport {
    SsoProfileReport {
        sso_session: profile.session.cache_key().to_owned(),
        profile: profile.name,
        sso_start_url: profile.session.start_url,
        sso_region: profile.session.region,
        sso_account_id: profile.account_id,
        sso_role_name: profile.role_name,
        region: profile.region,
        config_file: settings.files.config.clone(),
        added,
    }
}

/// The session: an existing one, or a new one.
async fn session(
    args: &ConfigureSsoArgs,
    settings: &AwsSettings,
    profiles: &Profiles,
    out: Output,
) -> Result<SsoSession> {
    let there = profiles.session_names();
    let known = match there.as_slice() {
        [] => String::new(),
        names => format!(" (there are: {})", names.join(", ")),
    };
    let name = Prompt {
        flag: "--sso-session",
        text: &format!("name of the SSO session{known}"),
        default: Some(there.first().unwrap_or(&"sso")),
        without_terminal: WITHOUT_TERMINAL,
    };
    let given = args.login.sso_session.clone();
    let name = name.answer(given, out, config_file::section_name).await?;
    if let Some(session) = profiles.find_session(&name)? {
        let wanted = SsoSession {
            start_url: args
                .sso_start_url
                .clone()
                .unwrap_or(session.start_url.clone()),
            region: args.sso_region.clone().unwrap_or(session.region.clone()),
            ..session.clone()
        };
        config_file::refuse_other_session(&wanted, &session, &settings.files)?;
        return Ok(session);
    }
    let start_url = Prompt {
        flag: "--sso-start-url",
        text: "start URL of IAM Identity Center",
        default: None,
        without_terminal: WITHOUT_TERMINAL,
    };
    let start_url = start_url
        .answer(args.sso_start_url.clone(), out, config_file::start_url)
        .await?;
    let region = Prompt {
        flag: "--sso-region",
        text: "region of IAM Identity Center",
        default: None,
        without_terminal: WITHOUT_TERMINAL,
    };
    let region = region
        .answer(args.sso_region.clone(), out, config_file::region)
        .await?;
    Ok(SsoSession {
        name: Some(name),
        start_url,
        region,
        scopes: args.sso_registration_scopes.clone(),
    })
}

/// A token that the portal accepts, and the accounts that the portal shows for it.
async fn signed_in(
    args: &ConfigureSsoArgs,
    settings: &AwsSettings,
    sso: &Sso,
) -> Result<(identity::sso::SsoToken, Vec<Account>)> {
    match sso.token().await {
        Ok(token) => {
            // A kept token may have been ended.
            if let Ok(accounts) = sso.portal(&token).accounts().await {
                return Ok((token, accounts));
            }
        }
        Err(NoToken::SignInNeeded(_)) => {}
        Err(NoToken::Other(failure)) => return Err(failure),
    }
    let token = sso.login(how(&args.login, settings)).await?;
    let accounts = sso.portal(&token).accounts().await?;
    Ok((token, accounts))
}

async fn account(args: &ConfigureSsoArgs, accounts: Vec<Account>, out: Output) -> Result<Account> {
    let shown = |account: &Account| format!("{} ({})", account.id, account.name);
    let wanted = args.sso_account_id.as_deref();
    chosen(
        "account",
        "--sso-account-id",
        wanted,
        accounts,
        |account| &account.id,
        shown,
        out,
    )
    .await
}

async fn role(
    args: &ConfigureSsoArgs,
    portal: &Portal<'_>,
    account: &Account,
    out: Output,
) -> Result<String> {
    let roles = portal.roles(&account.id).await?;
    let what = format!("role in account {}", account.id);
    let wanted = args.sso_role_name.as_deref();
    chosen(
        &what,
        "--sso-role-name",
        wanted,
        roles,
        |role| role,
        String::clone,
        out,
    )
    .await
}

/// The one that was named, the only one, or the one that is picked from a list.
async fn chosen<T>(
    what: &str,
    flag: &'static str,
    wanted: Option<&str>,
    mut there: Vec<T>,
    key: impl Fn(&T) -> &str,
    shown: impl Fn(&T) -> String,
    out: Output,
) -> Result<T> {
    let list = |there: &[T]| there.iter().map(&shown).collect::<Vec<_>>();
    if there.is_empty() {
        return Err(
            Failure::usage(format!("IAM Identity Center gives you no {what}"))
                .hint("ask the administrator of IAM Identity Center for an assignment"),
        );
    }
    if let Some(wanted) = wanted {
        let Some(at) = there.iter().position(|one| key(one) == wanted) else {
            return Err(Failure::usage(format!(
                "IAM Identity Center gives you no {what} that is {wanted}"
            ))
            .hint(format!("there are: {}", list(&there).join(", "))));
        };
        return Ok(there.swap_remove(at));
    }
    if let [only] = there.as_slice() {
        out.say(&format!("the only {what}: {}", shown(only)));
        return Ok(there.swap_remove(0));
    }
    if !out.interactive {
        return Err(missing(flag).hint(format!("there are: {}", list(&there).join(", "))));
    }
    for (number, one) in (1..).zip(&there) {
        out.prompt(&format!("  {number}  {}", shown(one)));
    }
    let question = Prompt {
        flag,
        text: &format!("number of the {what}"),
        default: None,
        without_terminal: WITHOUT_TERMINAL,
    };
    let number = question
        .answer(None, out, |text| match text.parse::<usize>() {
            Ok(number) if (1..=there.len()).contains(&number) => Ok(number),
            _ => Err(format!("a number from 1 to {}", there.len())),
        })
        .await?;
    Ok(there.swap_remove(number - 1))
}

/// The hint where nobody can be asked.
const WITHOUT_TERMINAL: &str = "without a terminal `inductiva-aws configure sso` needs --profile, --region, --sso-session, --sso-start-url, --sso-region, --sso-account-id and --sso-role-name";

fn missing(flag: &str) -> Failure {
    Failure::usage(format!("{flag} is missing")).hint(WITHOUT_TERMINAL)
}

/// A profile for IAM Identity Center, in ~/.aws/config.
#[derive(Clone, Debug, Serialize)]
pub struct SsoProfileReport {
    pub profile: String,
    pub sso_session: String,
    pub sso_start_url: String,
    /// The region of IAM Identity Center.
    pub sso_region: String,
    pub sso_account_id: String,
    pub sso_role_name: String,
    /// The region of the profile's machines.
    pub region: String,
    pub config_file: PathBuf,
    /// False if all of it existed already.
    pub added: bool,
}

impl fmt::Display for SsoProfileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            profile,
            config_file,
            ..
        } = self;
        let config_file = config_file.display();
        if self.added {
            writeln!(f, "added profile {profile} to {config_file}")
        } else {
            writeln!(f, "profile {profile} is in {config_file} already")
        }
    }
}
