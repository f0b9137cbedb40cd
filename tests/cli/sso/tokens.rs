//! What becomes of a token that is kept: used, refreshed, refused.

use serde_json::json;
use snapbox::str;

use super::{
    CORP, LEGACY, account, assert_signed_in, command, edit, login, make_stale, private_json, run,
};
use crate::sandbox::{Account, list, text};

#[test]
fn a_stale_token_is_refreshed_and_written_back() {
    let account = account();
    login(&account, "--profile new");
    let before = private_json(&account, CORP);
    for stale in [
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00UTC",
        "2020-01-01T00:00:00+00:00",
    ] {
        edit(&account, CORP, |token| {
            token["expiresAt"] = json!(stale);
            token["anothersField"] = json!("kept");
        });
        account.post("expire", json!({"what": ["access_tokens"]}));
        assert_signed_in(&account, "new");
        let after = private_json(&account, CORP);
        assert_ne!(after["accessToken"], before["accessToken"]);
        assert_eq!(after["clientSecret"], before["clientSecret"]);
        assert_eq!(after["anothersField"], "kept");
        assert!(text(&after["expiresAt"]) > "2026", "{after}");
    }
}

#[test]
fn runs_side_by_side_spend_a_refresh_token_once() {
    let account = account();
    login(&account, "--profile new");
    make_stale(&account, CORP);
    account.forget_requests();
    let runs: Vec<_> = (0..4)
        .map(|_| {
            command(&account, "whoami -q --profile new")
                .spawn()
                .expect("it starts")
        })
        .collect();
    for run in runs {
        let run = crate::sandbox::ended(run);
        run.assert(
            0,
            str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/AWSReservedSSO_Launcher_[..]/sandbox-user

"#]],
            str![],
        );
    }
    assert_eq!(account.calls("CreateToken"), 1);
}

#[test]
fn a_token_with_other_peoples_times_is_made_readable_for_all() {
    let account = account();
    login(&account, "--profile new");
    edit(&account, CORP, |token| {
        let time = text(&token["expiresAt"]).trim_end_matches('Z').to_owned();
        token["expiresAt"] = json!(format!("{time}+00:00"));
    });
    account.forget_requests();
    assert_signed_in(&account, "new");
    assert!(!account.operations().contains(&"CreateToken".to_owned()));
    assert!(text(&private_json(&account, CORP)["expiresAt"]).ends_with('Z'));
}

/// What `whoami` says when there is no token, with the command to run.
#[track_caller]
fn refused(account: &Account, profile: &str, expected: impl snapbox::IntoData) {
    run(account, &format!("whoami --profile {profile}")).assert(4, str![], expected);
}

#[test]
fn no_token_an_expired_one_and_a_refused_refresh_are_told_apart() {
    let account = account();
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    refused(
        &account,
        "role",
        str![[r#"
error: not signed in to AWS: there is no SSO token for corp ([HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json)
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    // It can be pasted where the environment is another.
    let raw = account.run("whoami --profile new").stderr;
    let line = format!("login --profile new --endpoint-url {}\n", account.aws_url());
    assert!(raw.contains(&line), "{raw}");
    login(&account, "--profile new");
    make_stale(&account, CORP);
    account.put("sso", json!({"refresh": false}));
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json expired at [TIME], and IAM Identity Center refused to refresh it (InvalidGrantException)
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    edit(&account, CORP, |token| {
        token
            .as_object_mut()
            .expect("an object")
            .remove("refreshToken");
    });
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json expired at [TIME] and cannot be refreshed
hint: sign in: inductiva-aws login --profile new

"#]],
    );
    account.file(CORP, "{");
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json is not an SSO token file
hint: sign in: inductiva-aws login --profile new

"#]],
    );
}

#[test]
fn an_expired_token_of_the_older_form_is_noticed_before_it_is_used() {
    let account = account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    login(&account, "--profile old");
    make_stale(&account, LEGACY);
    account.forget_requests();
    refused(
        &account,
        "old",
        str![[r#"
error: not signed in to AWS: the SSO token in [HOME]/.aws/sso/cache/f172c871e73786e7c51cc7937c5b5220b426e7bb.json expired at [TIME] and cannot be refreshed
hint: sign in: inductiva-aws login --profile old

"#]],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
}

#[test]
fn a_token_that_was_ended_elsewhere_and_a_role_that_is_not_given_are_told_apart() {
    let account = account();
    login(&account, "--profile new");
    account.put(
        "sso",
        json!({"accounts": [{"account_id": account.number, "roles": ["Reader"]}]}),
    );
    refused(
        &account,
        "new",
        str![[r#"
error: profile new names a role that IAM Identity Center does not give you: No access
hint: check sso_account_id and sso_role_name in [HOME]/.aws/config: https://d-sandbox.awsapps.com/start shows what you have, `inductiva-aws configure sso` makes a profile for it

"#]],
    );
    account.post("expire", json!({"what": ["access_tokens"]}));
    refused(
        &account,
        "new",
        str![[r#"
error: not signed in to AWS: IAM Identity Center no longer takes the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json: Session token not found or invalid
hint: sign in: inductiva-aws login --profile new

"#]],
    );
}

#[test]
fn a_sign_in_that_ends_in_the_middle_of_a_run_says_how_to_sign_in_again() {
    let account = account();
    account.put("sso", json!({"role_credentials_seconds": 1}));
    login(&account, "--profile new");
    account.hold_pauses();
    let running = crate::sandbox::spawn(&mut command(&account, "list --watch 1 --profile new"));
    account.until_pausing();
    account.post("expire", json!({"what": ["access_tokens"]}));
    let run = account.ended(running);
    run.assert(4, str![[r#"
[..]  every 1 s, Ctrl-C ends it

"#]], str![[r#"
no machines in eu-west-2; inductiva-aws list --all-regions --region eu-west-2 --profile new looks everywhere
error: cannot list machines: not signed in to AWS: IAM Identity Center no longer takes the SSO token in [HOME]/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json: Session token not found or invalid
hint: sign in: inductiva-aws login --profile new

"#]]);
}

#[test]
fn check_waits_for_nothing_that_signs_in_longer_than_five_seconds() {
    for (profile, operation) in [
        ("new", "GetRoleCredentials"),
        ("role", "AssumeRole"),
        ("new", "CreateToken"),
    ] {
        let account = account();
        login(&account, "--profile new");
        if operation == "CreateToken" {
            make_stale(&account, CORP);
        }
        account.fault(json!({"service": "*", "operation": operation, "kind": "stall", "seconds": 30, "count": null}));
        let checked = run(
            &account,
            &format!("check --profile {profile} --region eu-west-2 --output json"),
        );
        assert_eq!(checked.code, 1, "{operation}: {}", checked.stderr);
        assert_eq!(checked.error()["kind"], "unreachable", "{operation}");
        let identity = &list(&checked.document()["checks"])[0];
        assert_eq!(identity["status"], "failed", "{operation}");
        let detail = text(&identity["detail"]);
        assert!(detail.contains("did not answer in time"), "{detail}");
    }
}
