//! AWS out of reach: why, in words, and when it is called that.

use serde_json::json;

use super::Network;
use crate::sandbox::{Account, finish, text};

#[test]
fn each_reason_to_be_out_of_reach_has_its_own_words() {
    let network = Network::new();
    let tls = network.url("https", "tls");
    let expired = network.url("https", "expired");
    let plain = network.account.aws_url().replace("http://", "https://");
    let (refusing, guarded) = (
        network.url("http", "refusing"),
        network.url("http", "guarded"),
    );
    let aws = "https://sts.eu-west-2.amazonaws.com".to_owned();
    for (endpoint, proxy, meaning, hint) in [
        (
            &aws,
            Some("http://127.0.0.1:9"),
            "the proxy does not answer",
            "HTTPS_PROXY",
        ),
        (
            &aws,
            Some(refusing.as_str()),
            "the proxy refuses to connect to AWS",
            "HTTPS_PROXY",
        ),
        (
            &aws,
            Some(&guarded),
            "the proxy wants a user and a password",
            "http://USER:PASSWORD@HOST:PORT",
        ),
        (
            &tls,
            None,
            "the certificate's issuer is not trusted",
            "AWS_CA_BUNDLE",
        ),
        (
            &expired,
            None,
            "the certificate has expired, by this machine's clock",
            "clock",
        ),
        (
            &plain,
            None,
            "what answers there does not speak TLS",
            "--endpoint-url",
        ),
        (
            &"http://no.such.host.invalid".into(),
            None,
            "its name is not found",
            "--region",
        ),
        (
            &"http://127.0.0.1:9".into(),
            None,
            "Connection refused",
            "--endpoint-url",
        ),
    ] {
        let mut command = network.command("whoami --output json");
        command.env("AWS_ENDPOINT_URL", endpoint);
        command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
        if meaning.contains("is over") {
            command.env("AWS_CA_BUNDLE", network.ca());
        }
        let run = finish(&mut command);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        let error = run.error();
        let message = text(&error["message"]);
        assert!(
            message.starts_with("cannot tell who is signed in: cannot reach AWS in eu-west-2: ")
                && message.contains(meaning),
            "{message}"
        );
        assert!(text(&error["hint"]).contains(hint), "{error}");
        assert_eq!(error["kind"], "unreachable");
    }
}

#[test]
fn ec2_that_does_not_answer_in_time_is_out_of_reach_until_something_may_be_sent() {
    let account = Account::new();
    account.fault(
        json!({"service": "ec2", "operation": "*", "kind": "stall", "seconds": 100, "count": null}),
    );
    for (line, code, kind) in [
        ("list", 1, "unreachable"),
        ("logs g", 1, "unreachable"),
        ("start --machine-group-name g", 1, "unreachable"),
        ("terminate g -y", 3, "machines_may_be_running"),
    ] {
        let run = account.run(&format!("{line} --output json"));
        assert_eq!(run.code, code, "{line}: {}", run.stderr);
        let error = run.error();
        assert_eq!(error["kind"], kind, "{line}: {error}");
        let message = text(&error["message"]);
        assert!(
            message.contains("AWS in eu-west-2 did not answer in time"),
            "{line}: {message}"
        );
    }
    assert_eq!(account.launched(), 0);
}
