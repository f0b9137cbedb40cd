//! Whether the `Date` of an answer can be true. Calls are signed by it, and the ages of
//! machines are measured by it.

use aws_smithy_types::date_time::{DateTime, Format};

use crate::time::signed_at_seconds;

/// AWS accepts no signature that is more than a quarter of an hour off (AWS General
/// Reference, "Troubleshooting signed requests"). One minute is added for the transfer.
const MOST_SECONDS_FROM_SIGNING: u64 = 16 * 60;
/// From 2025 to 2100. No clock of AWS's shows another time to this program.
const YEARS: std::ops::Range<i64> = 1_735_689_600..4_102_444_800;
/// The codes with which AWS refuses a call for the time of its signature, among other
/// reasons. Then it is the call that has the wrong time, and not the answer.
pub const TIME_REFUSALS: [&str; 5] = [
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// Whether an answer's `date` can be the time of the service that gave it. `signed_at` is
/// the `X-Amz-Date` of the call.
pub fn is_believed(date: &str, signed_at: Option<&str>, status: u16, body: &[u8]) -> bool {
    let Some(date) = seconds(date) else {
        return false;
    };
    if !YEARS.contains(&date) {
        return false;
    }
    let Some(signed_at) = signed_at.and_then(signed_at_seconds) else {
        return true;
    };
    let body = String::from_utf8_lossy(body);
    let is_refused =
        (400..500).contains(&status) && TIME_REFUSALS.iter().any(|code| body.contains(code));
    is_refused || date.abs_diff(signed_at) <= MOST_SECONDS_FROM_SIGNING
}

/// Seconds since 1970 of a `Date` header.
fn seconds(date: &str) -> Option<i64> {
    let date = DateTime::from_str(date, Format::HttpDate);
    Some(date.ok()?.secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED_AT: Option<&str> = Some("20251124T160000Z");

    #[test]
    fn a_date_is_believed_if_the_service_can_have_accepted_the_signature_then() {
        for (date, believed) in [
            ("Mon, 24 Nov 2025 16:00:00 GMT", true),
            ("Mon, 24 Nov 2025 15:45:00 GMT", true),
            ("Mon, 24 Nov 2025 16:15:00 GMT", true),
            ("Mon, 24 Nov 2025 15:43:00 GMT", false),
            ("Mon, 24 Nov 2025 16:17:00 GMT", false),
            ("Thu, 01 Jan 1970 00:00:00 GMT", false),
            ("Fri, 31 Dec 9999 23:59:59 GMT", false),
            ("yesterday", false),
        ] {
            assert_eq!(
                is_believed(date, SIGNED_AT, 200, b"<a/>"),
                believed,
                "{date}"
            );
        }
    }

    #[test]
    fn a_refusal_for_the_time_may_tell_another_one() {
        let later = "Mon, 24 Nov 2025 18:00:00 GMT";
        let refusal = b"<Code>RequestExpired</Code>";
        assert!(is_believed(later, SIGNED_AT, 400, refusal));
        assert!(!is_believed(later, SIGNED_AT, 200, refusal));
        assert!(!is_believed(
            later,
            SIGNED_AT,
            400,
            b"<Code>InvalidAMIID.NotFound</Code>"
        ));
        assert!(!is_believed(
            "Thu, 01 Jan 1970 00:00:00 GMT",
            SIGNED_AT,
            400,
            refusal
        ));
        // This call has no signature.
        assert!(is_believed(later, None, 200, b""));
    }
}
