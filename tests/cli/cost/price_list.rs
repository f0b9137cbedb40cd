//! Where prices come from: asked for once, and no launch waits for them.

use serde_json::{Value, json};
use snapbox::str;

use super::{CACHE, assert_close, forget_prices, usd};
use crate::sandbox::{Account, text};

#[test]
fn a_price_that_is_not_permitted_is_no_reason_not_to_launch() {
    let account = Account::new();
    account.put(
        "policy",
        json!({"deny": ["pricing:*", "ec2:DescribeSpotPriceHistory"]}),
    );
    account.run("start --machine-group-name g").assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        TYPE      PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  t3.micro  172.31.0.4  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: n/a (pricing:GetProducts is not permitted; machines n/a, disks n/a, addresses n/a)
launched [ID] (t3.micro)

"#]],
    );
    let document = account.json("start --vm-type t2.micro --machine-group-name s --spot");
    let cost = &document["cost"];
    assert_eq!(cost["usd_per_hour"], Value::Null);
    assert_eq!(cost["usd_per_day"], Value::Null);
    assert_eq!(
        cost["unknown_because"],
        "ec2:DescribeSpotPriceHistory is not permitted"
    );
    assert_eq!(account.live().len(), 2);
}

#[test]
fn a_price_list_that_does_not_answer_is_not_waited_for() {
    let account = Account::new();
    account.fault(json!({"service": "pricing", "operation": "GetProducts", "kind": "stall", "seconds": 3, "count": null}));
    let run = account.run("start --machine-group-name g --output json");
    run.succeeds(str![[r#"
machine group g
cost: n/a (the Price List did not answer within 2 s; machines n/a, disks n/a, addresses n/a)
launched [ID] (t3.micro)

"#]]);
    assert_eq!(
        run.document()["cost"]["unknown_because"],
        "the Price List did not answer within 2 s"
    );
    assert_eq!(account.live().len(), 1);
}

#[test]
fn a_price_list_that_fails_is_no_reason_not_to_launch() {
    let account = Account::new();
    for (name, fault) in [
        (
            "a",
            json!({"status": 400, "code": "InvalidParameterException", "message": "no"}),
        ),
        (
            "b",
            json!({"status": 500, "code": "InternalErrorException", "count": null}),
        ),
        ("c", json!({"kind": "reset", "count": null})),
    ] {
        account.forget_faults();
        let mut fault = fault;
        fault["service"] = "pricing".into();
        fault["operation"] = "GetProducts".into();
        account.fault(fault);
        let document = account.json(&format!("start --machine-group-name {name}"));
        let why = &document["cost"]["unknown_because"];
        assert!(!text(why).is_empty(), "{document}");
    }
    assert_eq!(account.live().len(), 3);
}

#[test]
fn a_watched_list_asks_again_for_a_price_that_failed() {
    let account = Account::new();
    account.json("start --vm-type t2.micro --machine-group-name g");
    forget_prices(&account);
    account.hold_pauses();
    account.fault(json!({"service": "pricing", "operation": "GetProducts", "status": 400, "code": "InvalidParameterException", "message": "no", "count": 2}));
    let mut child = account.start("list --watch");
    account.until_pausing();
    account.pass_pause();
    crate::sandbox::until_it_says(&mut child, "1 machine runs, about 0.0246 USD an hour");
    child.kill().expect("it runs");
    let _ = child.wait();
}

#[test]
fn the_price_list_is_asked_where_it_is() {
    let account = Account::new();
    account.json("start --machine-group-name g");
    account.json("start --machine-group-name h --region us-west-2");
    let mut regions: Vec<String> = account
        .requests()
        .iter()
        .filter(|r| r["operation"] == "GetProducts")
        .map(|r| text(&r["region"]).to_owned())
        .collect();
    regions.dedup();
    assert_eq!(regions, ["eu-central-1", "us-east-1"]);
}

#[test]
fn a_price_that_is_known_is_not_asked_for() {
    let account = Account::new();
    let asked = |line: &str| {
        account.forget_requests();
        let document = account.json(&format!("{line} --dry-run"));
        assert_close(usd(&document, "usd_per_hour"), 0.024_556);
        account.calls("GetProducts")
    };
    let line = "start --vm-type t2.micro --machine-group-name g";
    assert_eq!(asked(line), 3);
    assert_eq!(asked(line), 0);
    // A launch with a limit asks after a day, any after a week.
    let limited = format!("{line} --max-cost-per-hour 1");
    assert_eq!(asked(&limited), 0);
    account.pass(25.0 * 3_600.0);
    assert_eq!(asked(line), 0);
    assert_eq!(asked(&limited), 3);
    assert_eq!(asked(&format!("{line} --max-cost 20")), 0);
    account.pass(6.0 * 86_400.0);
    assert_eq!(asked(line), 0);
    account.pass(86_400.0);
    assert_eq!(asked(line), 3);
    // One call for what is missing; a spot price is asked for each time.
    account.forget_requests();
    account.json("start --vm-type t2.micro,t3.small,c5.large --dry-run");
    assert_eq!(account.calls("GetProducts"), 1);
    account.json("start --vm-type t2.micro --spot --dry-run");
    account.json("start --vm-type t2.micro --spot --dry-run");
    assert_eq!(account.calls("GetProducts"), 1);
    assert_eq!(account.calls("DescribeSpotPriceHistory"), 2);
}

#[test]
fn a_launch_whose_price_is_known_does_not_wait_for_the_price_list() {
    let account = Account::new();
    let line = "start --vm-type t2.micro --dry-run";
    account.json(line);
    account.fault(
        json!({"service": "pricing", "operation": "GetProducts", "kind": "hold", "count": null}),
    );
    let document = account.json(line);
    assert_close(usd(&document, "usd_per_hour"), 0.024_556);
}

#[test]
fn a_cache_that_cannot_be_used_is_no_error() {
    let account = Account::new();
    let line = "start --vm-type t2.micro --dry-run";
    for contents in ["", "{", "{\"format\": 7}", "[1]", "\u{0}"] {
        account.file(CACHE, contents);
        let run = account.run(&format!("{line} --output json"));
        run.succeeds(str![[r#"
EC2 would permit this launch (capacity and quotas are only known when it happens)

"#]]);
        assert_close(usd(&run.document(), "usd_per_hour"), 0.024_556);
    }
    // A file where its folder would be.
    let other = Account::new();
    other.file(".cache", "mine");
    let document = other.json(line);
    assert_close(usd(&document, "usd_per_hour"), 0.024_556);
}
