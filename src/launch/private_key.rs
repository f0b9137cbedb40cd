//! Whether a file holds the private key of a key pair that EC2 shows.
//!
//! EC2 shows a fingerprint of each pair (EC2 API reference, `KeyPairInfo`): of an
//! ED25519 pair the SHA-256 of its public key in base64, as OpenSSH has it, and of
//! an RSA pair that EC2 made the SHA-1 of the private key as PKCS #8 in DER. Two are
//! not compared here: the MD5 of an imported RSA pair, as nothing else needs MD5, and
//! that of an RSA key in OpenSSH's or `PuTTY`'s format, as these leave out numbers of
//! PKCS #8 that would have to be calculated.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Whether `file`, a private key as EC2 gives it (PEM or PPK), has this fingerprint.
pub fn has_fingerprint(file: &str, fingerprint: &str) -> bool {
    let theirs = fingerprint.trim_start_matches("SHA256:");
    let theirs = theirs.trim_end_matches('=');
    !theirs.is_empty() && fingerprints(file).iter().any(|ours| ours == theirs)
}

/// Whether the fingerprint of the private key in `file` can be told at all, to be
/// compared with this one.
pub fn is_comparable(file: &str, fingerprint: &str) -> bool {
    const MD5_BYTES: usize = 16;
    let bytes = fingerprint.split(':').count();
    if bytes == 1 {
        return true;
    }
    let openssh = || match pem(file)? {
        ("OPENSSH PRIVATE KEY", key) => openssh_public_key(&key).map(<[u8]>::to_vec),
        _ => None,
    };
    let public = ppk_public_key(file).or_else(openssh);
    let is_rsa = |key: Vec<u8>| ssh_string(&key).is_some_and(|(kind, _)| kind == b"ssh-rsa");
    bytes != MD5_BYTES && !public.is_some_and(is_rsa)
}

/// What EC2 may show of the key; nothing where it is none.
fn fingerprints(file: &str) -> Vec<String> {
    if let Some(public) = ppk_public_key(file) {
        return vec![of_public_key(&public)];
    }
    let Some((kind, key)) = pem(file) else {
        return Vec::new();
    };
    match kind {
        "OPENSSH PRIVATE KEY" => openssh_public_key(&key)
            .map(|public| vec![of_public_key(public)])
            .unwrap_or_default(),
        "RSA PRIVATE KEY" => vec![of_private_key(&pkcs8(&key))],
        "PRIVATE KEY" => vec![of_private_key(&key)],
        _ => Vec::new(),
    }
}

fn of_public_key(key: &[u8]) -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(key));
    hash.trim_end_matches('=').to_owned()
}

fn of_private_key(der: &[u8]) -> String {
    use sha1::Digest as _;
    let pairs: Vec<String> = Sha1::digest(der)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    pairs.join(":")
}

/// The kind and the contents of a PEM file (RFC 7468).
fn pem(file: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = file.split_once("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.split_whitespace().collect();
    Some((kind, BASE64_STANDARD.decode(body).ok()?))
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

/// A string of SSH's, with its length before it (RFC 4251, section 5), and what
/// follows it.
fn ssh_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)
}

/// The public key in a file of `PuTTY`'s.
fn ppk_public_key(file: &str) -> Option<Vec<u8>> {
    let mut lines = file.lines().map(str::trim);
    lines.next()?.strip_prefix("PuTTY-User-Key-File-")?;
    let number = lines.find_map(|line| line.strip_prefix("Public-Lines: "))?;
    let body: String = lines.take(number.parse().ok()?).collect();
    BASE64_STANDARD.decode(body).ok()
}

/// An RSA private key (PKCS #1) as PKCS #8 has it (RFC 5208): version 0, the
/// algorithm `rsaEncryption` without parameters, the key.
fn pkcs8(key: &[u8]) -> Vec<u8> {
    const VERSION: [u8; 3] = [0x02, 0x01, 0x00];
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    der(0x30, &[&VERSION[..], &ALGORITHM, &der(0x04, key)].concat())
}

/// A DER element.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
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

    // Made for this test by ssh-keygen and OpenSSL, which tell the fingerprints.
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

    fn pem_of(kind: &str, body: &str) -> String {
        format!("-----BEGIN {kind} PRIVATE KEY-----\n{body}\n-----END {kind} PRIVATE KEY-----\n")
    }

    #[test]
    fn a_private_key_has_the_fingerprint_of_its_pair_and_no_other() {
        let ed25519 = pem_of("OPENSSH", ED25519);
        let ppk = format!(
            "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nComment: c\r\nPublic-Lines: 2\r\n{}\r\nPrivate-Lines: 1\r\nAAAA\r\nPrivate-MAC: 00\r\n",
            ED25519_PUBLIC.replace('\n', "\r\n")
        );
        let rsa = pem_of("RSA", RSA);
        for (file, fingerprint) in [
            (&ed25519, ED25519_FINGERPRINT),
            (&ppk, ED25519_FINGERPRINT),
            (&rsa, RSA_FINGERPRINT),
        ] {
            for shown in [fingerprint.to_owned(), format!("SHA256:{fingerprint}=")] {
                assert!(has_fingerprint(file, &shown), "{shown} of {file}");
            }
            for other in ["", "=", &fingerprint[1..], &fingerprint.to_uppercase()] {
                assert!(!has_fingerprint(file, other), "{other} of {file}");
            }
        }
        assert!(!has_fingerprint(&ed25519, RSA_FINGERPRINT));
    }

    #[test]
    fn fingerprints_that_cannot_be_told_of_a_file_are_not_compared() {
        let (ed25519, rsa) = (pem_of("OPENSSH", ED25519), pem_of("RSA", RSA));
        let imported = "4b:62:5b:5d:05:16:e7:3f:87:32:3f:a2:1c:46:e1:06";
        // The name of the algorithm, and what would follow it.
        let ppk = "PuTTY-User-Key-File-3: ssh-rsa\nPublic-Lines: 1\nAAAAB3NzaC1yc2EAAAAB\n";
        for (file, fingerprint, is_comparable) in [
            (&*rsa, RSA_FINGERPRINT, true),
            (&rsa, imported, false),
            (&rsa, ED25519_FINGERPRINT, true),
            (&ed25519, RSA_FINGERPRINT, true),
            (&ed25519, ED25519_FINGERPRINT, true),
            (ppk, RSA_FINGERPRINT, false),
            (ppk, ED25519_FINGERPRINT, true),
            ("precious", RSA_FINGERPRINT, true),
        ] {
            assert_eq!(
                super::is_comparable(file, fingerprint),
                is_comparable,
                "{fingerprint} of {file}"
            );
        }
    }

    #[test]
    fn what_holds_no_key_has_no_fingerprint() {
        let cut = pem_of("OPENSSH", &ED25519[..80]);
        for file in [
            "",
            "precious",
            &cut,
            &pem_of("EC", RSA),
            "PuTTY-User-Key-File-3: x",
        ] {
            assert_eq!(fingerprints(file), Vec::<String>::new(), "{file}");
        }
    }
}
