//! `--max-cost-per-hour`: what costs more, or may, is not launched.

use serde_json::{Value, json};
use snapbox::str;

use super::{DENIED, assert_close, usd};
use crate::sandbox::{Account, text};

#[test]
fn what_costs_more_than_the_limit_is_not_launched() {
    let account = Account::new();
    let line =
        "start --machine-group-name g --vm-type t2.micro --num-machines 3 --max-cost-per-hour";
    account.run(&format!("{line} 0.05")).assert(
        1,
        str![],
        str![[r#"
error: the group would cost 0.0737 USD an hour, more than the 0.05 of --max-cost-per-hour: nothing was launched
hint: fewer --num-machines, a smaller --vm-type, or --spot with a --max-price

"#]],
    );
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
    let run = account.run(&format!("{line} 0.05 --dry-run"));
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(account.run(&format!("{line} 0.08")).code, 0);
    assert_eq!(account.live().len(), 3);
    // What is there already was not launched by this run.
    assert_eq!(account.run(&format!("{line} 0.05")).code, 0);
    for wrong in ["0", "-1", "x", "inf"] {
        let run = account.run(&format!("start --max-cost-per-hour={wrong}"));
        assert_eq!(run.code, 2, "{wrong}: {}", run.stderr);
    }
}

#[test]
fn a_limit_counts_what_machines_can_cost_at_most() {
    let account = Account::new();
    let start = |line: &str| account.run(&format!("start --machine-group-name g {line}"));
    // The disk and the address are 0.0114, the credits above the baseline 0.09.
    let run = start("--vm-type t3.micro --max-cost-per-hour 0.1131");
    assert_eq!((run.code, account.launched()), (1, 0), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("would cost 0.1132 USD an hour at most, more than the 0.1131 of"),
        "{}",
        run.stderr
    );
    let credits = "--vm-type t3.micro --standard-credits --max-cost-per-hour 0.03 --dry-run";
    assert_eq!(start(credits).code, 0);
    assert_eq!(
        start("--vm-type t3.micro --max-cost-per-hour 0.1132 --dry-run").code,
        0
    );
    // A spot machine may come to cost what it costs on demand.
    let spot = "--vm-type c5.large --spot --dry-run --max-cost-per-hour";
    assert_eq!(start(&format!("{spot} 0.1123")).code, 1);
    assert_eq!(start(&format!("{spot} 0.1124")).code, 0);
    assert_eq!(start(&format!("{spot} 0.06 --max-price 0.04")).code, 0);
    let document = account.json("start --vm-type c5.large --spot --dry-run");
    assert_close(usd(&document, "machines_usd_per_hour"), 0.0404);
    assert_close(usd(&document, "at_most_usd_per_hour"), 0.112_356);
}

#[test]
fn a_limit_refuses_a_part_without_a_price() {
    let cases = [
        (
            json!({"volumes": {"io2": {"gb": 0.145}}}),
            "--volume-type io2 --volume-size 100 --iops 64000",
            "the Price List has no 64000 IOPS of a io2 disk",
        ),
        (
            json!({"volumes": {"io2": {"gb": 0.145, "iops": [0.076, null, null]}}}),
            "--volume-type io2 --volume-size 100 --iops 64000",
            "the Price List has no 64000 IOPS of a io2 disk",
        ),
        (
            json!({"volumes": {"gp3": {"gb": 0.0928, "gibps": 47.5136}}}),
            "--iops 4000",
            "the Price List has no 1000 IOPS of a gp3 disk",
        ),
        (
            json!({"volumes": {"gp3": {"gb": 0.0928, "iops": [0.0058]}}}),
            "--throughput 200",
            "the Price List has no throughput of a gp3 disk",
        ),
        (
            json!({"address": null}),
            "",
            "the Price List has no public IPv4 address in eu-west-2",
        ),
        (
            json!({"spot": [{"vm_type": "t3.small", "usd": null}, {"usd": 0.01}]}),
            "--vm-type t2.micro,t3.small --spot --max-price 0.02",
            "EC2 has no spot price of t3.small",
        ),
        (
            json!({"spot": [{"vm_type": "t3.small", "zone": "*b", "usd": null}, {"usd": 0.01}]}),
            "--vm-type t2.micro,t3.small --spot --max-price 0.02",
            "EC2 has no spot price of t3.small in eu-west-2b",
        ),
    ];
    for (prices, line, why) in cases {
        let account = Account::new();
        account.put("prices", prices);
        let run = account.run(&format!(
            "start --machine-group-name g {line} --max-cost-per-hour 100 --output json"
        ));
        assert_eq!((run.code, account.launched()), (1, 0), "{}", run.stderr);
        let message = run.error()["message"].clone();
        assert!(text(&message).ends_with(&format!("({why})")), "{message}");
        let document = account.json(&format!("start --machine-group-name g {line} --dry-run"));
        assert_eq!(document["cost"]["unknown_because"], why);
    }
}

#[test]
fn with_a_limit_a_price_that_is_unknown_is_a_refusal() {
    let account = Account::new();
    account.fault(json!({"service": "pricing", "operation": "GetProducts", "status": 400, "code": "AccessDeniedException", "message": DENIED, "count": null}));
    account
        .run("start --machine-group-name g --max-cost-per-hour 100")
        .assert(
            1,
            str![],
            str![[r#"
error: nothing was launched: the price is unknown, so --max-cost-per-hour 100 cannot be checked (pricing:GetProducts is not permitted)
hint: try again later, or leave out --max-cost-per-hour

"#]],
        );
    assert_eq!(account.launched(), 0);
    assert_eq!(account.groups(), [] as [Value; 0]);
}
