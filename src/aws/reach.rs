//! Why AWS cannot be reached. Where TLS fails, the types of rustls tell it. The errors of
//! the proxy and of the resolver are of private types, so what the HTTP stack says
//! decides; a test of each (`tests/cli/networks.rs`) fails when their words change.

use std::error::Error;

use rustls::{CertificateError, InvalidMessage};

use crate::error::{Failure, Kind, find_cause};

/// What a case means, and what to do.
type Case = (&'static str, &'static str);

/// A part of what the stack says, and what that means. The first that fits counts.
const WORDS: &[(&str, Case)] = &[
    (
        "tunnel error: failed to create underlying connection",
        (
            "the proxy does not answer",
            "check HTTPS_PROXY; NO_PROXY lists what is reached without the proxy",
        ),
    ),
    (
        "proxy authorization required",
        (
            "the proxy wants a user and a password",
            "give them in HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT",
        ),
    ),
    (
        "tunnel error",
        (
            "the proxy refuses to connect to AWS",
            "check HTTPS_PROXY, and that the proxy permits this address; NO_PROXY lists what is reached without the proxy",
        ),
    ),
    (
        "dns error",
        (
            "its name is not found",
            "check the network, --region and --endpoint-url",
        ),
    ),
];

fn of_tls(error: &rustls::Error) -> Option<Case> {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let case = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "the certificate's issuer is not trusted",
            "where a proxy or a firewall intercepts TLS, name the file with its certificates in AWS_CA_BUNDLE, or as ca_bundle in the profile",
        ),
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => (
            "the certificate has expired, by this machine's clock",
            "check this machine's clock",
        ),
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => (
            "the certificate is not valid yet, by this machine's clock",
            "check this machine's clock",
        ),
        rustls::Error::InvalidCertificate(_) => (
            "the certificate is not that of this address",
            "check --endpoint-url and AWS_ENDPOINT_URL, and what intercepts TLS on the way",
        ),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => (
            "what answers there does not speak TLS",
            "check --endpoint-url, AWS_ENDPOINT_URL and HTTPS_PROXY: https:// or http://?",
        ),
        _ => return None,
    };
    Some(case)
}

/// The failure when AWS was not reached. `why` has the words of the error and of its
/// causes.
pub fn out_of_reach(error: &(dyn Error + 'static), why: &str, what: &str, region: &str) -> Failure {
    let by_words = || WORDS.iter().find(|(said, _)| why.contains(said));
    let case = find_cause::<rustls::Error>(error)
        .and_then(of_tls)
        .or_else(|| by_words().map(|(_, case)| *case));
    let (meaning, hint) = match case {
        Some((meaning, hint)) => (format!("{meaning}: "), hint),
        None => (
            String::new(),
            "check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url",
        ),
    };
    Failure::new(
        Kind::Unreachable,
        format!("{what}: cannot reach AWS in {region}: {meaning}{why}"),
    )
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// The errors as tokio-rustls hands them on. Errors that a server can cause are
    /// tested with a server.
    #[test]
    fn tls_that_fails_is_told_by_its_type() {
        use rustls::Error::InvalidCertificate;
        for (error, told) in [
            (
                InvalidCertificate(CertificateError::NotValidYet),
                "the certificate is not valid yet",
            ),
            (
                InvalidCertificate(CertificateError::NotValidForName),
                "the certificate is not that of this address",
            ),
            (rustls::Error::HandshakeNotComplete, "in other words"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            let failure = out_of_reach(&error, "in other words", "cannot list", "eu-west-2");
            let before = "cannot list: cannot reach AWS in eu-west-2: ";
            let message = failure
                .message
                .strip_prefix(before)
                .expect("what and where");
            assert!(message.starts_with(told), "{message}");
        }
    }
}
