//! Cases of roles and of commands that print keys.

use super::{
    Case,
    Outcome::{Keys, Refused, Role},
    role,
};

/// Roles, and what they are assumed with.
pub(super) const ROLES: &[Case] = &[
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
        Refused("profile a is its own source_profile and has no keys"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\n",
        Refused("profile a has role_arn, and neither source_profile nor credential_source"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\ncredential_source = Environment\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Refused("profile a has both source_profile and credential_source"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n[profile b]\naws_access_key_id = B1\n",
        Refused(
            "profile b has aws_access_key_id and no aws_secret_access_key in [HOME]/.aws/config",
        ),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n[profile b]\naws_secret_access_key = s\n",
        Refused("not signed in to AWS: source_profile b of profile a has no credentials"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n[profile b]\n",
        Refused("not signed in to AWS: source_profile b of profile a has no credentials"),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\nsource_profile = b\n",
        Refused(
            "source_profile of profile a names b, which is not in [HOME]/.aws/config and [HOME]/.aws/credentials",
        ),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\ncredential_source = environment\n",
        Refused("profile a: credential_source is \"environment\""),
    ),
    role(
        "[profile a]\nrole_arn = arn:foo\ncredential_source = Environment\n",
        Refused(
            "not signed in to AWS: credential_source Environment of profile a has no credentials",
        ),
    ),
    role(
        "[profile a]\nec2_metadata_service_endpoint_mode = IPv6\n",
        Refused(
            "not signed in to AWS: profile a has no credentials in [HOME]/.aws/config and [HOME]/.aws/credentials",
        ),
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
        Refused("profile a is its own source_profile, by way of a, b"),
    ),
    role(
        "[profile a]\naws_access_key_id = A1\naws_secret_access_key = s\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::NUMBER:role/RoleB\nsource_profile = a\n",
        Refused("profile a is its own source_profile, by way of a, b"),
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
        Refused("no role is named for the web identity token in token"),
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
        Refused(
            "cannot assume the role arn:aws:iam::[ACCOUNT]:role/guarded (profile a): arn:aws:iam::[ACCOUNT]:user/sandbox may not sts:AssumeRole on arn:aws:iam::[ACCOUNT]:role/guarded (AccessDenied, request [UUID])",
        ),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/guarded\nsource_profile = b\nexternal_id = a shared secret\n[profile b]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Role("guarded"),
    ),
    role(
        "[profile a]\nrole_arn = arn:aws:iam::NUMBER:role/RoleA\nsource_profile = \"my b\"\n[profile \"my b\"]\naws_access_key_id = B1\naws_secret_access_key = s\n",
        Refused(
            "source_profile of profile a names \"my b\", which is not in [HOME]/.aws/config and [HOME]/.aws/credentials",
        ),
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
        Refused(
            "profile a signs in with IAM Identity Center, but has no sso_account_id or no sso_role_name",
        ),
    ),
    role(
        "[profile a]\nsso_session = nobody\nsso_role_name = testrole\nsso_account_id = 1\n",
        Refused("profile a: there is no [sso-session nobody] in [HOME]/.aws/config"),
    ),
    role(
        "[profile a]\nsso_session = s\nsso_role_name = r\nsso_account_id = 1\nsso_region = eu-west-1\n[sso-session s]\nsso_region = eu-west-2\nsso_start_url = https://foo.bar\n",
        Refused("profile a has sso_region eu-west-1, and its sso-session s has eu-west-2"),
    ),
];

/// Commands that print keys.
pub(super) const PROCESSES: &[Case] = &[
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
        Refused(
            "not signed in to AWS: credential_process of profile a failed: it printed Version 2, and 1 is the only one there is",
        ),
    ),
    role(
        "[profile a]\ncredential_process = echo \"{\\\"Version\\\":\\\"1\\\"}\"\n",
        Refused(
            "not signed in to AWS: credential_process of profile a failed: it printed Version \"1\", and 1 is the only one there is",
        ),
    ),
    role(
        "[profile a]\ncredential_process = echo \"{\\\"Version\\\":1}\"\n",
        Refused(
            "not signed in to AWS: credential_process of profile a failed: it printed no AccessKeyId",
        ),
    ),
    role(
        "[profile a]\ncredential_process = echo hello\n",
        Refused(
            "not signed in to AWS: credential_process of profile a failed: it printed no credentials in JSON",
        ),
    ),
    role(
        "[profile a]\ncredential_process = sh -c 'echo no device >&2; exit 3'\n",
        Refused(
            "not signed in to AWS: credential_process of profile a failed: exit status: 3: no device",
        ),
    ),
    role(
        "[profile a]\ncredential_process = nowhere-to-be-found\n",
        Refused(
            "not signed in to AWS: credential_process of profile a failed: it could not be run: No such file or directory (os error 2)",
        ),
    ),
    role(
        "[profile a]\ncredential_process = echo 'x\n",
        Refused("credential_process of profile a has a quote that is not closed"),
    ),
    role(
        "[profile a]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"P1\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2020-01-01T00:00:00Z\"}'\n",
        Refused(
            "not signed in to AWS: credential_process of profile a failed: the keys that it printed ended at [TIME]",
        ),
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
