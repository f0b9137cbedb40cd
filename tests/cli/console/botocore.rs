//! The AWS console's own sign-in, with a session that botocore has, too.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use snapbox::str;

use super::{assert_is_ana, file, run, sign_in};
use crate::{
    sandbox::{Account, Run, finish, text},
    sso::private_json,
};

/// Its provider; of the AWS runtime, which the sandbox's Python lacks, it needs
/// the key's signature alone.
const BOTOCORE: &str = r#"
import base64, sys
import boto3, botocore.credentials, botocore.session
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

class Key:
    def __init__(self, der):
        pem = b"-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END EC PRIVATE KEY-----\n"
        self.key = serialization.load_pem_private_key(pem, None)
    def get_public_coords(self):
        numbers = self.key.public_key().public_numbers()
        return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    def sign(self, digest):
        return self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))

class EC:
    new_key_from_der_data = staticmethod(Key)
    @staticmethod
    def decode_der_signature_to_padded_pair(signature, pad_to):
        return b"".join(n.to_bytes(pad_to, "big") for n in utils.decode_dss_signature(signature))

botocore.credentials.EC = EC
credentials = botocore.session.Session(profile="default").get_credentials()
if sys.argv[1:]:
    credentials._refresh_using and credentials._protected_refresh(is_mandatory=True)
keys = credentials.get_frozen_credentials()
print(keys.access_key)
"#;

fn botocore(account: &Account) -> Run {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sandbox/venv/bin/python");
    let mut environment = account.environment();
    environment.remove("AWS_ACCESS_KEY_ID");
    environment.remove("AWS_SECRET_ACCESS_KEY");
    let mut command = Command::new(python);
    command
        .args(["-c", BOTOCORE])
        .env_clear()
        .envs(environment)
        .env("AWS_DEFAULT_REGION", "eu-west-2")
        .current_dir(account.home.path())
        .stdout(Stdio::piped());
    finish(&mut command)
}

/// Lets a session's keys be over by its file.
fn make_stale(account: &Account) {
    let path = account.home.path().join(file(account));
    let mut kept: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    kept["accessToken"]["expiresAt"] = json!("2020-01-01T00:00:00Z");
    std::fs::write(path, kept.to_string()).expect("written");
}

#[test]
fn botocore_takes_our_session_and_refreshes_it_and_we_take_it_back() {
    let account = Account::new();
    sign_in(&account, " --region eu-west-2");
    let id = |account: &Account| {
        text(&private_json(account, &file(account))["accessToken"]["accessKeyId"]).to_owned()
    };
    let first = id(&account);
    assert_eq!(botocore(&account).succeeds(str![]).trim(), first);
    make_stale(&account);
    let second = botocore(&account).succeeds(str![]).trim().to_owned();
    assert_ne!(second, first);
    assert_eq!(id(&account), second);
    assert_eq!(account.calls("CreateOAuth2Token"), 2);
    assert_is_ana(&run(&account, "whoami"));
    make_stale(&account);
    assert_is_ana(&run(&account, "whoami"));
    assert_eq!(account.calls("CreateOAuth2Token"), 3);
    let third = id(&account);
    assert_eq!(botocore(&account).succeeds(str![]).trim(), third);
}
