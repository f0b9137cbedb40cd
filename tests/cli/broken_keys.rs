//! Keys that no request can be signed with, from every place that has keys.

use snapbox::str;

use crate::sandbox::{Account, Run, finish};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn run(account: &Account, line: &str, environment: &[(&str, &str)]) -> Run {
    let mut command = account.command(line.split_whitespace());
    if line.contains("--profile") || environment.is_empty() {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().copied());
    finish(&mut command)
}

/// Refused before any call, with the place named and no part of a key shown.
#[track_caller]
fn assert_refused(account: &Account, run: &Run, told: &str) {
    let told = format!("error: {told}, which no key has\n");
    let hint = "hint: copy it again, as one word: a key that was broken over two lines, or a file with Windows line ends, is the usual reason\n";
    run.fails(2, told + hint);
    for part in ["7EXAMPLE", "IOSFODNN", "wJalrX", "CYEXAMPLEKEY"] {
        assert!(!run.stderr.contains(part), "{}", run.stderr);
    }
    assert_eq!(account.requests().len(), 0, "a call was made");
}

#[test]
fn white_space_at_the_end_of_a_variable_is_cut_off() {
    let account = Account::new();
    for end in ["\r", "\n", "\r\n", " ", "\t"] {
        let (id, secret) = (format!("{KEY_ID}{end}"), format!("{SECRET}{end}"));
        let keys = [
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
        ];
        run(&account, "whoami -q", &keys).assert(
            0,
            str![[r#"
arn:aws:iam::[ACCOUNT]:user/sandbox

"#]],
            "",
        );
    }
}

#[test]
fn a_variable_with_a_character_in_it_that_no_key_has_is_named() {
    let account = Account::new();
    for (name, value, told) in [
        (
            "AWS_ACCESS_KEY_ID",
            "AKIAIOSFODNN\r\n7EXAMPLE",
            "AWS_ACCESS_KEY_ID has a line break in it",
        ),
        (
            "AWS_ACCESS_KEY_ID",
            "\nAKIAIOSFODNN7EXAMPLE",
            "AWS_ACCESS_KEY_ID has a line break in it",
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrX\u{1b}UtnFEMI",
            "AWS_SECRET_ACCESS_KEY has the character U+001B in it",
        ),
        (
            "AWS_SESSION_TOKEN",
            "first\nsecond",
            "AWS_SESSION_TOKEN has a line break in it",
        ),
        (
            "AWS_ACCESS_KEY_ID",
            "AKIAIOSFODNN7EXAMPLE…",
            "AWS_ACCESS_KEY_ID has the character U+2026 in it",
        ),
        (
            "AWS_SESSION_TOKEN",
            "to\u{a0}ken",
            "AWS_SESSION_TOKEN has the character U+00A0 in it",
        ),
    ] {
        for line in ["list", "start", "credentials --force", "whoami"] {
            assert_refused(&account, &run(&account, line, &[(name, value)]), told);
        }
        let error = format!(
            "{{\"error\":{{\"hint\":\"copy it again, [..]\",\"kind\":\"usage\",\"machines\":[],\"message\":\"{told}, which no key has\"}}}}\n"
        );
        run(&account, "whoami --output json", &[(name, value)]).fails(2, error);
    }
}

#[test]
fn a_key_that_was_broken_over_two_lines_is_refused_by_its_profile() {
    let account = Account::new();
    account.file(
        ".aws/credentials",
        format!(
            "[w]\naws_access_key_id = AKIAIOSFODNN\n    7EXAMPLE\naws_secret_access_key = {SECRET}\n\
             [v]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/\n    bPxRfiCYEXAMPLEKEY\n"
        ),
    );
    account.file(
        ".aws/config",
        format!(
            "[profile role]\nrole_arn = arn:aws:iam::{0}:role/r\nsource_profile = w\n\
             [profile role-of-role]\nrole_arn = arn:aws:iam::{0}:role/r\nsource_profile = role\n\
             [profile mfa]\nrole_arn = arn:aws:iam::{0}:role/r\nsource_profile = w\nduration_seconds = 900\n",
            account.number
        ),
    );
    let of_w = "the access key id of profile w has a line break in it";
    for profile in ["w", "role", "role-of-role", "mfa"] {
        let run = run(&account, &format!("whoami --profile {profile}"), &[]);
        assert_refused(&account, &run, of_w);
    }
    let run = run(&account, "whoami --profile v", &[]);
    assert_refused(
        &account,
        &run,
        "the secret access key of profile v has a line break in it",
    );
}

#[test]
fn windows_line_ends_in_the_files_do_no_harm() {
    let account = Account::new();
    account.file(
        ".aws/credentials",
        format!("[w]\r\naws_access_key_id = {KEY_ID}\r\naws_secret_access_key = {SECRET}\r\n"),
    );
    run(&account, "whoami --profile w", &[]).assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            eu-west-2
credentials from  profile w

"#]],
        "",
    );
}

#[test]
fn what_a_command_prints_is_checked_too() {
    let account = Account::new();
    let keys = |id: &str| {
        format!(r#"{{"Version": 1, "AccessKeyId": "{id}", "SecretAccessKey": "{SECRET}"}}"#)
    };
    account.file("broken.json", keys(r"AKIAIOSFODNN\n7EXAMPLE"));
    account.file("ended.json", keys(r"AKIAIOSFODNN7EXAMPLE\r\n"));
    account.file(
        ".aws/config",
        "[profile broken]\ncredential_process = cat broken.json\n[profile ended]\ncredential_process = cat ended.json\n",
    );
    let told = "the access key id of profile broken has a line break in it";
    assert_refused(
        &account,
        &run(&account, "whoami --profile broken", &[]),
        told,
    );
    run(&account, "whoami --profile ended", &[]).assert(
        0,
        str![[r#"
account           [ACCOUNT]
arn               arn:aws:iam::[ACCOUNT]:user/sandbox
region            eu-west-2
credentials from  profile ended

"#]],
        "",
    );
}

/// The SDK would read the environment itself.
#[test]
fn a_role_that_is_assumed_with_the_environments_keys_has_them_checked() {
    let account = Account::new();
    account.file(
        ".aws/config",
        format!(
            "[profile role]\nrole_arn = arn:aws:iam::{}:role/r\ncredential_source = Environment\n",
            account.number
        ),
    );
    let keys = |id: &'static str| [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let broken = run(
        &account,
        "whoami --profile role -q",
        &keys("AKIAIOSFODNN\r7EXAMPLE"),
    );
    assert_refused(
        &account,
        &broken,
        "AWS_ACCESS_KEY_ID has a line break in it",
    );
    account.put("identity", serde_json::json!({"roles": [{"name": "r"}]}));
    let ended = run(
        &account,
        "whoami --profile role -q",
        &keys("AKIAIOSFODNN7EXAMPLE\r"),
    );
    ended.assert(
        0,
        str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/r/inductiva-aws-[..]

"#]],
        "",
    );
}
