//! The proof that the key of a session is on this machine (`DPoP`, RFC 9449, with ES256).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use p256::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    elliptic_curve::sec1::ToEncodedPoint as _,
};
use serde_json::json;
use url::Url;

use crate::{
    error::{Failure, Result},
    identity::sso::browser::random_bytes,
};

/// What stands before a key's 32 bytes, and between them and the 65 bytes of its public
/// part: SEC1 with the curve's name (RFC 5915), as the AWS CLI writes it.
const SEC1: [&[u8]; 2] = [
    &[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20],
    &[
        0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03,
        0x42, 0x00,
    ],
];

/// A new key, in PEM.
///
/// # Errors
/// The system has no randomness.
pub fn new_key() -> Result<String> {
    loop {
        let bytes = random_bytes::<32>()?;
        // Nearly every number is a key.
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            let public = key.public_key().to_encoded_point(false);
            let der = [SEC1[0], &bytes, SEC1[1], public.as_bytes()].concat();
            return Ok(pem(&der));
        }
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

/// The value of the `DPoP` header of a POST to this address.
///
/// # Errors
/// The key cannot be read; the system has no randomness.
pub fn proof(key: &str, url: &Url, now: SystemTime) -> Result<String> {
    let key = SecretKey::from_sec1_pem(key.trim()).map_err(|_| {
        Failure::usage("the key of the console sign-in cannot be read")
            .hint("sign in again, which replaces it")
    })?;
    let public = key.public_key().to_encoded_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| {
        bytes.map_or(String::new(), |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes))
    };
    let header = json!({
        "typ": "dpop+jwt",
        "alg": "ES256",
        "jwk": {
            "kty": "EC",
            "crv": "P-256",
            "x": coordinate(public.x()),
            "y": coordinate(public.y()),
        },
    });
    let issued = now.duration_since(UNIX_EPOCH).map_or(0, |at| at.as_secs());
    let payload = json!({
        "htm": "POST",
        "htu": url.as_str(),
        "iat": issued,
        "jti": uuid()?,
    });
    let message = [header, payload]
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let signature: Signature = SigningKey::from(&key).sign(message.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes());
    Ok(format!("{message}.{signature}"))
}

/// A random UUID (RFC 9562, version 4).
///
/// # Errors
/// The system has no randomness.
pub fn uuid() -> Result<String> {
    let mut bytes = random_bytes::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{VerifyingKey, signature::Verifier as _};
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_proof_is_signed_with_the_key_that_it_shows() {
        let key = new_key().expect("a key");
        let url = Url::parse("https://eu-west-2.signin.aws.amazon.com/v1/token").expect("a URL");
        let proof = proof(&key, &url, UNIX_EPOCH).expect("a proof");
        let (message, signature) = proof.rsplit_once('.').expect("a signature");
        let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64");
        let parts: Vec<Value> = message
            .split('.')
            .map(|part| serde_json::from_slice(&decoded(part)).expect("JSON"))
            .collect();
        assert_eq!(parts[1]["htu"], url.as_str());
        assert_eq!(parts[1]["iat"], 0);
        let secret = SecretKey::from_sec1_pem(&key).expect("it is read back");
        let public = VerifyingKey::from(secret.public_key());
        let point = public.to_encoded_point(false);
        let x = parts[0]["jwk"]["x"].as_str().expect("a coordinate");
        assert_eq!(decoded(x), point.x().expect("one").as_slice());
        let signature = Signature::from_slice(&decoded(signature)).expect("a signature");
        public
            .verify(message.as_bytes(), &signature)
            .expect("it is good");
    }
}
