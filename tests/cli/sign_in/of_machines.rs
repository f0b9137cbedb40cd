//! The roles that containers and instances have, from the services that they ask.

use snapbox::str;

use super::{assert_is, command, session, with_session};
use crate::sandbox::{Account, finish};

/// A metadata service such as EC2's, or a container's, with a session.
fn metadata_service(account: &Account) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let session = session(account);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            let Some(Ok(request)) = lines.next() else {
                continue;
            };
            // The rest of the head; no request has a body.
            lines
                .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
                .for_each(drop);
            let [id, secret, token] = &session;
            let body = match request.split(' ').nth(1).unwrap_or_default() {
                "/latest/api/token" => "a-token".to_owned(),
                path if path
                    .trim_end_matches('/')
                    .ends_with("/security-credentials")
                    || path
                        .trim_end_matches('/')
                        .ends_with("/security-credentials-extended") =>
                {
                    "the-role".to_owned()
                }
                path if path.contains("/the-role") => format!(
                    r#"{{"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "AccessKeyId": "{id}", "SecretAccessKey": "{secret}", "Token": "{token}", "Expiration": "2099-01-01T00:00:00Z"}}"#
                ),
                _ => String::new(),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

#[test]
fn the_instances_own_role_is_for_those_who_name_no_profile() {
    let account = Account::new();
    with_session(&account);
    let metadata = metadata_service(&account);
    let mut unnamed = command(&account, "whoami --output json");
    let mut named = command(&account, "whoami --output json --profile typo");
    for command in [&mut unnamed, &mut named] {
        command
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata);
    }
    assert_is(
        &finish(&mut unnamed),
        ":user/maria",
        "EC2 instance metadata",
    );
    account.forget_requests();
    finish(&mut named).fails(4, str![[r#"
{"error":{"hint":"there are no profiles: `inductiva-aws configure` makes one, `inductiva-aws configure sso` one for IAM Identity Center","kind":"not_signed_in","machines":[],"message":"there is no AWS profile /"typo/" in [HOME]/.aws/config and [HOME]/.aws/credentials"}}

"#]]);
    assert_eq!(account.operations(), [] as [String; 0]);
}

#[test]
fn a_containers_own_role() {
    let account = Account::new();
    with_session(&account);
    let keys = format!("{}/the-role", metadata_service(&account));
    let mut whoami = command(&account, "whoami --output json");
    whoami.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &keys);
    assert_is(&finish(&mut whoami), ":user/maria", "container metadata");
    // It is asked past any proxy, unlike AWS; there is none at this address.
    whoami.env("HTTP_PROXY", "http://127.0.0.1:1");
    finish(&mut whoami).fails(1, str![[r#"
{"error":{"hint":"check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url","kind":"unreachable","machines":[],"message":"cannot tell who is signed in: cannot reach AWS in eu-west-2: [..]"}}

"#]]);
}

#[test]
fn a_role_begins_with_that_of_the_container_or_the_instance() {
    let account = Account::new();
    with_session(&account);
    let metadata = metadata_service(&account);
    let roles = ["EcsContainer", "Ec2InstanceMetadata"].map(|place| {
        let number = &account.number;
        format!("[profile {place}]\nrole_arn = arn:aws:iam::{number}:role/machines\ncredential_source = {place}\n[profile {place}-brief]\nrole_arn = arn:aws:iam::{number}:role/machines\ncredential_source = {place}\nduration_seconds = 900\n")
    });
    account.file(".aws/config", roles.concat());
    for profile in [
        "EcsContainer",
        "EcsContainer-brief",
        "Ec2InstanceMetadata",
        "Ec2InstanceMetadata-brief",
    ] {
        let mut whoami = command(&account, "whoami -q --profile");
        whoami
            .arg(profile)
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata)
            .env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{metadata}/the-role"),
            );
        finish(&mut whoami).assert(
            0,
            str![[r#"
arn:aws:sts::[ACCOUNT]:assumed-role/machines/inductiva-aws-[..]

"#]],
            "",
        );
    }
}

/// A metadata service that takes connections and never answers; how many there were.
fn silent_metadata_service() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = connections.clone();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            open.push(stream);
        }
    });
    (address, connections)
}

#[test]
fn a_missing_region_is_asked_of_the_instance_once_and_only_where_one_is_needed() {
    let account = Account::new();
    let (metadata, connections) = silent_metadata_service();
    let run = |line: &str| {
        let mut command = account.command(line.split(' '));
        command
            // An empty one is none.
            .env("AWS_REGION", "")
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata);
        finish(&mut command)
    };
    for (line, expected) in [
        (
            "whoami -q",
            str![[r#"
arn:aws:iam::[ACCOUNT]:user/sandbox

"#]],
        ),
        (
            "credentials",
            str![[r#"
{
  "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
  "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  "Version": 1
}

"#]],
        ),
    ] {
        run(line).assert(0, expected, "");
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 0);
    run("list").assert(
        2,
        str![],
        str![[r#"
error: no AWS region is set
hint: name one with --region, in AWS_REGION, or in the profile: eu-west-2 is London, us-east-1 is N. Virginia

"#]],
    );
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}
