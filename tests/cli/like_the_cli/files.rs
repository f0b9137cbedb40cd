//! Cases of how files are written: sections, keys, values, and the files of before the
//! AWS CLI.

use super::{
    Case,
    Outcome::{self, Keys, Refused, Told},
    config, credentials,
};

/// Lines, names, comments, and what is merged with what.
pub(super) const FORM: &[Case] = &[
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
        Refused("there is no AWS profile \"w\" in [HOME]/.aws/config and [HOME]/.aws/credentials"),
    ),
    credentials(
        "[w]\naws_access_key_id = A1\n",
        Refused(
            "profile w has aws_access_key_id and no aws_secret_access_key in [HOME]/.aws/credentials",
        ),
    ),
    credentials(
        "[w]\naws_secret_access_key = s\n",
        Refused(
            "not signed in to AWS: profile w has no credentials in [HOME]/.aws/config and [HOME]/.aws/credentials",
        ),
    ),
    credentials(
        "[x]\naws_access_key_id = A1\naws_secret_access_key = s\n",
        Refused("there is no AWS profile \"w\" in [HOME]/.aws/config and [HOME]/.aws/credentials"),
    ),
    credentials(
        "[w]\naws_access_key_id = AKIA\n   1\naws_secret_access_key = s\noops\n[x]\n",
        Refused("the access key id of profile w has a line break in it, which no key has"),
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
        outcome: Refused(
            "profile w has aws_access_key_id and no aws_secret_access_key in [HOME]/.aws/credentials",
        ),
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

/// The files of before the AWS CLI, by `environment`, beside a profile `w` with keys.
const fn older(environment: &'static str, flag: Option<&'static str>, outcome: Outcome) -> Case {
    Case {
        environment,
        flag,
        ..config("[profile none]\nregion = eu-west-1\n", outcome)
    }
}

pub(super) const OLDER_FILES: &[Case] = &[
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
        Refused("cannot read [HOME]/missing: No such file or directory (os error 2)"),
    ),
    older(
        "AWS_CREDENTIAL_FILE=~/no-secret",
        None,
        Refused("[HOME]/no-secret has an access key id and no secret access key"),
    ),
    older(
        "BOTO_CONFIG=~/missing",
        None,
        Refused("not signed in to AWS: no credentials were found"),
    ),
    older(
        "BOTO_CONFIG=~/no-keys.cfg",
        None,
        Refused("not signed in to AWS: no credentials were found"),
    ),
];
