//! `--max-cost-per-hour`: what costs more, or may, is not launched.

use serde_json::{Value, json};
use snapbox::str;

use super::{DENIED, assert_close, usd};
use crate::sandbox::Account;

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
    account
        .run(&format!("{line} 0.05 --dry-run -q"))
        .fails(1, str![[r#"
error: the group would cost 0.0737 USD an hour, more than the 0.05 of --max-cost-per-hour: nothing was launched
hint: fewer --num-machines, a smaller --vm-type, or --spot with a --max-price

"#]]);
    account.run(&format!("{line} 0.08")).assert(
        0,
        str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.[..]n/a        on-demand
[ID]  pending  eu-west-2a  172.31.0.[..]n/a        on-demand
[ID]  pending  eu-west-2a  172.31.0.[..]n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: about 0.0737 USD an hour, 1.77 a day (machines 0.0396, disks 0.0191, addresses 0.0150)
launched [ID] [ID] [ID]

"#]],
    );
    assert_eq!(account.live().len(), 3);
    // What is there already was not launched by this run.
    account
        .run(&format!("{line} 0.05 -q"))
        .assert(0, "[ID]\n[ID]\n[ID]\n", "");
    for wrong in ["0", "-1", "x", "inf"] {
        let run = account.run(&format!("start --max-cost-per-hour={wrong}"));
        run.fails(
            2,
            format!("error: invalid value '{wrong}' for '--max-cost-per-hour <USD>': a price in USD an hour looks like 0.05\n\nFor more information, try '--help'.\n"),
        );
    }
}

#[test]
fn a_limit_counts_what_machines_can_cost_at_most() {
    let account = Account::new();
    let start = |line: &str| account.run(&format!("start --machine-group-name g {line}"));
    // The disk and the address are 0.0114, the credits above the baseline 0.09.
    start("--vm-type t3.micro --max-cost-per-hour 0.1131").fails(1, str![[r#"
error: the group would cost 0.1132 USD an hour at most, more than the 0.1131 of --max-cost-per-hour: nothing was launched
hint: fewer --num-machines, a --vm-type other than T3 and T3a, or --standard-credits: surplus CPU credits are counted as if the machines were always busy

"#]]);
    assert_eq!(account.launched(), 0);
    let plan = |line: &str| start(&format!("{line} --dry-run -q"));
    plan("--vm-type t3.micro --standard-credits --max-cost-per-hour 0.03").assert(0, "", "");
    plan("--vm-type t3.micro --max-cost-per-hour 0.1132").assert(0, "", "");
    // A spot machine may come to cost what it costs on demand.
    let spot = "--vm-type c5.large --spot --max-cost-per-hour";
    plan(&format!("{spot} 0.1123")).fails(1, str![[r#"
error: the group would cost 0.1124 USD an hour at most, more than the 0.1123 of --max-cost-per-hour: nothing was launched
hint: fewer --num-machines, a smaller --vm-type, or --spot with a --max-price

"#]]);
    plan(&format!("{spot} 0.1124")).assert(0, "", "");
    plan(&format!("{spot} 0.06 --max-price 0.04")).assert(0, "", "");
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
            "start --machine-group-name g {line} --max-cost-per-hour 100"
        ));
        run.fails(1, format!("error: nothing was launched: the price is unknown, so --max-cost-per-hour 100 cannot be checked ({why})\nhint: try again later, or leave out --max-cost-per-hour\n"));
        assert_eq!(account.launched(), 0);
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
