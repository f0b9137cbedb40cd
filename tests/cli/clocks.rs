//! Calls that are signed for another time than AWS has, and answers that tell a
//! wrong one.

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::Account;

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
    for (operation, error) in [
        (
            "DescribeInstances",
            str![[r#"
{"error":{"hint":"the session has ended: sign in again; for a session in the environment, set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new one","kind":"not_signed_in","machines":[],"message":"cannot list machines: no (RequestExpired, request [UUID])"}}

"#]],
        ),
        (
            "RunInstances",
            str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
{"error":{"hint":"set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new session; or unset AWS_SESSION_TOKEN, set your own access keys, and add --mfa-serial to make one with MFA","kind":"not_signed_in","machines":[],"message":"cannot launch t3.micro: no (RequestExpired, request [UUID])"}}

"#]],
        ),
    ] {
        let account = Account::new();
        account.fault(json!({"service": "ec2", "operation": operation, "code": "RequestExpired", "message": "no", "status": 400, "count": null}));
        // An hour later, by this machine's clock and by AWS's.
        account.pass(3600.0);
        let run = account.run("start --machine-group-name g --output json");
        run.fails(4, error);
        assert_eq!(account.calls(operation), 2);
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
