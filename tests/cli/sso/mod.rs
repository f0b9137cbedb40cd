//! IAM Identity Center: `login`, `logout`, `configure sso`, and what lies between.

mod configure;
mod login;
mod logout;
#[cfg(unix)]
mod on_a_terminal;
mod tokens;
mod with_others;

use std::{fs, process::Command};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, Run, finish};

pub const START_URL: &str = "https://d-sandbox.awsapps.com/start";

/// sha1 of `corp`.
pub const CORP: &str = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";

pub const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/browser.py");

/// An account with profiles of both forms, and nobody signed in.
pub fn account() -> Account {
    let account = Account::new();
    let number = &account.number;
    account.file(
        ".aws/config",
        format!(
            "[profile new]\nsso_session = corp\nsso_account_id = {number}\nsso_role_name = Launcher\n\
             [profile old]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\nsso_account_id = {number}\nsso_role_name = Launcher\n\
             [profile role]\nrole_arn = arn:aws:iam::{number}:role/machines\nsource_profile = new\n\
             [profile keys]\nregion = eu-west-2\n\
             [sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\nsso_registration_scopes = sso:account:access\n"
        ),
    );
    account
}

/// The program on a desktop with a browser that always says yes, and no keys.
pub fn command(account: &Account, line: &str) -> Command {
    let mut command = account.command(line.split_whitespace());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("BROWSER", BROWSER);
    command
}

#[track_caller]
pub fn run(account: &Account, line: &str) -> Run {
    finish(&mut command(account, line))
}

#[track_caller]
pub fn login(account: &Account, flags: &str) {
    let run = run(account, &format!("login {flags}")).ignoring_the_rest(
        "what a sign-in says is looked at in sso/login.rs and sso/on_a_terminal.rs",
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// A JSON file of the home folder, which only its owner can read.
#[track_caller]
pub fn private_json(account: &Account, path: &str) -> Value {
    let path = account.home.path().join(path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    }
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

/// Changes a token file.
fn edit(account: &Account, path: &str, change: impl Fn(&mut Value)) {
    let path = account.home.path().join(path);
    let text = fs::read(&path).expect("a file");
    let mut token = serde_json::from_slice(&text).expect("JSON");
    change(&mut token);
    fs::write(path, token.to_string()).expect("written");
}

/// Lets a token be over by its file.
pub fn make_stale(account: &Account, path: &str) {
    edit(account, path, |token| {
        token["expiresAt"] = json!("2020-01-01T00:00:00Z");
    });
}

/// sha1 of [`START_URL`].
const LEGACY: &str = ".aws/sso/cache/f172c871e73786e7c51cc7937c5b5220b426e7bb.json";

/// `whoami` says who a session of Identity Center is.
#[track_caller]
pub fn assert_signed_in(account: &Account, profile: &str) {
    let run = run(account, &format!("whoami -q --profile {profile}"));
    run.assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user

"#]],
        str![],
    );
}
