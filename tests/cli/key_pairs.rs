//! `--create-key-pair`: never a private key lost, and the same line works again.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use snapbox::str;

use crate::sandbox::{Account, ended, list};

const LINE: &str = "start --machine-group-name g --create-key-pair k -q";

fn key_pairs(account: &Account) -> Vec<Value> {
    list(&account.ec2("describe_key_pairs", json!({}))["KeyPairs"])
}

/// The private key, which must be that of the one key pair: a start that adds a
/// machine uses it.
fn usable_key(account: &Account) -> String {
    let path = account.home.path().join("k.pem");
    let key = fs::read_to_string(path).expect("the file");
    let machines = account.live().len() + 1;
    account
        .run(&format!("{LINE} --num-machines {machines}"))
        .assert(0, "[ID]\n".repeat(machines), "");
    assert_eq!(account.live().len(), machines);
    assert_eq!(key_pairs(account).len(), 1);
    for machine in account.instances() {
        assert_eq!(machine["KeyName"], "k");
    }
    key
}

#[test]
fn the_same_line_again_uses_the_key_pair_that_it_made() {
    let account = Account::new();
    account.run(LINE).assert(0, "[ID]\n", "");
    let key = usable_key(&account);
    assert_eq!(usable_key(&account), key);
    assert_eq!(account.calls("CreateKeyPair"), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = fs::metadata(account.home.path().join("k.pem")).expect("the file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_key_pair_whose_private_key_never_arrived_is_deleted_before_it_is_made_again() {
    for fault in [
        json!({"kind": "lost_answer"}),
        json!({"kind": "reset"}),
        json!({"kind": "error_answer", "status": 500}),
        json!({"kind": "error", "status": 503, "code": "Unavailable"}),
        json!({"kind": "damaged_answer", "damage": "cut"}),
    ] {
        let account = Account::new();
        let mut order = json!({"service": "ec2", "operation": "CreateKeyPair", "count": 2});
        let more = fault.as_object().expect("an object").clone();
        order.as_object_mut().expect("an object").extend(more);
        account.fault(order);
        account.run(LINE).assert(0, "[ID]\n", "");
        let calls = account.operations();
        let calls: Vec<&str> = calls
            .iter()
            .map(String::as_str)
            .filter(|call| matches!(*call, "CreateKeyPair" | "DeleteKeyPair"))
            .collect();
        assert_eq!(
            calls,
            [
                "CreateKeyPair",
                "DeleteKeyPair",
                "CreateKeyPair",
                "DeleteKeyPair",
                "CreateKeyPair"
            ],
            "{fault}"
        );
        usable_key(&account);
    }
}

#[test]
fn a_run_that_dies_while_it_makes_the_key_pair_is_made_good_by_the_next() {
    for kind in ["hold", "hold_answer"] {
        let account = Account::new();
        account.fault(json!({"service": "ec2", "operation": "CreateKeyPair", "kind": kind}));
        let mut child = account.start(LINE);
        account.until_held();
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        account.post("release", json!({"drop": true}));
        account.until("the call is answered", |a| {
            a.requests().iter().all(|r| r["ended"].is_number())
        });
        account.run(&format!("{LINE} --dry-run")).assert(0, "", "");
        account.run(LINE).assert(0, "[ID]\n", "");
        usable_key(&account);
    }
}

#[cfg(unix)]
#[test]
fn a_private_key_is_for_its_owner_alone_in_a_file_that_was_there_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let account = Account::new();
    let path = account.file("k.pem", "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    account.run(LINE).assert(0, "[ID]\n", "");
    let file = fs::metadata(path).expect("the file");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    usable_key(&account);
}

#[test]
fn a_key_pair_that_may_be_left_behind_is_deleted_by_the_next_run() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "CreateKeyPair", "kind": "lost_answer"}));
    account.fault(json!({"service": "ec2", "operation": "DeleteKeyPair", "count": null, "status": 403, "code": "UnauthorizedOperation", "message": "You are not authorized"}));
    let run = account.run(LINE);
    run.fails(4, str![[r#"
error: cannot delete the key pair k: You are not authorized (UnauthorizedOperation, request [UUID])
hint: ask the account's administrator for the permission; the least policy: `inductiva-aws man | man -l -`; if it is allowed with MFA only: add --mfa-serial ARN with the ARN of your MFA device (IAM console, "Security credentials")

"#]]);
    assert_eq!(account.launched(), 0);
    account.forget_faults();
    account.run(LINE).assert(0, "[ID]\n", "");
    usable_key(&account);
}

#[test]
fn two_starts_at_once_use_one_key_pair() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "CreateKeyPair", "kind": "hold"}));
    let first = account.start(LINE);
    account.until_held();
    let second = account.start(LINE);
    account.until("the second looks for the pair", |a| {
        a.calls("DescribeKeyPairs") >= 3
    });
    account.post("release", json!({}));
    for child in [first, second] {
        ended(child).assert(0, "[ID]\n", "");
    }
    assert_eq!(account.calls("CreateKeyPair"), 1);
    assert_eq!(account.live().len(), 1);
    usable_key(&account);
}

