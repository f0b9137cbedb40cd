//! `credentials`: session credentials for other programs.

use std::io::{self, IsTerminal as _};

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use crate::{
    aws::expiry,
    cli::{CredentialsArgs, CredentialsFormat},
    error::{Failure, Result},
    identity,
    settings::AwsSettings,
    terminal::{output::Output, quoting},
};

/// Prints the credentials that every other command would use.
pub async fn run(args: &CredentialsArgs, settings: &AwsSettings, out: Output) -> Result<()> {
    if io::stdout().is_terminal() && !args.force {
        return Err(Failure::usage("these are secrets, and stdout is a terminal")
            .hint("redirect them, as in eval \"$(inductiva-aws credentials --format env)\", or add --force"));
    }
    let settings = AwsSettings {
        // The region is not printed.
        needs_region: false,
        ..settings.clone()
    };
    let aws = identity::connect(&settings, out).await?;
    let keys = aws.credentials();
    match args.format {
        CredentialsFormat::Process => out.secret_json(&process(keys)),
        CredentialsFormat::Json => {
            let identity = aws.identity().await?;
            out.secret_json(&json!({
                "access_key_id": keys.access_key_id(),
                "secret_access_key": keys.secret_access_key(),
                "session_token": keys.session_token(),
                "expiration": expiry(keys),
                "account": identity.account,
                "arn": identity.arn,
            }))
        }
        CredentialsFormat::Env => out.secrets(&lines(
            keys,
            |name, value| format!("export {name}={}", quoting::posix(value)),
            |name| format!("unset {name}"),
        )),
        CredentialsFormat::Fish => out.secrets(&lines(
            keys,
            |name, value| format!("set -gx {name} {};", quoting::fish(value)),
            |name| format!("set -e {name};"),
        )),
        CredentialsFormat::Powershell => out.secrets(&lines(
            keys,
            |name, value| format!("$Env:{name} = {}", quoting::powershell(value)),
            |name| format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
        )),
    }
}

/// The document that a `credential_process` prints (AWS SDKs reference guide, "Process
/// credential provider"). Nothing in it may be null.
fn process(keys: &Credentials) -> Value {
    let mut document = json!({
        "Version": 1,
        "AccessKeyId": keys.access_key_id(),
        "SecretAccessKey": keys.secret_access_key(),
    });
    if let Some(token) = keys.session_token() {
        document["SessionToken"] = json!(token);
    }
    if let Some(expires) = expiry(keys) {
        document["Expiration"] = json!(expires);
    }
    document
}

/// A line for each variable. Variables that these credentials do not have are unset, so
/// that nothing of other credentials is mixed with them.
fn lines(
    keys: &Credentials,
    set: impl Fn(&str, &str) -> String,
    unset: impl Fn(&str) -> String,
) -> String {
    let variables = [
        ("AWS_ACCESS_KEY_ID", Some(keys.access_key_id().to_owned())),
        (
            "AWS_SECRET_ACCESS_KEY",
            Some(keys.secret_access_key().to_owned()),
        ),
        ("AWS_SESSION_TOKEN", keys.session_token().map(str::to_owned)),
        ("AWS_CREDENTIAL_EXPIRATION", expiry(keys)),
    ];
    variables
        .iter()
        .map(|(name, value)| match value {
            Some(value) => set(name, value) + "\n",
            None => unset(name) + "\n",
        })
        .collect()
}
