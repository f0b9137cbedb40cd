//! AWS's error codes, each once, with what it means for the next step.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::http::TIME_REFUSALS;

/// The HTTP status for it (RFC 6585).
pub const TOO_MANY_REQUESTS: u16 = 429;

/// What a code means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// AWS does not know the identity, or no longer accepts it.
    NotSignedIn,
    /// A policy does not allow the call.
    NotPermitted,
    /// This place has nothing left; another may have some.
    Place,
    /// A quota of the type's family is used up; another type may have some left.
    Quota,
    /// The quota of spot machines is used up; machines on demand have their own.
    SpotQuota,
    /// A quota is used up, and no other type or place helps.
    Account,
    /// Nothing was done, as a request bucket is empty or AWS was not reached. The same
    /// call may work later.
    NotNow,
    /// It may have been done all the same. The same call has to be made again, with its
    /// token.
    Unknown,
    /// The token was spent on a request of other bytes.
    Mismatch,
    /// The token was spent on machines that are terminated.
    Spent,
    /// The account has no role for spot machines yet, and this identity may not make it.
    /// Machines on demand need none.
    SpotRole,
    /// The account or its organisation does not allow it to anybody.
    NotAllowed,
    /// A security group or key pair is not known. A new one may not be known yet.
    NotFound,
    /// Anything else; another try would not help.
    Fatal,
}

/// The codes that are not in the SDK's own lists of what to try again. Sources: EC2 API
/// reference, "Error codes for the Amazon EC2 API"; EC2 user guide, "Troubleshoot Amazon
/// EC2 instance launch issues"; STS API reference, "Common errors"; EC2 developer guide,
/// "Request throttling" and "Ensuring idempotency" (`IdempotentInstanceTerminated` is not
/// documented: aws/boto3 issue 4406).
const CODES: &[(&str, Sort)] = &[
    ("AuthFailure", Sort::NotSignedIn),
    ("ExpiredToken", Sort::NotSignedIn),
    ("ExpiredTokenException", Sort::NotSignedIn),
    ("IncompleteSignature", Sort::NotSignedIn),
    ("InvalidClientTokenId", Sort::NotSignedIn),
    ("MissingAuthenticationToken", Sort::NotSignedIn),
    ("OptInRequired", Sort::NotSignedIn),
    ("RequestExpired", Sort::NotSignedIn),
    ("SignatureDoesNotMatch", Sort::NotSignedIn),
    ("UnrecognizedClientException", Sort::NotSignedIn),
    (
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
        Sort::SpotRole,
    ),
    ("Blocked", Sort::NotAllowed),
    ("TagPolicyViolation", Sort::NotAllowed),
    ("AccessDenied", Sort::NotPermitted),
    ("AccessDeniedException", Sort::NotPermitted),
    ("UnauthorizedOperation", Sort::NotPermitted),
    ("InsufficientAddressCapacity", Sort::Place),
    ("InsufficientCapacity", Sort::Place),
    ("InsufficientFreeAddressesInSubnet", Sort::Place),
    ("InsufficientHostCapacity", Sort::Place),
    ("InsufficientInstanceCapacity", Sort::Place),
    ("InsufficientReservedInstanceCapacity", Sort::Place),
    ("InsufficientVolumeCapacity", Sort::Place),
    ("SpotMaxPriceTooLow", Sort::Place),
    ("Unsupported", Sort::Place),
    ("VolumeTypeNotAvailableInZone", Sort::Place),
    ("InstanceLimitExceeded", Sort::Quota),
    ("VcpuLimitExceeded", Sort::Quota),
    ("MaxSpotInstanceCountExceeded", Sort::SpotQuota),
    ("MaxIOPSLimitExceeded", Sort::Account),
    ("PendingVerification", Sort::Account),
    // This is no quota: `start` counts a machine's tags itself.
    ("TagLimitExceeded", Sort::Fatal),
    ("VolumeLimitExceeded", Sort::Account),
    ("InternalError", Sort::Unknown),
    ("InternalFailure", Sort::Unknown),
    ("ServiceUnavailable", Sort::Unknown),
    ("Unavailable", Sort::Unknown),
    ("InvalidGroup.NotFound", Sort::NotFound),
    ("InvalidGroupId.NotFound", Sort::NotFound),
    ("InvalidKeyPair.NotFound", Sort::NotFound),
    ("IdempotentParameterMismatch", Sort::Mismatch),
    ("IdempotentInstanceTerminated", Sort::Spent),
];

