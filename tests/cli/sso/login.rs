//! `login`: which way it goes, and what it leaves.

use std::fs;

use serde_json::{Value, json};
use snapbox::str;

use super::{
    CORP, LEGACY, START_URL, account, assert_signed_in, command, login, private_json, run,
};
use crate::sandbox::{finish, text};

#[test]
fn login_with_the_browser_keeps_a_token_that_works() {
    let account = account();
    let run = run(&account, "login --profile new");
    run.assert(
        0,
        str![[r#"
signed in to corp until [TIME]

"#]],
        str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?response_type=code&client_id=[..]&redirect_uri=http%3A%2F%2F127.0.0.1%3A[..]%2Foauth%2Fcallback&state=[..]&code_challenge_method=S256&scopes=sso%3Aaccount%3Aaccess&code_challenge=[..]

"#]],
    );
    assert_eq!(
        account.operations(),
        ["RegisterClient", "Authorize", "CreateToken"]
    );
    let token = private_json(&account, CORP);
    assert_eq!(token["startUrl"], START_URL);
    assert_eq!(token["region"], "eu-west-2");
    for time in ["expiresAt", "registrationExpiresAt"] {
        let time = text(&token[time]);
        assert_eq!((time.len(), time.ends_with('Z')), (20, true), "{time}");
    }
    for secret in ["accessToken", "refreshToken", "clientId", "clientSecret"] {
        assert!(text(&token[secret]).len() > 20, "{secret}");
    }
    assert_signed_in(&account, "new");
}

#[test]
fn an_answer_with_another_state_is_not_listened_to() {
    let account = account();
    let run = finish(command(&account, "login --sso-session corp").env("FORGE", "1"));
    run.assert(0, str![[r#"
signed in to corp until [TIME]

"#]], str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?[..]

"#]]);
    assert_signed_in(&account, "new");
}

#[test]
fn a_sign_in_that_is_refused_in_the_browser_leaves_nothing() {
    let account = account();
    account.put("sso", json!({"authorization": "deny"}));
    let run = run(&account, "login --profile new");
    run.fails(4, str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?response_type=code&client_id=[..]&redirect_uri=http%3A%2F%2F127.0.0.1%3A[..]%2Foauth%2Fcallback&state=[..]&code_challenge_method=S256&scopes=sso%3Aaccount%3Aaccess&code_challenge=[..]
error: the sign-in was refused: The user denied the request (access_denied)
hint: run the command again to sign in after all

"#]]);
    assert!(!account.home.path().join(CORP).exists());
}

#[test]
fn a_code_is_used_wherever_there_is_no_browser() {
    for (flags, environment) in [
        ("--use-device-code", vec![]),
        ("--no-browser", vec![]),
        (
            "",
            vec![
                ("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22"),
                ("DISPLAY", ":0"),
            ],
        ),
        (
            "",
            vec![("SSH_TTY", "/dev/pts/0"), ("WAYLAND_DISPLAY", "wayland-0")],
        ),
        (
            "",
            vec![("BROWSER", ""), ("container", "podman"), ("DISPLAY", ":0")],
        ),
        ("", vec![("BROWSER", "")]),
    ] {
        let account = account();
        account.put("sso", json!({"pending_polls": 0, "interval": 1}));
        let mut command = command(&account, &format!("login --profile new {flags}"));
        let run = finish(command.envs(environment.iter().copied()));
        let told = format!("{flags} {environment:?}");
        let mut operations = account.operations();
        // The page, where a browser opens it: perhaps after the sign-in.
        operations.retain(|operation| operation != "Device");
        assert_eq!(
            operations,
            ["RegisterClient", "StartDeviceAuthorization", "CreateToken"],
            "{told}: {}",
            run.stderr
        );
        let code = text(&account.get("sso")["sign_ins"][0]["user_code"]).to_owned();
        let said = format!(
            "to sign in, open this page in a browser on any device:\n\n  http://[SERVER]/[ACCOUNT]/device?user_code={code}\n\nand see that it shows the code {code} (or open http://[SERVER]/[ACCOUNT]/device and type it)\n"
        );
        run.assert(0, "signed in to corp until [TIME]\n", said);
    }
}

#[test]
fn polling_keeps_the_pace_that_the_service_asks_for() {
    let account = account();
    account.put(
        "sso",
        json!({"pending_polls": 1, "interval": 1, "slow_down_polls": 1}),
    );
    login(&account, "--profile new --no-browser");
    let refusals: Vec<Value> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "CreateToken")
        .map(|r| r["error_code"].clone())
        .collect();
    assert_eq!(
        refusals,
        [
            json!("SlowDownException"),
            json!("AuthorizationPendingException"),
            Value::Null
        ]
    );
}

#[test]
fn the_device_page_is_opened_on_a_desktop() {
    let account = account();
    account.put("sso", json!({"interval": 1}));
    login(&account, "--profile new --use-device-code");
    assert_signed_in(&account, "new");
}

#[test]
fn a_code_that_is_denied_or_not_used_in_time_signs_nobody_in() {
    let account = account();
    account.put(
        "sso",
        json!({"pending_polls": 0, "interval": 1, "authorization": "deny"}),
    );
    run(&account, "login --profile new --no-browser -q").assert(
        4,
        str![],
        str![[r#"
to sign in, open this page in a browser on any device:

  http://[SERVER]/[ACCOUNT]/device?user_code=[..]

and see that it shows the code [..] (or open http://[SERVER]/[ACCOUNT]/device and type it)
error: the sign-in was denied in the browser
hint: run the command again to sign in after all

"#]],
    );
    account.put(
        "sso",
        json!({"pending_polls": null, "device_code_seconds": 1}),
    );
    run(&account, "login --profile new --no-browser -q").fails(
        4,
        str![[r#"
to sign in, open this page in a browser on any device:

  http://[SERVER]/[ACCOUNT]/device?user_code=[..]

and see that it shows the code [..] (or open http://[SERVER]/[ACCOUNT]/device and type it)
error: the code was not used in time
hint: run the command again for a new one

"#]],
    );
}

#[test]
fn an_unknown_start_url_is_told_apart() {
    let account = account();
    account.put(
        "sso",
        json!({"start_urls": ["https://d-other.awsapps.com/start"]}),
    );
    for flags in [
        "--profile new",
        "--profile new --no-browser",
        "--profile old",
    ] {
        let run = run(&account, &format!("login {flags} --output json"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert_eq!(
            run.error()["message"],
            format!("IAM Identity Center in eu-west-2 does not know the start URL {START_URL}")
        );
    }
}

#[test]
fn a_kept_registration_is_used_again_until_it_is_refused() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile new --no-browser");
    account.forget_requests();
    login(&account, "--profile new --no-browser");
    assert_eq!(
        account.operations(),
        ["StartDeviceAuthorization", "CreateToken"]
    );
    account.post("expire", json!({"what": ["clients"]}));
    account.forget_requests();
    login(&account, "--profile new --no-browser");
    assert_eq!(
        account.operations(),
        [
            "StartDeviceAuthorization",
            "RegisterClient",
            "StartDeviceAuthorization",
            "CreateToken"
        ]
    );
}

#[test]
fn a_profile_of_the_older_form_signs_in_with_a_code() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile old");
    let token = private_json(&account, LEGACY);
    assert_eq!(token.get("refreshToken"), None);
    assert_signed_in(&account, "old");
}

#[test]
fn a_role_begins_with_a_profile_that_signs_in() {
    let account = account();
    account.put("identity", json!({"roles": [{"name": "machines"}]}));
    login(&account, "--profile role");
    run(&account, "whoami -q --profile role").assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/machines/inductiva-aws-[..]

"#]],
        str![],
    );
}

#[test]
fn a_role_with_a_duration_of_its_own_begins_with_a_profile_that_signs_in() {
    let account = account();
    account.put("identity", json!({"roles": [{"name": "machines"}]}));
    let config = account.home.path().join(".aws/config");
    let profiles = fs::read_to_string(&config).expect("a file");
    let brief = format!(
        "[profile brief]\nrole_arn = arn:aws:iam::{}:role/machines\nsource_profile = old\nduration_seconds = 1800\n",
        account.number
    );
    fs::write(&config, profiles + &brief).expect("written");
    let refused = run(&account, "whoami -q --profile brief --no-input");
    refused.fails(4, str![[r#"
error: not signed in to AWS: there is no SSO token for https://d-sandbox.awsapps.com/start ([HOME]/.aws/sso/cache/f172c871e73786e7c51cc7937c5b5220b426e7bb.json)
hint: sign in: inductiva-aws login --profile old

"#]]);
    login(&account, "--profile brief");
    run(&account, "whoami -q --profile brief").assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/machines/inductiva-aws-[..]

"#]],
        str![],
    );
    let requests = account.requests();
    let assumed = requests.iter().find(|r| r["operation"] == "AssumeRole");
    assert_eq!(
        assumed.expect("the call")["params"]["DurationSeconds"],
        "1800"
    );
}

#[test]
fn login_needs_a_session_that_is_there() {
    let account = account();
    for (flags, message, hint) in [
        (
            "",
            "no profile is named, and the default one does not sign in with IAM Identity Center",
            "name one that does with --profile: new, old, role; or sign in with the AWS console: inductiva-aws login --console",
        ),
        (
            "--profile keys",
            "profile keys does not sign in with IAM Identity Center",
            "name one that does with --profile: new, old, role; or sign in with the AWS console: inductiva-aws login --console",
        ),
        (
            "--sso-session other",
            "there is no [sso-session other] in HOME/.aws/config",
            "there are: corp",
        ),
    ] {
        for command in ["login", "logout"] {
            let run = run(&account, &format!("{command} {flags} --output json"));
            assert_eq!(run.code, 2, "{}", run.stderr);
            let home = account.home.path().display().to_string();
            assert_eq!(
                text(&run.error()["message"]).replace(&home, "HOME"),
                message
            );
            assert_eq!(run.error()["hint"], hint);
        }
    }
}
