//! `user-data`, and scripts of the user's own.

use snapbox::str;

use crate::{
    sandbox::{Account, finish},
    start::{sent_user_data, user_data},
};

/// Starts a machine with this script; what EC2 was given.
fn launched_with(account: &Account, script: &[u8]) -> (Vec<u8>, String) {
    account.file("script", script);
    let run = account.run("start --machine-group-name g --user-data-path script -q");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), account.live());
    (user_data(account, 0), run.stderr.to_string())
}

/// A script of this many bytes that gzip makes little of.
fn script_of(bytes: usize) -> Vec<u8> {
    let mut script = b"#!/bin/bash\n".to_vec();
    let mut number = 1_u32;
    while script.len() < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        script.extend(format!("# {}\n", number % 1_000).bytes());
    }
    script.truncate(bytes);
    script
}

#[test]
fn a_script_keeps_its_dollars_and_heredocs() {
    let account = Account::new();
    let script = b"#!/usr/bin/env bash\nset -eu\ncat <<EOT >/tmp/x\n$HOME ${USER:-x} $(id) 'q' \\n\nEOT\necho \"$MACHINE_GROUP_NAME\"\n";
    let (data, stderr) = launched_with(&account, script);
    let rest = &script["#!/usr/bin/env bash\n".len()..];
    assert!(data.starts_with(b"#!/usr/bin/env bash\nexport INDUCTIVA_API_KEY='sandbox-key'\n"));
    assert!(data.ends_with(rest));
    assert_eq!(stderr, "");
}

#[test]
fn windows_line_ends_survive() {
    let account = Account::new();
    let (data, stderr) = launched_with(&account, b"#!/bin/bash\r\necho hi\r\n");
    // cloud-init turns them all when the first line has one.
    assert!(data.starts_with(b"#!/bin/bash\r\nexport INDUCTIVA_API_KEY='sandbox-key'\n"));
    assert!(data.ends_with(b"export GPU='false'\necho hi\r\n"));
    assert_eq!(stderr, "");
}

#[test]
fn what_is_no_shell_script_is_sent_as_it_is_with_a_warning() {
    for script in [
        &b"echo no shebang\n"[..],
        b"#cloud-config\npackages: [gcc]\n",
        b"#!/usr/bin/python3\nprint('hi')\n",
        b"Content-Type: multipart/mixed; boundary=\"x\"\nMIME-Version: 1.0\n\n--x--\n",
        &[0, 159, 146, 150, 255],
    ] {
        let account = Account::new();
        let (data, stderr) = launched_with(&account, script);
        assert_eq!(data, script);
        assert_eq!(sent_user_data(&account, 0), script);
        assert_eq!(
            stderr,
            "warning: script is not a #! shell script: it is sent as it is, without the variables (INDUCTIVA_API_KEY and the others)\n"
        );
    }
}

