//! Signing in with MFA: sessions, roles, and what is kept of them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    aws_cli::aws,
    sandbox::{Account, Run, finish, list, spawn, text, until_it_says},
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
    assert_eq!((again.code, &again.stdout), (0, &run.stdout));
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
    let run = account.run(&line);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_session_close_to_its_end_is_made_anew() {
    let account = with_device(&["123456", "234567"]);
    account.put("identity", json!({"session_seconds": 200}));
    let first = format!("--mfa-serial {} --mfa-code 123456", serial(&account));
    assert_eq!(whoami(&account, &first).code, 0);
    let second = format!("--mfa-serial {} --mfa-code 234567", serial(&account));
    assert_eq!(whoami(&account, &second).code, 0);
    assert_eq!(sessions_made(&account), 2);
}

#[test]
fn a_code_is_not_sent_twice() {
    let account = with_device(&[]);
    let line = format!("--mfa-serial {} --mfa-code 123456", serial(&account));
    let wrong = account.run(&format!("whoami {line}"));
    wrong.assert(
        4,
        str![],
        str![[r#"
error: AWS does not take this MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone
hint: is it the device's newest code, and of this device? each works once, for about 30 s, and needs the device's clock to be right

"#]],
    );
    account.run(&format!("whoami {line}")).assert(
        4,
        str![],
        str![[r#"
error: this MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone was used already, and AWS takes each once
hint: wait for the device's next code: it changes every 30 s

"#]],
    );
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn a_wrong_code_leaves_what_was_kept() {
    let account = with_device(&["123456"]);
    with_role(&account, "");
    let line = "--profile mfa --mfa-code 123456";
    assert_eq!(whoami(&account, line).code, 0);
    let files = || {
        let mut files: Vec<(std::path::PathBuf, Vec<u8>)> =
            files_below(&account.home.path().join(".aws/cli"))
                .into_iter()
                .map(|file| (file.clone(), fs::read(file).expect("a file")))
                .collect();
        files.sort();
        files
    };
    // Too old to be used, as the AWS CLI might have left it.
    let (path, kept) = files().pop().expect("a session");
    let old = String::from_utf8(kept).expect("text").replace("20", "10");
    fs::write(&path, &old).expect("written");
    let run = whoami(&account, "--profile mfa --mfa-code 654321");
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert_eq!(files(), [(path, old.into_bytes())]);
}

#[test]
fn what_is_no_code_or_no_device_is_said_before_any_call() {
    let account = with_device(&[]);
    account
        .run("whoami --mfa-serial arn:aws:iam::123456789012:mfa/ana --mfa-code 12345")
        .assert(
            2,
            str![],
            str![[r#"
error: an MFA code has six digits (--mfa-code)

"#]],
        );
    account.run("whoami --mfa-code 123456").assert(
        2,
        str![],
        str![[r#"
error: --mfa-code needs to know the device
hint: name it with --mfa-serial, in AWS_MFA_SERIAL_NUMBER, or as mfa_serial in the profile

"#]],
    );
    account
        .run("whoami --mfa-serial arn:aws:iam::123456789012:user/ana")
        .assert(
            2,
            str![],
            str![[r#"
error: arn:aws:iam::123456789012:user/ana cannot be used for MFA: it is the user's ARN, not the device's
hint: is it arn:aws:iam::123456789012:mfa/ana? the device's ARN is in the IAM console under "Security credentials"

"#]],
        );
    account
        .run("whoami --mfa-serial arn:aws:iam::123456789012:u2f/user/ana/key")
        .assert(
            2,
            str![],
            str![[r#"
error: arn:aws:iam::123456789012:u2f/user/ana/key cannot be used for MFA: a security key or passkey (FIDO) has no codes, and AWS's API takes nothing else
hint: add a virtual MFA device (an authenticator app) beside it, and name that one

"#]],
        );
    let mut command = account.command([
        "whoami",
        "--mfa-serial",
        "arn:aws:iam::123456789012:mfa/ana",
        "--mfa-code",
        "123456",
    ]);
    command.env("AWS_SESSION_TOKEN", "token");
    finish(&mut command).assert(
        2,
        str![],
        str![[r#"
error: the keys in the environment (AWS_SESSION_TOKEN) are a session already, and AWS makes no MFA session of a session
hint: leave out --mfa-serial to use them as they are, or sign in with a user's own keys (they begin with AKIA)

"#]],
    );
    assert_eq!(account.requests(), [] as [Value; 0]);
}

#[test]
fn without_a_code_and_without_a_terminal_the_flag_is_named() {
    let account = with_device(&["123456"]);
    with_role(&account, "");
    account.run("whoami --profile mfa --no-input -q").assert(
        4,
        str![],
        str![[r#"
error: nobody can be asked for the MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone here
hint: give it with --mfa-code, or let the profile's mfa_process print it

"#]],
    );
    assert_eq!(account.requests(), [] as [Value; 0]);
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
    let run = finish(&mut command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sessions_made(&account), 0);
}

#[test]
fn a_role_takes_the_code_itself_and_what_the_profile_says() {
    let account = with_device(&["123456"]);
    account.put("identity", json!({"roles": [{"name": "guarded", "requires_mfa": true, "max_session_seconds": 7200, "external_id": "shared secret"}]}));
    with_role(
        &account,
        "duration_seconds = 7200\nexternal_id = shared secret\nrole_session_name = ana\n",
    );
    let run = whoami(&account, "--profile mfa --mfa-code 123456 -q");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(
        run.document()["arn"],
        format!("arn:aws:sts::{}:assumed-role/guarded/ana", account.number)
    );
    let requests = account.requests();
    let call = requests
        .iter()
        .find(|r| r["operation"] == "AssumeRole")
        .expect("the call");
    assert_eq!(call["params"]["DurationSeconds"], "7200");
    assert_eq!(call["params"]["SerialNumber"], serial(&account));
    assert_eq!(call["params"]["ExternalId"], "shared secret");
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn a_source_profile_has_mfa_of_its_own() {
    let account = with_device(&["123456"]);
    account.put(
        "identity",
        json!({"roles": [{"name": "guarded", "requires_mfa": true}]}),
    );
    account.file(
        ".aws/config",
        format!(
            "[profile base]\n{KEYS}mfa_serial = {}\n[profile role]\nrole_arn = arn:aws:iam::{}:role/guarded\nsource_profile = base\n",
            serial(&account),
            account.number
        ),
    );
    let run = whoami(&account, "--profile role --mfa-code 123456 -q");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(text(&run.document()["arn"]).contains(":assumed-role/guarded/inductiva-aws-"));
    let operations = account.operations();
    assert_eq!(operations[..2], ["GetSessionToken", "AssumeRole"]);
}

#[test]
fn the_keys_below_may_come_from_a_command() {
    let account = with_device(&["123456", "234567"]);
    let keys = account.file(
        "keys.json",
        r#"{"Version": 1, "AccessKeyId": "AKIAI44QH8DHBEXAMPLE", "SecretAccessKey": "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"}"#,
    );
    account.file(
        ".aws/config",
        format!(
            "[profile base]\ncredential_process = cat {}\n[profile mfa]\nrole_arn = arn:aws:iam::{}:role/guarded\nsource_profile = base\nmfa_serial = {}\n",
            keys.display(),
            account.number,
            serial(&account)
        ),
    );
    let run = whoami(&account, "--profile mfa --mfa-code 123456 -q");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(text(&run.document()["arn"]).contains(":assumed-role/guarded/"));
    // Without a role as well: the session of the keys.
    let flags = format!(
        "--profile base --mfa-serial {} --mfa-code 234567 -q",
        serial(&account)
    );
    let run = whoami(&account, &flags);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let made = account.operations();
    let made = made.iter().filter(|o| *o != "GetCallerIdentity");
    assert_eq!(made.collect::<Vec<_>>(), ["AssumeRole", "GetSessionToken"]);
}

#[test]
fn a_role_that_refuses_says_whose_doing_it_is() {
    let account = with_device(&["123456"]);
    with_role(&account, "external_id = wrong\n");
    account
        .run("whoami --profile mfa --mfa-code 123456 -q")
        .assert(
            4,
            str![],
            str![[r#"
error: cannot assume the role arn:aws:iam::[ACCOUNT]:role/guarded (profile mfa): arn:aws:iam::[ACCOUNT]:user/sandbox may not sts:AssumeRole on arn:aws:iam::[ACCOUNT]:role/guarded (AccessDenied, request [UUID])
hint: the role's trust policy has to name the identity that assumes it, and its own policies have to allow sts:AssumeRole; if the role asks for an external id, profile mfa needs external_id

"#]],
        );
}

#[test]
fn a_duration_that_the_role_does_not_allow() {
    let account = with_device(&["123456"]);
    with_role(&account, "duration_seconds = 43200\n");
    account
        .run("whoami --profile mfa --mfa-code 123456 -q")
        .assert(
            1,
            str![],
            str![[r#"
error: cannot assume the role arn:aws:iam::[ACCOUNT]:role/guarded (profile mfa): The requested DurationSeconds exceeds the MaxSessionDuration set for this role (ValidationError, request [UUID])
hint: lower duration_seconds in the profile: a role that is assumed with a session's keys lasts an hour at most, others as long as the role allows

"#]],
        );
}

#[test]
fn source_profiles_that_go_in_a_circle() {
    let account = with_device(&["123456"]);
    let role = format!(
        "role_arn = arn:aws:iam::{}:role/guarded\nmfa_serial = {}\n",
        account.number,
        serial(&account)
    );
    account.file(
        ".aws/config",
        format!("[profile a]\n{role}source_profile = b\n[profile b]\n{role}duration_seconds = 900\nsource_profile = a\n"),
    );
    account
        .run("whoami --profile a --mfa-code 123456 -q")
        .assert(
            2,
            str![],
            str![[r#"
error: profile a is its own source_profile, by way of a, b

"#]],
        );
}

#[test]
fn a_command_of_the_profile_prints_the_code() {
    let account = with_device(&["123456"]);
    with_role(&account, "mfa_process = printf '123 456\\n'\n");
    let run = whoami(&account, "--profile mfa -q");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let account = with_device(&["123456"]);
    with_role(&account, "mfa_process = echo no key found\n");
    account.run("whoami --profile mfa -q").assert(
        4,
        str![],
        str![[r#"
error: the profile's mfa_process printed no MFA code
hint: run the command by itself: it has to print six digits and nothing else

"#]],
    );
    with_role(&account, "mfa_process = exit 3\n");
    account.run("whoami --profile mfa -q").assert(
        4,
        str![],
        str![[r#"
error: the profile's mfa_process failed (exit status: 3)
hint: run the command by itself: it has to print six digits and nothing else

"#]],
    );
}

/// What it says is for a person: it is shown at once, a question without an end of
/// line too, but neither secrets nor what a terminal would obey.
#[test]
fn what_a_command_says_is_shown_without_secrets() {
    let account = with_device(&["123456"]);
    with_role(
        &account,
        "mfa_process = sed 's/.*key = /got /' .aws/config >&2; printf 'a\\033[2J\\r\\n::error::b\\nTouch your key: ' >&2; cat pipe >&2; echo 123456; printf last >&2\n",
    );
    let pipe = account.home.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    account.put("clock", json!({"pauses_wait": true}));
    let mut command = account.command(["whoami", "--profile", "mfa", "-q"]);
    let mut child = spawn(command.env("GITHUB_ACTIONS", "true"));
    let before = until_it_says(&mut child, "\n: :error::b\n");
    assert!(before.contains("\ngot ********\n"), "{before}");
    assert!(before.contains("\na[2J\n"), "{before}");
    account.pass(0.3);
    until_it_says(&mut child, "Touch your key:\n");
    fs::write(pipe, "touched\n").expect("written");
    let run = account.ended(child);
    assert_eq!((run.code, run.stderr.as_str()), (0, "touched\nlast\n"));
}

#[test]
fn a_person_may_mistype_the_code_twice() {
    let account = with_device(&["123456"]);
    let prompt = format!("see:Enter MFA code for {}: ", serial(&account));
    let line = format!("whoami --mfa-serial {}", serial(&account));
    let steps = [
        &prompt,
        "type:12345\n",
        "see:an MFA code has six digits",
        &prompt,
        "type:000000\n",
        "see:AWS does not take this MFA code",
        &prompt,
        "type:123456\n",
        "see::user/sandbox",
    ];
    let run = on_a_terminal(&account, &line, &steps, &[]);
    assert_eq!(run.code, 0, "{}", run.stdout);

    let account = with_device(&["123456"]);
    let prompt = format!("see:Enter MFA code for {}: ", serial(&account));
    let line = format!("whoami --mfa-serial {}", serial(&account));
    let steps = [
        &prompt,
        "type:111111\n",
        &prompt,
        "type:222222\n",
        &prompt,
        "type:333333\n",
        "see:AWS does not take this MFA code",
    ];
    let run = on_a_terminal(&account, &line, &steps, &[]);
    assert_eq!(run.code, 4, "{}", run.stdout);
    assert_eq!(sessions_made(&account), 3);
}

#[test]
fn the_aws_cli_and_this_program_share_the_sessions_of_roles() {
    let account = with_device(&["123456", "234567"]);
    with_role(&account, "");
    // Ours is found by the AWS CLI, which would have to ask for a code.
    let run = whoami(&account, "--profile mfa --mfa-code 123456 -q");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let Some(told) = aws(&account, "sts get-caller-identity --profile mfa", "") else {
        return;
    };
    told.succeeds("");
    assert_eq!(told.document()["Arn"], run.document()["arn"]);
    assert_eq!(sessions_made(&account), 1);
    // And the AWS CLI's by ours.
    for file in files_below(&account.home.path().join(".aws/cli")) {
        fs::remove_file(file).expect("removed");
    }
    let told = aws(
        &account,
        "sts get-caller-identity --profile mfa",
        "234567\n",
    )
    .expect("it was there a moment ago");
    assert_eq!(told.code, 0, "{}", told.stderr);
    let run = whoami(&account, "--profile mfa -q");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(text(&run.document()["arn"]).contains(":assumed-role/guarded/botocore-session-"));
    assert_eq!(sessions_made(&account), 2);
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
    let line = format!("whoami --mfa-serial {} --mfa-code 123456", serial(&account));
    let first = account.start(&line);
    account.until_held();
    let second = account.start(&line);
    account.until("the second waits for the first, or does not", |a| {
        waits_for_a_lock(&second) || sessions_made(a) > 1
    });
    account.post("release", json!({}));
    let runs = [first, second].map(crate::sandbox::ended);
    for run in &runs {
        assert_eq!(run.code, 0, "{}", run.stderr);
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
    let run = whoami(account, &format!("{serial} --mfa-code {code}"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    serial
}

#[test]
fn a_session_that_aws_no_longer_takes_is_replaced() {
    let account = with_device(&["123456", "234567", "345678"]);
    let serial = first_session(&account, "123456");
    account.post("expire", json!({"what": ["session_keys"]}));
    // It takes a code again.
    let run = whoami(&account, &serial);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(
        text(&run.error()["hint"]).contains("--mfa-code"),
        "{}",
        run.stderr
    );
    let run = whoami(&account, &format!("{serial} --mfa-code 234567"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
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
    assert_eq!(whoami(&account, &serial).code, 0);
    assert_eq!(sessions_made(&account), 3);
}

#[test]
fn a_roles_session_that_aws_no_longer_takes_is_replaced() {
    let account = with_device(&["123456", "234567"]);
    with_role(&account, "");
    for code in ["123456", "234567"] {
        let run = whoami(&account, &format!("--profile mfa -q --mfa-code {code}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert_eq!(whoami(&account, "--profile mfa -q").code, 0);
        account.post("expire", json!({"what": ["session_keys"]}));
    }
    assert_eq!(sessions_made(&account), 2);
}

#[test]
fn a_typed_code_makes_a_new_session_and_one_that_was_used_does_not() {
    let account = with_device(&["123456", "234567"]);
    let serial = first_session(&account, "123456");
    first_session(&account, "234567");
    assert_eq!(sessions_made(&account), 2);
    // The same line once more: the code can make none.
    let run = whoami(&account, &format!("{serial} --mfa-code 234567"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sessions_made(&account), 2);
}

/// A `whoami` with the device and this code in the environment, and perhaps more.
fn with_variables(account: &Account, line: &str, code: &str, more: &[(&str, &str)]) -> Run {
    let mut command = account.command(line.split_whitespace());
    command
        .env("AWS_MFA_SERIAL_NUMBER", serial(account))
        .env("AWS_MFA_TOKEN_CODE", code)
        .envs(more.iter().copied());
    finish(&mut command)
}

#[test]
fn the_variables_of_the_mfa_document_count_only_where_a_session_is_made() {
    let line = "whoami --output json -q";
    let account = with_device(&["123456", "234567"]);
    let run = with_variables(&account, line, "123456", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sessions_made(&account), 1);
    // What is kept goes before the variable's code, which has no part any more.
    for code in ["234567", "123456", "no code"] {
        let run = with_variables(&account, line, code, &[]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    }
    assert_eq!(sessions_made(&account), 1);
    // Where the credentials are a session already they are nothing to it.
    let session = account.run("credentials --format json -q");
    assert_eq!(session.code, 0, "{}", session.stderr);
    let session = list(&account.get("identity")["issued"]).remove(0);
    let keys = [
        ("AWS_ACCESS_KEY_ID", text(&session["access_key_id"])),
        ("AWS_SECRET_ACCESS_KEY", text(&session["secret_access_key"])),
        ("AWS_SESSION_TOKEN", text(&session["session_token"])),
    ];
    let run = with_variables(&account, line, "999999", &keys);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn a_refused_code_of_the_environment_says_to_unset_it() {
    let line = "whoami --output json --no-input";
    let account = with_device(&["123456"]);
    for code in ["999999", "999999", "no code"] {
        let run = with_variables(&account, line, code, &[]);
        assert!(matches!(run.code, 2 | 4), "{}", run.stderr);
        let hint = run.error()["hint"].clone();
        assert!(
            text(&hint).starts_with("unset AWS_MFA_TOKEN_CODE"),
            "{hint}"
        );
    }
    // One for a role, as the option is.
    with_role(&account, "");
    let run = with_variables(&account, &format!("{line} --profile mfa -q"), "123456", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn the_mfa_document_works_line_by_line_in_one_shell() {
    let account = with_device(&["123456"]);
    account.put("policy", json!({"require_mfa": true}));
    // `jq` is not everywhere: our own command gives the three values to the shell.
    let script = r#"
        set -u
        cd
        export AWS_IMAGE_ID=ami-0d592b9373fad0e2c
        if "$PROGRAM" start --machine-group-name g -q 2>denied; then exit 1; fi
        grep -q UnauthorizedOperation denied || { cat denied; exit 2; }
        export AWS_MFA_SERIAL_NUMBER="$SERIAL"
        export AWS_MFA_TOKEN_CODE=123456
        session=$("$PROGRAM" credentials --format env) || exit 3
        eval "$session"
        echo "AWS token expires: $AWS_CREDENTIAL_EXPIRATION"
        test -n "$AWS_SESSION_TOKEN" || exit 4
        "$PROGRAM" start --machine-group-name g -q || exit 5
        "$PROGRAM" list -q || exit 6
    "#;
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", script])
        .env_clear()
        .envs(account.environment())
        .env("PROGRAM", env!("CARGO_BIN_EXE_inductiva-aws"))
        .env("SERIAL", serial(&account))
        .current_dir(account.home.path())
        .stdout(std::process::Stdio::piped());
    finish(&mut shell).assert(
        0,
        str![[r#"
AWS token expires: [TIME]
[ID]
[ID]

"#]],
        str![],
    );
    assert_eq!(account.live().len(), 1);
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn a_home_that_cannot_be_written_signs_in_with_a_warning() {
    let account = with_device(&["123456", "234567"]);
    // Where its folder would be; root may write anywhere else.
    account.file(".aws/inductiva-aws", "");
    for code in ["123456", "234567"] {
        let line = format!("--mfa-serial {} --mfa-code {code}", serial(&account));
        let run = whoami(&account, &line);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let warnings: Vec<&str> = run.stderr.lines().collect();
        assert_eq!(warnings.len(), 1, "{}", run.stderr);
        assert!(
            warnings[0].starts_with("warning: the session cannot be kept in "),
            "{}",
            run.stderr
        );
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
    let mut second = account.command(line("234567").leak().split(' '));
    let mut second = crate::sandbox::spawn(&mut second);
    #[cfg(target_os = "linux")]
    account.until("the second waits", |_| waits_for_a_lock(&second));
    account.pass(2.0);
    let said = crate::sandbox::until_it_says(&mut second, ".lock\n");
    assert!(
        said.starts_with("waiting for another run of inductiva-aws, which holds "),
        "{said}"
    );
    account.post("release", json!({}));
    for child in [first, second] {
        let run = crate::sandbox::ended(child);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert_eq!(sessions_made(&account), 1);
}
