//! What machines cost, said before they are launched. The sandbox's prices are in
//! its `prices.py`: t2.micro 0.0132, gp3 0.0928 a GB and month.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, list, text};

const DENIED: &str = "with an explicit deny in an identity-based policy";

fn usd(document: &Value, field: &str) -> f64 {
    let cost = &document["cost"];
    cost[field].as_f64().unwrap_or_else(|| panic!("{cost}"))
}

/// The cache's file.
const CACHE: &str = ".cache/inductiva-aws/prices.json";

/// What was looked up before is asked for again.
fn forget_prices(account: &Account) {
    std::fs::remove_file(account.home.path().join(CACHE)).expect("it was kept");
}

#[track_caller]
fn assert_close(usd: f64, expected: f64) {
    assert!((usd - expected).abs() < 2e-6, "{usd}, not {expected}");
}

#[test]
fn a_start_says_what_it_costs_before_it_launches() {
    let account = Account::new();
    account
        .run("start --machine-group-name g --num-machines 2 --volume-size 100")
        .assert(
            0,
            str![[r#"
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.[..]  n/a        on-demand
[ID]  pending  eu-west-2a  172.31.0.[..]  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
            str![[r#"
machine group g
cost: about 0.0618 USD an hour, 1.48 a day (machines 0.0264, disks 0.0254, addresses 0.0100); at most 0.2390 an hour, with surplus CPU credits
launched [ID] [ID]

"#]],
        );
}

#[test]
fn the_cost_is_that_of_all_machines_with_their_disks() {
    let account = Account::new();
    let disk = 50.0 * 0.0928 / 730.0;
    let document = account.json("start --machine-group-name g --num-machines 2");
    assert_close(usd(&document, "machines_usd_per_hour"), 2.0 * 0.0132);
    assert_close(usd(&document, "disks_usd_per_hour"), 2.0 * disk);
    assert_close(usd(&document, "addresses_usd_per_hour"), 2.0 * 0.005);
    let one = 0.0132 + disk + 0.005;
    assert_close(usd(&document, "usd_per_hour"), 2.0 * one);
    assert_close(usd(&document, "usd_per_day"), 48.0 * one);
    let more = account.json("start --machine-group-name g --num-machines 3");
    assert_close(usd(&more, "usd_per_hour"), 3.0 * one);
    let nothing_to_launch = account.json("start --machine-group-name g --num-machines 3");
    assert_close(usd(&nothing_to_launch, "usd_per_hour"), 3.0 * one);
}

#[test]
fn iops_and_throughput_of_a_disk_cost_what_is_above_the_free_ones() {
    let account = Account::new();
    let document = account.json("start --dry-run --iops 4000 --throughput 253");
    let month = 50.0 * 0.0928 + 1_000.0 * 0.0058 + 128.0 * 47.5136 / 1_024.0;
    assert_close(usd(&document, "disks_usd_per_hour"), month / 730.0);
    let document = account.json("start --dry-run --volume-type io2 --volume-size 100 --iops 40000");
    let month = 100.0 * 0.145 + 32_000.0 * 0.076 + 8_000.0 * 0.0532;
    assert_close(usd(&document, "disks_usd_per_hour"), month / 730.0);
}

#[test]
fn a_spot_machine_costs_what_the_dearest_zone_takes_now() {
    let account = Account::new();
    let machine = |line: &str| usd(&account.json(line), "machines_usd_per_hour");
    assert_close(
        machine("start --vm-type t2.micro --dry-run --spot"),
        0.00528,
    );
    assert_close(
        machine("start --vm-type t2.micro --dry-run --spot --availability-zone eu-west-2b"),
        0.00462,
    );
    assert_close(
        machine("start --vm-type t2.micro --dry-run --spot --max-price 0.005"),
        0.005,
    );
    account.put("prices", json!({"spot": [{"usd": null}]}));
    account
        .run("start --vm-type t2.micro --machine-group-name s --spot -q")
        .assert(
            0,
            str![[r#"
[ID]

"#]],
            str![],
        );
    let document = account.json("start --vm-type t2.micro --machine-group-name t --spot");
    assert_eq!(
        document["cost"]["unknown_because"],
        "EC2 has no spot price of t2.micro"
    );
}

#[test]
fn of_several_types_and_markets_the_dearest_counts() {
    let account = Account::new();
    let machine = |line: &str| usd(&account.json(line), "machines_usd_per_hour");
    assert_close(
        machine("start --dry-run --vm-type t2.micro,t3.small"),
        0.0236,
    );
    assert_close(
        machine("start --dry-run --vm-type t3.small,t2.micro"),
        0.0236,
    );
    assert_close(
        machine("start --vm-type t2.micro --dry-run --spot --spot-fallback"),
        0.0132,
    );
    let spot = json!([{"vm_type": "t3.small", "zone": "*b", "usd": 0.02}, {"usd": 0.01}]);
    account.put("prices", json!({"spot": spot}));
    assert_close(
        machine("start --dry-run --spot --vm-type t2.micro,t3.small"),
        0.02,
    );
    account.put("prices", json!({"spot": [{"usd": 0.9}]}));
    assert_close(
        machine("start --vm-type t2.micro --dry-run --spot --spot-fallback"),
        0.9,
    );
    forget_prices(&account);
    account.put("prices", json!({"on_demand": {"t3.small": null}}));
    let document = account.json("start --dry-run --vm-type t2.micro,t3.small");
    assert_eq!(
        document["cost"]["unknown_because"],
        "the Price List has no t3.small in eu-west-2"
    );
    let run = account.run("start --vm-type t2.micro,t3.small --max-cost-per-hour 9");
    assert_eq!((run.code, account.launched()), (1, 0), "{}", run.stderr);
}

#[test]
fn a_dry_run_shows_the_cost() {
    let run = Account::new().run("start --dry-run --machine-group-name g");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = run.stdout.lines().find(|line| line.starts_with("cost"));
    assert_eq!(
        line,
        Some(
            "cost            about 0.0246 USD an hour, 0.59 a day (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits"
        ),
        "{}",
        run.stdout
    );
}

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
INSTANCE ID          STATE    ZONE        PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  172.31.0.4  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
        str![[r#"
machine group g
cost: n/a (pricing:GetProducts is not permitted; machines n/a, disks n/a, addresses n/a)
launched [ID]

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
    assert_eq!(run.code, 0, "{}", run.stderr);
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
fn machines_with_another_system_cost_what_it_costs() {
    let account = Account::new();
    let images = account.ec2("describe_images", json!({}));
    let red_hat = list(&images["Images"])
        .into_iter()
        .find(|image| image["PlatformDetails"] == "Red Hat Enterprise Linux")
        .expect("an image");
    let line = format!(
        "start --vm-type c5.large --dry-run --image-id {}",
        text(&red_hat["ImageId"])
    );
    let document = account.json(&line);
    assert_close(usd(&document, "machines_usd_per_hour"), 0.101 + 0.0288);
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
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_close(usd(&run.document(), "usd_per_hour"), 0.024_556);
    }
    // A file where its folder would be.
    let other = Account::new();
    other.file(".cache", "mine");
    let document = other.json(line);
    assert_close(usd(&document, "usd_per_hour"), 0.024_556);
}
