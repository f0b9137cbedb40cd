//! Profiles as the AWS CLI understands them: each case is put to botocore, in the
//! sandbox's own Python, and to this program, on the same files and in the same
//! environment. The kinds are those of the AWS SDKs' shared tests (of the parser, and
//! of roles), of botocore's own fixtures, and of public reports.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::sandbox::{Account, Run, finish, finish_with_stdin, list, text};

/// What comes of a case.
enum Outcome {
    /// The keys with this id.
    Keys(&'static str),
    /// A session of the role with this name.
    Role(&'static str),
    /// No credentials; this program says why, in these words among others.
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

/// Lines, names, comments, and what is merged with what.
const FORM: &[Case] = &[
    config("", Keys("AKIAW")),
    config("[profile w]", Keys("AKIAW")),
    config("[profile w]\nregion = eu-west-2", Keys("AKIAW")),
    config("[profile w]\nregion: eu-west-2\n", Keys("AKIAW")),
    config("[profile w]\nREGION=eu-west-2\n", Keys("AKIAW")),
    config("[profile w]\r\nregion = eu-west-2\r\n", Keys("AKIAW")),
    config(
        "[profile w]\n  # a comment\n  region = eu-west-2\n",
        Keys("AKIAW"),
    ),
    config(
        "[profile w]\n\tregion = eu-west-2\n\tsts_regional_endpoints = legacy\n",
        Keys("AKIAW"),
    ),
    config(
        "\t \n[profile w]\n\t\n \nregion = eu-west-2\n\t \n[profile x]\n",
        Keys("AKIAW"),
    ),
    config(
        "; c\n[profile w] ; c\n; c = d\nregion = eu-west-2\n# c\n",
        Keys("AKIAW"),
    ),
    config("[profile w] my work\nregion = eu-west-2\n", Keys("AKIAW")),
    config("[profile w]# c\nregion = eu-west-2\n", Keys("AKIAW")),
    config("[profile \tw \t]\nregion = eu-west-2\n", Keys("AKIAW")),
    config("[profile\tw]\nregion = eu-west-2\n", Keys("AKIAW")),
    config("[profile \"w\"]\nregion = eu-west-2\n", Keys("AKIAW")),
    config("[profile 'w']\nregion = eu-west-2\n", Keys("AKIAW")),
    config("[w]\nregion = eu-west-2\n", Keys("AKIAW")),
    config(
        "[profile w]\nregion = eu-west-2\ns3 =\n  a = b\n\n  c = d\n[plugins]\nx = y\n",
        Keys("AKIAW"),
    ),
    config(
        "[DEFAULT]\nregion = eu-west-2\n[profile w]\noutput = json\n",
        Keys("AKIAW"),
    ),
    config("[profile w]\nregion =\noutput =\n", Keys("AKIAW")),
    config(
        "[profile w]\naws_access_key_id = AKIAC\naws_secret_access_key = cs\n",
        Keys("AKIAW"),
    ),
    config(
        "[profile w]\nin valid = x\nregion = eu-west-2\n",
        Keys("AKIAW"),
    ),
    config(
        "[profile größe☃]\nregion = x\n[profile w]\nregion = eu-west-2\n",
        Keys("AKIAW"),
    ),
    // Not this profile's.
    config(
        "[profile x]\nregion = eu-west-2\nsso_session = nobody\n",
        Keys("AKIAW"),
    ),
    config(
        "[profile x]\na = b\n[profile in valid]\na = b\n",
        Told(3, "AKIAW"),
    ),
    config(
        "[profile w]\na = b\n[profile 'x]\na = b\n",
        Told(3, "AKIAW"),
    ),
    config("[profile w] # [x]\na = b\n", Told(1, "AKIAW")),
    config(
        "[default]\nrole_arn = x\nsso_session = nobody\nduration_seconds = long\n",
        Keys("AKIAW"),
    ),
    // botocore refuses these files.
    config(
        "[profile w\n[profile w]\nregion = eu-west-2\n",
        Told(1, "AKIAW"),
    ),
    config("region = eu-west-2\n[profile w]\n", Told(1, "AKIAW")),
    config(" -continued", Told(1, "AKIAW")),
    config("[profile x]\n -continued\n", Told(2, "AKIAW")),
    config("[profile x]\n= value\n", Told(2, "AKIAW")),
    config("[profile x]\nregion = a\nregion = b\n", Told(3, "AKIAW")),
    config("[profile x]\nName = a\nname = b\n", Told(3, "AKIAW")),
    config(
        "[profile x]\nregion = a\n[profile x]\noutput = b\n",
        Told(3, "AKIAW"),
    ),
    config("[profile x]\ns3 =\n  invalid\n", Told(2, "AKIAW")),
    credentials(
        "[w]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        Keys("A1"),
    ),
    credentials(
        "[w]\n  aws_access_key_id = A1\n  aws_secret_access_key = s\n",
        Keys("A1"),
    ),
    credentials(
        "[w]\naws_access_key_id: A1\naws_secret_access_key: s=/+:x\n",
        Keys("A1"),
    ),
    credentials(
        "[w]\nAWS_ACCESS_KEY_ID = A1\nAWS_Secret_Access_Key = s\n",
        Keys("A1"),
    ),
    credentials(
        "[w] # mine\naws_access_key_id=A1\naws_secret_access_key=s\naws_session_token =\n",
        Keys("A1"),
    ),
    credentials(
        "[w]\naws_access_key_id = A1\naws_secret_access_key = s#x\n",
        Keys("A1"),
    ),
    credentials(
        "[profile w]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        Refused("there is no AWS profile \"w\""),
    ),
    credentials(
        "[w]\naws_access_key_id = A1\n",
        Refused("no aws_secret_access_key"),
    ),
    credentials(
        "[w]\naws_secret_access_key = s\n",
        Refused("has no credentials"),
    ),
    credentials(
        "[x]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        Refused("there is no AWS profile \"w\""),
    ),
    credentials(
        "[w]\naws_access_key_id = AKIA\n   1\naws_secret_access_key = s\noops\n[x]\n",
        Refused("line break"),
    ),
    credentials(
        "[w]\naws_access_key_id = A1\naws_secret_access_key = s\n[x]\nnothing\n",
        Told(5, "A1"),
    ),
    Case {
        config: "[profile w]\naws_secret_access_key = s\n",
        credentials: "[w]\naws_access_key_id = A1\n",
        environment: "",
        flag: Some("w"),
        outcome: Refused("no aws_secret_access_key"),
    },
    Case {
        config: "[profile w]\naws_access_key_id = C1\naws_secret_access_key = s\nregion = eu-west-1\n",
        credentials: "[x]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        environment: "",
        flag: Some("w"),
        outcome: Keys("C1"),
    },
    Case {
        config: "[profile \"my work\"]\nregion = eu-west-1\n",
        credentials: "[my work]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        environment: "",
        flag: Some("my work"),
        outcome: Keys("A1"),
    },
    Case {
        config: "[profile 'ma#[ö]\"']\nregion = eu-west-1\n",
        credentials: "[ma#[ö]\"]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        environment: "",
        flag: Some("ma#[ö]\""),
        outcome: Keys("A1"),
    },
    Case {
        config: "[default]\nregion = eu-west-1\n[profile default]\nregion = eu-west-2\naws_access_key_id = C1\naws_secret_access_key = s\n",
        credentials: "",
        environment: "",
        flag: None,
        outcome: Keys("C1"),
    },
    Case {
        config: "[profile default]\nregion = eu-west-2\naws_access_key_id = C1\naws_secret_access_key = s\n[default]\nregion = eu-west-1\naws_access_key_id = C2\naws_secret_access_key = s\n",
        credentials: "",
        environment: "",
        flag: None,
        outcome: Keys("C2"),
    },
];

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
        Refused("\"typo\""),
    ),
    environment(
        "AWS_PROFILE=typo AWS_ACCESS_KEY_ID=AKIAE AWS_SECRET_ACCESS_KEY=es",
        None,
        Refused("\"typo\""),
    ),
    environment(
        "AWS_ACCESS_KEY_ID=AKIAE",
        None,
        Refused("AWS_SECRET_ACCESS_KEY is not"),
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
        Refused("role"),
    ),
    environment(
        "AWS_DEFAULT_REGION=eu-west-2 AWS_WEB_IDENTITY_TOKEN_FILE=nowhere AWS_ROLE_ARN=arn:aws:iam::NUMBER:role/pod",
        None,
        Refused("nowhere"),
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

/// Roles, and what they are assumed with.
const ROLES: &[Case] = &[
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\naws_access_key_id = A1\naws_secret_access_key = s\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\naws_access_key_id = A1\naws_secret_access_key = s\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = a\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = a\n",
        Refused("its own source_profile"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\n",
        Refused("neither source_profile nor credential_source"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\ncredential_source = Environment\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Refused("both source_profile and credential_source"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n[profile b]\naws_access_key_id = B1\n",
        Refused("no aws_secret_access_key"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n[profile b]\naws_secret_access_key = s\n",
        Refused("source_profile b of profile a has no credentials"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n[profile b]\n",
        Refused("source_profile b of profile a has no credentials"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n",
        Refused("names b, which is not in"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\ncredential_source = environment\n",
        Refused("credential_source is"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\ncredential_source = Environment\n",
        Refused("has no credentials"),
    ),
    role(
        "[profile a]\nec2_metadata_service_endpoint_mode = IPv6\n",
        Refused("has no credentials"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/RoleB\nsource_profile = c\n[profile c]\naws_access_key_id = C1\naws_secret_access_key = s\n",
        Role("RoleA"),
    ),
    // Keys of a source go before its role, which nobody may assume here.
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/guarded\nsource_profile = c\naws_access_key_id = B1\naws_secret_access_key = s\n[profile c]\naws_access_key_id = C1\naws_secret_access_key = s\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\nduration_seconds = 900\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/guarded\nsource_profile = c\naws_access_key_id = B1\naws_secret_access_key = s\n[profile c]\naws_access_key_id = C1\naws_secret_access_key = s\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/RoleB\nsource_profile = a\n",
        Refused("its own source_profile"),
    ),
    role(
        "[profile a]\naws_access_key_id = A1\naws_secret_access_key = s\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/RoleB\nsource_profile = a\n",
        Refused("its own source_profile"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nweb_identity_token_file = token\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nweb_identity_token_file = token\nrole_session_name = some_name\n",
        Role("RoleA/some_name"),
    ),
    role(
        "[profile a]\nweb_identity_token_file = token\n",
        Refused("role_arn"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/RoleB\nweb_identity_token_file = token\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\nrole_session_name = me\nduration_seconds = long\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Role("RoleA/me"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/guarded\nsource_profile = b\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Refused("sts:AssumeRole"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/guarded\nsource_profile = b\nexternal_id = a shared secret\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Role("guarded"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = \"my b\"\n[profile \"my b\"]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Refused("names \"my b\", which is not in"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = my b\n[profile \"my b\"]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\ncredential_process = printf '%s' '{\"Version\":1,\"AccessKeyId\":\"P1\",\"SecretAccessKey\":\"s\"}'\n",
        Role("RoleA"),
    ),
    role(
        "[profile a]\nsso_region = us-east-1\nsso_role_name = testrole\nsso_start_url = https://foo.bar\n",
        Refused("no sso_account_id"),
    ),
    role(
        "[profile a]\nsso_session = nobody\nsso_role_name = testrole\nsso_account_id = 1\n",
        Refused("no [sso-session nobody]"),
    ),
    role(
        "[profile a]\nsso_session = s\nsso_role_name = r\nsso_account_id = 1\nsso_region = eu-west-1\n[sso-session s]\nsso_region = eu-west-2\nsso_start_url = https://foo.bar\n",
        Refused("sso_region eu-west-1"),
    ),
];

/// Commands that print keys.
const PROCESSES: &[Case] = &[
    role(
        "[profile a]\ncredential_process = printf '%s' '{\"Version\":1,\"AccessKeyId\":\"P1\",\"SecretAccessKey\":\"s\"}'\n",
        Keys("P1"),
    ),
    role(
        "[profile a]\ncredential_process = sh -c \"true ; echo '{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"P1\\\",\\\"SecretAccessKey\\\":\\\"s\\\"}' # x\"\n",
        Keys("P1"),
    ),
    role(
        "[profile a]\ncredential_process = sh my\\ keys # x\n",
        Keys("P2"),
    ),
    role(
        "[profile a]\ncredential_process = sh \"my keys\" $HOME ~ | cat\n",
        Keys("P2"),
    ),
    role(
        "[profile a]\ncredential_process = echo \"{\\\"Version\\\":2}\"\n",
        Refused("Version 2"),
    ),
    role(
        "[profile a]\ncredential_process = echo \"{\\\"Version\\\":\\\"1\\\"}\"\n",
        Refused("Version \"1\""),
    ),
    role(
        "[profile a]\ncredential_process = echo \"{\\\"Version\\\":1}\"\n",
        Refused("no AccessKeyId"),
    ),
    role(
        "[profile a]\ncredential_process = echo hello\n",
        Refused("no credentials in JSON"),
    ),
    role(
        "[profile a]\ncredential_process = sh -c 'echo no device >&2; exit 3'\n",
        Refused("exit status: 3: no device"),
    ),
    role(
        "[profile a]\ncredential_process = nowhere-to-be-found\n",
        Refused("could not be run"),
    ),
    role(
        "[profile a]\ncredential_process = echo 'x\n",
        Refused("quote"),
    ),
    role(
        "[profile a]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"P1\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2020-01-01T00:00:00Z\"}'\n",
        Refused("ended at 2020-01-01T00:00:00Z"),
    ),
    // Keys in the credentials file go before a command, and those in the other after.
    Case {
        config: "[profile a]\ncredential_process = sh \"my keys\"\naws_access_key_id = C1\naws_secret_access_key = s\n",
        credentials: "",
        environment: "",
        flag: Some("a"),
        outcome: Keys("P2"),
    },
    Case {
        config: "[profile a]\ncredential_process = sh \"my keys\"\n",
        credentials: "[a]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        environment: "",
        flag: Some("a"),
        outcome: Keys("A1"),
    },
];

#[test]
fn files_are_read_as_the_aws_cli_reads_them() {
    compare(FORM);
}

/// The files of before the AWS CLI, by `environment`, beside a profile `w` with keys.
const fn older(environment: &'static str, flag: Option<&'static str>, outcome: Outcome) -> Case {
    Case {
        environment,
        flag,
        ..config("[profile none]\nregion = eu-west-1\n", outcome)
    }
}

const OLDER_FILES: &[Case] = &[
    older("AWS_CREDENTIAL_FILE=~/ec2-keys", None, Keys("AKIAE")),
    older(
        "AWS_CREDENTIAL_FILE=~/ec2-keys AWS_PROFILE=w",
        None,
        Keys("AKIAW"),
    ),
    older("AWS_CREDENTIAL_FILE=~/ec2-keys", Some("w"), Keys("AKIAW")),
    older(
        "AWS_CREDENTIAL_FILE=~/ec2-keys",
        Some("none"),
        Keys("AKIAE"),
    ),
    older(
        "AWS_CREDENTIAL_FILE=~/ec2-keys AWS_ACCESS_KEY_ID=AKIAX AWS_SECRET_ACCESS_KEY=xs",
        None,
        Keys("AKIAX"),
    ),
    older(
        "AWS_CREDENTIAL_FILE=~/ec2-keys BOTO_CONFIG=~/boto.cfg",
        None,
        Keys("AKIAE"),
    ),
    older(
        "AWS_CREDENTIAL_FILE=~/boto.cfg BOTO_CONFIG=~/boto.cfg",
        None,
        Keys("AKIAB"),
    ),
    older("BOTO_CONFIG=~/boto.cfg", None, Keys("AKIAB")),
    older(
        "AWS_CREDENTIAL_FILE=~/missing BOTO_CONFIG=~/boto.cfg",
        None,
        Refused("missing"),
    ),
    older(
        "AWS_CREDENTIAL_FILE=~/no-secret",
        None,
        Refused("no secret access key"),
    ),
    older(
        "BOTO_CONFIG=~/missing",
        None,
        Refused("no credentials were found"),
    ),
    older(
        "BOTO_CONFIG=~/no-keys.cfg",
        None,
        Refused("no credentials were found"),
    ),
];

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
            Refused(words) => {
                assert!(cli_refuses, "{told}");
                assert!(matches!(ours.code, 2 | 4), "{told}");
                assert!(text(&ours.error()["message"]).contains(words), "{told}");
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
        assert_eq!(whoami.code, 0, "{told}\n{}", whoami.stderr);
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
