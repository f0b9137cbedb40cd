//! Whether the account's quotas have room for the machines.

use serde_json::json;
use snapbox::{data::Inline, str};

use super::{named, troubles};
use crate::sandbox::{Account, list, text};

#[test]
fn a_quota_that_is_used_up() {
    let account = Account::new();
    // Two of them have four vCPUs; spot machines and other families do not count.
    account.json("start --machine-group-name other --vm-type t3.micro --num-machines 2");
    account.json("start --machine-group-name spot --vm-type t3.micro --spot");
    account.put("quotas", json!({"L-1216C47A": 5}));
    let run = account.run("check --vm-type t2.micro -q --output json");
    run.succeeds("");
    assert_eq!(
        named(&run.document(), "quota")["detail"],
        "4 of 5 vCPUs in use, 1 more needed for t2.micro (Standard (A, C, D, H, I, M, R, T, Z), on demand)"
    );
    let run = account.run("check --vm-type t3.micro -q --output json");
    run.ends(5, str![[r#"
{"error":{"hint":null,"kind":"capacity","machines":[],"message":"a start would not go through: quota"}}

"#]]);
    assert_eq!(troubles(&run.document()), ["failed quota"]);
    let run = account.run("check --vm-type t3.micro --spot -q --output json");
    run.succeeds("");
    assert!(text(&named(&run.document(), "quota")["detail"]).starts_with("2 of 256 vCPUs"));
}

#[test]
fn one_type_or_market_with_room_in_its_quota_is_enough() {
    let account = Account::new();
    account.put(
        "quotas",
        json!({"L-1216C47A": 1, "L-1945791B": 1000, "L-34B43A08": 1}),
    );
    let quotas = |line: &str, code, error: Inline| {
        let run = account.run(&format!("check -q --output json {line}"));
        run.ends(code, error);
        let checks = list(&run.document()["checks"]);
        let quotas = checks.iter().filter(|check| check["name"] == "quota");
        let told = quotas.map(|q| format!("{} {}", text(&q["status"]), text(&q["detail"])));
        told.collect::<Vec<String>>()
    };
    let standard = "0 of 1 vCPUs in use, 2 more needed for t3.micro (Standard (A, C, D, H, I, M, R, T, Z), on demand)";
    assert_eq!(
        quotas("--vm-type t3.micro,inf1.xlarge", 0, str![]),
        [
            format!("warning {standard}"),
            "ok 0 of 1000 vCPUs in use, 4 more needed for inf1.xlarge (Inf, on demand)".to_owned(),
        ]
    );
    let told = quotas(
        "--vm-type t3.micro,t3.small",
        5,
        str![[r#"
{"error":{"hint":null,"kind":"capacity","machines":[],"message":"a start would not go through: quota, quota"}}

"#]],
    );
    assert_eq!(told[0], format!("failed {standard}"));
    assert_eq!(told.len(), 2);
    // Spot has no room for two vCPUs, on demand has.
    account.put("quotas", json!({"L-1216C47A": 2}));
    let told = quotas("--vm-type t3.micro --spot --spot-fallback", 0, str![]);
    assert!(told[0].starts_with("warning 0 of 1 vCPUs"), "{told:?}");
    assert!(told[1].starts_with("ok 0 of 2 vCPUs"), "{told:?}");
    quotas(
        "--vm-type t3.micro --spot",
        5,
        str![[r#"
{"error":{"hint":null,"kind":"capacity","machines":[],"message":"a start would not go through: quota"}}

"#]],
    );
}
