//! Where the code comes from: a person, a command of the profile, the environment.

use std::fs;

use serde_json::{Value, json};
use snapbox::str;

use super::{files_below, first_session, serial, sessions_made, whoami, with_device, with_role};
use crate::{
    sandbox::{Account, Run, finish, list, run::whole, spawn, text, until_it_says},
    terminal::on_a_terminal,
};

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
    let line = "--profile mfa -q --mfa-code 123456";
    whoami(&account, line).succeeds("");
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
    whoami(&account, "--profile mfa -q --mfa-code 654321").fails(4, str![[r#"
{"error":{"hint":"is it the device's newest code, and of this device? each works once, for about 30 s, and needs the device's clock to be right","kind":"not_signed_in","machines":[],"message":"AWS does not take this MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone"}}

"#]]);
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
fn a_command_of_the_profile_prints_the_code() {
    let account = with_device(&["123456"]);
    with_role(&account, "mfa_process = printf '123 456\\n'\n");
    whoami(&account, "--profile mfa -q").succeeds("");
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
    whole(
        &before,
        str![[r#"
[profile base]
aws_access_key_id = AKIAI44QH8DHBEXAMPLE
got ********
[profile mfa]
role_arn = arn:aws:iam::[ACCOUNT]:role/guarded
source_profile = base
mfa_serial = arn:aws:iam::[ACCOUNT]:mfa/phone
got /got /' .aws/config >&2; printf 'a/033[2J/r/n::error::b/nTouch your key: ' >&2; cat pipe >&2; echo 123456; printf last >&2
a[2J
: :error::b

"#]],
    );
    account.pass(0.3);
    let question = "Touch your key:\n";
    assert_eq!(until_it_says(&mut child, question), question);
    fs::write(pipe, "touched\n").expect("written");
    account.ended(child).assert(
        0,
        "arn:aws:sts::[ACCOUNT]:assumed-role/guarded/inductiva-aws-[..]\n",
        "touched\nlast\n",
    );
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
fn a_typed_code_makes_a_new_session_and_one_that_was_used_does_not() {
    let account = with_device(&["123456", "234567"]);
    let serial = first_session(&account, "123456");
    first_session(&account, "234567");
    assert_eq!(sessions_made(&account), 2);
    // The same line once more: the code can make none.
    whoami(&account, &format!("{serial} --mfa-code 234567")).succeeds("");
    assert_eq!(sessions_made(&account), 2);
}

/// A `whoami` with the device and this code in the environment, and perhaps more.
#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
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
    with_variables(&account, line, "123456", &[]).succeeds("");
    assert_eq!(sessions_made(&account), 1);
    // What is kept goes before the variable's code, which has no part any more.
    for code in ["234567", "123456", "no code"] {
        with_variables(&account, line, code, &[]).succeeds("");
    }
    assert_eq!(sessions_made(&account), 1);
    // Where the credentials are a session already they are nothing to it.
    account.run("credentials --format json -q").succeeds("");
    let session = list(&account.get("identity")["issued"]).remove(0);
    let keys = [
        ("AWS_ACCESS_KEY_ID", text(&session["access_key_id"])),
        ("AWS_SECRET_ACCESS_KEY", text(&session["secret_access_key"])),
        ("AWS_SESSION_TOKEN", text(&session["session_token"])),
    ];
    with_variables(&account, line, "999999", &keys).succeeds("");
    assert_eq!(sessions_made(&account), 1);
}

#[test]
fn a_refused_code_of_the_environment_says_to_unset_it() {
    let line = "whoami --output json --no-input";
    let account = with_device(&["123456"]);
    for (code, exit_code, said) in [
        (
            "999999",
            4,
            str![[r#"
{"error":{"hint":"unset AWS_MFA_TOKEN_CODE to be asked for the code, or set it to the device's newest: each works once, for about 30 s","kind":"not_signed_in","machines":[],"message":"AWS does not take this MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone"}}

"#]],
        ),
        (
            "999999",
            4,
            str![[r#"
{"error":{"hint":"unset AWS_MFA_TOKEN_CODE to be asked for the code, or set it to the device's newest: each works once, for about 30 s","kind":"not_signed_in","machines":[],"message":"this MFA code of arn:aws:iam::[ACCOUNT]:mfa/phone was used already, and AWS takes each once"}}

"#]],
        ),
        (
            "no code",
            2,
            str![[r#"
{"error":{"hint":"unset AWS_MFA_TOKEN_CODE to be asked for the code, or set it to the device's newest: each works once, for about 30 s","kind":"usage","machines":[],"message":"AWS_MFA_TOKEN_CODE is not an MFA code, which has six digits"}}

"#]],
        ),
    ] {
        with_variables(&account, line, code, &[]).fails(exit_code, said);
    }
    // One for a role, as the option is.
    with_role(&account, "");
    with_variables(&account, &format!("{line} --profile mfa -q"), "123456", &[]).succeeds("");
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
