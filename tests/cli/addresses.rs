//! Addresses that are none: refused before any call, by the name of what has
//! them, with nothing of a request in the words.

use serde_json::json;
use snapbox::str;

use crate::{
    sandbox::{Account, Run, finish, list, text},
    sso,
};

/// None of these can be called.
const BAD: [&str; 8] = [
    "localhost:4566",
    "\"http://localhost:4566\"",
    "'http://localhost:4566'",
    "http://localhost:4566 ",
    " http://localhost:4566",
    "http://localhost:4566\n",
    "http:/localhost:4566",
    "",
];

#[track_caller]
fn assert_refused(account: &Account, run: &Run, place: &str) {
    run.fails(2, format!("error: {place} is [..]\nhint: [..]\n"));
    for debug in ["Request", "SdkBody", "{ "] {
        assert!(!run.stderr.contains(debug), "{}", run.stderr);
    }
    assert_eq!(account.operations(), [] as [String; 0]);
}

#[test]
fn a_variable_that_is_no_address_is_named() {
    let account = Account::new();
    for (variable, line) in [
        ("AWS_ENDPOINT_URL", "list"),
        ("AWS_ENDPOINT_URL_EC2", "list"),
        ("AWS_ENDPOINT_URL_STS", "whoami"),
        ("AWS_ENDPOINT_URL_PRICING", "start"),
        ("AWS_ENDPOINT_URL_SERVICE_QUOTAS", "terminate --all --yes"),
    ] {
        for bad in BAD {
            let mut command = account.command(line.split_whitespace());
            assert_refused(&account, &finish(command.env(variable, bad)), variable);
        }
    }
}

#[test]
fn an_option_that_is_no_address_is_named() {
    let account = Account::new();
    for bad in BAD {
        let run = finish(&mut account.command(["list", "--endpoint-url", bad]));
        assert_refused(&account, &run, "--endpoint-url");
    }
}

#[test]
fn a_profile_that_has_no_address_is_named() {
    let account = Account::new();
    for (section, place) in [
        (
            "endpoint_url = localhost:4566\n",
            "endpoint_url of profile p",
        ),
        (
            "services = s\n[services s]\nec2 =\n  endpoint_url = localhost:4566\n",
            "endpoint_url of ec2 in the services section of profile p",
        ),
        (
            "services = s\n[services s]\nsso_oidc =\n  endpoint_url = \"http://x\"\n",
            "endpoint_url of sso_oidc in the services section of profile p",
        ),
        (
            "services = s\n[services s]\nservice-quotas =\n  endpoint_url = http://a b\n",
            "endpoint_url of service-quotas in the services section of profile p",
        ),
    ] {
        account.file(
            ".aws/config",
            format!("[profile p]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n{section}"),
        );
        let run = account.run("list --profile p -q");
        assert_refused(&account, &run, &format!("{place} in [HOME]/.aws/config"));
    }
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let account = Account::new();
    for bad in [
        "http://ana:Marked-pass@local host",
        "ana:Marked-pass@localhost",
    ] {
        let run = finish(&mut account.command(["list", "--endpoint-url", bad]));
        assert_refused(&account, &run, "--endpoint-url");
        assert!(!run.stderr.contains("Marked"), "{}", run.stderr);
    }
}

/// What the SDK says of an address holds the token that it was about to send.
#[test]
fn no_token_is_in_the_words_about_an_address() {
    let account = sso::account();
    account.put("sso", json!({"pending_polls": 0, "interval": 1}));
    let run = |line: &str, variable: Option<(&str, &str)>| {
        let mut command = account.command(line.split_whitespace());
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .envs(variable);
        finish(&mut command)
    };
    run("login --profile new --use-device-code", None).assert(
        0,
        str![[r#"
signed in to corp until [TIME]

"#]],
        str![[r#"
to sign in, open this page in a browser on any device:

  http://[SERVER]/[ACCOUNT]/device?user_code=[..]

and see that it shows the code [..] (or open http://[SERVER]/[ACCOUNT]/device and type it)

"#]],
    );
    sso::make_stale(&account, sso::CORP);
    let handed_out = account.get("sso");
    let mut secrets: Vec<String> = Vec::new();
    for (list_of, field) in [("clients", "secret"), ("tokens", "value")] {
        secrets.extend(
            list(&handed_out[list_of])
                .iter()
                .map(|one| text(&one[field]).to_owned()),
        );
    }
    assert!(secrets.len() > 2, "{handed_out}");
    account.forget_requests();
    for variable in [
        "AWS_ENDPOINT_URL_SSO",
        "AWS_ENDPOINT_URL_SSO_OIDC",
        "AWS_ENDPOINT_URL",
    ] {
        for bad in BAD {
            for line in [
                "whoami --profile new",
                "login --profile new --use-device-code",
                "logout --profile new",
            ] {
                let run = run(line, Some((variable, bad)));
                assert_refused(&account, &run, variable);
                assert!(
                    !secrets.iter().any(|s| run.stderr.contains(s)),
                    "{}",
                    run.stderr
                );
            }
        }
    }
}
