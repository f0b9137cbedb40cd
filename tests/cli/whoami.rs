//! `whoami`: who is signed in, and where the credentials came from.

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, finish};

#[test]
fn keys_in_the_environment() {
    Account::new().run("whoami").assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            eu-west-2
credentials from  environment variables

"#]],
        str![],
    );
}

#[test]
fn json_has_the_same() {
    let account = Account::new();
    assert_eq!(
        account.json("whoami"),
        json!({
            "account": account.number,
            "arn": format!("arn:aws:iam::{}:user/sandbox", account.number),
            "region": "eu-west-2",
            "credentials_from": "environment variables",
            "credentials_expire": null,
        })
    );
}

#[test]
fn a_typed_profile_goes_before_keys_in_the_environment() {
    let account = Account::new();
    account.file(".aws/config", "[profile work]\nregion = us-west-2\n");
    account.file(
        ".aws/credentials",
        "[work]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n",
    );
    let mut by_flag = account.command(["whoami", "--profile", "work"]);
    finish(by_flag.env_remove("AWS_REGION")).assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            us-west-2
credentials from  profile work

"#]],
        str![[r#"
signing in with profile work; the keys in the environment are not used

"#]],
    );
    assert_eq!(
        account.requests()[0]["access_key_id"],
        "AKIAI44QH8DHBEXAMPLE"
    );
    // AWS_PROFILE gives its region, and the keys are the environment's.
    let mut by_variable = account.command(["whoami"]);
    by_variable
        .env_remove("AWS_REGION")
        .env("AWS_PROFILE", "work");
    account.forget_requests();
    finish(&mut by_variable).assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            us-west-2
credentials from  environment variables

"#]],
        str![[r#"
signing in with the keys in the environment; profile work is used only for its settings (--profile work signs in with it)

"#]],
    );
    assert_eq!(
        account.requests()[0]["access_key_id"],
        "AKIAIOSFODNN7EXAMPLE"
    );
}

#[test]
fn whoami_needs_no_region() {
    let account = Account::new();
    let mut whoami = account.command(["whoami", "--output", "json"]);
    let run = finish(whoami.env_remove("AWS_REGION"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.document()["region"], serde_json::Value::Null);
}

#[test]
fn the_default_profile_is_used_when_the_environment_has_no_keys() {
    let account = Account::new();
    account.file(
        ".aws/credentials",
        "[default]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n",
    );
    let mut command = account.command(["whoami", "--output", "json"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    assert_eq!(
        finish(&mut command).document()["credentials_from"],
        "profile default"
    );
}

#[test]
fn quiet_prints_the_arn_alone() {
    Account::new().run("whoami -q").assert(
        0,
        str![[r#"
arn:aws:iam::[ACCOUNT]:user/sandbox

"#]],
        str![],
    );
}
