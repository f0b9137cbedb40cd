//! AWS out of reach: why, in words, and when it is called that.

use serde_json::json;
use snapbox::str;

use super::Network;
use crate::sandbox::{Account, finish};

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
    for (endpoint, proxy, said) in [
        (
            aws.as_str(),
            Some("http://127.0.0.1:9"),
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: the proxy does not answer: io error: client error (Connect): tunnel error: failed to create underlying connection: tcp connect error: Connection refused (os error [..])
hint: check HTTPS_PROXY; NO_PROXY lists what is reached without the proxy

"#]],
        ),
        (
            &aws,
            Some(refusing.as_str()),
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: the proxy refuses to connect to AWS: io error: client error (Connect): tunnel error: unsuccessful
hint: check HTTPS_PROXY, and that the proxy permits this address; NO_PROXY lists what is reached without the proxy

"#]],
        ),
        (
            &aws,
            Some(&guarded),
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: the proxy wants a user and a password: io error: client error (Connect): tunnel error: proxy authorization required
hint: give them in HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT

"#]],
        ),
        (
            &tls,
            None,
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: the certificate's issuer is not trusted: io error: client error (Connect): TLS handshake failed: invalid peer certificate: UnknownIssuer
hint: where a proxy or a firewall intercepts TLS, name the file with its certificates in AWS_CA_BUNDLE, or as ca_bundle in the profile

"#]],
        ),
        (
            &expired,
            None,
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: the certificate has expired, by this machine's clock: io error: client error (Connect): TLS handshake failed: invalid peer certificate: certificate expired: [..]
hint: check this machine's clock

"#]],
        ),
        (
            &plain,
            None,
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: what answers there does not speak TLS: io error: client error (Connect): TLS handshake failed: received corrupt message of type InvalidContentType
hint: check --endpoint-url, AWS_ENDPOINT_URL and HTTPS_PROXY: https:// or http://?

"#]],
        ),
        (
            "http://no.such.host.invalid",
            None,
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: its name is not found: io error: client error (Connect): dns error: [..]
hint: check the network, --region and --endpoint-url

"#]],
        ),
        (
            "http://127.0.0.1:9",
            None,
            str![[r#"
error: cannot tell who is signed in: cannot reach AWS in eu-west-2: io error: client error (Connect): tcp connect error: Connection refused (os error [..])
hint: check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url

"#]],
        ),
    ] {
        let mut command = network.command("whoami");
        command.env("AWS_ENDPOINT_URL", endpoint);
        command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy)));
        finish(&mut command).fails(1, said);
    }
}

#[test]
fn ec2_that_does_not_answer_in_time_is_out_of_reach_until_something_may_be_sent() {
    let account = Account::new();
    account.fault(
        json!({"service": "ec2", "operation": "*", "kind": "stall", "seconds": 100, "count": null}),
    );
    // Of the calls that a start makes side by side, any may be the first to run out of time.
    let unreachable = str![[r#"
{"error":{"hint":"check the network, and that eu-west-2 is the region you mean","kind":"unreachable","machines":[],"message":"cannot [..]: AWS in eu-west-2 did not answer in time"}}

"#]];
    for (line, code, said) in [
        ("list", 1, unreachable.clone()),
        ("logs g", 1, unreachable.clone()),
        ("start --machine-group-name g", 1, unreachable.clone()),
        (
            "terminate g -y",
            3,
            str![[r#"
{"error":{"hint":"try again: inductiva-aws terminate --machine-group-name g","kind":"machines_may_be_running","machines":[],"message":"machines may be running in eu-west-2, which could not be asked: cannot list machines: AWS in eu-west-2 did not answer in time"}}

"#]],
        ),
    ] {
        account
            .run(&format!("{line} --output json"))
            .fails(code, said);
    }
    assert_eq!(account.launched(), 0);
}
