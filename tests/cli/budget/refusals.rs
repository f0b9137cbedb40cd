//! What a budget does not carry, or nobody can tell whether it does, is not launched.

use serde_json::{Value, json};
use snapbox::str;

use super::{LINE, end, refused};
use crate::sandbox::Account;

#[test]
fn a_budget_that_is_not_enough_is_refused() {
    let account = Account::new();
    refused(
        &account,
        &format!("{LINE} --max-cost 0.009"),
        str![[r#"
error: nothing was launched: --max-cost 0.009 is too little: 1 machine can cost 0.0246 USD an hour, and a budget has to last 15m beside the 8m for start and end
hint: --max-cost 0.01 or more, fewer --num-machines, or a smaller --vm-type (T3 and T3a with --standard-credits)

"#]],
    );
    assert_eq!(account.groups(), [] as [Value; 0]);
    let line = format!("{LINE} -n 2 --max-cost 0.04");
    account.json(&line);
    refused(
        &account,
        &format!("{LINE} -n 4 --max-cost 0.04"),
        str![[r#"
error: nothing was launched: the budget of the group g (0.04 USD) does not carry 4 machines up to its end: 0.04 USD are used or promised, and 2 more could cost 0.04
hint: fewer --num-machines; or end the group, and start it with a new budget: inductiva-aws terminate --machine-group-name g

"#]],
    );
    // It carries them for 40 minutes; the last 15 are not worth a boot.
    account.settle();
    end(&account, &account.live()[0]);
    account.pass(1_800.0);
    refused(
        &account,
        &line,
        str![[r#"
error: nothing was launched: the budget of the group g (0.04 USD) is used up in 9m
hint: end the group, and start it with a new budget: inductiva-aws terminate --machine-group-name g

"#]],
    );
    account.pass(1_200.0);
    refused(
        &account,
        &line,
        str![[r#"
error: nothing was launched: the budget of the group g (0.04 USD) is used up
hint: end the group, and start it with a new budget: inductiva-aws terminate --machine-group-name g

"#]],
    );
}

#[test]
fn what_nobody_knows_is_a_refusal() {
    let account = Account::new();
    let line = format!("{LINE} --max-cost 20");
    account.put("policy", json!({"deny": ["pricing:*"]}));
    refused(
        &account,
        &line,
        str![[r#"
error: nothing was launched: a price is not known, so --max-cost 20 cannot be kept (pricing:GetProducts is not permitted)
hint: try again later, or leave out --max-cost

"#]],
    );
    account.put("policy", json!({}));
    account.fault(json!({"service": "inductiva", "operation": "*", "status": 503, "count": null}));
    refused(
        &account,
        &line,
        str![[r#"
error: nothing was launched: nobody knows what the group g has cost, so --max-cost 20 cannot be kept: Inductiva is out of reach (HTTP 503, Internal Server Error)
hint: try again later, or end the group for a new budget: inductiva-aws terminate --machine-group-name g

"#]],
    );
    account.forget_faults();
    account.file("mine.sh", "#!/bin/sh\necho hello\n");
    refused(
        &account,
        &format!("{line} --user-data-path mine.sh"),
        str![[r#"
error: nothing was launched: the script of --user-data-path does not have the deadlines of user-data.sh, which hold --max-cost
hint: begin with a copy of user-data.sh of this release, or leave out --max-cost

"#]],
    );
    let standard = include_str!("../../../user-data.sh");
    account.file("copy.sh", format!("{standard}\necho more\n"));
    account.json(&format!("{line} --user-data-path copy.sh --dry-run"));
    account.run(&format!("{line} --allow-other-regions")).fails(
        2,
        str![[r#"
error: the argument '--max-cost <USD>' cannot be used with '--allow-other-regions'

Usage: inductiva-aws start [OPTIONS]

For more information, try '--help'.

"#]],
    );
    for wrong in ["0", "-1", "x", "inf", "1e3"] {
        let run = account.run(&format!("{LINE} --max-cost={wrong}"));
        run.fails(
            2,
            format!("error: invalid value '{wrong}' for '--max-cost <USD>': an amount in USD looks like 20 or 7.50\n\nFor more information, try '--help'.\n"),
        );
    }
    assert_eq!(account.launched(), 0);
}

#[test]
fn what_ended_machines_cost_that_nobody_knows_is_a_refusal() {
    let account = Account::new();
    account.put("inductiva", json!({"auto_register_seconds": 0}));
    let line = format!("{LINE} -n 2 --max-cost 20");
    account.json(&format!("{line} --wait"));
    let [gone, stays] = account.live().try_into().expect("two machines");
    end(&account, &gone);
    account.pass(3_600.0);
    // EC2 has forgotten it; Inductiva has not, but does not tell when it began.
    account.post("forget_terminated", json!({}));
    let untold = json!([{"host_name": gone, "started_at": null}]);
    account.put(
        "inductiva",
        json!({"auto_register_seconds": null, "machines": untold}),
    );
    let run = refused(
        &account,
        &line,
        str![[r#"
error: nothing was launched: nobody knows what the group g has cost, so --max-cost 20 cannot be kept: Inductiva does not tell when [ID] began, and EC2 does not show it any more
hint: try again later, or end the group for a new budget: inductiva-aws terminate --machine-group-name g

"#]],
    );
    assert!(run.stderr.contains(&gone), "{}", run.stderr);
    // Nor is any machine shown of a group that is still active.
    account.post("power_off", json!({"instance_ids": [stays]}));
    account.settle();
    account.post("forget_terminated", json!({}));
    refused(
        &account,
        &line,
        str![[r#"
error: nothing was launched: nobody knows what the group g has cost, so --max-cost 20 cannot be kept: Inductiva's group had [ID], which EC2 does not show any more
hint: try again later, or end the group for a new budget: inductiva-aws terminate --machine-group-name g

"#]],
    );
}
