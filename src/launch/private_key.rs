//! Whether a file holds the private key of a key pair that EC2 shows.
//!
//! EC2 shows a fingerprint of each pair (EC2 API reference, `KeyPairInfo`), and the
//! length tells which of these it is:
//!
//! - ED25519: the SHA-256 of the public key, in base64, as OpenSSH has it
//! - RSA, made by EC2: the SHA-1 of the private key as PKCS #8 in DER
//! - RSA, imported: the MD5 of the public key in DER
//!
//! Two cannot be compared: the SHA-1 with an RSA key in OpenSSH's or `PuTTY`'s format, as
//! these leave out numbers of PKCS #8 that would have to be calculated; and the SHA-256
//! with an ED25519 key in PKCS #8, which leaves out the public key.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use md5::Md5;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// DER's tags of the elements that occur here (ITU-T X.690).
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The algorithm `rsaEncryption` without parameters (RFC 8017, appendix A.1).
const RSA_ENCRYPTION: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// What a file tells of the private key in it.
enum PrivateKey {
    /// An RSA key with all its numbers, as PKCS #1 has them.
    Rsa(Vec<u8>),
    /// Only the public part of an RSA key, as SSH sends it.
    SshRsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// Only the public part of another kind of key, as SSH sends it.
    Ssh(Vec<u8>),
    /// A private key that cannot be looked into: it is encrypted, or in PKCS #8 and not
    /// RSA.
    Closed,
}

/// Whether `file`, a private key in PEM or PPK, has this fingerprint.
pub fn has_fingerprint(file: &str, fingerprint: &str) -> bool {
    let theirs = fingerprint.trim_start_matches("SHA256:");
    let theirs = theirs.trim_end_matches('=');
    let ours = PrivateKey::of(file).map(|key| key.fingerprints());
    !theirs.is_empty() && ours.is_some_and(|ours| ours.iter().any(|ours| ours == theirs))
}

/// Whether a fingerprint of the private key in `file` can be worked out that this one can
/// be compared with.
pub fn is_comparable(file: &str, fingerprint: &str) -> bool {
    const SHA1_BYTES: usize = 20;
    match PrivateKey::of(file) {
        Some(PrivateKey::Closed) => false,
        Some(PrivateKey::SshRsa { .. }) => fingerprint.split(':').count() != SHA1_BYTES,
        Some(PrivateKey::Rsa(_) | PrivateKey::Ssh(_)) | None => true,
    }
}

impl PrivateKey {
    /// The private key in a file, if there is one.
    fn of(file: &str) -> Option<Self> {
        if let Some(public) = ppk_public_key(file) {
            return Self::of_ssh(public);
        }
        let (kind, body) = pem(file)?;
        // Headers such as this one follow the first line (RFC 1421, section 4.6.1.1).
        if kind == "ENCRYPTED PRIVATE KEY" || body.contains("Proc-Type: 4,ENCRYPTED") {
            return Some(Self::Closed);
        }
        let body: String = body.split_whitespace().collect();
        let key = BASE64_STANDARD.decode(body).ok()?;
        match kind {
            "OPENSSH PRIVATE KEY" => Self::of_ssh(openssh_public_key(&key)?.to_vec()),
            "RSA PRIVATE KEY" => rsa_numbers(&key).is_some().then_some(Self::Rsa(key)),
            "PRIVATE KEY" => of_pkcs8(&key),
            _ => None,
        }
    }

    fn of_ssh(public: Vec<u8>) -> Option<Self> {
        let (kind, rest) = ssh_string(&public)?;
        if kind != b"ssh-rsa" {
            return Some(Self::Ssh(public));
        }
        let (exponent, rest) = ssh_string(rest)?;
        let (modulus, _) = ssh_string(rest)?;
        // SSH and DER write numbers in the same way (RFC 4251, section 5: mpint).
        let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
        Some(Self::SshRsa { modulus, exponent })
    }

    /// All fingerprints that EC2 may show of the key.
    fn fingerprints(&self) -> Vec<String> {
        match self {
            Self::Rsa(key) => {
                let public = rsa_numbers(key).map(|(modulus, exponent)| {
                    in_hex(&Md5::digest(rsa_public_key(modulus, exponent)))
                });
                public
                    .into_iter()
                    .chain([in_hex(&Sha1::digest(to_pkcs8(key)))])
                    .collect()
            }
            Self::SshRsa { modulus, exponent } => {
                vec![in_hex(&Md5::digest(rsa_public_key(modulus, exponent)))]
            }
            Self::Ssh(public) => {
                let hash = BASE64_STANDARD.encode(<Sha256 as sha2::Digest>::digest(public));
                vec![hash.trim_end_matches('=').to_owned()]
            }
            Self::Closed => Vec::new(),
        }
    }
}

