//! Signing in with MFA: sessions, roles, and what is kept of them.

mod codes;
mod roles;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::json;
use snapbox::str;

use crate::{
    sandbox::{Account, Run, ended, finish, list, run::whole, until_it_says},
    terminal::on_a_terminal,
};

const KEYS: &str = "aws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n";

/// An account with a device that takes these codes, and a role that asks for it.
fn with_device(codes: &[&str]) -> Account {
    let account = Account::new();
    account.put(
        "identity",
        json!({
            "mfa_devices": [{"serial": serial(&account), "codes": codes}],
            "roles": [{"name": "guarded", "requires_mfa": true, "max_session_seconds": 7200}],
        }),
    );
    account
}

fn serial(account: &Account) -> String {
    format!("arn:aws:iam::{}:mfa/phone", account.number)
}

/// A profile `mfa` for the role, with keys of a profile `base`.
fn with_role(account: &Account, more: &str) {
    account.file(
        ".aws/config",
        format!(
            "[profile base]\n{KEYS}[profile mfa]\nrole_arn = arn:aws:iam::{}:role/guarded\nsource_profile = base\nmfa_serial = {}\n{more}",
            account.number,
            serial(account)
        ),
    );
}

#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
fn whoami(account: &Account, flags: &str) -> Run {
    account.run(&format!("whoami {flags} --output json --no-input"))
}

/// The STS calls that make sessions.
fn sessions_made(account: &Account) -> usize {
    let makes = |o: &String| matches!(o.as_str(), "GetSessionToken" | "AssumeRole");
    account.operations().iter().filter(|o| makes(o)).count()
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_session_is_made_once_and_kept_for_its_owner_alone() {
    let account = with_device(&["123456"]);
    let line = format!("--mfa-serial {} --mfa-code 123456", serial(&account));
    let run = whoami(&account, &line);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let issued = list(&account.get("identity")["issued"]);
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0]["mfa"], true);
    // Twelve hours, and no code any more.
    let again = whoami(&account, &format!("--mfa-serial {}", serial(&account)));
    assert_eq!(run.stdout, again.succeeds(""));
    assert_eq!(sessions_made(&account), 1);
    let files = files_below(&account.home.path().join(".aws"));
    assert!(!files.is_empty());
    for file in files {
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        let folder = file.parent().expect("a folder");
        let mode = fs::metadata(folder).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
    let request = account
        .requests()
        .into_iter()
        .find(|r| r["operation"] == "GetSessionToken")
        .expect("the call");
    assert_eq!(request["params"]["DurationSeconds"], "43200");
}

