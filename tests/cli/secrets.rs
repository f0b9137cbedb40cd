//! Secrets stay out of everything: all commands, those that fail too, at `-vv` and
//! with everything that they may come across. What is looked for, and where, is the
//! same as at the end of every test: `sandbox/leaks.rs`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::json;

use crate::{
    sandbox::{Account, Run, finish, list, text},
    sso,
};

const API_KEY: &str = "MarkedApiKey0123456789abcdef";
const SECRET_KEY: &str = "MarkedSecretAccessKey/0123456789+abcdef";
const SECRET_KEY_OF_A_PROFILE: &str = "MarkedProfileSecretKey/012345+abcdef";
const SESSION_TOKEN: &str = "MarkedSessionToken/0123456789+abcdef==";
const PROXY: &str = "http://ana:MarkedProxyPassword@127.0.0.1:3128";
const CODE: &str = "908172";
const WRONG_CODE: &str = "617283";

/// The account with everything that a command may come across.
fn account() -> Account {
    let account = Account::new();
    let number = &account.number;
    let serial = serial(&account);
    account.put("inductiva", json!({"keys": [API_KEY]}));
    account.put(
        "identity",
        json!({
            "users": [
                {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET_KEY},
                {"access_key_id": "AKIAI44QH8DHBEXAMPLE", "secret_access_key": SECRET_KEY_OF_A_PROFILE},
            ],
            "session_keys": [{"access_key_id": account.session_key_id(), "secret_access_key": SECRET_KEY, "session_token": SESSION_TOKEN}],
            "mfa_devices": [{"serial": serial, "codes": [CODE]}],
            "roles": [{"name": "guarded", "requires_mfa": true}],
        }),
    );
    account.file(
        "keys.json",
        json!({"Version": 1, "AccessKeyId": "AKIAI44QH8DHBEXAMPLE", "SecretAccessKey": SECRET_KEY_OF_A_PROFILE}).to_string(),
    );
    account.file("code", CODE);
    account.file(
        ".aws/config",
        format!(
            "[profile process]\ncredential_process = cat keys.json\n\
             [profile failing]\ncredential_process = sh -c 'exit 3'\n\
             [profile loop]\ncredential_process = inductiva-aws credentials --profile loop\n\
             [profile role]\nrole_arn = arn:aws:iam::{number}:role/guarded\nsource_profile = work\nmfa_serial = {serial}\nmfa_process = cat code\n"
        ),
    );
    account.file(
        ".aws/credentials",
        format!(
            "[work]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = {SECRET_KEY_OF_A_PROFILE}\n"
        ),
    );
    account
}

fn serial(account: &Account) -> String {
    format!("arn:aws:iam::{}:mfa/phone", account.number)
}

/// Runs a line at `-vv`.
fn run(account: &Account, line: &str, environment: &[(&str, &str)]) -> Run {
    let mut command = account.command(line.split_whitespace().chain(["-vv", "--no-input"]));
    command
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("INDUCTIVA_API_KEY", API_KEY)
        .env("INDUCTIVA_AWS_PROXY", PROXY)
        .envs(environment.iter().copied());
    finish(&mut command).ignoring_the_rest(
        "what each command says is looked at where it is tested; this is about secrets",
    )
}

/// Each subcommand, as it succeeds and as it fails.
const EVERY_COMMAND: &[&str] = &[
    "start --machine-group-name g --num-machines 2",
    "start --machine-group-name g --num-machines 2 --output json",
    "start --machine-group-name d --dry-run",
    "start --machine-group-name d --dry-run --output json",
    "start --machine-group-name k --create-key-pair k --wait=running",
    "start --vm-type t9.micro",
    "start --expect-account 111111111111",
    "list --all-regions",
    "list --output json",
    "logs g",
    "check",
    "check --output json",
    "whoami",
    "user-data",
    "user-data --show-secrets",
    "credentials --format json",
    "credentials --format env",
    "login",
    "logout",
    "configure sso",
    "completions bash",
    "complete-words bash -- inductiva-aws terminate w",
    "man",
    "terminate --all --yes",
    "terminate nothing --yes",
];

