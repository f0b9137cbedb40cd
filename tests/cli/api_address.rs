//! The address of the Inductiva API: what it may be, and that nobody on the way
//! gets the key.

use snapbox::str;

use crate::sandbox::{Account, Run, finish};

#[must_use = "as in sandbox.rs"]
fn run(account: &Account, line: &str, url: &str) -> Run {
    let mut command = account.command(line.split_whitespace());
    finish(command.env("INDUCTIVA_API_URL", url))
}

/// What does nothing without Inductiva.
const EVERY_LINE: [&str; 4] = [
    "start --machine-group-name g",
    "check",
    "user-data",
    "user-data --show-secrets",
];

#[test]
fn what_aws_alone_can_do_is_done_with_any_address() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.settle();
    let before = account.groups();
    for url in ["https://api.example.com/?x=1", "http://10.0.0.1:8000"] {
        run(&account, "list", url).succeeds(str![[r#"
warning: Inductiva cannot be asked: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: [..]
1 machine runs, about 0.0232 USD an hour

"#]]);
    }
    run(&account, "terminate g --yes", "http://10.0.0.1:8000").assert(0, "[ID]\n", str![[r#"
warning: Inductiva cannot be asked: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "http://10.0.0.1:8000" is not encrypted: the API key would go over the network in clear, from here and from every machine
1 machine is shutting down: billing of the machines has ended, their disks go with them
looking for machines that EC2 does not show yet, for up to 10 s

"#]]);
    account.settle();
    assert_eq!(account.live(), [] as [String; 0]);
    assert_eq!(account.groups(), before);
}

#[test]
fn an_address_that_cannot_be_used_is_a_usage_error() {
    let account = Account::new();
    for (url, said) in [
        (
            "https://api.example.com/?x=1",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://api.example.com/?x=1" has a query
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://api.example.com/#x",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://api.example.com/#x" has a fragment
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://ana@api.example.com",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://********@api.example.com" has a user or a password in it
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://ana:Marked-pass@api.example.com",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://********@api.example.com" has a user or a password in it
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://api.example.com/a b",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://api.example.com/a b" has a blank, a line break or another control character in it
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://api.example.com\n",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://api.example.com/n" has a blank, a line break or another control character in it
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://api.example.com/\u{1b}[2J",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://api.example.com//u{1b}[2J" has a blank, a line break or another control character in it
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "\"https://api.example.com\"",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "/"https://api.example.com/"" does not begin with https:// or http://
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "api.example.com",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "api.example.com" does not begin with https:// or http://
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "ftp://api.example.com",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "ftp://api.example.com" does not begin with https:// or http://
hint: it looks like https://api.inductiva.ai

"#]],
        ),
        (
            "https://",
            str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "https://" cannot be read
hint: it looks like https://api.inductiva.ai

"#]],
        ),
    ] {
        for line in EVERY_LINE {
            run(&account, line, url).fails(2, said.clone());
        }
    }
    assert_eq!(account.requests().len(), 0);
}

/// The machines are told this address.
#[track_caller]
fn assert_told(user_data: &Run, url: &str) {
    let told = format!("\nexport INDUCTIVA_API_URL='{url}'\n");
    assert!(user_data.succeeds("").contains(&told), "{url}");
}

#[test]
fn the_key_goes_over_no_network_in_clear() {
    let account = Account::new();
    let refused = str![[r#"
error: the address of the Inductiva API (--api-url, INDUCTIVA_API_URL) cannot be used: "http://[..]" is not encrypted: the API key would go over the network in clear, from here and from every machine
hint: use https://, or add --insecure if everybody on that network may have the key

"#]];
    for line in EVERY_LINE {
        for url in [
            "http://api.example.com",
            "http://10.0.0.1:8000",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
        ] {
            run(&account, line, url).fails(2, refused.clone());
        }
    }
    for url in [
        "http://localhost:1",
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "https://api.example.com",
    ] {
        assert_told(&run(&account, "user-data", url), url);
    }
    assert_eq!(account.requests().len(), 0);
}

#[test]
fn a_key_may_go_in_clear_where_that_is_asked_for() {
    let account = Account::new();
    let run = run(
        &account,
        "user-data --insecure",
        "http://API.example.com/v1/",
    );
    assert_told(&run, "http://api.example.com/v1");
}
