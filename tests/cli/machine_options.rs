//! What simulations ask of a machine: threads, local disks, a proxy, a key that is
//! kept elsewhere.

mod keys;

use serde_json::{Value, json};
use snapbox::str;

use crate::{
    sandbox::{Account, Run, finish, list, tags, text},
    start::user_data,
};

const PASSWORD: &str = "pass%20word-of-the-proxy";

const PROXY: &str = "http://someone:pass%20word-of-the-proxy@proxy.test:3128";

/// The CPU options of the launches on record: type, cores, threads.
fn cpu_options(account: &Account) -> Vec<(String, Value, Value)> {
    let requests = account.requests();
    let launches = requests.iter().filter(|r| r["operation"] == "RunInstances");
    launches
        .map(|r| {
            let parameters = &r["params"];
            (
                text(&parameters["InstanceType"]).to_owned(),
                parameters["CpuOptions.CoreCount"].clone(),
                parameters["CpuOptions.ThreadsPerCore"].clone(),
            )
        })
        .collect()
}

/// The logical and the physical ones.
fn cores_of_the_group(account: &Account) -> (Value, Value) {
    let body = account.groups()[0]["create_body"].clone();
    (
        body["cpu_cores_logical"].clone(),
        body["cpu_cores_physical"].clone(),
    )
}

