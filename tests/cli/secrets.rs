//! Secrets stay out of everything: all commands, those that fail too, with
//! secrets that can be told from all else.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    sandbox::{Account, finish, list, text},
    sso,
};

/// Every secret of the run by its name.
#[derive(Default)]
struct Secrets(BTreeMap<&'static str, String>);

impl Secrets {
    fn new() -> Self {
        Self(
            [
                ("API key", "MarkedApiKey0123456789abcdef"),
                (
                    "secret access key",
                    "MarkedSecretAccessKey/0123456789+abcdef",
                ),
                (
                    "profile's secret key",
                    "MarkedProfileSecretKey/012345+abcdef",
                ),
                ("session token", "MarkedSessionToken/0123456789+abcdef=="),
                ("MFA code", "908172"),
                ("wrong MFA code", "617283"),
            ]
            .map(|(name, secret)| (name, secret.to_owned()))
            .into(),
        )
    }

    fn get(&self, name: &str) -> &str {
        &self.0[name]
    }

    /// The names of those that a text has.
    fn seen_in(&self, text: &str) -> Vec<&'static str> {
        self.0
            .iter()
            .filter(|(_, secret)| text.contains(secret.as_str()))
            .map(|(name, _)| *name)
            .collect()
    }
}

/// The account with everything that a command may come across.
fn account(secrets: &Secrets) -> Account {
    let account = Account::new();
    let number = &account.number;
    let serial = format!("arn:aws:iam::{number}:mfa/phone");
    account.put("inductiva", json!({"keys": [secrets.get("API key")]}));
    account.put(
        "identity",
        json!({
            "users": [
                {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": secrets.get("secret access key")},
                {"access_key_id": "AKIAI44QH8DHBEXAMPLE", "secret_access_key": secrets.get("profile's secret key")},
            ],
            "session_keys": [{"access_key_id": account.session_key_id(), "secret_access_key": secrets.get("secret access key"), "session_token": secrets.get("session token")}],
            "mfa_devices": [{"serial": serial, "codes": [secrets.get("MFA code")]}],
            "roles": [{"name": "guarded", "requires_mfa": true}],
        }),
    );
    // Children write down what everybody can see of them and of their parents.
    account.file(
        "watched",
        "#!/bin/sh\ntr '\\0' ' ' </proc/$$/cmdline >>\"$HOME/children\"\ntr '\\0' ' ' </proc/$PPID/cmdline >>\"$HOME/children\"\ntr '\\0' '\\n' </proc/$$/environ >>\"$HOME/children\"\necho >>\"$HOME/children\"\ncat \"$1\"\n",
    );
    account.file(
        "keys.json",
        json!({"Version": 1, "AccessKeyId": "AKIAI44QH8DHBEXAMPLE", "SecretAccessKey": secrets.get("profile's secret key")}).to_string(),
    );
    account.file("code", secrets.get("MFA code"));
    let home = account.home.path().display();
    account.file(
        ".aws/config",
        format!(
            "[profile process]\ncredential_process = sh {home}/watched {home}/keys.json\n\
             [profile failing]\ncredential_process = sh -c 'exit 3'\n\
             [profile loop]\ncredential_process = inductiva-aws credentials --profile loop\n\
             [profile role]\nrole_arn = arn:aws:iam::{number}:role/guarded\nsource_profile = work\nmfa_serial = {serial}\nmfa_process = sh {home}/watched {home}/code\n"
        ),
    );
    let credentials = account.file(
        ".aws/credentials",
        format!(
            "[work]\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = {}\n",
            secrets.get("profile's secret key")
        ),
    );
    for file in [
        credentials,
        account.home.path().join("keys.json"),
        account.home.path().join("code"),
    ] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    account
}

/// Runs a line at `-vv` and looks for secrets on both streams. Only `credentials`
/// and `--show-secrets` may have them on stdout: what they are for.
fn run(account: &Account, secrets: &Secrets, line: &str, environment: &[(&str, &str)]) {
    let mut command = account.command(line.split_whitespace().chain(["-vv", "--no-input"]));
    command
        .env("AWS_SECRET_ACCESS_KEY", secrets.get("secret access key"))
        .env("INDUCTIVA_API_KEY", secrets.get("API key"))
        .envs(environment.iter().copied());
    let run = finish(&mut command);
    let mut shown = secrets.seen_in(&run.stderr);
    if !line.starts_with("credentials") && !line.contains("--show-secrets") {
        shown.extend(secrets.seen_in(&run.stdout));
    }
    assert_eq!(
        shown,
        [] as [&str; 0],
        "{line} shows secrets\n{}{}",
        run.stdout,
        run.stderr
    );
}

/// The files that the test made itself; others may have what a session is made
/// of, for their owner alone.
const OURS: [&str; 3] = [".aws/credentials", "keys.json", "code"];

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
    "man",
    "terminate --all --yes",
    "terminate nothing --yes",
];