/// The sort of an answer. EC2 may have acted before it failed, whatever code it then
/// gives. It is only for capacity, quotas and throttling, which EC2 may report as errors
/// of its own, that nothing is known to have been done.
pub fn sort_of_answer(code: Option<&str>, status: u16) -> Sort {
    let sort = match code {
        Some(code) => sort_of(code),
        // Whoever counts the requests has let none through.
        None if status == TOO_MANY_REQUESTS => Sort::NotNow,
        None => Sort::Unknown,
    };
    match sort {
        Sort::Place | Sort::Quota | Sort::SpotQuota | Sort::Account | Sort::NotNow => sort,
        _ if status >= 500 => Sort::Unknown,
        _ => sort,
    }
}

/// The sort of a code, or else of its family: the part before the point, or the way in
/// which EC2 names a lack of capacity and a limit.
pub fn sort_of(code: &str) -> Sort {
    let family = code.split('.').next().unwrap_or(code);
    if let Some(sort) = listed(code).or_else(|| listed(family)) {
        return sort;
    }
    if code.starts_with("Insufficient") && code.contains("Capacity") {
        Sort::Place
    } else if code.ends_with("LimitExceeded") {
        Sort::Account
    } else {
        Sort::Fatal
    }
}

fn listed(code: &str) -> Option<Sort> {
    match CODES.iter().find(|(name, _)| *name == code) {
        Some((_, sort)) => Some(*sort),
        None if THROTTLING_ERRORS.contains(&code) => Some(Sort::NotNow),
        None if TRANSIENT_ERRORS.contains(&code) => Some(Sort::Unknown),
        None => None,
    }
}

/// Whether AWS gives this code, among other reasons, when the clock is off.
pub fn may_be_the_clock(code: &str) -> bool {
    TIME_REFUSALS.contains(&code)
}

/// The code in an XML answer of EC2's or STS's.
pub fn code_in(response: &HttpResponse) -> Option<&str> {
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    let (_, rest) = body.split_once("<Code>")?;
    Some(rest.split_once("</Code>")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_error_of_the_servers_own_a_launch_may_have_taken_place() {
        // The server error codes in "Error codes for the Amazon EC2 API".
        for code in [
            "InternalError",
            "InternalFailure",
            "ServiceUnavailable",
            "Unavailable",
        ] {
            assert_eq!(sort_of(code), Sort::Unknown, "{code}");
        }
        for code in [
            None,
            Some("ServerInternal"),
            Some("GatewayTimeout"),
            Some("AuthFailure"),
        ] {
            assert_eq!(sort_of_answer(code, 504), Sort::Unknown, "{code:?}");
        }
        let capacity = sort_of_answer(Some("InsufficientInstanceCapacity"), 500);
        assert_eq!(capacity, Sort::Place);
        let throttled = sort_of_answer(Some("RequestLimitExceeded"), 503);
        assert_eq!(throttled, Sort::NotNow);
        assert_eq!(
            sort_of_answer(Some("InvalidAMIID.NotFound"), 400),
            Sort::Fatal
        );
    }

    #[test]
    fn throttling_means_that_nothing_was_done() {
        // The codes in the EC2 developer guide, "Request throttling", and EC2's own.
        for code in [
            "RequestLimitExceeded",
            "Throttling",
            "EC2ThrottledException",
        ] {
            assert_eq!(sort_of(code), Sort::NotNow, "{code}");
        }
    }

    #[test]
    fn a_code_that_is_not_listed_is_known_by_its_family() {
        for (code, sort) in [
            ("AuthFailure.SomethingNew", Sort::NotSignedIn),
            (
                "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                Sort::SpotRole,
            ),
            ("InsufficientInstanceCapacity.Reserved", Sort::Place),
            ("InsufficientCapacityOnHost", Sort::Place),
            ("ResourceCountLimitExceeded", Sort::Account),
            ("RequestLimitExceeded", Sort::NotNow),
            ("TagLimitExceeded", Sort::Fatal),
            ("InvalidAMIID.Unavailable", Sort::Fatal),
        ] {
            assert_eq!(sort_of(code), sort, "{code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_known_by_its_status() {
        assert_eq!(sort_of_answer(None, 429), Sort::NotNow);
        assert_eq!(sort_of_answer(None, 503), Sort::Unknown);
        assert_eq!(sort_of_answer(None, 403), Sort::Unknown);
    }

    #[test]
    fn no_code_is_there_twice() {
        let mut names: Vec<&str> = CODES.iter().map(|(name, _)| *name).collect();
        names.extend(THROTTLING_ERRORS);
        names.extend(TRANSIENT_ERRORS);
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_code_of_an_answer_is_read() {
        let answer =
            |body: &'static str| HttpResponse::new(200.try_into().expect("a status"), body.into());
        let answered = answer(
            "<Response><Errors><Error><Code>AuthFailure</Code><Message>no</Message></Error></Errors></Response>",
        );
        assert_eq!(code_in(&answered), Some("AuthFailure"));
        assert_eq!(code_in(&answer("<html>")), None);
    }
}
