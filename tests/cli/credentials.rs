//! `credentials`: what other programs can use, and when it prints nothing.

use std::process::Command;

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    aws_cli::aws,
    sandbox::{Account, Run, finish, text},
    terminal::on_a_terminal,
};

const SECRET: &str = "it's \"$HOME\" `id` \\n/+=";

/// An account whose session keys have what a shell would trip over.
fn with_session() -> Account {
    let account = Account::new();
    account.put(
        "identity",
        json!({"session_keys": [{"access_key_id": account.session_key_id(), "secret_access_key": SECRET, "session_token": "to ken/+=", "mfa": true}]}),
    );
    account.file(
        ".aws/credentials",
        format!("[session]\naws_access_key_id = {}\naws_secret_access_key = {SECRET}\naws_session_token = to ken/+=\n", account.session_key_id()),
    );
    account
}

/// A profile `mfa` whose role needs a code, `outer` that asks this program for
/// its credentials, and a session that is kept already.
fn with_kept_role() -> Account {
    let account = Account::new();
    let serial = format!("arn:aws:iam::{}:mfa/phone", account.number);
    account.put(
        "identity",
        json!({"mfa_devices": [{"serial": serial, "codes": ["123456"]}], "roles": [{"name": "guarded", "requires_mfa": true}]}),
    );
    let program = env!("CARGO_BIN_EXE_inductiva-aws");
    account.file(
        ".aws/config",
        format!(
            "[profile mfa]\nrole_arn = arn:aws:iam::{}:role/guarded\ncredential_source = Environment\nmfa_serial = {serial}\n[profile outer]\ncredential_process = {program} credentials --profile mfa\n",
            account.number
        ),
    );
    account
        .run("credentials --profile mfa --mfa-code 123456 -q")
        .succeeds("");
    account
}

