//! Where credentials come from: the places, their order, and which one pins.

use std::process::Command;

use serde_json::json;
use snapbox::str;

use crate::sandbox::{Account, Run, finish, text};

/// Keys that the account knows, with the secret that their signatures are checked with.
const KEYS: (&str, &str) = (
    "AKIAI44QH8DHBEXAMPLE",
    "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
);

/// An account that knows the keys above as those of `maria`, and no others.
fn account() -> Account {
    let account = Account::new();
    account.put(
        "identity",
        json!({
            "only_known_keys": true,
            "users": [{"access_key_id": KEYS.0, "secret_access_key": KEYS.1, "name": "maria"}],
            "roles": [{"name": "machines"}, {"name": "guarded", "external_id": "a shared secret"}],
        }),
    );
    account
}

/// The program without the keys that the environment usually has.
fn command(account: &Account, line: &str) -> Command {
    let mut command = account.command(line.split_whitespace());
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

fn credentials_file(account: &Account, profile: &str) {
    let (id, secret) = KEYS;
    account.file(
        ".aws/credentials",
        format!("[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
    );
}

/// Who a run says it is, and where the credentials came from.
#[track_caller]
fn assert_is(run: &Run, arn_ends: &str, source: &str) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    let document = run.document();
    assert!(text(&document["arn"]).ends_with(arn_ends), "{document}");
    assert_eq!(document["credentials_from"], source);
}

/// A program that prints keys for `credential_process`.
fn process(account: &Account, name: &str, script: &str) -> String {
    let path = account.file(name, format!("#!/bin/sh\n{script}\n"));
    format!("/bin/sh {}", path.display())
}

#[test]
fn keys_of_the_environment() {
    let account = account();
    let mut whoami = command(&account, "whoami --output json");
    whoami
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1);
    assert_is(&finish(&mut whoami), ":user/maria", "environment variables");
}

#[test]
fn session_keys_of_the_environment_work_as_they_are() {
    let account = Account::new();
    account.put("identity", json!({"session_keys": [
        {"access_key_id": account.session_key_id(), "secret_access_key": "s", "session_token": "t", "mfa": true, "name": "maria"},
    ]}));
    let mut whoami = command(&account, "whoami --output json");
    whoami
        .env("AWS_ACCESS_KEY_ID", account.session_key_id())
        .env("AWS_SECRET_ACCESS_KEY", "s")
        .env("AWS_SESSION_TOKEN", "t");
    assert_is(&finish(&mut whoami), ":user/maria", "environment variables");
}

#[test]
fn half_a_pair_of_keys_is_not_passed_over() {
    let account = account();
    credentials_file(&account, "default");
    let mut whoami = command(&account, "whoami");
    whoami.env("AWS_ACCESS_KEY_ID", KEYS.0);
    finish(&mut whoami).assert(
        2,
        str![],
        str![[r#"
error: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not
hint: set both, or neither to use another sign-in

"#]],
    );
}

#[test]
fn keys_of_the_credentials_file_wherever_it_is() {
    let account = account();
    credentials_file(&account, "default");
    let whoami = "whoami --output json";
    assert_is(
        &finish(&mut command(&account, whoami)),
        ":user/maria",
        "profile default",
    );
    let home = account.home.path();
    std::fs::rename(home.join(".aws/credentials"), home.join("elsewhere")).expect("renamed");
    for elsewhere in [
        "~/elsewhere".to_owned(),
        home.join("elsewhere").display().to_string(),
    ] {
        let mut command = command(&account, whoami);
        command.env("AWS_SHARED_CREDENTIALS_FILE", elsewhere);
        assert_is(&finish(&mut command), ":user/maria", "profile default");
    }
}

#[test]
fn keys_in_the_environment_go_before_all_profiles_but_a_typed_one() {
    let account = account();
    credentials_file(&account, "work");
    let whoami = |flags: &str, variable: Option<&str>| {
        let mut whoami =
            account.command(format!("whoami --output json {flags}").split_whitespace());
        whoami
            .env("AWS_ACCESS_KEY_ID", KEYS.0)
            .env("AWS_SECRET_ACCESS_KEY", KEYS.1)
            .envs(variable.map(|name| (name, "work")));
        finish(&mut whoami)
    };
    let run = whoami("--profile work", None);
    assert_is(&run, ":user/maria", "profile work");
    assert_eq!(
        run.stderr,
        "signing in with profile work; the keys in the environment are not used\n"
    );
    for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        let run = whoami("", Some(variable));
        assert_is(&run, ":user/maria", "environment variables");
        assert_eq!(
            run.stderr,
            "signing in with the keys in the environment; profile work gives its settings alone (--profile work signs in with it)\n"
        );
        let mut without_keys = command(&account, "whoami --output json");
        without_keys.env(variable, "work");
        assert_is(&finish(&mut without_keys), ":user/maria", "profile work");
    }
}

/// The id of a session's key, its secret and its token. An id is of one account.
fn session(account: &Account) -> [String; 3] {
    [account.session_key_id(), "s".to_owned(), "t".to_owned()]
}

/// Lets the account know the session that the metadata service gives.
fn with_session(account: &Account) {
    let [id, secret, token] = session(account);
    account.put("identity", json!({
        "only_known_keys": true,
        "session_keys": [{"access_key_id": id, "secret_access_key": secret, "session_token": token, "name": "maria"}],
        "roles": [{"name": "machines"}],
    }));
}

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
    let run = finish(&mut named);
    assert_eq!((run.code, run.stdout.as_str()), (4, ""));
    assert!(text(&run.error()["message"]).starts_with("there is no AWS profile \"typo\" in "));
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
    let run = finish(&mut whoami);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let message = run.error()["message"].clone();
    assert!(
        text(&message).starts_with("cannot tell who is signed in: cannot reach AWS"),
        "{message}"
    );
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
        let mut whoami = command(&account, "whoami -q --output json --profile");
        whoami
            .arg(profile)
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata)
            .env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{metadata}/the-role"),
            );
        let run = finish(&mut whoami);
        assert_eq!(run.code, 0, "{profile}: {}", run.stderr);
        let arn = run.document()["arn"].clone();
        assert!(text(&arn).contains(":assumed-role/machines/"), "{arn}");
    }
}

