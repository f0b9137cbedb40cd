//! Roles that are assumed with MFA, and what stands below them.

use std::fs;

use serde_json::json;
use snapbox::str;

use super::{KEYS, files_below, serial, sessions_made, whoami, with_device, with_role};
use crate::{aws_cli::aws, sandbox::text};

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
    whoami(&account, &flags).succeeds("");
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
hint: if AWS means the duration, lower duration_seconds in the profile: a role that is assumed with a session's keys lasts an hour at most, others as long as the role allows

"#]],
        );
}

#[test]
fn a_role_with_something_else_wrong_has_no_hint_about_its_duration() {
    let account = with_device(&["123456"]);
    with_role(&account, "role_session_name = a b\n");
    account
        .run("whoami --profile mfa --mfa-code 123456 -q")
        .assert(
            1,
            str![],
            str![[r#"
error: cannot assume the role arn:aws:iam::[ACCOUNT]:role/guarded (profile mfa): [..]roleSessionName[..] (ValidationError, request [UUID])

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
fn the_aws_cli_and_this_program_share_the_sessions_of_roles() {
    let account = with_device(&["123456", "234567"]);
    with_role(&account, "");
    // Ours is found by the AWS CLI, which would have to ask for a code.
    let run = whoami(&account, "--profile mfa --mfa-code 123456 -q");
    run.succeeds("");
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

#[test]
fn a_roles_session_that_aws_no_longer_takes_is_replaced() {
    let account = with_device(&["123456", "234567"]);
    with_role(&account, "");
    for code in ["123456", "234567"] {
        whoami(&account, &format!("--profile mfa -q --mfa-code {code}")).succeeds("");
        whoami(&account, "--profile mfa -q").succeeds("");
        account.post("expire", json!({"what": ["session_keys"]}));
    }
    assert_eq!(sessions_made(&account), 2);
}
