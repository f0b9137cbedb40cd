//! The AWS console's own sign-in: `login --console`, and profiles that `aws login` made.

mod botocore;

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    mfa::waits_for_a_lock,
    sandbox::{Account, Run, finish, text},
    sso::{BROWSER, private_json},
    terminal::on_a_terminal,
};

/// A terminal with a browser, and nothing else to sign in with.
const DESKTOP: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_REGION", ""),
    ("BROWSER", BROWSER),
    ("NO_COLOR", "1"),
];

fn session(account: &Account) -> String {
    format!("arn:aws:iam::{}:user/ana", account.number)
}

/// Where the session of the account's user `ana` is kept.
fn file(account: &Account) -> String {
    use sha2::Digest as _;
    let name = hex::encode(sha2::Sha256::digest(session(account).as_bytes()));
    format!(".aws/login/cache/{name}.json")
}

fn command(account: &Account, line: &str) -> Command {
    let mut command = account.command(line.split(' '));
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("BROWSER", BROWSER);
    command
}

fn run(account: &Account, line: &str) -> Run {
    finish(&mut command(account, line))
}

/// Signs the user `ana` in by the browser.
#[track_caller]
fn sign_in(account: &Account, options: &str) {
    run(account, &format!("login --console{options}")).assert(
        0,
        str![[r#"
signed in as arn:aws:iam::[ACCOUNT]:user/ana: profile [..] in [HOME]/.aws/config

"#]],
        str![[r#"
opening the AWS sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/v1/authorize?[..]
try it: inductiva-aws whoami[..]

"#]],
    );
}

#[track_caller]
fn assert_is_ana(whoami: &Run) {
    whoami.assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/ana
region            eu-west-2
credentials from  profile [..]
credentials end   [TIME]

"#]],
        "",
    );
}

#[test]
fn on_a_new_machine_login_and_start_are_all_it_takes() {
    let account = Account::new();
    let run = on_a_terminal(
        &account,
        "login",
        &[
            "see:region of the machines [us-east-1]: ",
            "type:eu-west-2\\n",
            "see:opening the AWS sign-in page",
        ],
        DESKTOP,
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    let last = format!("signed in as {}: profile default in ", session(&account));
    assert!(run.stdout.contains(&last), "{}", run.stdout);
    let config = std::fs::read_to_string(account.home.path().join(".aws/config"));
    assert_eq!(
        config.expect("a file"),
        format!(
            "[default]\nlogin_session = {}\nregion = eu-west-2\n",
            session(&account)
        )
    );
    let kept = private_json(&account, &file(&account));
    assert_eq!(kept["tokenType"], "aws_sigv4");
    assert_eq!(kept["clientId"], "arn:aws:signin:::devtools/same-device");
    assert_eq!(kept["accessToken"]["accountId"], account.number);
    let key = text(&kept["dpopKey"]);
    assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----\n"), "{key}");
    for secret in [
        key,
        text(&kept["refreshToken"]),
        text(&kept["accessToken"]["sessionToken"]),
    ] {
        assert!(!run.stdout.contains(secret));
    }
    let start = on_a_terminal(&account, "start -q --machine-group-name g", &[], DESKTOP);
    let live = account.live();
    assert_eq!(live.len(), 1);
    assert_eq!((start.code, start.stdout.trim()), (0, live[0].as_str()));
}

#[cfg(target_os = "linux")]
#[test]
fn keys_are_refreshed_by_one_run_for_all() {
    let account = Account::new();
    sign_in(&account, "");
    let before = private_json(&account, &file(&account));
    account.forget_requests();
    assert_is_ana(&run(&account, "whoami"));
    assert_eq!(account.calls("CreateOAuth2Token"), 0);
    account.pass(700.0);
    account.fault(json!({"service": "signin", "operation": "CreateOAuth2Token", "kind": "hold"}));
    let whoami = || crate::sandbox::spawn(&mut command(&account, "whoami"));
    let first = whoami();
    account.until_held();
    let second = whoami();
    account.until("the second waits for the first, or does not", |account| {
        waits_for_a_lock(&second) || account.calls("CreateOAuth2Token") > 1
    });
    account.post("release", json!({}));
    for child in [first, second] {
        assert_is_ana(&crate::sandbox::ended(child));
    }
    assert_eq!(account.calls("CreateOAuth2Token"), 1);
    let after = private_json(&account, &file(&account));
    assert_ne!(after["refreshToken"], before["refreshToken"]);
    for name in ["dpopKey", "clientId", "idToken", "tokenType"] {
        assert_eq!(after[name], before[name]);
    }
}

#[test]
fn check_waits_for_new_keys_for_five_seconds() {
    let account = Account::new();
    sign_in(&account, "");
    account.pass(1000.0);
    account.fault(json!({"service": "signin", "operation": "CreateOAuth2Token", "kind": "stall", "seconds": 10, "count": null}));
    // Others have more patience.
    assert_is_ana(&run(&account, "whoami"));
    account.pass(1000.0);
    let checked = run(&account, "check");
    checked.assert(1, str![[r#"
failed   identity   cannot sign in with the AWS console: cannot reach AWS Sign-In in eu-west-2: no answer within 5 s
                    hint: check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url
ok       disk       gp3, of the standard size or the image's
ok       user-data  [..] bytes of at most 16384
ok       api-key    of sandbox

"#]], str![[r#"
error: a start would not go through: identity

"#]]);
}

#[test]
fn a_session_that_has_ended_says_how_to_sign_in_and_offers_to() {
    let account = Account::new();
    sign_in(&account, "");
    account.pass(901.0);
    for (error, said) in [
        (
            "TOKEN_EXPIRED",
            str![[r#"
error: not signed in to AWS: the console sign-in in [HOME]/.aws/login/cache/[..].json has ended (TOKEN_EXPIRED)
hint: sign in: inductiva-aws login --console

"#]],
        ),
        (
            "USER_CREDENTIALS_CHANGED",
            str![[r#"
error: not signed in to AWS: the password has changed since the sign-in
hint: sign in: inductiva-aws login --console

"#]],
        ),
        (
            "INSUFFICIENT_PERMISSIONS",
            str![[r#"
error: AWS Sign-In gives no keys for this console user: refused because of INSUFFICIENT_PERMISSIONS
hint: an administrator has to attach the AWS managed policy SignInLocalDevelopmentAccess to the user, group or role

"#]],
        ),
    ] {
        account.put("signin", json!({"refuse": error}));
        run(&account, "whoami").fails(4, said);
    }
    account.put("signin", json!({"refuse": null}));
    std::fs::remove_file(account.home.path().join(file(&account))).expect("removed");
    let run = on_a_terminal(
        &account,
        "whoami",
        &[
            "see:there is no console sign-in of ",
            "see:sign in now",
            "type:\\n",
            "see::user/ana\r\nregion ",
        ],
        DESKTOP,
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn a_code_of_another_device_is_pasted() {
    let account = Account::new();
    let line = "login --remote --profile w --region eu-west-2";
    let run = on_a_terminal(
        &account,
        line,
        &["see:authorization code that the page shows: ", "browse:"],
        DESKTOP,
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    let kept = private_json(&account, &file(&account));
    assert_eq!(kept["clientId"], "arn:aws:signin:::devtools/cross-device");
    assert_is_ana(&crate::console::run(&account, "whoami --profile w"));
    // Without a browser here it is the usual way; what is no code is told.
    let ssh = [DESKTOP, &[("SSH_TTY", "/dev/pts/1")]].concat();
    let other = "c3RhdGU9eCZjb2RlPXk=";
    for (pasted, why) in [("nonsense!", "cannot be read"), (other, "another sign-in")] {
        let pasted = format!("type:{pasted}\\n");
        let steps = [
            "see:the page shows: ",
            &pasted,
            "see:not the code that the page shows",
        ];
        let run = on_a_terminal(&account, "login --console --region eu-west-2", &steps, &ssh);
        assert_eq!(run.code, 2, "{}", run.stdout);
        assert!(run.stdout.contains(why), "{}", run.stdout);
    }
}

#[test]
fn nothing_is_opened_without_a_terminal_unless_it_was_asked_for() {
    let account = Account::new();
    let config = format!("[profile w]\nlogin_session = {}\n", session(&account));
    account.file(".aws/config", config);
    run(&account, "login --profile w").fails(
        2,
        str![[r#"
error: there is no terminal, and nobody may be there to sign in with a browser
hint: add --console to open it anyway

"#]],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
    sign_in(&account, " --profile w");
    assert_is_ana(&run(&account, "whoami --profile w"));
    run(&account, "logout --profile w").assert(
        0,
        str![[r#"
signed out of arn:aws:iam::[ACCOUNT]:user/ana

"#]],
        str![],
    );
    assert!(!account.home.path().join(file(&account)).exists());
    run(&account, "whoami --profile w").fails(4, str![[r#"
error: not signed in to AWS: there is no console sign-in of arn:aws:iam::[ACCOUNT]:user/ana ([HOME]/.aws/login/cache/[..].json)
hint: sign in: inductiva-aws login --console --profile w

"#]]);
}

#[test]
fn other_credentials_and_other_people_are_not_written_over() {
    let account = Account::new();
    for (other, said) in [
        (
            "aws_access_key_id = A\naws_secret_access_key = s\n",
            str![[r#"
error: profile default signs in with access keys, in [HOME]/.aws/config or [HOME]/.aws/credentials
hint: name another profile: inductiva-aws login --console --profile NAME

"#]],
        ),
        (
            "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n",
            str![[r#"
error: profile default signs in with IAM Identity Center, in [HOME]/.aws/config or [HOME]/.aws/credentials
hint: name another profile: inductiva-aws login --console --profile NAME

"#]],
        ),
        (
            "role_arn = arn:aws:iam::1:role/r\nsource_profile = x\n",
            str![[r#"
error: profile default signs in with a role, in [HOME]/.aws/config or [HOME]/.aws/credentials
hint: name another profile: inductiva-aws login --console --profile NAME

"#]],
        ),
        (
            "credential_process = true\n",
            str![[r#"
error: profile default signs in with credential_process, in [HOME]/.aws/config or [HOME]/.aws/credentials
hint: name another profile: inductiva-aws login --console --profile NAME

"#]],
        ),
    ] {
        let config = format!("[default]\n{other}");
        account.file(".aws/config", &config);
        run(&account, "login --console").fails(2, said);
        let after = std::fs::read_to_string(account.home.path().join(".aws/config"));
        assert_eq!(after.expect("a file"), config);
    }
    let config = "[default]\nlogin_session = arn:aws:iam::1:user/eve\n";
    account.file(".aws/config", config);
    run(&account, "login --console").fails(4, str![[r#"
opening the AWS sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/v1/authorize?[..]
error: signed in as arn:aws:iam::[ACCOUNT]:user/ana, and profile default is of arn:aws:iam::1:user/eve: nothing was changed
hint: name another profile with --profile, or sign out of the console in the browser first

"#]]);
    let after = std::fs::read_to_string(account.home.path().join(".aws/config"));
    assert_eq!(after.expect("a file"), config);
    assert!(!account.home.path().join(file(&account)).exists());
}

#[test]
fn the_page_says_signed_in_only_after_the_code_was_exchanged() {
    let account = Account::new();
    let said = account.home.path().join("page");
    let browser = account.file(
        "browser",
        format!(
            "#!/bin/sh\nexec python3 -c 'import sys, urllib.request as u; o = u.build_opener(u.ProxyHandler({{}})); open(\"{}\", \"wb\").write(o.open(sys.argv[1]).read())' \"$1\"\n",
            said.display()
        ),
    );
    make_executable(&browser);
    for (refuse, code, told, stdout, stderr) in [
        (
            json!("AUTHCODE_EXPIRED"),
            4,
            "<p>Not signed in: ",
            str![],
            str![[r#"
opening the AWS sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/v1/authorize?[..]
error: AWS Sign-In refused the sign-in: refused because of AUTHCODE_EXPIRED (AUTHCODE_EXPIRED)
hint: run the command again for a new one

"#]],
        ),
        (
            Value::Null,
            0,
            "<p>Signed in: ",
            str![[r#"
signed in as arn:aws:iam::[ACCOUNT]:user/ana: profile default in [HOME]/.aws/config

"#]],
            str![[r#"
opening the AWS sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/v1/authorize?[..]
try it: inductiva-aws whoami

"#]],
        ),
    ] {
        let _ = std::fs::remove_file(&said);
        account.put("signin", json!({"refuse": refuse}));
        let mut login = command(&account, "login --console");
        finish(login.env("BROWSER", &browser)).assert(code, stdout, stderr);
        account.until("the page was read", |_| {
            std::fs::read_to_string(&said).is_ok_and(|page| page.contains(told))
        });
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("set");
}