#[test]
fn a_shell_script_goes_as_gzip_however_short_it_is() {
    for size in [100, 15_000, 17_408] {
        let account = Account::new();
        let script = script_of(size);
        let (data, stderr) = launched_with(&account, &script);
        assert_eq!(stderr, "");
        assert!(data.starts_with(b"#!/bin/bash\nexport INDUCTIVA_API_KEY="));
        assert!(data.ends_with(&script[12..]));
        let sent = sent_user_data(&account, 0);
        assert!(sent.len() <= 16_384);
        // No time in its header: the bytes of a call that is made again are the same.
        assert_eq!(sent[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_any_call() {
    let account = Account::new();
    let mut noise = vec![0; 40_000];
    getrandom::fill(&mut noise).expect("randomness");
    account.file("script", noise);
    let run = account.run("start --user-data-path script -q");
    run.fails(2, str![[r#"
warning: script is not a #! shell script: it is sent as it is, without the variables (INDUCTIVA_API_KEY and the others)
error: the user data is too large: 40000 bytes, and EC2 takes 16384
hint: shorten the script of --user-data-path, or let it download the rest

"#]]);
    assert_eq!(account.requests(), [] as [serde_json::Value; 0]);
}

#[test]
fn files_that_cannot_be_used_are_usage_errors() {
    let account = Account::new();
    account.file("empty", "");
    std::fs::create_dir(account.home.path().join("folder")).expect("a folder");
    account.run("start --user-data-path empty -q").assert(
        2,
        str![],
        str![[r#"
error: empty is empty: a machine would start, do nothing and cost money
hint: leave out --user-data-path for the standard script

"#]],
    );
    account.run("start --user-data-path folder -q").assert(
        2,
        str![],
        str![[r#"
error: cannot read folder: Is a directory (os error 21)

"#]],
    );
    account.run("start --user-data-path missing -q").assert(
        2,
        str![],
        str![[r#"
error: cannot read missing: No such file or directory (os error 2)

"#]],
    );
    // Root may read anything: a file that fails to be read for everyone.
    #[cfg(target_os = "linux")]
    account
        .run("start --user-data-path /proc/self/mem -q")
        .assert(
            2,
            str![],
            str![[r#"
error: cannot read /proc/self/mem: Input/output error (os error 5)

"#]],
        );
    assert_eq!(account.requests(), [] as [serde_json::Value; 0]);
}

/// user-data.sh without its first line.
fn rest_of_the_standard_script() -> &'static str {
    let lines = include_str!("../../user-data.sh").split_once('\n');
    lines.expect("lines").1
}

/// What `user-data --machine-group-name g` puts before it.
fn standard_preamble(account: &Account, key: &str, max_lifetime_seconds: &str) -> String {
    format!(
        "#!/bin/bash\n\
         export INDUCTIVA_API_KEY='{key}'\n\
         export INDUCTIVA_API_URL='{}'\n\
         export MACHINE_GROUP_ID=''\n\
         export MACHINE_GROUP_NAME='g'\n\
         export TASK_RUNNER_IMAGE='inductiva/task-runner:main'\n\
         export FILE_TRACKER_IMAGE='inductiva/file-tracker:main'\n\
         export MAX_IDLE_MINUTES='30'\n\
         export MAX_LIFETIME_SECONDS='{max_lifetime_seconds}'\n\
         export BOOT_TIMEOUT_SECONDS='1800'\n\
         export NUM_MACHINES='1'\n\
         export GPU='false'\n",
        account.api_url()
    )
}

#[test]
fn user_data_hides_the_key_and_needs_no_network() {
    let account = Account::new();
    let run = account.run("user-data --machine-group-name g --max-lifetime 1h");
    let preamble = run
        .succeeds("")
        .strip_suffix(rest_of_the_standard_script())
        .expect("the standard script");
    assert_eq!(preamble, standard_preamble(&account, "********", "3600"));
    assert_eq!(account.requests(), [] as [serde_json::Value; 0]);
}

#[test]
fn user_data_shows_the_key_when_asked_to() {
    let account = Account::new();
    let run = account.run("user-data --machine-group-name g --show-secrets");
    let preamble = run
        .succeeds("")
        .strip_suffix(rest_of_the_standard_script())
        .expect("the standard script");
    assert_eq!(preamble, standard_preamble(&account, "sandbox-key", ""));
    let mut without = account.command(["user-data", "--show-secrets"]);
    without.env_remove("INDUCTIVA_API_KEY");
    finish(&mut without).fails(2, str![[r#"
error: there is no Inductiva API key
hint: get one at https://inductiva.ai/; `inductiva-aws configure` stores it, or give it as --api-key or in INDUCTIVA_API_KEY

"#]]);
}

#[test]
fn user_data_prints_a_script_of_ones_own_with_its_preamble() {
    let account = Account::new();
    account.file("boot.sh", "#!/bin/sh\necho \"$GPU\"\n");
    account
        .run("user-data --user-data-path boot.sh --machine-group-name g --gpu")
        .assert(
            0,
            str![[r##"
#!/bin/sh
export INDUCTIVA_API_KEY='********'
export INDUCTIVA_API_URL='http://[SERVER]/[ACCOUNT]/inductiva'
export MACHINE_GROUP_ID=''
export MACHINE_GROUP_NAME='g'
export TASK_RUNNER_IMAGE='inductiva/task-runner:main'
export FILE_TRACKER_IMAGE='inductiva/file-tracker:main'
export MAX_IDLE_MINUTES='30'
export MAX_LIFETIME_SECONDS=''
export BOOT_TIMEOUT_SECONDS='1800'
export NUM_MACHINES='1'
export GPU='true'
echo "$GPU"

"##]],
            str![],
        );
}
