//! What AWS answers when it refuses, sorted by code: the SDK's own `Display`
//! is only "service error".

use std::fmt::Debug;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId as _;

use crate::error::{Failure, Kind, causes};

/// Codes of an identity that AWS does not know or no longer takes
/// (EC2 API reference, error codes; STS, common errors).
const NOT_SIGNED_IN: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes of a policy that does not allow the call.
const NOT_PERMITTED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
];

/// Codes of missing capacity, and of quotas.
const CAPACITY: &[&str] = &[
    "InstanceLimitExceeded",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "MaxSpotInstanceCountExceeded",
    "PendingVerification",
    "SpotMaxPriceTooLow",
    "Unsupported",
    "VcpuLimitExceeded",
];

/// Codes with which a launch may have happened all the same.
const UNKNOWN_OUTCOME: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
];

/// Codes of a request bucket that is empty (EC2 developer guide, request throttling).
const THROTTLED: &[&str] = &[
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "EC2ThrottledException",
];

/// Whether AWS asks to come again later, having done nothing.
pub fn is_throttled<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    code(error).is_some_and(|code| THROTTLED.contains(&code))
}

/// The code that AWS gave, where there was an answer.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}

/// Whether the call may have taken effect although it failed.
pub fn may_have_happened<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(_) => code(error).is_none_or(|code| UNKNOWN_OUTCOME.contains(&code)),
        SdkError::DispatchFailure(failure) => {
            failure.is_io() || failure.is_timeout() || failure.is_other()
        }
        _ => true,
    }
}

/// The failure for `error`, which came of doing `what` in `region`.
pub fn failure<E>(error: &SdkError<E, HttpResponse>, what: &str, region: &str) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Debug + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return unanswered(error, what, region);
    };
    let metadata = answer.err().meta();
    let code = metadata.code().unwrap_or("no code");
    let said = metadata.message().unwrap_or("AWS gave no reason");
    let request_id = metadata
        .request_id()
        .map_or(String::new(), |id| format!(", request {id}"));
    let kind = kind(code);
    let said = shortened(said.trim_end_matches('.'));
    let failure = Failure::new(kind, format!("{what}: {said} ({code}{request_id})"));
    match (kind, code) {
        (Kind::NotSignedIn, "RequestExpired" | "SignatureDoesNotMatch") => {
            failure.hint("check this machine's clock, and the secret access key")
        }
        (Kind::NotSignedIn, "OptInRequired") => {
            failure.hint(format!("the account is not set up for this yet, or {region} has to be enabled first"))
        }
        (Kind::NotSignedIn, _) => failure.hint("sign in again: the credentials are wrong, no longer valid, or not enabled for this region; `inductiva-aws whoami` shows which are used"),
        (Kind::NotPermitted, _) => failure.hint("ask the account's administrator for the permission; the README lists the least policy"),
        (Kind::Capacity, "PendingVerification") => failure.hint("AWS is checking the new account for this region; that takes up to 4 hours"),
        (Kind::Capacity, "VcpuLimitExceeded" | "InstanceLimitExceeded" | "MaxSpotInstanceCountExceeded") => {
            failure.hint("ask for a higher EC2 quota in the Service Quotas console, choose a smaller --vm-type, or fewer --num-machines")
        }
        (Kind::Capacity, _) => failure.hint("try another --availability-zone, --vm-type or --region, or try again later"),
        _ => match remedy(code, said, region) {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
    }
}

/// What to do about a named thing that EC2 does not know.
fn remedy(code: &str, said: &str, region: &str) -> Option<String> {
    let family = code.split('.').next().unwrap_or(code);
    let flag = match family {
        "InvalidAMIID" => "--image-id: an image belongs to one region",
        "InvalidInstanceType" => "--vm-type: not every region has every type",
        "InvalidSubnetID" => "--subnet-id: a subnet belongs to one region",
        "InvalidGroup" | "InvalidGroupId" => {
            "--security-group-id: a security group belongs to one VPC"
        }
        "InvalidKeyPair" => {
            "--key-name: a key pair belongs to one region; --create-key-pair makes one"
        }
        "InvalidParameterValue" if said.contains("iamInstanceProfile") => {
            "--instance-profile: it is the profile's name, not the role's"
        }
        _ => return None,
    };
    Some(format!("check {flag} (this is {region})"))
}

/// The sort of an error code.
fn kind(code: &str) -> Kind {
    if NOT_SIGNED_IN.contains(&code) {
        Kind::NotSignedIn
    } else if NOT_PERMITTED.contains(&code) {
        Kind::NotPermitted
    } else if CAPACITY.contains(&code) {
        Kind::Capacity
    } else {
        Kind::Failed
    }
}

/// No answer, or none that can be read.
fn unanswered<E>(error: &SdkError<E, HttpResponse>, what: &str, region: &str) -> Failure
where
    E: std::error::Error + Debug + 'static,
{
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), causes);
    match error {
        SdkError::TimeoutError(_) => Failure::failed(format!("{what}: AWS did not answer in time"))
            .hint(format!(
                "check the network, and that {region} is the region you mean"
            )),
        SdkError::DispatchFailure(_) => {
            Failure::failed(format!("{what}: cannot reach AWS in {region}: {why}"))
                .hint("check the network, the proxy (HTTPS_PROXY), --region and --endpoint-url")
        }
        _ => Failure::failed(format!("{what}: {why}")),
    }
}

/// Without the encoded part that only AWS can read.
fn shortened(message: &str) -> &str {
    message
        .split(" Encoded authorization failure message:")
        .next()
        .unwrap_or(message)
        .trim_end_matches('.')
}
