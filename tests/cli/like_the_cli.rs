//! Profiles as the AWS CLI understands them: each case is put to botocore, in the
//! sandbox's own Python, and to this program, on the same files and in the same
//! environment. The kinds are those of the AWS SDKs' shared tests (of the parser, and
//! of roles), of botocore's own fixtures, and of public reports.

mod files;
mod roles;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use files::{FORM, OLDER_FILES};
use roles::{PROCESSES, ROLES};

use crate::sandbox::{Account, Run, finish, finish_with_stdin, list, run::whole, text};

/// What comes of a case.
enum Outcome {
    /// The keys with this id.
    Keys(&'static str),
    /// A session of the role with this name.
    Role(&'static str),
    /// No credentials; this program says why.
    Refused(&'static str),
    /// This line is told, and the keys with this id are found all the same. botocore
    /// passes over its section without a word, or refuses the whole file.
    Told(usize, &'static str),
}

use Outcome::{Keys, Refused, Role, Told};

/// A case; `NUMBER` in the files is the account's.
struct Case {
    config: &'static str,
    credentials: &'static str,
    /// `NAME=VALUE`, by blanks.
    environment: &'static str,
    /// `--profile`.
    flag: Option<&'static str>,
    outcome: Outcome,
}

/// A case with the config file alone and a profile `w` with the keys `AKIAW…`.
const fn config(config: &'static str, outcome: Outcome) -> Case {
    Case {
        config,
        credentials: "[w]\naws_access_key_id = AKIAW\naws_secret_access_key = ws\n",
        environment: "",
        flag: Some("w"),
        outcome,
    }
}

/// A case with the credentials file alone.
const fn credentials(credentials: &'static str, outcome: Outcome) -> Case {
    Case {
        config: "",
        credentials,
        environment: "",
        flag: Some("w"),
        outcome,
    }
}

/// A case in an environment, with keys in the profiles `w` and `default`.
const fn environment(
    environment: &'static str,
    flag: Option<&'static str>,
    outcome: Outcome,
) -> Case {
    Case {
        config: "[default]\nregion = eu-west-1\n[profile w]\nregion = eu-west-3\n",
        credentials: "[default]\naws_access_key_id = AKIAD\naws_secret_access_key = ds\n[w]\naws_access_key_id = AKIAW\naws_secret_access_key = ws\n",
        environment,
        flag,
        outcome,
    }
}

/// A case with roles: profile `a` is used, the keys of `b` are in its own section.
const fn role(config: &'static str, outcome: Outcome) -> Case {
    Case {
        config,
        credentials: "",
        // botocore calls STS nowhere without a region.
        environment: "AWS_DEFAULT_REGION=eu-west-2",
        flag: Some("a"),
        outcome,
    }
}

/// Variables beside profiles.
const ENVIRONMENT: &[Case] = &[
    environment("", None, Keys("AKIAD")),
    environment("", Some("w"), Keys("AKIAW")),
    environment(
        "AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Keys("AKIAE"),
    ),
    environment(
        "AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        Some("w"),
        Keys("AKIAW"),
    ),
    environment("AWS_PROFILE=w", None, Keys("AKIAW")),
    environment(
        "AWS_PROFILE=w AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Keys("AKIAE"),
    ),
    environment(
        "AWS_DEFAULT_PROFILE=w AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Keys("AKIAE"),
    ),
    environment(
        "AWS_PROFILE=w AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        Some("default"),
        Keys("AKIAD"),
    ),
    environment(
        "AWS_PROFILE=typo AWS_DEFAULT_PROFILE=w",
        None,
        Keys("AKIAW"),
    ),
    environment(
        "AWS_PROFILE=w AWS_DEFAULT_PROFILE=typo",
        None,
        Refused(
            "there is no AWS profile \"typo\" in [HOME]/.aws/config and [HOME]/.aws/credentials",
        ),
    ),
    environment(
        "AWS_PROFILE=typo AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Refused(
            "there is no AWS profile \"typo\" in [HOME]/.aws/config and [HOME]/.aws/credentials",
        ),
    ),
    environment(
        "AWS_ACCESS_KEY_ID=AKIAE",
        None,
        Refused("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"),
    ),
    environment("AWS_SECRET_ACCESS_KEY=es", None, Keys("AKIAD")),
    environment(
        "AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=",
        None,
        Keys("AKIAD"),
    ),
    environment(
        "AWS_SESSION_TOKEN= AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Keys("AKIAE"),
    ),
    environment("AWS_DEFAULT_REGION=us-west-2", Some("w"), Keys("AKIAW")),
    // The profile's credentials go after a role by a token's file, and a role's before.
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod",
        None,
        Role("pod"),
    ),
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod AWS_PROFILE=w",
        None,
        Role("pod"),
    ),
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod",
        Some("w"),
        Keys("AKIAW"),
    ),
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Keys("AKIAE"),
    ),
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token",
        None,
        Refused("no role is named for the web identity token in token"),
    ),
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=nowhere AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod",
        None,
        Refused(
            "not signed in to AWS: web identity token: cannot read nowhere: No such file or directory (os error 2)",
        ),
    ),
    Case {
        config: "[profile w]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        credentials: "",
        environment: "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod AWS_PROFILE=w",
        flag: None,
        outcome: Role("RoleA"),
    },
    Case {
        config: "[profile w]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nweb_identity_token_file = nowhere\n",
        credentials: "",
        environment: "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=token AWS_PROFILE=w",
        flag: None,
        outcome: Role("RoleA"),
    },
];

