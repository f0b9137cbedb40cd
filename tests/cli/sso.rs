//! IAM Identity Center: `login`, `logout`, `configure sso`, and what lies between.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, Run, finish, list, text};

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
fn command(account: &Account, line: &str) -> Command {
    let mut command = account.command(line.split_whitespace());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("BROWSER", BROWSER);
    command
}

pub fn run(account: &Account, line: &str) -> Run {
    finish(&mut command(account, line))
}

#[track_caller]
pub fn login(account: &Account, flags: &str) {
    let run = run(account, &format!("login {flags}"));
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
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.contains("assumed-role/AWSReservedSSO_Launcher_"),
        "{}",
        run.stdout
    );
}

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
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_signed_in(&account, "new");
}

#[test]
fn a_sign_in_that_is_refused_in_the_browser_leaves_nothing() {
    let account = account();
    account.put("sso", json!({"authorization": "deny"}));
    let run = run(&account, "login --profile new");
    assert_eq!((run.code, run.stdout.as_str()), (4, ""));
    assert!(
        run.stderr.ends_with(
            "error: the sign-in was refused: The user denied the request (access_denied)\nhint: run the command again to sign in after all\n"
        ),
        "{}",
        run.stderr
    );
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
        assert_eq!(run.code, 0, "{told}: {}", run.stderr);
        let operations = account.operations();
        assert!(
            operations.contains(&"StartDeviceAuthorization".to_owned()),
            "{told}: {operations:?}"
        );
        let code = text(&account.get("sso")["sign_ins"][0]["user_code"]).to_owned();
        assert!(
            run.stderr.contains(&format!("device?user_code={code}"))
                && run.stderr.contains(&format!("shows the code {code}")),
            "{told}: {}",
            run.stderr
        );
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
    let run = run(
        &account,
        "login --profile new --no-browser -q --output json",
    );
    assert_eq!(run.code, 4);
    assert_eq!(run.error()["message"], "the code was not used in time");
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
    let run = run(&account, "whoami -q --profile role");
    assert!(
        run.stdout.contains(":assumed-role/machines/"),
        "{}{}",
        run.stdout,
        run.stderr
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
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("hint: sign in: inductiva-aws login --profile old\n"),
        "{}",
        refused.stderr
    );
    login(&account, "--profile brief");
    let run = run(&account, "whoami -q --profile brief");
    assert!(
        run.stdout.contains(":assumed-role/machines/"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let requests = account.requests();
    let assumed = requests.iter().find(|r| r["operation"] == "AssumeRole");
    assert_eq!(
        assumed.expect("the call")["params"]["DurationSeconds"],
        "1800"
    );
}

#[test]
fn a_stale_token_is_refreshed_and_written_back() {
    let account = account();
    login(&account, "--profile new");
    let before = private_json(&account, CORP);
    for stale in [
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00UTC",
        "2020-01-01T00:00:00+00:00",
    ] {
        edit(&account, CORP, |token| {
            token["expiresAt"] = json!(stale);
            token["anothersField"] = json!("kept");
        });
        account.post("expire", json!({"what": ["access_tokens"]}));
        assert_signed_in(&account, "new");
        let after = private_json(&account, CORP);
        assert_ne!(after["accessToken"], before["accessToken"]);
        assert_eq!(after["clientSecret"], before["clientSecret"]);
        assert_eq!(after["anothersField"], "kept");
        assert!(text(&after["expiresAt"]) > "2026", "{after}");
    }
}

#[test]
fn runs_side_by_side_spend_a_refresh_token_once() {
    let account = account();
    login(&account, "--profile new");
    make_stale(&account, CORP);
    account.forget_requests();
    let runs: Vec<_> = (0..4)
        .map(|_| {
            command(&account, "whoami -q --profile new")
                .spawn()
                .expect("it starts")
        })
        .collect();
    for run in runs {
        let run = crate::sandbox::ended(run);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert_eq!(account.calls("CreateToken"), 1);
}

#[test]
fn a_token_with_other_peoples_times_is_made_readable_for_all() {
    let account = account();
    login(&account, "--profile new");
    edit(&account, CORP, |token| {
        let time = text(&token["expiresAt"]).trim_end_matches('Z').to_owned();
        token["expiresAt"] = json!(format!("{time}+00:00"));
    });
    account.forget_requests();
    assert_signed_in(&account, "new");
    assert!(!account.operations().contains(&"CreateToken".to_owned()));
    assert!(text(&private_json(&account, CORP)["expiresAt"]).ends_with('Z'));
}

/// What `whoami` says when there is no token, with the command to run.
#[track_caller]
fn refused(account: &Account, profile: &str, expected: impl snapbox::IntoData) {
    run(account, &format!("whoami --profile {profile}")).assert(4, str![], expected);
}

#[test]
fn no_token_an_expired_one_and_a_refused_refresh_are_told_apart() {
    let account = account();
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    refused(
        &account,
        "role",
        str![[r#"
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    login(&account, "--profile new");
    make_stale(&account, CORP);
    account.put("sso", json!({"refresh": false}));
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json expired at [TIME], and IAM Identity Center refused to refresh it (InvalidGrantException)
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    edit(&account, CORP, |token| {
        token
            .as_object_mut()
            .expect("an object")
            .remove("refreshToken");
    });
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json expired at [TIME] and cannot be refreshed
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    account.file(CORP, "{");
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json is not an SSO token file
hint: sign in: inductiva-aws login --profile new

"#]],
    );
}

#[test]
fn an_expired_token_of_the_older_form_is_noticed_before_it_is_used() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile old");
    make_stale(&account, LEGACY);
    account.forget_requests();
    let run = run(&account, "whoami --profile old");
    assert_eq!((run.code, run.stdout.as_str()), (4, ""));
    assert!(
        run.stderr
            .contains("expired at 2020-01-01T00:00:00Z and cannot be refreshed"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("hint: sign in: inductiva-aws login --profile old"),
        "{}",
        run.stderr
    );
    assert_eq!(account.operations(), [] as [String; 0]);
}

#[test]
fn a_token_that_was_ended_elsewhere_and_a_role_that_is_not_given_are_told_apart() {
    let account = account();
    login(&account, "--profile new");
    account.put(
        "sso",
        json!({"accounts": [{"account_id": account.number, "roles": ["Reader"]}]}),
    );
    refused(
        &account,
        "new",
        str![[r#"
error: profile new names a role that IAM Identity Center does not give you: No access
hint: check sso_account_id and sso_role_name in [HOME]/.aws/config: https://d-sandbox.awsapps.com/start shows what you have, `inductiva-aws configure sso` makes a profile for it

"#]],
    );
    account.post("expire", json!({"what": ["access_tokens"]}));
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: IAM Identity Center no longer takes the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json: Session token not found or invalid
hint: sign in: inductiva-aws login --profile new

"#]],
    );
}

#[test]
fn a_sign_in_that_ends_in_the_middle_of_a_run_says_how_to_sign_in_again() {
    let account = account();
    account.put("sso", json!({"role_credentials_seconds": 1}));
    login(&account, "--profile new");
    let running = crate::sandbox::spawn(&mut command(&account, "list --watch 1 --profile new"));
    account.until("the list is drawn", |a| {
        a.operations().contains(&"DescribeInstances".to_owned())
    });
    account.post("expire", json!({"what": ["access_tokens"]}));
    let run = crate::sandbox::ended(running);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(
        run.stderr.contains("cannot list machines: not signed in to AWS: IAM Identity Center no longer takes the SSO token in "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .ends_with("hint: sign in: inductiva-aws login --profile new\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn logout_ends_that_session_and_no_other() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile new");
    login(&account, "--profile old");
    let token = private_json(&account, CORP);
    let others = account.file(".aws/cli/cache/other.json", r#"{"ProviderType": "sso"}"#);
    run(&account, "logout --profile new").assert(
        0,
        str![[r#"
signed out of corp

"#]],
        str![],
    );
    assert!(!account.home.path().join(CORP).exists());
    let alive = |kind: &str| {
        let tokens = list(&account.get("sso")["tokens"]);
        tokens
            .iter()
            .filter(|t| t["kind"] == kind && t["alive"] == true)
            .count()
    };
    assert_eq!((alive("access"), alive("refresh")), (1, 0), "{token}");
    assert!(others.exists());
    assert_signed_in(&account, "old");
    account.forget_requests();
    run(&account, "logout --profile new").assert(
        0,
        str![[r#"
was not signed in to corp

"#]],
        str![],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
}

#[test]
fn logout_forgets_the_token_even_when_aws_does_not_hear_of_it() {
    let account = account();
    login(&account, "--profile new");
    account.fault(json!({"service": "sso", "operation": "Logout", "code": "InternalServerException", "message": "down", "status": 500, "count": null}));
    let run = run(&account, "logout --profile new");
    assert_eq!((run.code, run.stdout.as_str()), (0, "signed out of corp\n"));
    assert!(
        run.stderr
            .starts_with("warning: IAM Identity Center: cannot end the session: down"),
        "{}",
        run.stderr
    );
    assert!(!account.home.path().join(CORP).exists());
}

#[test]
fn login_needs_a_session_that_is_there() {
    let account = account();
    for (flags, message, hint) in [
        (
            "",
            "no profile is named, and the default one does not sign in with IAM Identity Center",
            "name one that does with --profile: new, old, role",
        ),
        (
            "--profile keys",
            "profile keys does not sign in with IAM Identity Center",
            "name one that does with --profile: new, old, role",
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

#[test]
fn configure_sso_adds_a_profile_and_touches_nothing_else() {
    let account = account();
    let path = account.home.path().join(".aws/config");
    let before = "# mine\r\n[default]\nregion=us-east-1 ; no newline at the end";
    fs::write(&path, before).expect("written");
    let line = format!(
        "configure sso --profile work --region eu-west-1 --sso-session acme --sso-start-url {START_URL}/#/ --sso-region eu-west-2 --sso-account-id {} --sso-role-name Launcher",
        account.number
    );
    let first = run(&account, &line);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(
        first
            .stderr
            .ends_with("try it: inductiva-aws whoami --profile work\n"),
        "{}",
        first.stderr
    );
    assert_eq!(
        first.stdout,
        format!("added profile work to {}\n", path.display())
    );
    let after = fs::read_to_string(&path).expect("read");
    assert_eq!(
        after,
        format!(
            "{before}\n\n[sso-session acme]\nsso_start_url = {START_URL}\nsso_region = eu-west-2\nsso_registration_scopes = sso:account:access\n\n[profile work]\nsso_session = acme\nsso_account_id = {}\nsso_role_name = Launcher\nregion = eu-west-1\n",
            account.number
        )
    );
    assert_signed_in(&account, "work");
    // Again: all of it is there, and the token is good.
    let again = run(&account, &format!("{line} --output json")).document();
    assert_eq!(
        (&again["added"], &again["profile"]),
        (&json!(false), &json!("work"))
    );
    // Another profile of the same session needs that section alone.
    let other = run(&account, &line.replace("--profile work", "--profile play"));
    assert_eq!(other.code, 0, "{}", other.stderr);
    let more = fs::read_to_string(&path).expect("read");
    assert_eq!(
        more.strip_prefix(&after),
        Some(&*format!(
            "\n[profile play]\nsso_session = acme\nsso_account_id = {}\nsso_role_name = Launcher\nregion = eu-west-1\n",
            account.number
        ))
    );
    // What is there with other values is refused, and stays.
    for (old, new, message) in [
        (
            "--region eu-west-1",
            "--region eu-west-2",
            "there is a profile work with other values in",
        ),
        (
            "--sso-region eu-west-2",
            "--sso-region eu-west-1",
            "[sso-session acme] in",
        ),
    ] {
        let refused = run(&account, &line.replace(old, new));
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (2, ""),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(&path).expect("read"), more);
}

#[test]
fn configure_sso_makes_the_file_and_refuses_what_identity_center_does_not_give() {
    let account = Account::new();
    account.put(
        "sso",
        json!({"accounts": [
            {"account_id": "200000000001", "name": "data", "roles": ["A", "B"]},
            {"account_id": account.number, "name": "sim", "roles": ["Launcher"]},
        ]}),
    );
    let line = format!(
        "configure sso --profile default --region eu-west-1 --sso-session acme --sso-start-url {START_URL} --sso-region eu-west-2"
    );
    let config: PathBuf = account.home.path().join(".aws/config");
    for (flags, message, hint) in [
        (
            "",
            "--sso-account-id is missing",
            format!("there are: 200000000001 (data), {} (sim)", account.number),
        ),
        (
            "--sso-account-id 200000000002",
            "IAM Identity Center gives you no account that is 200000000002",
            format!("there are: 200000000001 (data), {} (sim)", account.number),
        ),
        (
            "--sso-account-id 200000000001",
            "--sso-role-name is missing",
            "there are: A, B".into(),
        ),
        (
            "--sso-account-id 200000000001 --sso-role-name C",
            "IAM Identity Center gives you no role in account 200000000001 that is C",
            "there are: A, B".into(),
        ),
    ] {
        let run = run(&account, &format!("{line} {flags} --output json"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert_eq!(run.error()["message"], message);
        assert_eq!(run.error()["hint"], hint);
        assert!(!config.exists());
    }
    let run = run(
        &account,
        &format!("{line} --sso-account-id {}", account.number),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!(
            "the only role in account {}: Launcher",
            account.number
        )),
        "{}",
        run.stderr
    );
    let written = fs::read_to_string(&config).expect("written");
    assert!(
        written.starts_with("[sso-session acme]\n") && written.contains("\n[default]\n"),
        "{written}"
    );
    let login = finish(command(&account, "whoami -q").env_remove("AWS_PROFILE"));
    assert!(
        login.stdout.contains("AWSReservedSSO_Launcher_"),
        "{}",
        login.stderr
    );
}

#[test]
fn configure_sso_asks_for_nothing_without_a_terminal() {
    let account = account();
    for (flags, flag) in [
        ("", "--profile"),
        ("--profile x", "--sso-session"),
        ("--profile x --sso-session y", "--sso-start-url"),
        (
            "--profile x --sso-session y --sso-start-url https://a.b/start",
            "--sso-region",
        ),
    ] {
        let run = run(&account, &format!("configure sso {flags} --output json"));
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert_eq!(run.error()["message"], format!("{flag} is missing"));
    }
    assert_eq!(
        account.operations(),
        [] as [String; 0],
        "nobody was asked to sign in"
    );
}

#[cfg(unix)]
mod on_a_terminal {
    use super::*;
    use crate::terminal::on_a_terminal;

    const DESKTOP: &[(&str, &str)] = &[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("BROWSER", BROWSER),
    ];

    #[test]
    fn configure_sso_asks_and_lists() {
        let account = account();
        account.put(
            "sso",
            json!({"accounts": [
                {"account_id": "200000000001", "name": "data", "roles": ["A"]},
                {"account_id": account.number, "name": "sim", "roles": ["Launcher", "Reader"]},
            ]}),
        );
        let run = on_a_terminal(
            &account,
            "configure sso",
            &[
                "see:name of the SSO session (there are: corp) [corp]: ",
                "type:acme\n",
                "see:start URL of IAM Identity Center: ",
                "type:nonsense\n",
                "see:a start URL looks like",
                "see:start URL of IAM Identity Center: ",
                "type:https://d-sandbox.awsapps.com/start\n",
                "see:region of IAM Identity Center: ",
                "type:eu-west-2\n",
                "see:  1  200000000001 (data)",
                "see:number of the account: ",
                "type:2\n",
                "see:  1  Launcher",
                "see:number of the role in account",
                "type:1\n",
                "see:region of the machines [eu-west-2]: ",
                "type:\n",
                "see:name of the profile [Launcher-",
                "type:work\n",
            ],
            DESKTOP,
        );
        assert_eq!(run.code, 0, "{}", run.stdout);
        assert_signed_in(&account, "work");
    }

    #[test]
    fn start_offers_to_sign_in_and_goes_on() {
        let account = account();
        let run = on_a_terminal(
            &account,
            "start --machine-group-name g --profile new",
            &[
                "see:there is no SSO token for corp",
                "see:sign in now ([Y]/n)? ",
                "type:\n",
            ],
            DESKTOP,
        );
        assert_eq!(run.code, 0, "{}", run.stdout);
        assert_eq!(account.live().len(), 1);
        // A token that was ended elsewhere is found out in the middle.
        account.post("expire", json!({"what": ["access_tokens"]}));
        let run = on_a_terminal(
            &account,
            "start --machine-group-name h --profile new",
            &[
                "see:no longer takes the SSO token",
                "see:sign in now ([Y]/n)? ",
                "type:y\n",
            ],
            DESKTOP,
        );
        assert_eq!(run.code, 0, "{}", run.stdout);
        assert_eq!(account.live().len(), 2);
    }

    #[test]
    fn whoever_does_not_want_to_sign_in_is_told_how_to() {
        let account = account();
        let line = "start --machine-group-name g --profile new";
        let run = on_a_terminal(&account, line, &["see:sign in now", "type:n\n"], DESKTOP);
        assert_eq!(run.code, 4, "{}", run.stdout);
        assert!(
            run.stdout
                .contains("sign in: inductiva-aws login --profile new"),
            "{}",
            run.stdout
        );
        let run = on_a_terminal(&account, &format!("{line} --no-input"), &[], DESKTOP);
        assert_eq!(run.code, 4, "{}", run.stdout);
        assert!(!run.stdout.contains("sign in now"), "{}", run.stdout);
        assert_eq!(account.operations(), [] as [String; 0]);
        assert_eq!(account.launched(), 0);
    }

    /// The command lines of the README about Identity Center.
    fn readme() -> Vec<&'static str> {
        let readme = include_str!("../../README.md");
        let section = readme.split("**IAM Identity Center (SSO).**").nth(1);
        let section = section.and_then(|rest| rest.split("**MFA.**").next());
        let blocks = section.expect("a section").split("```sh\n").skip(1);
        blocks
            .flat_map(|block| block.split("```").next().expect("a block").lines())
            .collect()
    }

    #[test]
    fn the_readmes_lines_work_as_they_are_written() {
        let account = Account::new();
        let lines = readme();
        let arguments = |line: &'static str| line.strip_prefix("inductiva-aws ").expect("ours");
        let [configure, login, whoami, logout] = lines.as_slice() else {
            panic!("other lines than those tried here: {lines:?}");
        };
        let configured = on_a_terminal(
            &account,
            arguments(configure),
            &[
                "see:name of the SSO session [sso]: ",
                "type:\n",
                "see:start URL of IAM Identity Center: ",
                "type:https://d-sandbox.awsapps.com/start/#/\n",
                "see:region of IAM Identity Center: ",
                "type:eu-west-2\n",
                "see:region of the machines [eu-west-2]: ",
                "type:\n",
                "see:added profile work to ",
            ],
            DESKTOP,
        );
        assert_eq!(configured.code, 0, "{}", configured.stdout);
        for (line, says) in [
            (login, "signed in to sso until"),
            (whoami, "credentials from  profile work"),
            (logout, "signed out of sso"),
        ] {
            let run = run(&account, arguments(line));
            assert_eq!(run.code, 0, "{line}: {}", run.stderr);
            assert!(run.stdout.contains(says), "{line}: {}", run.stdout);
        }
    }
}
