//! Where credentials come from: the places, their order, and which one pins.

mod of_machines;
mod roles;

use std::process::Command;

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, Run, finish, text};

/// Keys that the account knows, with the secret that their signatures are checked with.
const KEYS: (&str, &str) = (
    "AKIAI44QH8DHBEXAMPLE",
    "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
);

/// An account that knows the keys above as those of `maria`, and no others.
fn account() -> Account {
    let account = Account::new();
    account.put(
        "identity",
        json!({
            "only_known_keys": true,
            "users": [{"access_key_id": KEYS.0, "secret_access_key": KEYS.1, "name": "maria"}],
            "roles": [{"name": "machines"}, {"name": "guarded", "external_id": "a shared secret"}],
        }),
    );
    account
}

/// The program without the keys that the environment usually has.
fn command(account: &Account, line: &str) -> Command {
    let mut command = account.command(line.split_whitespace());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

fn credentials_file(account: &Account, profile: &str) {
    let (id, secret) = KEYS;
    account.file(
        ".aws/credentials",
        format!("[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
    );
}

/// Who a run says it is, and where the credentials came from.
#[track_caller]
fn assert_is(run: &Run, arn_ends: &str, source: &str) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    let document = run.document();
    assert!(text(&document["arn"]).ends_with(arn_ends), "{document}");
    assert_eq!(document["credentials_from"], source);
}

/// A program that prints keys for `credential_process`.
fn process(account: &Account, name: &str, script: &str) -> String {
    let path = account.file(name, format!("#!/bin/sh\n{script}\n"));
    format!("/bin/sh {}", path.display())
}

#[test]
fn keys_of_the_environment() {
    let account = account();
    let mut whoami = command(&account, "whoami --output json");
    whoami
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1);
    assert_is(&finish(&mut whoami), ":user/maria", "environment variables");
}

#[test]
fn session_keys_of_the_environment_work_as_they_are() {
    let account = Account::new();
    account.put("identity", json!({"session_keys": [
        {"access_key_id": account.session_key_id(), "secret_access_key": "s", "session_token": "t", "mfa": true, "name": "maria"},
    ]}));
    let mut whoami = command(&account, "whoami --output json");
    whoami
        .env("AWS_ACCESS_KEY_ID", account.session_key_id())
        .env("AWS_SECRET_ACCESS_KEY", "s")
        .env("AWS_SESSION_TOKEN", "t");
    assert_is(&finish(&mut whoami), ":user/maria", "environment variables");
}