#[test]
fn files_are_read_as_the_aws_cli_reads_them() {
    compare(FORM);
}

#[test]
fn files_of_before_the_aws_cli_are_read_where_it_reads_them() {
    compare(OLDER_FILES);
    // Without a variable, ~/.boto.
    let account = Account::new();
    let keys = account.environment();
    account.file(
        ".boto",
        format!(
            "[Credentials]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]
        ),
    );
    let mut command = account.command(["whoami", "--output", "json"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let run = finish(&mut command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let source = text(&run.document()["credentials_from"]).to_owned();
    assert!(source.ends_with("/.boto"), "{source}");
}

#[test]
fn variables_and_profiles_are_used_in_the_aws_clis_order() {
    compare(ENVIRONMENT);
}

#[test]
fn roles_are_assumed_with_what_the_aws_cli_assumes_them_with() {
    compare(ROLES);
}

#[cfg(unix)]
#[test]
fn commands_are_run_as_the_aws_cli_runs_them() {
    compare(PROCESSES);
}

#[track_caller]
fn compare(cases: &[Case]) {
    let account = account();
    let clis = botocore(&account, cases);
    assert_eq!(clis.len(), cases.len());
    for (case, cli) in cases.iter().zip(clis) {
        account.file(".aws/config", filled(&account, case.config));
        account.file(".aws/credentials", filled(&account, case.credentials));
        let ours = ours(&account, case, "credentials -q --output json");
        let told = format!(
            "{:?}\n{:?}\n{:?} {:?}\nbotocore: {cli}\nours: {}\n{}",
            case.config, case.credentials, case.environment, case.flag, ours.stdout, ours.stderr
        );
        let cli_refuses = !cli["error"].is_null();
        let id = match &case.outcome {
            Refused(why) => {
                assert!(cli_refuses, "{told}");
                assert!(matches!(ours.code, 2 | 4), "{told}");
                whole(text(&ours.error()["message"]), *why);
                continue;
            }
            Told(line, id) => {
                let refused = cli["error"].as_str();
                let refused = refused.is_some_and(|why| why.starts_with("ConfigParseError"));
                assert!(refused || cli["id"] == **id, "{told}");
                let warned = ours.stderr.matches("warning").count();
                assert_eq!(warned, 1, "{told}");
                assert!(ours.stderr.contains(&format!("line {line}: ")), "{told}");
                Some(id)
            }
            Keys(id) => Some(id),
            Role(_) => None,
        };
        assert!(!cli_refuses || matches!(case.outcome, Told(..)), "{told}");
        assert_eq!(ours.code, 0, "{told}");
        if id.is_some() && !matches!(case.outcome, Told(..)) {
            let document = ours.document();
            assert_eq!(document["SecretAccessKey"], cli["secret"], "{told}");
            assert_eq!(document["SessionToken"], cli["token"], "{told}");
            assert_eq!(document["AccessKeyId"], cli["id"], "{told}");
            assert_eq!(ours.stderr, "", "{told}");
        }
        if let Some(id) = id {
            assert_eq!(ours.document()["AccessKeyId"], **id, "{told}");
        }
        let whoami = crate::like_the_cli::ours(&account, case, "whoami -q --output json");
        assert_eq!((whoami.code, &whoami.stderr), (0, &ours.stderr), "{told}");
        let whoami = whoami.document();
        if !cli_refuses {
            let region = |document: &Value| document["region"].as_str().unwrap_or("").to_owned();
            assert_eq!(region(&whoami), region(&cli), "{told}");
        }
        if let Role(name) = case.outcome {
            let role = format!(":assumed-role/{name}");
            for arn in [&whoami["arn"], &cli["arn"]] {
                assert!(text(arn).contains(&role), "{told}\n{whoami}");
            }
        }
    }
}

fn account() -> Account {
    let account = Account::new();
    let roles = ["RoleA", "RoleB", "pod"].map(|name| json!({"name": name}));
    let mut roles = roles.to_vec();
    roles.push(json!({"name": "guarded", "external_id": "a shared secret"}));
    account.put("identity", json!({"roles": roles}));
    account.file("token", "a.web.token");
    account.file(
        "ec2-keys",
        "a comment\nAWSAccessKeyId = AKIAE\nAWSSecretKey=es=/\n",
    );
    account.file("no-secret", "AWSAccessKeyId=AKIAE\n");
    account.file(
        "boto.cfg",
        "[Boto]\ndebug = 0\n[Credentials]\naws_access_key_id = AKIAB\naws_secret_access_key: bs\n",
    );
    account.file("no-keys.cfg", "[Credentials]\n");
    account.file(
        "my keys",
        "echo '{\"Version\":1,\"AccessKeyId\":\"P2\",\"SecretAccessKey\":\"s\"}'\n",
    );
    account
}

fn filled(account: &Account, text: &str) -> String {
    text.replace("NUMBER", &account.number)
}

/// The environment of a case, with nothing of the developer's.
fn environment_of(account: &Account, case: &Case) -> Vec<(String, String)> {
    let mut environment = account.environment();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        environment.remove(name);
    }
    let more = case.environment.split_whitespace();
    let more = more.filter_map(|word| word.split_once('='));
    environment.extend(more.map(|(name, value)| (name.to_owned(), filled(account, value))));
    environment.into_iter().collect()
}

#[must_use = "a command that fails, or says what nobody expected, fails its test"]
#[track_caller]
fn ours(account: &Account, case: &Case, line: &str) -> Run {
    let mut command = account.command(line.split(' '));
    command
        .env_clear()
        .envs(environment_of(account, case))
        .args(case.flag.map(|flag| format!("--profile={flag}")));
    finish(&mut command)
}

/// botocore's answers.
fn botocore(account: &Account, cases: &[Case]) -> Vec<Value> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| {
            let environment: serde_json::Map<String, Value> = environment_of(account, case)
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect();
            json!({
                "config": filled(account, case.config),
                "credentials": filled(account, case.credentials),
                "environment": environment,
                "flag": case.flag,
            })
        })
        .collect();
    let mut python = Command::new(repository.join("target/sandbox/venv/bin/python"));
    python
        .arg(repository.join("tests/cli/like_the_cli.py"))
        .env_clear()
        .current_dir(account.home.path())
        .stdout(Stdio::piped());
    let run = finish_with_stdin(&mut python, &Value::from(cases).to_string());
    assert_eq!(run.code, 0, "{}", run.stderr);
    list(&run.document())
}