#[test]
fn no_command_shows_or_leaves_a_secret() {
    let account = account();
    let serial = serial(&account);
    let id = account.session_key_id();
    let session = [
        ("AWS_ACCESS_KEY_ID", id.as_str()),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN),
    ];
    let everything = || {
        for line in EVERY_COMMAND {
            run(&account, line, &[]);
            run(&account, line, &session);
        }
    };
    everything();
    for line in [
        &format!("start --api-key {API_KEY} --machine-group-name g"),
        &format!("start --api-key {API_KEY}x"),
        &format!("start --api-key {API_KEY} --num-machines none"),
        &format!("check --api-key {API_KEY}x"),
        &format!("whoami --mfa-serial {serial} --mfa-code {WRONG_CODE}"),
        &format!("whoami --mfa-serial {serial} --mfa-code {WRONG_CODE}"),
        &format!("whoami --mfa-serial {serial} --mfa-code {CODE}x"),
        "whoami --profile process",
        "whoami --profile failing",
        "whoami --profile loop",
        "whoami --profile role",
        "start --profile role",
        "check --profile role",
        "credentials --profile role --format env",
        "credentials --profile loop",
        "whoami --endpoint-url http://127.0.0.1:1",
        "start --api-url http://127.0.0.1:1 --machine-group-name g",
    ] {
        run(&account, line, &[]);
    }
    // What a server says back is not all shown either.
    account.put("policy", json!({"deny": ["ec2:RunInstances"]}));
    run(&account, "start", &[]);
    run(&account, "check", &[]);
    account.put("policy", json!({}));
    let canonical = format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nhost:sts.amazonaws.com\nx-amz-security-token:{SESSION_TOKEN}\n'"
    );
    account.fault(json!({"service": "sts", "operation": "*", "code": "SignatureDoesNotMatch", "status": 403, "message": canonical, "count": null}));
    everything();
    account.forget_faults();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InternalError", "status": 400, "message": "no", "count": null}));
    run(&account, "start --machine-group-name g", &[]);
    account.forget_faults();

    // What was made on the way is kept, for its owner alone.
    let issued = list(&account.get("identity")["issued"]);
    let of_role = issued.iter().find(|keys| keys["kind"] == "role");
    let token = text(&of_role.expect("a session was made")["session_token"]);
    let kept = files_with(account.home.path(), token);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let children = account.children();
    assert!(
        children.contains("/cat\nkeys.json\n") && children.contains("cat code"),
        "{children}"
    );
}

/// Tokens, secrets of clients and codes of sign-ins.
#[test]
fn signing_in_with_sso_shows_or_leaves_no_secret_elsewhere() {
    let account = sso::account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    let run = |line: &str| {
        let mut command = sso::command(&account, line);
        finish(command.args(["-vv", "--no-input"]))
            .ignoring_the_rest(
                "what -vv traces is for the search for secrets, which reads all of it",
            )
            .code
    };
    for (line, code) in [
        ("whoami --profile new", 4),
        ("login --profile new", 0),
        ("whoami --profile new", 0),
        ("start --profile new", 0),
        ("check --profile new --output json", 0),
        ("terminate --all --yes --profile new", 0),
        ("login --profile old --no-browser", 0),
        ("whoami --profile old", 0),
    ] {
        assert_eq!(run(line), code, "{line}");
    }
    sso::make_stale(&account, sso::CORP);
    assert_eq!(run("whoami --profile new"), 0);
    account.post(
        "expire",
        json!({"what": ["access_tokens", "refresh_tokens"]}),
    );
    sso::make_stale(&account, sso::CORP);
    assert_eq!(run("start --profile new"), 4);
    assert_eq!(run("logout --profile new"), 0);
    assert_eq!(run("login --profile new"), 0);
    account.put("sso", json!({"authorization": "deny"}));
    assert_eq!(run("login --profile new"), 4);

    let handed_out = account.get("sso");
    let tokens = list(&handed_out["tokens"]);
    assert!(tokens.len() > 5, "{handed_out}");
    let kept = tokens.iter().map(|token| text(&token["value"]));
    let kept: Vec<&str> = kept
        .filter(|token| !files_with(account.home.path(), token).is_empty())
        .collect();
    assert!(!kept.is_empty(), "no token is kept");
    let children = account.children();
    assert!(children.contains("/authorize?"), "{children}");
}

/// The files that have it, each for its owner alone.
#[track_caller]
fn files_with(folder: &Path, secret: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_with(&path, secret));
        } else if fs::read_to_string(&path).is_ok_and(|text| text.contains(secret)) {
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            files.push(path.display().to_string());
        }
    }
    files
}
