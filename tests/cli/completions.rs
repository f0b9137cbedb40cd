//! What the shells complete: in the shells themselves, and by what means.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::sandbox::{Account, Run, ended, finish};

/// The shell, with our program on its path; none where the machine has none, which is
/// said, and which fails in CI.
fn shell(account: &Account, name: &str) -> Option<Command> {
    let told = Command::new(name).arg("--version").output();
    if !told.is_ok_and(|told| told.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "there is no {name}");
        // Past the test harness, which shows what passing tests print to nobody.
        let _ = writeln!(
            std::io::stderr(),
            "completions were not tried in {name}: there is none"
        );
        return None;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_inductiva-aws"));
    let folder = program.parent().expect("a folder");
    let path = std::env::var("PATH").expect("a path");
    let mut command = Command::new(name);
    command
        .env_clear()
        .envs(account.environment())
        .env("PATH", format!("{}:{path}", folder.display()))
        .current_dir(account.home.path());
    Some(command)
}

/// A group with a blank in its name and one machine, which is given, and a profile.
fn furnished(account: &Account) -> String {
    let mut start = account.command(["start", "-q", "--machine-group-name", "wind tunnel"]);
    let run = finish(&mut start);
    assert_eq!(run.code, 0, "{}", run.stderr);
    account.file(
        ".aws/config",
        "[profile elsewhere]\nregion = eu-west-1\n[profile work]\nregion = eu-west-2\n",
    );
    run.stdout.trim().to_owned()
}

/// What is typed before the key is pressed, and the words that come of it.
fn cases(id: &str) -> Vec<(String, Vec<&str>)> {
    let cases = [
        ("inductiva-aws sta", vec!["start"]),
        (
            "inductiva-aws start --num-m",
            vec!["start", "--num-machines"],
        ),
        ("inductiva-aws configure s", vec!["configure", "sso"]),
        (
            "inductiva-aws start --output j",
            vec!["start", "--output", "json"],
        ),
        (
            "inductiva-aws list --profile w",
            vec!["list", "--profile", "work"],
        ),
        (
            "inductiva-aws list --region me-c",
            vec!["list", "--region", "me-central-1"],
        ),
        (
            "inductiva-aws list --region=me-c",
            vec!["list", "--region=me-central-1"],
        ),
        (
            "inductiva-aws terminate wi",
            vec!["terminate", "wind tunnel"],
        ),
        (
            "inductiva-aws terminate --instance-id i-",
            vec!["terminate", "--instance-id", id],
        ),
    ];
    cases.map(|(typed, words)| (typed.to_owned(), words)).into()
}

