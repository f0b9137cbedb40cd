//! Identity Center where questions can be asked.

use serde_json::json;
use snapbox::str;

use super::{BROWSER, account, assert_signed_in, run};
use crate::{sandbox::Account, terminal::on_a_terminal};

const DESKTOP: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("BROWSER", BROWSER),
    ("NO_COLOR", "1"),
];

#[test]
fn configure_sso_asks_and_lists() {
    let account = account();
    account.put(
        "sso",
        json!({"accounts": [
            {"account_id": "100000000001", "name": "data", "roles": ["A"]},
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
            "see:  1  100000000001 (data)",
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
fn configure_sso_changes_a_profile_after_a_question() {
    let account = account();
    account.put(
        "sso",
        json!({"accounts": [
            {"account_id": account.number, "name": "sim", "roles": ["Launcher", "Reader"]},
        ]}),
    );
    let config = || std::fs::read_to_string(account.home.path().join(".aws/config"));
    let before = config().expect("a file");
    let line =
        "configure sso --profile new --sso-session corp --sso-role-name Reader --region eu-west-1";
    let question = [
        "see:there is a profile new: role Launcher of account ",
        "see:change it (y/[N])? ",
    ];
    let run = on_a_terminal(
        &account,
        line,
        &[question[0], question[1], "type:n\n"],
        DESKTOP,
    );
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert_eq!(config().expect("a file"), before);
    let run = on_a_terminal(
        &account,
        line,
        &[question[0], question[1], "type:y\n"],
        DESKTOP,
    );
    assert_eq!(run.code, 0, "{}", run.stdout);
    let changed = before.replacen("= Launcher\n", "= Reader\nregion = eu-west-1\n", 1);
    assert_eq!(config().expect("a file"), changed);
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
    run.assert(4, str![[r#"
not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
sign in now ([Y]/n)? n
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]], str![]);
    let run = on_a_terminal(&account, &format!("{line} --no-input"), &[], DESKTOP);
    run.assert(4, str![[r#"
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]], str![]);
    assert_eq!(account.operations(), [] as [String; 0]);
    assert_eq!(account.launched(), 0);
}

/// The command lines of the README about Identity Center.
fn readme() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
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
    for (line, stdout, stderr) in [
        (
            login,
            str![[r#"
signed in to sso until [TIME]

"#]],
            str![[r#"
opening the sign-in page in the browser; if it does not open: http://[SERVER]/[ACCOUNT]/authorize?response_type=code&client_id=[..]&redirect_uri=http%3A%2F%2F127.0.0.1%3A[..]%2Foauth%2Fcallback&state=[..]&code_challenge_method=S256&scopes=sso%3Aaccount%3Aaccess&code_challenge=[..]

"#]],
        ),
        (
            whoami,
            str![[r#"
account           [ACCOUNT]
arn               arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user
region            eu-west-2
credentials from  profile work
credentials end   [TIME]

"#]],
            str![],
        ),
        (
            logout,
            str![[r#"
signed out of sso

"#]],
            str![],
        ),
    ] {
        let run = run(&account, arguments(line));
        run.assert(0, stdout, stderr);
    }
}
