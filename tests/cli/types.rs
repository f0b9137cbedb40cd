//! `types`.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, list, text, until_it_says};

fn names(document: &Value) -> Vec<String> {
    let types = list(&document["types"]);
    types
        .iter()
        .map(|t| text(&t["vm_type"]).to_owned())
        .collect()
}

#[test]
fn types_are_listed_by_price_with_what_they_have() {
    let account = Account::new();
    let document = account.json("types");
    assert_eq!(document["region"], "eu-west-2");
    let types = list(&document["types"]);
    assert!(types.len() > 100, "{}", types.len());
    let prices: Vec<f64> = types
        .iter()
        .map(|t| t["usd_per_hour"].as_f64().unwrap_or(f64::INFINITY))
        .collect();
    assert!(prices.is_sorted());
    // No type of another architecture.
    let all = names(&document);
    assert!(!all.iter().any(|name| name.starts_with("t4g.")));
    let one = types.iter().find(|t| t["vm_type"] == "t2.micro");
    assert_eq!(
        *one.expect("t2.micro"),
        json!({
            "vm_type": "t2.micro",
            "vcpus": 1,
            "cores": 1,
            "memory_gib": 1.0,
            "gpu": null,
            "local_disks_gb": 0,
            "free_plan": one.expect("t2.micro")["free_plan"],
            "usd_per_hour": 0.0132,
            "spot_usd_per_hour": 0.00396,
        })
    );
    // The second time the Price List is not asked.
    account.forget_requests();
    account.json("types --min-vcpus 8 --min-memory 16");
    assert_eq!(account.calls("GetProducts"), 0);
}

#[test]
fn types_that_are_too_small_or_have_no_gpu_are_left_out() {
    let account = Account::new();
    let document = account.json("types --min-vcpus 8 --min-memory 64 --gpu");
    let types = list(&document["types"]);
    assert!(!types.is_empty());
    for one in &types {
        assert!(one["vcpus"].as_u64() >= Some(8), "{one}");
        assert!(one["memory_gib"].as_f64() >= Some(64.0), "{one}");
        assert!(text(&one["gpu"]["name"]).starts_with("NVIDIA "), "{one}");
    }
    assert!(names(&document).contains(&"g4dn.4xlarge".to_owned()));
    let quiet = account.run("types --min-vcpus 8 --min-memory 64 --gpu -q");
    let mut told: Vec<&str> = quiet.stdout.lines().collect();
    told.sort_unstable();
    let mut all = names(&document);
    all.sort_unstable();
    assert_eq!(
        (quiet.code, told),
        (0, all.iter().map(String::as_str).collect())
    );
    account.run("types --min-vcpus 5000 --gpu").assert(
        0,
        "",
        str![[r#"
looking up types
no amd64 type in eu-west-2 has 5000 vCPUs or more and an NVIDIA GPU

"#]],
    );
}

#[test]
fn types_are_listed_without_their_prices_too() {
    let account = Account::new();
    account.put(
        "policy",
        json!({"deny": ["pricing:*", "ec2:DescribeSpotPriceHistory"]}),
    );
    let run = account.run("types --min-vcpus 64 --output json");
    run.ends(
        0,
        str![[r#"
looking up types
looking up the prices of 203 types
warning: not all prices are known: pricing:GetProducts is not permitted
warning: not all prices are known: ec2:DescribeSpotPriceHistory is not permitted

"#]],
    );
    let first = run.document()["types"][0].clone();
    assert_eq!(first["usd_per_hour"], Value::Null);
    assert_eq!(first["spot_usd_per_hour"], Value::Null);
}

#[test]
fn it_is_said_that_prices_are_waited_for() {
    let account = Account::new();
    account.fault(json!({"service": "pricing", "operation": "GetProducts", "kind": "hold"}));
    let mut child = account.start("types --min-vcpus 64");
    account.until_held();
    account.pass(3.0);
    until_it_says(&mut child, "waiting for Pricing to answer GetProducts\n");
    account.post("release", json!({}));
    let run = ended(child);
    let table = run.succeeds(str![]);
    assert!(table.starts_with("TYPE "), "{table}");
}