/// Types each case into a shell on a terminal, presses TAB and Return, and reads which
/// arguments a function in the program's place gets.
fn types_on_a_terminal(name: &str, options: &[&str], before: &str) {
    let account = Account::new();
    let Some(shell) = shell(&account, name) else {
        return;
    };
    let id = furnished(&account);
    let script = account.run(&format!("completions {name}"));
    assert_eq!((script.code, script.stderr.as_str()), (0, ""));
    account.file("completions", script.stdout);
    let mut steps = vec![
        // The echo of this line is not yet the prompt.
        "type:PS1=rea''dy'> '\\n".to_owned(),
        "see:ready> ".to_owned(),
        format!("type:{before}source ./completions\\n"),
        "see:ready> ".to_owned(),
        r#"type:inductiva-aws() { printf 'GOT'; printf '<%s>' "$@"; echo; }\n"#.to_owned(),
        "see:ready> ".to_owned(),
    ];
    for (typed, words) in cases(&id) {
        steps.push(format!("type:{typed}\\t\\n"));
        steps.push(format!("see:GOT<{}>", words.join("><")));
        steps.push("see:ready> ".to_owned());
    }
    steps.push("type:exit\\n".to_owned());
    let mut command = Command::new("python3");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cli/terminal.py"
        ))
        .args(&steps)
        .arg("--")
        .arg(name)
        .args(options)
        .env_clear()
        .envs(
            shell
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("TERM", "dumb")
        .current_dir(account.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let run =
        finish(&mut command).ignoring_the_rest("it is the shell that prints it, with its prompt");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
}

#[test]
fn bash_completes_behind_a_subcommand_and_knows_the_names() {
    types_on_a_terminal("bash", &["--norc", "--noprofile", "-i"], "");
}

#[test]
fn zsh_completes_behind_a_subcommand_and_knows_the_names() {
    let before = "autoload -U compinit; compinit -u -D; ";
    types_on_a_terminal("zsh", &["-f", "-i"], before);
}

/// As a package installs it: zsh loads the file when the function is first called.
#[test]
fn zsh_loads_the_script_of_a_package() {
    let before = "mkdir functions; cp completions functions/_inductiva-aws; \
                  fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -D; \
                  echo : > completions; ";
    types_on_a_terminal("zsh", &["-f", "-i"], before);
}

#[test]
fn fish_completes_behind_a_subcommand_and_knows_the_names() {
    let account = Account::new();
    let Some(mut fish) = shell(&account, "fish") else {
        return;
    };
    let id = furnished(&account);
    let script = account.run("completions fish");
    assert_eq!((script.code, script.stderr.as_str()), (0, ""));
    account.file("completions.fish", script.stdout);
    let cases = cases(&id);
    let lines: Vec<String> = std::iter::once("source completions.fish".to_owned())
        .chain(
            cases
                .iter()
                .map(|(typed, _)| format!("echo '>' (complete --do-complete '{typed}')")),
        )
        .collect();
    let run = finish(
        fish.args(["--no-config", "--command", &lines.join("\n")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped()),
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    let told: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(told.len(), cases.len(), "{}", run.stdout);
    for ((typed, words), told) in cases.iter().zip(told) {
        let word = words.last().expect("a word");
        // With a tabulator and the help behind it.
        let told = told.trim_start_matches("> ").split('\t').next();
        assert_eq!(told, Some(*word), "{typed}");
    }
}

/// What the program says to a shell, without one.
fn words(account: &Account, line: &str) -> Run {
    account.run(&format!("complete-words bash -- inductiva-aws {line}"))
}

#[test]
fn machines_are_asked_for_once_in_some_seconds() {
    let account = Account::new();
    account.json("start --machine-group-name wind");
    account.forget_requests();
    for _ in 0..3 {
        words(&account, "terminate w").assert(0, "wind\n", "");
    }
    assert_eq!(account.calls("DescribeInstances"), 1);
    account.json("terminate wind -y");
    account.settle();
    account.forget_requests();
    account.pass(10.0);
    words(&account, "terminate w").assert(0, "", "");
    assert_eq!(account.calls("DescribeInstances"), 1);
    // What another region has is not told of this one.
    words(&account, "terminate --region eu-west-1 w").assert(0, "", "");
    assert_eq!(account.calls("DescribeInstances"), 2);
}

#[test]
fn machines_of_others_are_no_proposal() {
    let account = Account::new();
    account.ec2(
        "run_instances",
        json!({"ImageId": "ami-0ab00000000000003", "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1}),
    );
    words(&account, "terminate --instance-id i-").assert(0, "", "");
}

#[test]
fn nobody_waits_longer_than_a_second() {
    let account = Account::new();
    account.json("start --machine-group-name wind");
    account.fault(
        json!({"service": "ec2", "operation": "DescribeInstances", "kind": "hold", "count": null}),
    );
    account.forget_requests();
    let child = account.start("complete-words bash -- inductiva-aws terminate w");
    account.until_held();
    account.pass(1.0);
    ended(child).assert(0, "", "");
    // Nor does the next press of the key.
    words(&account, "terminate w").assert(0, "", "");
    assert_eq!(account.calls("DescribeInstances"), 1);
    account.forget_faults();
    account.pass(10.0);
    words(&account, "terminate w").assert(0, "wind\n", "");
}

#[test]
fn what_fails_is_silent() {
    let account = Account::new();
    account.fault(json!({"service": "ec2", "operation": "DescribeInstances", "kind": "answer", "status": 400, "body": "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>", "count": null}));
    words(&account, "terminate w").assert(0, "", "");
    assert_eq!(account.calls("DescribeInstances"), 1);
    account.file(".aws/config", "[profile work\nnonsense\n");
    for line in [
        "list --profile nobody --machine-group-name w",
        "list --region nowhere --machine-group-name w",
        "list --endpoint-url nonsense --machine-group-name w",
        "no-command x",
        "list --no-option=w",
    ] {
        words(&account, line).assert(0, "", "");
    }
}

/// Somebody who types a command has not sent it yet.
#[test]
fn only_credentials_at_hand_are_used() {
    let account = Account::new();
    let marker = account.home.path().join("was-run");
    let keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
    account.file(
        ".aws/config",
        format!(
            "[profile process]\ncredential_process = touch {marker}\n\
             [profile mfa]\n{keys}mfa_serial = arn:aws:iam::{number}:mfa/phone\nmfa_process = touch {marker}\n\
             [profile sso]\nsso_session = s\nsso_account_id = {number}\nsso_role_name = r\n\
             [sso-session s]\nsso_start_url = https://d-1234567890.awsapps.com/start\nsso_region = eu-west-2\nsso_registration_scopes = sso:account:access\n\
             [profile console]\nlogin_session = arn:aws:iam::{number}:user/ana\n",
            marker = marker.display(),
            number = account.number
        ),
    );
    // It could be refreshed; the name is SHA-1 of the session's.
    account.file(
        ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json",
        json!({
            "startUrl": "https://d-1234567890.awsapps.com/start",
            "region": "eu-west-2",
            "accessToken": "an-old-token",
            "expiresAt": "2020-01-01T00:00:00Z",
            "clientId": "a-client",
            "clientSecret": "a-client-secret",
            "registrationExpiresAt": "2099-01-01T00:00:00Z",
            "refreshToken": "a-refresh-token",
        })
        .to_string(),
    );
    for profile in ["process", "mfa", "sso", "console"] {
        let run = finish(
            account
                .command(
                    format!("complete-words bash -- inductiva-aws terminate --profile {profile} w")
                        .split(' '),
                )
                .env("AWS_MFA_TOKEN_CODE", "123456"),
        );
        run.assert(0, "", "");
        assert_eq!(account.requests().len(), 0, "{profile}");
        assert!(!marker.exists(), "{profile}: a command was run");
        assert_eq!(account.children(), "", "{profile}");
    }
    // With keys of its own a profile is good for it.
    account.json("start --machine-group-name wind");
    account.file(".aws/config", format!("[profile keys]\n{keys}"));
    words(&account, "terminate --profile keys w").assert(0, "wind\n", "");
}

/// A package makes the scripts where nobody is signed in.
#[test]
fn scripts_need_nothing_of_the_machine_that_makes_them() {
    let account = Account::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let mut command = account.command(["completions", shell]);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env_remove("AWS_REGION");
        let run = finish(&mut command);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{shell}");
        assert_eq!(
            run.stdout,
            account.run(&format!("completions {shell}")).stdout
        );
        assert!(run.stdout.contains("inductiva-aws"), "{shell}");
        let asks = matches!(shell, "bash" | "zsh" | "fish");
        assert_eq!(run.stdout.contains("complete-words"), asks, "{shell}");
        assert_eq!(run.stdout.contains("machine-group-name"), !asks, "{shell}");
    }
    let left: Vec<_> = fs::read_dir(account.home.path())
        .expect("a folder")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