#[test]
fn a_policy_that_demands_mfa_is_met_with_it() {
    let account = with_device(&["123456"]);
    account.put("policy", json!({"require_mfa": true}));
    let refused = account.run("start --machine-group-name g -q");
    refused.fails(4, str![[r#"
error: cannot list machines: arn:aws:iam::[ACCOUNT]:user/sandbox may not ec2:DescribeInstances: an identity-based policy denies it (UnauthorizedOperation, request [UUID])
hint: an administrator has to change the policy that denies it; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
    assert_eq!(account.launched(), 0);
    let line = format!(
        "start --machine-group-name g -q --mfa-serial {} --mfa-code 123456",
        serial(&account)
    );
    account.run(&line).assert(0, "[ID]\n", "");
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_session_close_to_its_end_is_made_anew() {
    let account = with_device(&["123456", "234567"]);
    account.put("identity", json!({"session_seconds": 200}));
    let first = format!("--mfa-serial {} --mfa-code 123456", serial(&account));
    whoami(&account, &first).succeeds("");
    let second = format!("--mfa-serial {} --mfa-code 234567", serial(&account));
    whoami(&account, &second).succeeds("");
    assert_eq!(sessions_made(&account), 2);
}

#[test]
fn keys_with_a_session_token_work_as_they_are() {
    let account = with_device(&[]);
    let session = json!({"access_key_id": account.session_key_id(), "secret_access_key": "secret", "session_token": "token", "mfa": true});
    account.put("identity", json!({"session_keys": [session]}));
    account.put("policy", json!({"require_mfa": true}));
    let mut command = account.command(["start", "-q"]);
    command
        .env("AWS_ACCESS_KEY_ID", account.session_key_id())
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_SESSION_TOKEN", "token");
    finish(&mut command).assert(0, "[ID]\n", "");
    assert_eq!(sessions_made(&account), 0);
}

/// Whether the process waits for a lock on a file, by the kernel's list of them.
#[cfg(target_os = "linux")]
pub fn waits_for_a_lock(child: &std::process::Child) -> bool {
    let locks = fs::read_to_string("/proc/locks").expect("the list can be read");
    let pid = child.id().to_string();
    let waits = |line: &str| line.contains("->") && line.split(' ').any(|word| word == pid);
    locks.lines().any(waits)
}

#[cfg(target_os = "linux")]
#[test]
fn two_at_once_ask_for_one_code() {
    let account = with_device(&["123456"]);
    account.fault(json!({"service": "sts", "operation": "GetSessionToken", "kind": "hold"}));
    let line = format!(
        "whoami -q --mfa-serial {} --mfa-code 123456",
        serial(&account)
    );
    let first = account.start(&line);
    account.until_held();
    let second = account.start(&line);
    account.until("the second waits for the first, or does not", |a| {
        waits_for_a_lock(&second) || sessions_made(a) > 1
    });
    account.post("release", json!({}));
    for child in [first, second] {
        ended(child).assert(0, "arn:aws:iam::[ACCOUNT]:user/sandbox\n", "");
    }
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn whoami_tells_the_end_of_a_session() {
    let account = with_device(&["123456"]);
    let line = format!("whoami --mfa-serial {} --mfa-code 123456", serial(&account));
    account.run(&line).assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            eu-west-2
credentials from  environment variables
credentials end   [TIME]

"#]],
        str![],
    );
}

/// An MFA session of the environment's keys, made with this code.
fn first_session(account: &Account, code: &str) -> String {
    let serial = format!("--mfa-serial {}", serial(account));
    whoami(account, &format!("{serial} --mfa-code {code}")).succeeds("");
    serial
}

#[test]
fn a_session_that_aws_no_longer_takes_is_replaced() {
    let account = with_device(&["123456", "234567", "345678"]);
    let serial = first_session(&account, "123456");
    account.post("expire", json!({"what": ["session_keys"]}));
    // It takes a code again.
    whoami(&account, &serial).fails(4, str![[r#"
AWS no longer takes the session in [HOME]/.aws/inductiva-aws/cache/[..].json: it takes a new one
{"error":{"hint":"give it with --mfa-code, or let the profile's mfa_process print it","kind":"not_signed_in","machines":[],"message":"nobody can be asked for the MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone here"}}

"#]]);
    whoami(&account, &format!("{serial} --mfa-code 234567")).succeeds("");
    // A person is asked for it.
    account.post("expire", json!({"what": ["session_keys"]}));
    let steps = [
        "see:AWS no longer takes the session in ",
        "see:Enter MFA code for ",
        "type:345678\n",
    ];
    let run = on_a_terminal(&account, &format!("whoami {serial}"), &steps, &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(sessions_made(&account), 3);
    whoami(&account, &serial).succeeds("");
    assert_eq!(sessions_made(&account), 3);
}

#[test]
fn a_home_that_cannot_be_written_signs_in_with_a_warning() {
    let account = with_device(&["123456", "234567"]);
    // Where its folder would be; root may write anywhere else.
    account.file(".aws/inductiva-aws", "");
    for code in ["123456", "234567"] {
        let line = format!("--mfa-serial {} --mfa-code {code}", serial(&account));
        whoami(&account, &line).succeeds(str![[r#"
warning: the session cannot be kept in [HOME]/.aws/inductiva-aws/cache/[..].json: Not a directory (os error 20)

"#]]);
    }
}

#[test]
fn nobody_waits_for_another_run_that_asks_for_a_code() {
    let account = with_device(&["123456", "234567"]);
    let line = format!("whoami --mfa-serial {}", serial(&account));
    let program = env!("CARGO_BIN_EXE_inductiva-aws");
    let other = format!("run:{program} {line} --mfa-code 123456 >/dev/null");
    let steps = [
        "see:Enter MFA code for ",
        &other,
        // The session that the other made meanwhile is used.
        "type:234567\n",
    ];
    let run = on_a_terminal(&account, &line, &steps, &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn a_run_that_waits_for_another_says_so() {
    let account = with_device(&["123456", "234567"]);
    account.fault(json!({"service": "sts", "operation": "GetSessionToken", "kind": "hold"}));
    let line = |code| format!("whoami --mfa-serial {} --mfa-code {code}", serial(&account));
    let first = account.start(&line("123456"));
    account.until_held();
    let mut second = account.start(&line("234567"));
    #[cfg(target_os = "linux")]
    account.until("the second waits", |_| waits_for_a_lock(&second));
    account.pass(2.0);
    let said = until_it_says(&mut second, ".lock\n");
    whole(
        &said,
        "waiting for another run of inductiva-aws, which holds [HOME]/.aws/inductiva-aws/cache/[..].lock\n",
    );
    account.post("release", json!({}));
    for child in [first, second] {
        ended(child).succeeds("");
    }
    assert_eq!(sessions_made(&account), 1);
}
