//! Credentials that others give: a command, another profile's role, a web identity.

use serde_json::json;

use super::{KEYS, account, assert_is, command, credentials_file, process};
use crate::sandbox::{Account, finish, text};

#[test]
fn credentials_of_a_process() {
    let account = account();
    let (id, secret) = KEYS;
    let good = process(
        &account,
        "good",
        &format!(
            "echo '{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\"}}'"
        ),
    );
    account.file(
        ".aws/config",
        format!("[profile good]\ncredential_process = {good}\n"),
    );
    let run = finish(&mut command(
        &account,
        "whoami --output json --profile good",
    ));
    assert_is(&run, ":user/maria", "profile good");
}

#[test]
fn a_process_that_fails_is_told_with_what_it_said_and_without_what_it_printed() {
    let account = account();
    let secret = "MARKED-SECRET";
    let known = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
    let mut config = Vec::new();
    for (name, script) in [
        (
            "exits",
            format!("echo {secret}; printf 'no device for %s\\033[2J\\n' {known} >&2; exit 3"),
        ),
        ("silent", format!("echo {secret}; exit 4")),
        ("prints", format!("echo '{{\"{secret}\": \"{secret}\"'")),
        (
            "lacks",
            format!("echo '{{\"Version\": 1, \"AccessKeyId\": \"{secret}\"}}'"),
        ),
    ] {
        let command = process(&account, name, &script);
        config.push(format!(
            "[profile {name}]\ncredential_process = {command} {secret}\n"
        ));
    }
    account.file(".aws/config", config.concat());
    for (profile, why) in [
        ("exits", "exit status: 3: no device for ********[2J"),
        ("silent", "exit status: 4"),
        ("prints", "it printed no credentials in JSON"),
        ("lacks", "it printed no SecretAccessKey"),
    ] {
        let mut whoami = account
            .command(format!("whoami -vv --output json --profile {profile}").split_whitespace());
        whoami.env("AWS_SECRET_ACCESS_KEY", known);
        let run = finish(&mut whoami);
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
        assert_eq!(
            run.error()["message"],
            format!("not signed in to AWS: credential_process of profile {profile} failed: {why}")
        );
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
}

#[test]
fn a_role_assumed_with_another_profile_or_with_the_environment() {
    let account = account();
    let number = &account.number;
    credentials_file(&account, "base");
    account.file(
        ".aws/config",
        format!(
            "[profile chained]\nrole_arn = arn:aws:iam::{number}:role/guarded\nsource_profile = base\nexternal_id = a shared secret\nrole_session_name = me\n\
             [profile sourced]\nrole_arn = arn:aws:iam::{number}:role/machines\ncredential_source = Environment\n\
             [profile denied]\nrole_arn = arn:aws:iam::{number}:role/guarded\nsource_profile = base\n\
             [profile broken]\nrole_arn = arn:aws:iam::{number}:role/machines\nsource_profile = nobody\n\
             [profile half]\nrole_arn = arn:aws:iam::{number}:role/machines\n"
        ),
    );
    let whoami = |profile: &str| {
        command(
            &account,
            &format!("whoami --output json --profile {profile}"),
        )
    };
    assert_is(
        &finish(&mut whoami("chained")),
        ":assumed-role/guarded/me",
        "profile chained",
    );
    let mut sourced = whoami("sourced");
    sourced
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1);
    let run = finish(&mut sourced);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(text(&run.document()["arn"]).contains(":assumed-role/machines/"));

    let denied = finish(&mut whoami("denied"));
    assert_eq!((denied.code, denied.stdout.as_str()), (4, ""));
    let message = denied.error();
    assert!(
        text(&message["message"]).contains("profile denied"),
        "{message}"
    );
    assert!(
        text(&message["message"]).contains("sts:AssumeRole"),
        "{message}"
    );
    assert!(text(&message["hint"]).contains("trust"), "{message}");
    for (profile, why) in [("broken", "nobody"), ("half", "source_profile")] {
        let run = finish(&mut whoami(profile));
        assert!(matches!(run.code, 2 | 4), "{}", run.stderr);
        let message = text(&run.error()["message"]).to_owned();
        assert!(
            message.contains(profile) && message.contains(why),
            "{message}"
        );
    }
}

#[test]
fn a_web_identity() {
    let account = account();
    let token = account.file("token", "a.web.token");
    let arn = format!("arn:aws:iam::{}:role/machines", account.number);
    let whoami = |account: &Account| {
        let mut command = command(account, "whoami --output json");
        command
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
            .env("AWS_ROLE_ARN", &arn)
            .env("AWS_ROLE_SESSION_NAME", "pod");
        finish(&mut command)
    };
    assert_is(
        &whoami(&account),
        ":assumed-role/machines/pod",
        "web identity token",
    );
    account.file(
        ".aws/config",
        format!("[profile web]\nrole_arn = {arn}\nweb_identity_token_file = {}\nrole_session_name = job\n", token.display()),
    );
    let run = finish(&mut command(&account, "whoami --output json --profile web"));
    assert_is(&run, ":assumed-role/machines/job", "profile web");
    for (setting, hint) in [("expired", "has expired"), ("reject", "identity provider")] {
        account.put("identity", json!({"web_identity": setting}));
        let run = whoami(&account);
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
        assert!(text(&run.error()["hint"]).contains(hint), "{}", run.stderr);
    }
    std::fs::remove_file(&token).expect("removed");
    let run = whoami(&account);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let message = run.error();
    assert!(
        text(&message["message"]).contains("No such file"),
        "{message}"
    );
}
