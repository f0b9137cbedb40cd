//! Why AWS cannot be reached, from what the HTTP stack says: its errors are of
//! private types, so their texts are what there is to go by.

use crate::error::{Failure, Kind};

/// What the stack says, in part; what that means; what to do.
const CASES: &[(&str, &str, &str)] = &[
    (
        "tunnel error: failed to create underlying connection",
        "the proxy does not answer",
        "check HTTPS_PROXY; NO_PROXY names what is reached without it",
    ),
    (
        "proxy authorization required",
        "the proxy wants a user and a password",
        "give them in HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT",
    ),
    (
        "tunnel error",
        "the proxy refuses to connect to AWS",
        "check HTTPS_PROXY, and that the proxy permits this address; NO_PROXY names what is reached without it",
    ),
    (
        "UnknownIssuer",
        "nobody trusted has issued the certificate",
        "where a proxy or a firewall opens TLS, name the file with its certificates in AWS_CA_BUNDLE, or as ca_bundle in the profile",
    ),
    (
        "certificate expired",
        "the certificate is over, by this machine's clock",
        "check this machine's clock",
    ),
    (
        "certificate not valid yet",
        "the certificate is not good yet, by this machine's clock",
        "check this machine's clock",
    ),
    (
        "invalid peer certificate",
        "the certificate is not that of this address",
        "check --endpoint-url and AWS_ENDPOINT_URL, and what opens TLS on the way",
    ),
    (
        "InvalidContentType",
        "what answers there speaks no TLS",
        "check --endpoint-url, AWS_ENDPOINT_URL and HTTPS_PROXY: https:// or http://?",
    ),
    (
        "dns error",
        "its name is not found",
        "check the network, --region and --endpoint-url",
    ),
];

/// AWS was not reached, because of `why`.
pub fn out_of_reach(why: &str, what: &str, region: &str) -> Failure {
    let case = CASES.iter().find(|(said, ..)| why.contains(said));
    let (meaning, hint) = match case {
        Some((_, meaning, hint)) => (format!("{meaning}: "), *hint),
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