#[test]
fn no_command_shows_or_leaves_a_secret() {
    let mut secrets = Secrets::new();
    let account = account(&secrets);
    let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
    let session = [
        ("AWS_ACCESS_KEY_ID", account.session_key_id()),
        ("AWS_SESSION_TOKEN", secrets.get("session token").to_owned()),
    ];
    let session: Vec<(&str, &str)> = session.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let key = format!("--api-key {}", secrets.get("API key"));
    let wrong_code = format!(
        "--mfa-serial {serial} --mfa-code {}",
        secrets.get("wrong MFA code")
    );
    let no_code = format!(
        "--mfa-serial {serial} --mfa-code {}x",
        secrets.get("MFA code")
    );
    let everything = |secrets: &Secrets| {
        for line in EVERY_COMMAND {
            run(&account, secrets, line, &[]);
            run(&account, secrets, line, &session);
        }
    };
    everything(&secrets);
    for line in [
        &format!("start {key} --machine-group-name g"),
        &format!("start {key}x"),
        &format!("start {key} --num-machines none"),
        &format!("check {key}x"),
        &format!("whoami {wrong_code}"),
        &format!("whoami {wrong_code}"),
        &format!("whoami {no_code}"),
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
        run(&account, &secrets, line, &[]);
    }
    // What a server says back is not all shown either.
    account.put("policy", json!({"deny": ["ec2:RunInstances"]}));
    run(&account, &secrets, "start", &[]);
    run(&account, &secrets, "check", &[]);
    account.put("policy", json!({}));
    let canonical = format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nhost:sts.amazonaws.com\nx-amz-security-token:{}\n'",
        secrets.get("session token")
    );
    account.fault(json!({"service": "sts", "operation": "*", "code": "SignatureDoesNotMatch", "status": 403, "message": canonical, "count": null}));
    everything(&secrets);
    account.forget_faults();
    account.fault(json!({"service": "ec2", "operation": "RunInstances", "code": "InternalError", "status": 400, "message": "no", "count": null}));
    run(&account, &secrets, "start --machine-group-name g", &[]);
    account.forget_faults();

    // What was made on the way.
    let issued = list(&account.get("identity")["issued"]);
    for issued in issued.iter().filter(|keys| keys["kind"] == "role") {
        for (name, field) in [
            ("issued secret", "secret_access_key"),
            ("issued token", "session_token"),
        ] {
            secrets
                .0
                .entry(name)
                .or_insert_with(|| text(&issued[field]).to_owned());
        }
    }
    assert!(
        secrets.0.contains_key("issued token"),
        "no session was made"
    );
    run(&account, &secrets, "whoami --profile role", &[]);
    assert_eq!(kept(&account, &secrets), ["issued secret", "issued token"]);
    let children = fs::read_to_string(account.home.path().join("children")).expect("children");
    assert!(
        children.contains("/keys.json") && children.contains("/code"),
        "{children}"
    );
    assert_eq!(secrets.seen_in(&children), [] as [&str; 0], "{children}");
}

/// The secrets in the files of the home folder, but for the test's own: each
/// file is in ~/.aws and for its owner alone.
#[track_caller]
fn kept(account: &Account, secrets: &Secrets) -> Vec<&'static str> {
    let mut kept = Vec::new();
    for file in files_below(account.home.path()) {
        let found = secrets.seen_in(&String::from_utf8_lossy(&fs::read(&file).expect("a file")));
        let path = file.strip_prefix(account.home.path()).expect("a path");
        if found.is_empty() || OURS.iter().any(|ours| path == Path::new(ours)) {
            continue;
        }
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}: {found:?}", path.display());
        assert!(path.starts_with(".aws"), "{}: {found:?}", path.display());
        kept.extend(found);
    }
    kept.sort_unstable();
    kept
}

/// Tokens, secrets of clients and codes of sign-ins: known only afterwards.
#[test]
fn signing_in_with_sso_shows_or_leaves_no_secret_elsewhere() {
    let account = sso::account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    let browser = account.file(
        "browser",
        format!(
            "#!/bin/sh\ntr '\\0' ' ' </proc/$$/cmdline >>\"$HOME/children\"\ntr '\\0' ' ' </proc/$PPID/cmdline >>\"$HOME/children\"\ntr '\\0' '\\n' </proc/$$/environ >>\"$HOME/children\"\nexec {} \"$@\"\n",
            sso::BROWSER
        ),
    );
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("a mode");
    let mut streams = String::new();
    let mut run = |line: &str| {
        let mut command = account.command(line.split_whitespace().chain(["-vv", "--no-input"]));
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("BROWSER", &browser);
        let run = finish(&mut command);
        for text in [line, "\n", &run.stdout, &run.stderr] {
            streams.push_str(text);
        }
        run.code
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
    let mut secrets = Secrets::default();
    let mut all = Vec::new();
    for (list_of, field) in [("clients", "secret"), ("tokens", "value")] {
        for one in list(&handed_out[list_of]) {
            all.push(text(&one[field]).to_owned());
        }
    }
    for keys in list(&account.get("identity")["issued"]) {
        all.push(text(&keys["secret_access_key"]).to_owned());
        all.push(text(&keys["session_token"]).to_owned());
    }
    assert!(all.len() > 10, "{handed_out}");
    for secret in all {
        secrets.0.insert("one of SSO", secret);
        assert_eq!(secrets.seen_in(&streams), [] as [&str; 0], "{streams}");
        for file in files_below(account.home.path()) {
            let contents = fs::read(&file).expect("a file");
            if secrets
                .seen_in(&String::from_utf8_lossy(&contents))
                .is_empty()
            {
                continue;
            }
            let path = file.strip_prefix(account.home.path()).expect("a path");
            assert!(path.starts_with(".aws/sso/cache"), "{}", path.display());
            let mode = fs::metadata(&file).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
    let children = fs::read_to_string(account.home.path().join("children")).expect("children");
    assert!(children.contains("/authorize?"), "{children}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