/// The user data of the one machine of a group that this run has started.
#[track_caller]
fn launched_with(account: &Account, run: &Run) -> String {
    run.succeeds(str![[r#"
machine group g
cost: about 0.0246 USD an hour, 0.59 a day with t2.micro, the dearest type (machines 0.0132, disks 0.0064, addresses 0.0050); at most 0.1132 an hour, with surplus CPU credits
launched [ID] (t3.micro)

"#]]);
    String::from_utf8(user_data(account, 0)).expect("text")
}

#[test]
fn threads_are_asked_for_with_each_types_own_cores() {
    let account = Account::new();
    account.put(
        "capacity",
        json!({"rules": [{"vm_type": "t2.micro", "available": 5}, {"available": 0}]}),
    );
    account.json(
        "start --machine-group-name g --vm-type c5.large,c5.xlarge,t2.micro --threads-per-core 1",
    );
    let mut asked = cpu_options(&account);
    asked.dedup();
    let options =
        |vm_type: &str, cores: Value, threads: Value| (vm_type.to_owned(), cores, threads);
    assert_eq!(
        asked,
        [
            options("c5.large", json!("1"), json!("1")),
            options("c5.xlarge", json!("2"), json!("1")),
            // It has one, and EC2 lets nobody choose.
            options("t2.micro", Value::Null, Value::Null),
        ]
    );
    assert_eq!(cores_of_the_group(&account), (json!(1), json!(1)));
    let other = Account::new();
    other.json("start --vm-type c5.xlarge --threads-per-core 1");
    let told = &other.instances()[0]["CpuOptions"];
    assert_eq!(*told, json!({"CoreCount": 2, "ThreadsPerCore": 1}));
    let plan = account.json("start --dry-run --vm-type c5.large --threads-per-core 1");
    assert_eq!(plan["threads_per_core"], 1);
}

#[test]
fn threads_that_are_not_said_are_left_to_the_type() {
    let account = Account::new();
    account.json("start --machine-group-name g --vm-type c5.large");
    assert_eq!(cpu_options(&account)[0].2, Value::Null);
    assert_eq!(cores_of_the_group(&account), (json!(2), json!(1)));
}

#[test]
fn threads_that_a_type_does_not_have_are_refused_before_anything_is_made() {
    let account = Account::new();
    account
        .run("start --vm-type t2.micro --threads-per-core 2")
        .assert(
            1,
            "",
            str![[r#"
error: t2.micro cannot run 2 threads on each core: EC2 does not let anybody choose them (1 vCPU, 1 core)
hint: leave out --threads-per-core, or choose another --vm-type

"#]],
        );
    assert_eq!(account.groups(), Vec::<Value>::new());
    account.run("start --threads-per-core 3").fails(
        2,
        str![[r#"
error: invalid value '3' for '--threads-per-core <N>': it is a whole number from 1 to 2

For more information, try '--help'.

"#]],
    );
}

#[test]
fn each_of_them_is_a_setting_of_the_group() {
    let account = Account::new();
    let line = "start --machine-group-name g --vm-type c5.large --instance-profile p";
    account.boto3(
        "iam",
        "us-east-1",
        "create_instance_profile",
        json!({"InstanceProfileName": "p"}),
    );
    account.json(line);
    for (option, said) in [
        (
            "--threads-per-core 1",
            str![[r#"
error: the group g has machines with other settings: --threads-per-core is the default there, 1 here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 1 --instance-profile p --vm-type c5.large

"#]],
        ),
        (
            "--proxy http://proxy.test:3128",
            str![[r#"
error: the group g has machines with other settings: --proxy is none there, http://proxy.test:3128 here
hint: use another --machine-group-name, or the group's settings

"#]],
        ),
        (
            "--no-local-disks",
            str![[r#"
error: the group g has machines with other settings: --no-local-disks is no there, yes here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 1 --instance-profile p --vm-type c5.large

"#]],
        ),
        (
            "--api-key-from ssm:key",
            str![[r#"
error: the group g has machines with other settings: --api-key-from is none there, ssm:key here
hint: use another --machine-group-name, or the group's settings: inductiva-aws start --machine-group-name g -n 1 --instance-profile p --vm-type c5.large

"#]],
        ),
    ] {
        account.run(&format!("{line} {option}")).fails(1, said);
    }
    assert_eq!(account.launched(), 1);
}

#[test]
fn local_disks_are_used_unless_they_are_declined() {
    for (option, has_line) in [("", false), (" --no-local-disks", true)] {
        let account = Account::new();
        let run = account.run(&format!("start --machine-group-name g{option}"));
        let data = launched_with(&account, &run);
        assert_eq!(data.contains("\nexport LOCAL_DISKS='false'\n"), has_line);
    }
}

#[test]
fn a_proxy_goes_to_the_machines_and_its_password_nowhere_else() {
    let account = Account::new();
    let start = |line: &str| {
        let words = line.split(' ');
        finish(account.command(words).env("INDUCTIVA_AWS_PROXY", PROXY))
    };
    let said = |run: &Run| {
        let words = format!("{}{}", run.stdout, run.stderr);
        for secret in ["someone", PASSWORD, "pass word-of-the-proxy"] {
            assert!(!words.contains(secret), "{words}");
        }
    };
    let line = "start --machine-group-name g";
    for dry in [
        format!("{line} --dry-run"),
        format!("{line} --dry-run --output json -v"),
        "check -v".to_owned(),
        "user-data".to_owned(),
    ] {
        let run = start(&dry);
        assert_eq!(run.code, 0, "{dry}: {}", run.stderr);
        said(&run);
    }
    // EC2 is not asked with it either.
    let asked = Value::from(account.requests()).to_string();
    assert!(!asked.contains(PASSWORD), "{asked}");
    let run = start(line);
    said(&run);
    let data = launched_with(&account, &run);
    for wanted in [
        format!("\nexport http_proxy='{PROXY}'\nexport https_proxy='{PROXY}'\n"),
        "\nexport no_proxy='169.254.169.254,fd00:ec2::254,localhost,127.0.0.1,::1'\n".to_owned(),
    ] {
        assert!(data.contains(&wanted), "{data}");
    }
    let settings = tags(&account.instances()[0])["inductiva:settings"].clone();
    assert!(
        settings.contains(" proxy=http://proxy.test:3128"),
        "{settings}"
    );
    let shown = start("user-data --show-secrets");
    assert!(shown.stdout.contains(PROXY), "{}", shown.stdout);
}

#[test]
fn an_option_goes_before_the_variable() {
    let account = Account::new();
    let run = finish(
        account
            .command(["user-data", "--proxy", "http://other.test:1/"])
            .env("INDUCTIVA_AWS_PROXY", PROXY),
    );
    let script = run.succeeds("");
    let wanted = "\nexport https_proxy='http://other.test:1'\n";
    assert!(script.contains(wanted), "{script}");
}

#[test]
fn what_is_no_proxy_is_a_usage_error_without_its_password() {
    let account = Account::new();
    for (given, said) in [
        (
            "someone:secret-word@proxy.test",
            str![[r#"
error: the machines' proxy (--proxy, INDUCTIVA_AWS_PROXY) cannot be used: "********@proxy.test" does not begin with https:// or http://
hint: it looks like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT

"#]],
        ),
        (
            "socks5://someone:secret-word@proxy.test",
            str![[r#"
error: the machines' proxy (--proxy, INDUCTIVA_AWS_PROXY) cannot be used: "socks5://********@proxy.test" does not begin with https:// or http://
hint: it looks like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT

"#]],
        ),
        (
            "http://someone:secret-word@proxy.test/path",
            str![[r#"
error: the machines' proxy (--proxy, INDUCTIVA_AWS_PROXY) cannot be used: "http://********@proxy.test/path" has more than a host and a port in it
hint: it looks like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT

"#]],
        ),
        (
            "http://someone:secret-word@proxy test",
            str![[r#"
error: the machines' proxy (--proxy, INDUCTIVA_AWS_PROXY) cannot be used: "http://********@proxy test" has a blank, a line break or another control character in it
hint: it looks like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT

"#]],
        ),
    ] {
        let run = finish(account.command(["start"]).env("INDUCTIVA_AWS_PROXY", given));
        run.fails(2, said);
    }
    assert_eq!(account.operations(), Vec::<String>::new());
}

/// The check of that name: its status and detail.
fn checked(run: &Run, name: &str) -> (String, String) {
    let document: Value = serde_json::from_str(&run.stdout).expect("a document");
    let checks = list(&document["checks"]);
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name}: {document}"));
    (
        text(&check["status"]).to_owned(),
        text(&check["detail"]).to_owned(),
    )
}

#[test]
fn check_tells_of_threads_local_disks_and_the_proxy() {
    let account = Account::new();
    for (options, told) in [
        (
            "",
            "2 vCPUs and 468 GB of local disks (for tasks and images)",
        ),
        (
            "--threads-per-core 1",
            "1 vCPU and 468 GB of local disks (for tasks and images)",
        ),
        (
            "--no-local-disks",
            "2 vCPUs and 468 GB of local disks (not used)",
        ),
    ] {
        let line = format!("check --output json --vm-type i4i.large {options}");
        let run = account.run(line.trim());
        let zones = "eu-west-2a, eu-west-2b, eu-west-2c, eu-west-2d";
        let detail = format!("i4i.large with {told}, offered in {zones}");
        assert_eq!(
            checked(&run, "vm_type"),
            ("ok".to_owned(), detail),
            "{}",
            run.stderr
        );
    }
    let run = finish(
        account
            .command(["check", "--output", "json"])
            .env("INDUCTIVA_AWS_PROXY", PROXY),
    );
    let told = "machines go out through http://proxy.test:3128; it is not tried from here";
    assert_eq!(checked(&run, "proxy"), ("ok".to_owned(), told.to_owned()));
}
