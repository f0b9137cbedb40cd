//! Credentials that others give: a command, another profile's role, a web identity.

use serde_json::json;
use snapbox::str;

use super::{KEYS, account, assert_is, command, credentials_file, process};
use crate::sandbox::{Account, finish};

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
    assert_is(
        &finish(&mut command(
            &account,
            "whoami --output json --profile chained",
        )),
        ":assumed-role/guarded/me",
        "profile chained",
    );
    let mut sourced = command(&account, "whoami -q --profile sourced");
    sourced
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1);
    finish(&mut sourced).assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/machines/inductiva-aws-[..]

"#]],
        "",
    );

    for (profile, code, said) in [
        (
            "denied",
            4,
            str![[r#"
error: cannot assume the role arn:aws:iam::[ACCOUNT]:role/guarded (profile denied): arn:aws:iam::[ACCOUNT]:user/maria may not sts:AssumeRole on arn:aws:iam::[ACCOUNT]:role/guarded (AccessDenied, request [UUID])
hint: the role's trust policy has to name the identity that assumes it, and its own policies have to allow sts:AssumeRole; if the role asks for an external id, profile denied needs external_id; if it asks for MFA, mfa_serial or --mfa-serial

"#]],
        ),
        (
            "broken",
            2,
            str![[r#"
error: source_profile of profile broken names nobody, which is not in [HOME]/.aws/config and [HOME]/.aws/credentials
hint: there are: base, broken, chained, denied, half, sourced

"#]],
        ),
        (
            "half",
            2,
            str![[r#"
error: profile half has role_arn, and neither source_profile nor credential_source

"#]],
        ),
    ] {
        finish(&mut command(
            &account,
            &format!("whoami --profile {profile}"),
        ))
        .fails(code, said);
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
    for (setting, said) in [
        (
            "expired",
            str![[r#"
{"error":{"hint":"the web identity token has expired; the tool that writes the token file must write a new one","kind":"not_signed_in","machines":[],"message":"cannot assume the role of web identity token: Token expired: current date/time [..] must be before the expiration date/time [..] (ExpiredTokenException, request [UUID])"}}

"#]],
        ),
        (
            "reject",
            str![[r#"
{"error":{"hint":"the role does not take this web identity token: check the identity provider of the account and the role's trust policy","kind":"not_signed_in","machines":[],"message":"cannot assume the role of web identity token: Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements (InvalidIdentityToken, request [UUID])"}}

"#]],
        ),
    ] {
        account.put("identity", json!({"web_identity": setting}));
        whoami(&account).fails(4, said);
    }
    std::fs::remove_file(&token).expect("removed");
    whoami(&account).fails(4, str![[r#"
{"error":{"hint":null,"kind":"not_signed_in","machines":[],"message":"not signed in to AWS: web identity token: cannot read [HOME]/token: No such file or directory (os error 2)"}}

"#]]);
}
