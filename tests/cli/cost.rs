//! What machines cost, said before they are launched. The sandbox's prices are in
//! its `prices.py`: t2.micro 0.0132, gp3 0.0928 a GB and month.

mod limits;
mod price_list;

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
INSTANCE ID          STATE    ZONE        TYPE      PRIVATE IP  PUBLIC IP  MARKET
[ID]  pending  eu-west-2a  t3.micro  172.31.0.[..]  n/a        on-demand
[ID]  pending  eu-west-2a  t3.micro  172.31.0.[..]  n/a        on-demand
in account [ACCOUNT], eu-west-2

"#]],
            str![[r#"
machine group g
cost: about 0.0618 USD an hour, 1.48 a day with t2.micro, the dearest type (machines 0.0264, disks 0.0254, addresses 0.0100); at most 0.2390 an hour, with surplus CPU credits
launched [ID] [ID] (t3.micro)

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
    account
        .run("start --vm-type t2.micro,t3.small --max-cost-per-hour 9")
        .fails(1, str![[r#"
error: nothing was launched: the price is unknown, so --max-cost-per-hour 9 cannot be checked (the Price List has no t3.small in eu-west-2)
hint: try again later, or leave out --max-cost-per-hour

"#]]);
    assert_eq!(account.launched(), 0);
}

#[test]
fn a_dry_run_shows_the_cost() {
    let run = Account::new().run("start --dry-run --machine-group-name g");
    let line = run
        .succeeds(str![[r#"
EC2 would permit this launch (capacity and quotas are only known when it happens)

"#]])
        .lines()
        .find(|line| line.starts_with("cost"));
    assert_eq!(
        line,
        Some(
            "cost            about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits"
        ),
        "{}",
        run.stdout
    );
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