#[test]
fn process_is_what_the_sdks_read() {
    let account = with_kept_role();
    let run = account.run("credentials --profile mfa -q");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let document = run.document();
    let issued = account.get("identity")["issued"][0].clone();
    assert_eq!(document["Version"], 1);
    assert_eq!(document["AccessKeyId"], issued["access_key_id"]);
    assert_eq!(document["SecretAccessKey"], issued["secret_access_key"]);
    assert_eq!(document["SessionToken"], issued["session_token"]);
    assert!(text(&document["Expiration"]).ends_with('Z'));
    // Keys that stay good have neither token nor end, and null is not a text.
    let keys = account.json("credentials");
    assert_eq!(
        keys,
        json!({"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
    );
}

#[test]
fn json_has_the_identity_too() {
    let account = with_session();
    assert_eq!(
        account.json("credentials --profile session --format json"),
        json!({
            "access_key_id": account.session_key_id(),
            "secret_access_key": SECRET,
            "session_token": "to ken/+=",
            "expiration": null,
            "account": account.number,
            "arn": format!("arn:aws:iam::{}:user/sandbox", account.number),
        })
    );
}

#[test]
fn env_is_safe_to_eval_and_takes_others_keys_out() {
    let account = with_session();
    let script = "eval \"$(\"$PROGRAM\" credentials --format env -q \"$@\")\" && printf '%s|' \"$AWS_ACCESS_KEY_ID\" \"$AWS_SECRET_ACCESS_KEY\" \"${AWS_SESSION_TOKEN-none}\" \"${AWS_CREDENTIAL_EXPIRATION-none}\"";
    let eval = |args: &[&str]| {
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .args(args)
            .env_clear()
            .envs(account.environment())
            .env("PROGRAM", env!("CARGO_BIN_EXE_inductiva-aws"))
            .env("AWS_CREDENTIAL_EXPIRATION", "2001-01-01T00:00:00Z")
            .stdout(std::process::Stdio::piped());
        finish(&mut command)
    };
    let run = eval(&["--profile", "session"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(
        run.stdout,
        format!("{}|{SECRET}|to ken/+=|none|", account.session_key_id())
    );
    let run = eval(&[]);
    assert_eq!(
        run.stdout,
        "AKIAIOSFODNN7EXAMPLE|wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY|none|none|"
    );
}

#[test]
fn shells_have_their_own_quotes() {
    let account = with_session();
    let fish = account.run("credentials --profile session --format fish -q");
    assert_eq!((fish.code, fish.stderr.as_str()), (0, ""));
    assert_eq!(
        fish.stdout.replace(&account.session_key_id(), "ID"),
        "set -gx AWS_ACCESS_KEY_ID 'ID';\n\
         set -gx AWS_SECRET_ACCESS_KEY 'it\\'s \"$HOME\" `id` \\\\n/+=';\n\
         set -gx AWS_SESSION_TOKEN 'to ken/+=';\n\
         set -e AWS_CREDENTIAL_EXPIRATION;\n"
    );
    let powershell = account.run("credentials --profile session --format powershell -q");
    assert_eq!((powershell.code, powershell.stderr.as_str()), (0, ""));
    assert_eq!(
        powershell.stdout.replace(&account.session_key_id(), "ID"),
        "$Env:AWS_ACCESS_KEY_ID = 'ID'\n\
         $Env:AWS_SECRET_ACCESS_KEY = 'it''s \"$HOME\" `id` \\n/+='\n\
         $Env:AWS_SESSION_TOKEN = 'to ken/+='\n\
         Remove-Item Env:AWS_CREDENTIAL_EXPIRATION -ErrorAction SilentlyContinue\n"
    );
}

#[test]
fn no_region_is_needed() {
    let account = Account::new();
    let mut command = account.command(["credentials"]);
    command.env_remove("AWS_REGION");
    finish(&mut command).assert(
        0,
        str![[r#"
{
  "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
  "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  "Version": 1
}

"#]],
        "",
    );
}

#[test]
fn a_terminal_is_shown_nothing_unless_forced() {
    let account = Account::new();
    let run = on_a_terminal(
        &account,
        "credentials",
        &["see:stdout is a terminal"],
        &[("NO_COLOR", "1")],
    );
    run.assert(
        2,
        str![[r#"
error: these are secrets, and stdout is a terminal
hint: redirect them, as in eval "$(inductiva-aws credentials --format env)", or add --force

"#]],
        str![],
    );
    let run = on_a_terminal(
        &account,
        "credentials --force",
        &["see:wJalrXUtnFEMI"],
        &[("NO_COLOR", "1")],
    );
    run.assert(
        0,
        str![[r#"
{
  "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
  "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  "Version": 1
}

"#]],
        str![],
    );
}

#[test]
fn the_aws_cli_and_boto3_take_it_as_credential_process() {
    let account = with_kept_role();
    if let Some(told) = aws(&account, "sts get-caller-identity --profile outer", "") {
        told.succeeds("");
        let arn = told.document()["Arn"].clone();
        assert!(text(&arn).contains(":assumed-role/guarded/"), "{arn}");
    }
    boto3(&account).assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/guarded/inductiva-aws-[..]

"#]],
        str![],
    );
    // And so does this program itself.
    account.run("whoami --profile outer -q").assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/guarded/inductiva-aws-[..]

"#]],
        str![],
    );
}

/// The caller, as boto3 finds it with the profile `outer`.
fn boto3(account: &Account) -> Run {
    let python = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/target/sandbox/venv/bin/python"
    );
    let script = "import boto3; print(boto3.Session(profile_name='outer', region_name='eu-west-2').client('sts').get_caller_identity()['Arn'])";
    let mut command = Command::new(python);
    command
        .args(["-c", script])
        .env_clear()
        .envs(account.environment())
        .stdout(std::process::Stdio::piped());
    finish(&mut command)
}

#[test]
fn a_profile_that_asks_for_itself_ends_at_once() {
    let account = Account::new();
    let program = env!("CARGO_BIN_EXE_inductiva-aws");
    account.file(
        ".aws/config",
        format!(
            "[profile me]\ncredential_process = {program} credentials --profile me\n[profile a]\ncredential_process = \"{program}\" credentials --profile=b\n[profile b]\ncredential_process = {program} credentials --profile a\n[profile bare]\ncredential_process = {program} credentials\n[profile hidden]\ncredential_process = sh {}/wrapper\n",
            account.home.path().display()
        ),
    );
    account.file(
        "wrapper",
        format!(
            "echo >>{}/runs\nexec {program} credentials --profile hidden\n",
            account.home.path().display()
        ),
    );
    for name in ["me", "a", "b"] {
        account
            .run(&format!("credentials --profile {name} -q"))
            .fails(2, format!("\
error: profile {name} gets its credentials from inductiva-aws, which would get them from profile {name}
hint: name another profile in its credential_process: the one that has the keys, the role or the SSO sign-in
"));
    }
    let mut command = account.command(["start", "-q"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env("AWS_PROFILE", "bare");
    let run = finish(&mut command);
    run.ends(2, str![[r#"
error: profile bare gets its credentials from inductiva-aws, which would get them from profile bare
hint: name another profile in its credential_process: the one that has the keys, the role or the SSO sign-in

"#]]);
    // By way of a script it is found out at the second turn.
    account.run("credentials --profile hidden -q").fails(4, str![[r#"
error: not signed in to AWS: credential_process of profile hidden failed: exit status: 2: error: profile hidden gets its credentials from inductiva-aws, which would get them from profile hidden hint: name another profile in its credential_process: the one that has the keys, the role or the SSO sign-in
hint: run the command by itself to see what it says; it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}, and no shell reads it: $, ~, | and > are nothing special in it

"#]]);
    let runs = std::fs::read_to_string(account.home.path().join("runs")).expect("runs");
    assert_eq!(runs, "\n");
    assert_eq!(account.requests(), [] as [Value; 0]);
}
