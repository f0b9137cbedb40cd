//! What EC2 is only asked about has no key in it.

use std::io::Read as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;

use crate::sandbox::{API_KEY, Account, text};

/// The scripts of all calls of `RunInstances`, and whether each was a dry run.
fn scripts(account: &Account) -> Vec<(bool, String)> {
    let launches = account.requests().into_iter();
    let launches = launches.filter(|r| r["operation"] == "RunInstances");
    launches
        .map(|request| {
            let params = &request["params"];
            let packed = BASE64_STANDARD.decode(text(&params["UserData"]));
            let mut script = String::new();
            GzDecoder::new(packed.expect("base64").as_slice())
                .read_to_string(&mut script)
                .expect("gzip");
            (params["DryRun"] == "true", script)
        })
        .collect()
}

#[test]
fn dry_runs_have_a_placeholder_of_the_keys_length() {
    let account = Account::new();
    for line in ["check", "start --machine-group-name g --dry-run"] {
        account.run(&format!("{line} -q")).assert(0, "", "");
    }
    account.json("start --machine-group-name g");
    let scripts = scripts(&account);
    let dry: Vec<bool> = scripts.iter().map(|(dry, _)| *dry).collect();
    assert_eq!(dry, [true, true, false]);
    for (dry, script) in &scripts {
        let key = if *dry {
            "x".repeat(API_KEY.len())
        } else {
            API_KEY.to_owned()
        };
        let line = format!("\nexport INDUCTIVA_API_KEY='{key}'\n");
        assert!(script.contains(&line), "{script}");
        assert_eq!(script.contains(API_KEY), !dry);
    }
}