/// A hash in the form that EC2 gives MD5 and SHA-1.
fn in_hex(hash: &[u8]) -> String {
    let bytes: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// The kind and the body of a PEM file (RFC 7468).
fn pem(file: &str) -> Option<(&str, &str)> {
    let (_, rest) = file.split_once("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    Some((kind, body))
}

/// The public key in an OpenSSH private key, which is never encrypted (OpenSSH's
/// PROTOCOL.key): cipher, key derivation and its options, the number of keys, the
/// public key.
fn openssh_public_key(key: &[u8]) -> Option<&[u8]> {
    let mut rest = key.strip_prefix(b"openssh-key-v1\0")?;
    for _ in 0..3 {
        (_, rest) = ssh_string(rest)?;
    }
    let (_number, rest) = rest.split_at_checked(4)?;
    Some(ssh_string(rest)?.0)
}

/// One of SSH's strings, which have their length before them (RFC 4251, section 5), and
/// the bytes after it.
fn ssh_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)
}

/// The public key in a `PuTTY` file.
fn ppk_public_key(file: &str) -> Option<Vec<u8>> {
    let mut lines = file.lines().map(str::trim);
    lines.next()?.strip_prefix("PuTTY-User-Key-File-")?;
    let number = lines.find_map(|line| line.strip_prefix("Public-Lines: "))?;
    let body: String = lines.take(number.parse().ok()?).collect();
    BASE64_STANDARD.decode(body).ok()
}

/// What PKCS #8 holds (RFC 5208): version, algorithm, the key, and perhaps more.
fn of_pkcs8(der: &[u8]) -> Option<PrivateKey> {
    let (contents, []) = element(SEQUENCE, der)? else {
        return None;
    };
    let (_version, rest) = element(INTEGER, contents)?;
    let Some(rest) = rest.strip_prefix(&RSA_ENCRYPTION) else {
        return Some(PrivateKey::Closed);
    };
    let (key, _attributes) = element(OCTET_STRING, rest)?;
    rsa_numbers(key)?;
    Some(PrivateKey::Rsa(key.to_vec()))
}

/// An RSA private key (PKCS #1), wrapped as PKCS #8 of version 0.
fn to_pkcs8(key: &[u8]) -> Vec<u8> {
    let key = to_element(OCTET_STRING, key);
    let version = to_element(INTEGER, &[0]);
    to_element(SEQUENCE, &[&*version, &RSA_ENCRYPTION, &key].concat())
}

/// Modulus and public exponent of an RSA private key (PKCS #1).
fn rsa_numbers(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (contents, []) = element(SEQUENCE, key)? else {
        return None;
    };
    let (_version, rest) = element(INTEGER, contents)?;
    let (modulus, rest) = element(INTEGER, rest)?;
    let (exponent, _) = element(INTEGER, rest)?;
    Some((modulus, exponent))
}

/// An RSA public key with its algorithm (`SubjectPublicKeyInfo`, RFC 5280).
fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = [modulus, exponent].map(|number| to_element(INTEGER, number));
    let key = to_element(SEQUENCE, &numbers.concat());
    // The first byte says that all bits of the last byte are used.
    let bits = to_element(BIT_STRING, &[&[0], &*key].concat());
    to_element(SEQUENCE, &[&RSA_ENCRYPTION, &*bits].concat())
}

/// The contents of the DER element that `bytes` begin with, and what follows it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.strip_prefix(&[tag])?.split_first()?;
    if length < 0x80 {
        return rest.split_at_checked(length.into());
    }
    let (digits, rest) = rest.split_at_checked((length & 0x7f).into())?;
    // DER has no digits to spare, and no key is longer.
    if digits.len() > 3 || digits.first().is_none_or(|first| *first == 0) {
        return None;
    }
    let length = digits
        .iter()
        .fold(0, |all, digit| all << 8 | usize::from(*digit));
    if length < 0x80 {
        return None;
    }
    rest.split_at_checked(length)
}