#[test]
fn credentials_of_a_process() {
    let account = account();
    let (id, secret) = KEYS;
    let good = process(
        &account,
        "good",
        &format!(
            "echo '{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\"}}'"
        ),
    );
    account.file(
        ".aws/config",
        format!("[profile good]\ncredential_process = {good}\n"),
    );
    let run = finish(&mut command(
        &account,
        "whoami --output json --profile good",
    ));
    assert_is(&run, ":user/maria", "profile good");
}

#[test]
fn a_process_that_fails_is_told_with_what_it_said_and_without_what_it_printed() {
    let account = account();
    let secret = "MARKED-SECRET";
    let known = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY";
    let mut config = Vec::new();
    for (name, script) in [
        (
            "exits",
            format!("echo {secret}; printf 'no device for %s\\033[2J\\n' {known} >&2; exit 3"),
        ),
        ("silent", format!("echo {secret}; exit 4")),
        ("prints", format!("echo '{{\"{secret}\": \"{secret}\"'")),
        (
            "lacks",
            format!("echo '{{\"Version\": 1, \"AccessKeyId\": \"{secret}\"}}'"),
        ),
    ] {
        let command = process(&account, name, &script);
        config.push(format!(
            "[profile {name}]\ncredential_process = {command} {secret}\n"
        ));
    }
    account.file(".aws/config", config.concat());
    for (profile, why) in [
        ("exits", "exit status: 3: no device for ********[2J"),
        ("silent", "exit status: 4"),
        ("prints", "it printed no credentials in JSON"),
        ("lacks", "it printed no SecretAccessKey"),
    ] {
        let mut whoami = account
            .command(format!("whoami -vv --output json --profile {profile}").split_whitespace());
        whoami.env("AWS_SECRET_ACCESS_KEY", known);
        let run = finish(&mut whoami);
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
        assert_eq!(
            run.error()["message"],
            format!("not signed in to AWS: credential_process of profile {profile} failed: {why}")
        );
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
}

#[test]
fn a_role_assumed_with_another_profile_or_with_the_environment() {
    let account = account();
    let number = &account.number;
    credentials_file(&account, "base");
    account.file(
        ".aws/config",
        format!(
            "[profile chained]\nrole_arn = arn:aws:iam::{number}:role/guarded\nsource_profile = base\nexternal_id = a shared secret\nrole_session_name = me\n\
             [profile sourced]\nrole_arn = arn:aws:iam::{number}:role/machines\ncredential_source = Environment\n\
             [profile denied]\nrole_arn = arn:aws:iam::{number}:role/guarded\nsource_profile = base\n\
             [profile broken]\nrole_arn = arn:aws:iam::{number}:role/machines\nsource_profile = nobody\n\
             [profile half]\nrole_arn = arn:aws:iam::{number}:role/machines\n"
        ),
    );
    let whoami = |profile: &str| {
        command(
            &account,
            &format!("whoami --output json --profile {profile}"),
        )
    };
    assert_is(
        &finish(&mut whoami("chained")),
        ":assumed-role/guarded/me",
        "profile chained",
    );
    let mut sourced = whoami("sourced");
    sourced
        .env("AWS_ACCESS_KEY_ID", KEYS.0)
        .env("AWS_SECRET_ACCESS_KEY", KEYS.1);
    let run = finish(&mut sourced);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(text(&run.document()["arn"]).contains(":assumed-role/machines/"));

    let denied = finish(&mut whoami("denied"));
    assert_eq!((denied.code, denied.stdout.as_str()), (4, ""));
    let message = denied.error();
    assert!(
        text(&message["message"]).contains("profile denied"),
        "{message}"
    );
    assert!(
        text(&message["message"]).contains("sts:AssumeRole"),
        "{message}"
    );
    assert!(text(&message["hint"]).contains("trust"), "{message}");
    for (profile, why) in [("broken", "nobody"), ("half", "source_profile")] {
        let run = finish(&mut whoami(profile));
        assert!(matches!(run.code, 2 | 4), "{}", run.stderr);
        let message = text(&run.error()["message"]).to_owned();
        assert!(
            message.contains(profile) && message.contains(why),
            "{message}"
        );
    }
}

#[test]
fn a_web_identity() {
    let account = account();
    let token = account.file("token", "a.web.token");
    let arn = format!("arn:aws:iam::{}:role/machines", account.number);
    let whoami = |account: &Account| {
        let mut command = command(account, "whoami --output json");
        command
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
            .env("AWS_ROLE_ARN", &arn)
            .env("AWS_ROLE_SESSION_NAME", "pod");
        finish(&mut command)
    };
    assert_is(
        &whoami(&account),
        ":assumed-role/machines/pod",
        "web identity token",
    );
    account.file(
        ".aws/config",
        format!("[profile web]\nrole_arn = {arn}\nweb_identity_token_file = {}\nrole_session_name = job\n", token.display()),
    );
    let run = finish(&mut command(&account, "whoami --output json --profile web"));
    assert_is(&run, ":assumed-role/machines/job", "profile web");
    for (setting, hint) in [("expired", "has expired"), ("reject", "identity provider")] {
        account.put("identity", json!({"web_identity": setting}));
        let run = whoami(&account);
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{}", run.stderr);
        assert!(text(&run.error()["hint"]).contains(hint), "{}", run.stderr);
    }
    std::fs::remove_file(&token).expect("removed");
    let run = whoami(&account);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let message = run.error();
    assert!(
        text(&message["message"]).contains("No such file"),
        "{message}"
    );
}

#[test]
fn a_profile_without_credentials_says_what_it_could_have() {
    let account = account();
    account.file(".aws/config", "[profile empty]\nregion = eu-west-2\n");
    finish(&mut command(&account, "whoami --profile empty")).assert(
        4,
        str![],
        str![[r#"
error: not signed in to AWS: profile empty has no credentials in [HOME]/.aws/config and [HOME]/.aws/credentials
hint: a profile has aws_access_key_id and aws_secret_access_key, sso_session, login_session, credential_process, or role_arn with source_profile; `inductiva-aws configure sso` makes one for IAM Identity Center

"#]],
    );
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
    for line in ["whoami -q", "credentials"] {
        let run = run(line);
        assert_eq!(run.code, 0, "{line}: {}", run.stderr);
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

#[test]
fn an_ended_session_of_the_environment_says_how_to_get_a_new_one() {
    let account = Account::new();
    with_session(&account);
    let [id, secret, token] = session(&account);
    let run = |expiration: &str, line: &str| {
        let mut command = command(&account, line);
        command
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", &secret)
            .env("AWS_SESSION_TOKEN", &token)
            .env("AWS_CREDENTIAL_EXPIRATION", expiration);
        finish(&mut command)
    };
    assert_eq!(run("", "whoami").code, 0);
    // By what the variable says there is nothing to ask.
    account.forget_requests();
    run("2020-01-01T00:00:00Z", "whoami").assert(
        4,
        str![],
        str![[r#"
error: not signed in to AWS: the session in the environment ended at [TIME] (AWS_CREDENTIAL_EXPIRATION)
hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new session; or unset AWS_SESSION_TOKEN, set your own access keys, and add --mfa-serial to make one with MFA

"#]],
    );
    assert_eq!(account.operations(), [] as [String; 0]);
    account.post("expire", json!({"what": ["session_keys"]}));
    for line in ["whoami --output json", "list --output json"] {
        let run = run("", line);
        assert_eq!(run.code, 4, "{}", run.stderr);
        let hint = run.error()["hint"].clone();
        assert!(text(&hint).contains("to those of a new"), "{}", run.stderr);
    }
}

#[test]
fn aws_out_of_reach_is_told_from_a_missing_sign_in() {
    let account = Account::new();
    for line in ["whoami --output json", "list --output json"] {
        let mut command = account.command(line.split(' '));
        let run = finish(command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        assert_eq!(run.error()["kind"], "unreachable", "{}", run.stderr);
    }
}
