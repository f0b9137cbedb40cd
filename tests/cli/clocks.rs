//! Calls that are signed for another time than AWS has, and answers that tell a
//! wrong one.

use serde_json::{Value, json};

use crate::sandbox::{Account, text};

const LINE: &str = "start --machine-group-name g --num-machines 2 --create-key-pair k -q";

/// From now on the sandbox looks when a call was signed.
fn check_times(account: &Account) {
    account.put("settings", json!({"clock_offset_seconds": 1}));
}

#[test]
fn a_call_whose_signature_has_expired_is_signed_again() {
    for (service, operation) in [
        ("ec2", "DescribeInstances"),
        ("ec2", "RunInstances"),
        ("ec2", "CreateKeyPair"),
        ("sts", "GetCallerIdentity"),
    ] {
        for (code, message) in [
            ("RequestExpired", "Request has expired."),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 1 is now earlier than 2",
            ),
            (
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            ),
        ] {
            let account = Account::new();
            // The computer slept for an hour.
            account.fault(json!({"service": service, "operation": operation, "code": code, "message": message, "status": 403, "date_offset_seconds": 3600}));
            let run = account.run(LINE);
            run.assert(0, "[ID]\n[ID]\n", "");
            assert_eq!(account.launched(), 2);
            assert_eq!(
                account.calls("RunInstances"),
                1 + usize::from(operation == "RunInstances")
            );
            let requests = account.requests();
            let mut tokens: Vec<&Value> = requests
                .iter()
                .filter(|r| r["operation"] == "RunInstances")
                .map(|r| &r["params"]["ClientToken"])
                .collect();
            tokens.dedup();
            assert_eq!(tokens.len(), 1, "{operation} {code}");
        }
    }
}

#[test]
fn a_signature_that_has_expired_again_and_again_is_refused() {
    for operation in ["DescribeInstances", "RunInstances"] {
        let account = Account::new();
        account.fault(json!({"service": "ec2", "operation": operation, "code": "RequestExpired", "message": "no", "status": 400, "count": null}));
        // An hour later, by this machine's clock and by AWS's.
        account.pass(3600.0);
        let run = account.run("start --machine-group-name g --output json");
        assert_eq!(run.code, 4, "{}", run.stderr);
        assert_eq!(account.calls(operation), 2);
        let hint = text(&run.error()["hint"]).to_owned();
        assert!(!hint.contains("clock"), "{hint}");
    }
}

#[test]
fn a_wrong_date_in_one_answer_is_not_believed() {
    // 1970, a day ago, in an hour, and 9999.
    for seconds in [-1e10, -86_400.0, 3600.0, 1e12] {
        for (service, operation) in [
            ("ec2", "DescribeInstances"),
            // The next call follows on its answer.
            ("ec2", "CreateKeyPair"),
            ("sts", "GetCallerIdentity"),
            ("ec2", "RunInstances"),
        ] {
            let account = Account::new();
            check_times(&account);
            account.fault(json!({"service": service, "operation": operation, "kind": "none", "date_offset_seconds": seconds}));
            let run = account.run(LINE);
            run.assert(0, "[ID]\n[ID]\n", "");
            // None was refused, and signed again.
            let refused = account.requests();
            let refused = refused
                .iter()
                .filter(|r| r["service"] != "inductiva" && r["status"] != 200);
            assert_eq!(refused.count(), 0, "{operation} {seconds}");
        }
    }
}