fn to_element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let leading = length.iter().take_while(|byte| **byte == 0).count();
    let length = &length[leading.min(length.len() - 1)..];
    let mut element = vec![tag];
    if contents.len() >= 0x80 {
        element.push(0x80 | u8::try_from(length.len()).unwrap_or(u8::MAX));
    }
    element.extend(length);
    element.extend(contents);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    // ssh-keygen and OpenSSL have made these keys for this test, and tell their
    // fingerprints.
    const ED25519: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACDaoqBeXm4NpJrfq7A2fn61Qe32vTwudrFXLe/b+2D0wQAAAIht6gDlbeoA
5QAAAAtzc2gtZWQyNTUxOQAAACDaoqBeXm4NpJrfq7A2fn61Qe32vTwudrFXLe/b+2D0wQ
AAAEASHwdFTrlWiuOJtJBj0DRqFHWiXFzTv0q/Th/7+GXps9qioF5ebg2kmt+rsDZ+frVB
7fa9PC52sVct79v7YPTBAAAAAWMBAgME";
    const ED25519_PUBLIC: &str =
        "AAAAC3NzaC1lZDI1NTE5AAAAINqioF5ebg2kmt+rsDZ+frVB\n7fa9PC52sVct79v7YPTB";
    const ED25519_FINGERPRINT: &str = "ZYvesI7j+QcIrL/BiIK8IWRCOEwFfl+upXU+V80nCPM";
    const RSA: &str = "MIIBOgIBAAJBAKmy9iqFZiNadFfIZnBD5Gm1mjJKmgSjiqlmwhUP/Uf73uIFnjZT