#[test]
fn a_file_that_is_in_the_way_is_seen_before_anything_is_made() {
    let other = Account::new();
    other.run(LINE).assert(0, "[ID]\n", "");
    let others = fs::read(other.home.path().join("k.pem")).expect("a private key");
    let of_another = str![[r#"
error: [HOME]/k.pem does not hold the private key of the key pair k in eu-west-2
hint: use the key pair with --key-name k, choose another name, or another folder to run in

"#]];
    for (there, is_pair, said) in [
        (
            &others[..],
            false,
            str![[r#"
error: [HOME]/k.pem is there already, and eu-west-2 has no key pair k that it could belong to
hint: choose another name, or another folder to run in

"#]],
        ),
        (&others, true, of_another.clone()),
        (b"precious", true, of_another),
    ] {
        let account = Account::new();
        if is_pair {
            account.ec2("create_key_pair", json!({"KeyName": "k"}));
        }
        let path = account.file("k.pem", there);
        for dry_run in ["", "--dry-run"] {
            account
                .run(&format!("{LINE} {dry_run}"))
                .fails(2, said.clone());
        }
        assert_eq!(account.groups(), Vec::<Value>::new());
        let made = account.operations();
        assert!(
            made.iter().all(|call| call.starts_with("Describe")
                || call.starts_with("Get")
                || call.starts_with("GET")),
            "{made:?}"
        );
        assert_eq!(fs::read(path).expect("the file"), there);
    }
}

#[test]
fn a_key_pair_made_in_the_console_is_used_if_its_private_key_is_here() {
    let account = Account::new();
    // RSA, as the console makes it.
    let pair = account.ec2("create_key_pair", json!({"KeyName": "k"}));
    let key = pair["KeyMaterial"].as_str().expect("a key");
    account.file("k.pem", key);
    account.run(LINE).assert(0, "[ID]\n", "");
    assert_eq!(usable_key(&account), key);
    assert_eq!(account.calls("CreateKeyPair"), 0);
}

/// What a program of OpenSSH's or OpenSSL's says.
fn told_by(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect(program);
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Makes a private key, of the fewest bits, as it takes long otherwise.
fn make_private_key(file: &Path, kind: &str, format: &str) {
    let file = file.to_str().expect("a path");
    let args = ["-q", "-t", kind, "-b", "1024", "-m", format];
    told_by("ssh-keygen", &[&args[..], &["-N", "", "-f", file]].concat());
}

/// Makes one, and imports its public key as `k`; the fingerprint that EC2 shows.
fn import(account: &Account, file: &Path, kind: &str, format: &str) -> String {
    make_private_key(file, kind, format);
    let file = file.display();
    let public = fs::read_to_string(format!("{file}.pub")).expect("the public key");
    account.ec2(
        "import_key_pair",
        json!({"KeyName": "k", "PublicKeyMaterial": public}),
    );
    let pair = &key_pairs(account)[0];
    pair["KeyFingerprint"].as_str().expect("one").to_owned()
}

#[test]
fn a_key_pair_that_was_imported_is_used_if_its_private_key_is_here() {
    for (kind, format) in [
        ("rsa", "PEM"),
        ("rsa", "PKCS8"),
        ("rsa", "RFC4716"),
        ("ed25519", "RFC4716"),
    ] {
        let account = Account::new();
        let path = account.home.path().join("k.pem");
        let shown = import(&account, &path, kind, format);
        let file = path.to_str().expect("a path");
        // As AWS tells to compute them.
        if format == "PEM" {
            let public = account.home.path().join("public.der");
            let public = public.to_str().expect("a path");
            told_by(
                "openssl",
                &[
                    "rsa", "-in", file, "-pubout", "-outform", "DER", "-out", public,
                ],
            );
            let said = told_by("openssl", &["md5", "-c", public]);
            assert!(said.trim_end().ends_with(&format!(" {shown}")), "{said}");
        }
        if kind == "ed25519" {
            let said = told_by("ssh-keygen", &["-l", "-f", file]);
            let words = format!(" SHA256:{} ", shown.trim_end_matches('='));
            assert!(said.contains(&words), "{said}");
        }
        let key = fs::read_to_string(&path).expect("the file");
        assert_eq!(usable_key(&account), key, "{kind} in {format}");
        assert_eq!(account.calls("CreateKeyPair"), 0);
    }
}

#[test]
fn an_imported_key_pair_of_another_private_key_is_refused() {
    for (kind, format) in [("rsa", "PEM"), ("rsa", "RFC4716")] {
        let account = Account::new();
        import(&account, &account.home.path().join("other"), kind, format);
        make_private_key(&account.home.path().join("k.pem"), kind, format);
        account.run(LINE).fails(
            2,
            str![[r#"
error: [HOME]/k.pem does not hold the private key of the key pair k in eu-west-2
hint: use the key pair with --key-name k, choose another name, or another folder to run in

"#]],
        );
    }
}