#[test]
fn half_a_pair_of_keys_is_not_passed_over() {
    let account = account();
    credentials_file(&account, "default");
    let mut whoami = command(&account, "whoami");
    whoami.env("AWS_ACCESS_KEY_ID", KEYS.0);
    finish(&mut whoami).assert(
        2,
        str![],
        str![[r#"
error: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not
hint: set both, or neither to use another sign-in

"#]],
    );
}

#[test]
fn keys_of_the_credentials_file_wherever_it_is() {
    let account = account();
    credentials_file(&account, "default");
    let whoami = "whoami --output json";
    assert_is(
        &finish(&mut command(&account, whoami)),
        ":user/maria",
        "profile default",
    );
    let home = account.home.path();
    std::fs::rename(home.join(".aws/credentials"), home.join("elsewhere")).expect("renamed");
    for elsewhere in [
        "~/elsewhere".to_owned(),
        home.join("elsewhere").display().to_string(),
    ] {
        let mut command = command(&account, whoami);
        command.env("AWS_SHARED_CREDENTIALS_FILE", elsewhere);
        assert_is(&finish(&mut command), ":user/maria", "profile default");
    }
}

#[test]
fn keys_in_the_environment_go_before_all_profiles_but_a_typed_one() {
    let account = account();
    credentials_file(&account, "work");
    let whoami = |flags: &str, variable: Option<&str>| {
        let mut whoami =
            account.command(format!("whoami --output json {flags}").split_whitespace());
        whoami
            .env("AWS_ACCESS_KEY_ID", KEYS.0)
            .env("AWS_SECRET_ACCESS_KEY", KEYS.1)
            .envs(variable.map(|name| (name, "work")));
        finish(&mut whoami)
    };
    let run = whoami("--profile work", None);
    assert_is(&run, ":user/maria", "profile work");
    assert_eq!(
        run.stderr,
        "signing in with profile work; the keys in the environment are not used\n"
    );
    for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        let run = whoami("", Some(variable));
        assert_is(&run, ":user/maria", "environment variables");
        assert_eq!(
            run.stderr,
            "signing in with the keys in the environment; profile work is used only for its settings (--profile work signs in with it)\n"
        );
        let mut without_keys = command(&account, "whoami --output json");
        without_keys.env(variable, "work");
        assert_is(&finish(&mut without_keys), ":user/maria", "profile work");
    }
}

/// The id of a session's key, its secret and its token. An id is of one account.
fn session(account: &Account) -> [String; 3] {
    [account.session_key_id(), "s".to_owned(), "t".to_owned()]
}

/// Lets the account know the session that the metadata service gives.
fn with_session(account: &Account) {
    let [id, secret, token] = session(account);
    account.put("identity", json!({
        "only_known_keys": true,
        "session_keys": [{"access_key_id": id, "secret_access_key": secret, "session_token": token, "name": "maria"}],
        "roles": [{"name": "machines"}],
    }));
}

#[test]
fn a_profile_without_credentials_says_what_it_could_have() {
    let account = account();
    account.file(".aws/config", "[profile empty]\nregion = eu-west-2\n");
    finish(&mut command(&account, "whoami --profile empty")).assert(
        4,
        str![],
        str![[r#"
error: not signed in to AWS: profile empty has no credentials in [HOME]/.aws/config and [HOME]/.aws/credentials
hint: a profile has aws_access_key_id and aws_secret_access_key, sso_session, login_session, credential_process, or role_arn with source_profile; `inductiva-aws configure sso` makes one for IAM Identity Center

"#]],
    );
}

#[test]
fn an_ended_session_of_the_environment_says_how_to_get_a_new_one() {
    let account = Account::new();
    with_session(&account);
    let [id, secret, token] = session(&account);
    let run = |expiration: &str, line: &str| {
        let mut command = command(&account, line);
        command
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", &secret)
            .env("AWS_SESSION_TOKEN", &token)
            .env("AWS_CREDENTIAL_EXPIRATION", expiration);
        finish(&mut command)
    };
    run("", "whoami").assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/maria
region            eu-west-2
credentials from  environment variables

"#]],
        "",
    );
    // By what the variable says there is nothing to ask.
    account.forget_requests();
    run("2020-01-01T00:00:00Z", "whoami").assert(
        4,
        str![],
        str![[r#"
error: not signed in to AWS: the session in the environment ended at [TIME] (AWS_CREDENTIAL_EXPIRATION)
hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new session; or unset AWS_SESSION_TOKEN, set your own access keys, and add --mfa-serial to make one with MFA

"#]],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
    account.post("expire", json!({"what": ["session_keys"]}));
    for (line, said) in [
        (
            "whoami",
            str![[r#"
error: cannot tell who is signed in: The security token included in the request is expired (ExpiredToken, request [UUID])
hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new session; or unset AWS_SESSION_TOKEN, set your own access keys, and add --mfa-serial to make one with MFA

"#]],
        ),
        (
            "list",
            str![[r#"
error: cannot list machines: Request has expired (RequestExpired, request [UUID])
hint: the session has ended: sign in again; for a session in the environment, set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new one

"#]],
        ),
    ] {
        run("", line).fails(4, said);
    }
}

#[test]
fn aws_out_of_reach_is_told_from_a_missing_sign_in() {
    let account = Account::new();
    for (line, said) in [
        (
            "whoami --output json",
            str![[r#"
{"error":{"hint":"check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url","kind":"unreachable","machines":[],"message":"cannot tell who is signed in: cannot reach AWS in eu-west-2: [..]"}}

"#]],
        ),
        (
            "list --output json",
            str![[r#"
{"error":{"hint":"check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url","kind":"unreachable","machines":[],"message":"cannot list machines: cannot reach AWS in eu-west-2: [..]"}}

"#]],
        ),
    ] {
        let mut command = account.command(line.split(' '));
        finish(command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")).fails(1, said);
    }
}