tPa6H9aeseIIjAIp1wi8r+7UF4InX/zBpW8CAwEAAQJAQY4NxG1WAJA/421aDUJc
6W0rDQR+rQ4UUc6NaR+NI5IKy6MzTBRbUqBKMOzG/nyBygA9JKby+zRCRWP4ZnqQ
IQIhANvK6we0a7gkkwpB++Cxf5L+Sw/63uwBfB5J6PNJGpefAiEAxaeACkOpXHqB
9fLjZE2htqV3YhQ5xBuKvW6pu6PRYDECIGm9SK8PPJd9eQQBVJT3r8Fe92u7rI1r
9XN46UpJzDJPAiB9ADSqySXH1bZxPD3xBmO6ZiT9QztROfXhXaY8hBr7UQIhANj6
1jG8qbuyGzU/GWUED4RDEfRISFyG8CUrHTZ+PREz";
    const RSA_FINGERPRINT: &str = "4b:62:5b:5d:05:16:e7:3f:87:32:3f:a2:1c:46:e1:06:1e:04:5d:a5";

    const RSA_PUBLIC_FINGERPRINT: &str = "75:7f:f0:cf:8f:10:c0:fb:52:f7:a5:e1:24:e1:e7:e9";
    /// What stands before `RSA` in PKCS #8.
    const PKCS8_HEAD: &str = "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4w";

    fn pem_of(kind: &str, body: &str) -> String {
        format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")
    }

    fn openssh() -> String {
        pem_of("OPENSSH PRIVATE KEY", ED25519)
    }

    fn rsa() -> String {
        pem_of("RSA PRIVATE KEY", RSA)
    }

    /// The same key in the form that OpenSSL and AWS write today.
    fn rsa_in_pkcs8() -> String {
        let key = BASE64_STANDARD.decode(RSA.replace('\n', ""));
        let whole = to_pkcs8(&key.expect("base64"));
        let body = BASE64_STANDARD.encode(whole);
        assert!(body.starts_with(PKCS8_HEAD), "{body}");
        pem_of("PRIVATE KEY", &body)
    }

    fn ppk(kind: &str, public: &str) -> String {
        let lines = public.lines().count();
        format!(
            "PuTTY-User-Key-File-3: {kind}\r\nEncryption: none\r\nComment: c\r\nPublic-Lines: {lines}\r\n{}\r\nPrivate-Lines: 1\r\nAAAA\r\nPrivate-MAC: 00\r\n",
            public.replace('\n', "\r\n")
        )
    }

    /// The RSA key's public part, as SSH sends it.
    fn rsa_ppk() -> String {
        let key = BASE64_STANDARD.decode(RSA.replace('\n', ""));
        let key = key.expect("base64");
        let (modulus, exponent) = rsa_numbers(&key).expect("an RSA key");
        let parts = [b"ssh-rsa", exponent, modulus].map(|part| {
            let length = u32::try_from(part.len()).expect("short");
            [&length.to_be_bytes(), part].concat()
        });
        ppk("ssh-rsa", &BASE64_STANDARD.encode(parts.concat()))
    }

    #[test]
    fn a_private_key_has_the_fingerprint_of_its_pair_and_no_other() {
        for (file, fingerprints) in [
            (openssh(), &[ED25519_FINGERPRINT][..]),
            (ppk("ssh-ed25519", ED25519_PUBLIC), &[ED25519_FINGERPRINT]),
            (rsa(), &[RSA_FINGERPRINT, RSA_PUBLIC_FINGERPRINT]),
            (rsa_in_pkcs8(), &[RSA_FINGERPRINT, RSA_PUBLIC_FINGERPRINT]),
            (rsa_ppk(), &[RSA_PUBLIC_FINGERPRINT]),
        ] {
            for fingerprint in fingerprints {
                for shown in [(*fingerprint).to_owned(), format!("SHA256:{fingerprint}=")] {
                    assert!(has_fingerprint(&file, &shown), "{shown} of {file}");
                }
                for other in ["", "=", &fingerprint[1..], &fingerprint.to_uppercase()] {
                    assert!(!has_fingerprint(&file, other), "{other} of {file}");
                }
            }
        }
        assert!(!has_fingerprint(&openssh(), RSA_FINGERPRINT));
    }

    #[test]
    fn fingerprints_that_cannot_be_told_of_a_file_are_not_compared() {
        // ED25519 in PKCS #8 (RFC 8410, section 10.3).
        let ed25519 = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
        let ed25519 = pem_of("PRIVATE KEY", ed25519);
        let encrypted = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
        for (file, fingerprint, is_comparable) in [
            (rsa(), RSA_FINGERPRINT, true),
            (rsa(), RSA_PUBLIC_FINGERPRINT, true),
            (rsa(), ED25519_FINGERPRINT, true),
            (rsa_in_pkcs8(), RSA_PUBLIC_FINGERPRINT, true),
            (openssh(), RSA_FINGERPRINT, true),
            (openssh(), ED25519_FINGERPRINT, true),
            (rsa_ppk(), RSA_FINGERPRINT, false),
            (rsa_ppk(), RSA_PUBLIC_FINGERPRINT, true),
            (rsa_ppk(), ED25519_FINGERPRINT, true),
            (ed25519, ED25519_FINGERPRINT, false),
            (
                pem_of("ENCRYPTED PRIVATE KEY", "AAAA"),
                RSA_FINGERPRINT,
                false,
            ),
            (pem_of("RSA PRIVATE KEY", encrypted), RSA_FINGERPRINT, false),
            ("precious".to_owned(), RSA_FINGERPRINT, true),
        ] {
            assert_eq!(
                super::is_comparable(&file, fingerprint),
                is_comparable,
                "{fingerprint} of {file}"
            );
        }
    }

    #[test]
    fn what_holds_no_key_has_no_fingerprint() {
        for file in [
            "",
            "precious",
            &pem_of("OPENSSH PRIVATE KEY", &ED25519[..80]),
            &pem_of("RSA PRIVATE KEY", &RSA[..80]),
            &pem_of("PRIVATE KEY", PKCS8_HEAD),
            &pem_of("EC PRIVATE KEY", RSA),
            "PuTTY-User-Key-File-3: x",
        ] {
            assert!(PrivateKey::of(file).is_none(), "{file}");
        }
    }

    #[test]
    fn an_element_of_der_has_the_shortest_length_and_is_all_there() {
        let long = |length: &[u8]| [&[INTEGER], length, &[7; 200]].concat();
        assert_eq!(element(INTEGER, &[2, 1, 7, 9]), Some((&[7][..], &[9][..])));
        assert_eq!(
            element(INTEGER, &long(&[0x81, 200])),
            Some((&[7; 200][..], &[][..]))
        );
        for other in [
            &[][..],
            &[INTEGER],
            &[OCTET_STRING, 1, 7],
            &[INTEGER, 2, 7],
            &[INTEGER, 0x80],
            &[INTEGER, 0x81, 1, 7],
            &long(&[0x81, 201]),
            &long(&[0x82, 0, 200]),
            &long(&[0x84, 0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(element(INTEGER, other), None, "{other:?}");
        }
    }
}
