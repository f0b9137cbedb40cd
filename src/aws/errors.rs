//! What AWS answers when it refuses, sorted by code. The SDK's own `Display` is only
//! "service error".

use std::{fmt::Debug, time::Duration};

use aws_smithy_runtime_api::client::{
    orchestrator::HttpResponse,
    result::{ConnectorError, SdkError},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId as _;

pub use super::codes::Sort;
use super::{
    clock,
    codes::{sort_of, sort_of_answer},
    denial::{self, Denial},
    hints, reach,
};
use crate::{
    error::{Failure, Kind, causes, find_cause},
    terminal::mask,
    values::spans,
};

/// The text after it repeats the request, with the session token.
const CANONICAL_STRING: &str = "The Canonical String for this request";

/// The sort of a call's error. A call without an answer that can be read may have been
/// carried out; one that could not be written was not.
pub fn sort_of_error<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Sort {
    match error {
        SdkError::ConstructionFailure(_) => Sort::Fatal,
        SdkError::ServiceError(answer) => {
            sort_of_answer(code(error), answer.raw().status().as_u16())
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => Sort::Fatal,
        SdkError::DispatchFailure(failure)
            if failure.as_connector_error().is_some_and(never_connected) =>
        {
            Sort::NotNow
        }
        _ => Sort::Unknown,
    }
}

/// Whether there was no connection to send the call on: nobody listens, the name is not
/// known, or the other side does not speak TLS. The HTTP client's type for it is private,
/// so its words decide.
pub fn never_connected(error: &ConnectorError) -> bool {
    !error.is_timeout() && causes(error).contains("error (Connect)")
}

/// The code in AWS's answer, if there was an answer.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}

/// The encoded part of a denial, which STS can decode.
pub fn encoded_denial<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    let metadata = error.as_service_error()?.meta();
    denial::encoded(metadata.message()?)
}

/// What AWS said, without the encoded parts.
pub fn said<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    let said = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message);
    mask::foreign(denial::readable(said.unwrap_or("AWS gave no reason")))
}

/// The failure to do `what` in `region`, for this error.
pub fn failure<E>(error: &SdkError<E, HttpResponse>, what: &str, region: &str) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Debug + 'static,
{
    decoded_failure(error, what, region, None)
}

/// The same with the decoded part of a denial.
pub fn decoded_failure<E>(
    error: &SdkError<E, HttpResponse>,
    what: &str,
    region: &str,
    decoded: Option<&str>,
) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Debug + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return unanswered(error, what, region);
    };
    let metadata = answer.err().meta();
    let Some(code) = metadata.code() else {
        return not_aws(answer.raw(), what);
    };
    let said = &mask::foreign(metadata.message().unwrap_or("AWS gave no reason"));
    let decoded = decoded.map(mask::foreign);
    let request_id = metadata
        .request_id()
        .map_or(String::new(), |id| format!(", request {id}"));
    let kind = kind(code);
    let reference = format!("{code}{request_id}");
    if sort_of(code) == Sort::NotPermitted {
        return Denial::read(said, decoded.as_deref()).failure(what, said, &reference);
    }
    let said = said
        .split(CANONICAL_STRING)
        .next()
        .unwrap_or(said)
        .trim()
        .trim_end_matches('.');
    let failure = Failure::new(kind, format!("{what}: {said} ({reference})"));
    if kind == Kind::NotSignedIn
        && !is_ended_session(code)
        && let Some(minutes) = clock::minutes_off(answer.raw())
    {
        return clock_off(failure, minutes);
    }
    let hint = if clock::has_expired(error) {
        Some("try again: the signature was too old when the call arrived, for example because this computer was asleep".to_owned())
    } else if is_of_ended_session(error) {
        Some("the session has ended: sign in again; for a session in the environment, set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to those of a new one".to_owned())
    } else {
        hints::of_code(kind, code, said, region)
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The same for a call that is part of signing in. Without an answer nobody is signed in,
/// and AWS may be out of reach.
pub fn sign_in_failure<E>(error: &SdkError<E, HttpResponse>, what: &str, region: &str) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Debug + 'static,
{
    let mut failure = failure(error, what, region);
    failure.kind = match (error, failure.kind) {
        (SdkError::ServiceError(_), kind) => kind,
        (SdkError::DispatchFailure(_), Kind::Failed) | (_, Kind::Unreachable) => Kind::Unreachable,
        // Our own failures know their kind: an answer without an account is one.
        (_, kind) if find_cause::<Failure>(error).is_some() => kind,
        _ => Kind::NotSignedIn,
    };
    failure
}

/// Whether a session has ended, which has nothing to do with this computer's clock.
fn is_ended_session(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException")
}

/// Whether an error says that the session has ended. EC2 has one code for sessions and
/// for signatures that have ended. It means the signature only if the clocks differ.
pub fn is_of_ended_session<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    code(error).is_some_and(|code| {
        is_ended_session(code) || code == "RequestExpired" && !clock::has_expired(error)
    })
}

/// The kind of failure that a code means.
fn kind(code: &str) -> Kind {
    match sort_of(code) {
        Sort::NotSignedIn => Kind::NotSignedIn,
        Sort::NotPermitted | Sort::SpotRole | Sort::NotAllowed => Kind::NotPermitted,
        Sort::Place | Sort::Quota | Sort::SpotQuota | Sort::Account => Kind::Capacity,
        _ => Kind::Failed,
    }
}

/// The failure of an answer that has no code of AWS's, or cannot be read.
fn not_aws(answer: &HttpResponse, what: &str) -> Failure {
    let told = status_of(answer);
    let message = if answer.status().is_success() {
        format!("{what}: AWS's answer cannot be read: {told}")
    } else {
        format!("{what}: the answer is not AWS's: {told}")
    };
    Failure::failed(message).hint(BY_OTHERS)
}

/// What to do about an answer that is not AWS's.
pub const BY_OTHERS: &str = "a proxy, a firewall or the sign-in page of a network may have answered instead: check HTTPS_PROXY, NO_PROXY, --endpoint-url and AWS_ENDPOINT_URL";

/// `HTTP 403, text/html`. The body is left out: it is not AWS's, and may contain
/// anything.
pub fn status_of(answer: &HttpResponse) -> String {
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.+-".contains(c);
    if kind.is_empty() || kind.len() > 40 || !kind.chars().all(is_plain) {
        return format!("HTTP {status}");
    }
    format!("HTTP {status}, {kind}")
}

/// The failure of calls that AWS refuses as this computer's clock is off.
fn clock_off(failure: Failure, minutes: i64) -> Failure {
    let direction = if minutes < 0 { "behind" } else { "ahead of" };
    let off = format!(
        "this machine's clock is {} {direction} AWS's",
        spans::in_words(Duration::from_mins(minutes.unsigned_abs()))
    );
    failure.while_doing(&off).hint(
        "set the clock, best from a time server: timedatectl set-ntp true on most Linux systems",
    )
}

/// The failure of a call without an answer that can be read.
fn unanswered<E>(error: &SdkError<E, HttpResponse>, what: &str, region: &str) -> Failure
where
    E: std::error::Error + Debug + 'static,
{
    // Credentials that end in the middle of a run have a failure of their own.
    if let Some(failure) = find_cause::<Failure>(error) {
        return failure.clone().while_doing(what);
    }
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), causes);
    let why = mask::foreign(&why);
    match error {
        // The caller knows what a change that was asked for may have become.
        SdkError::TimeoutError(_) => Failure::new(
            Kind::Unreachable,
            format!("{what}: AWS in {region} did not answer in time"),
        )
        .hint(format!(
            "check the network, and that {region} is the region you mean"
        )),
        SdkError::ResponseError(answer) => not_aws(answer.raw(), what),
        SdkError::DispatchFailure(_) => reach::out_of_reach(error, &why, what, region),
        _ => Failure::failed(format!("{what}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        error::Error,
        fmt,
        io::{self, Read as _, Write as _},
    };

    use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
    use aws_smithy_runtime_api::{
        client::{http::HttpConnector, orchestrator::HttpRequest},
        http::StatusCode,
    };
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::http::Http;

    /// An error as the SDK may give it, which may quote anything, even requests.
    #[derive(Debug)]
    struct AnyError(String, Option<Box<Self>>);

    impl fmt::Display for AnyError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl Error for AnyError {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn no_cause_of_an_error_quotes_the_request() {
        const SECRET: &str = "MarkedSecret";
        let mut request = HttpRequest::new(SdkBody::from(format!("refreshToken={SECRET}")));
        request
            .headers_mut()
            .insert("x-amz-sso_bearer_token", SECRET);
        let mut response = HttpResponse::new(
            StatusCode::try_from(500).expect("a status"),
            SdkBody::from(SECRET),
        );
        response.headers_mut().insert("token", SECRET);
        let quotes = [
            format!("failed to apply endpoint `x` to request `{request:?}`"),
            format!("{request:?}"),
            format!("{response:?} is not what was asked for"),
            format!("headers: {:?}", request.headers()),
            format!("body: {:?}", request.body()),
            format!("{request:#?}"),
            format!("{:?}", Some(SECRET)),
            format!("{:?}", [("TokenCode", SECRET)]),
            format!("{:?}", SECRET.as_bytes()),
        ];
        for quote in quotes {
            let cause = || {
                let inner = AnyError(quote.clone(), None);
                Box::new(AnyError(format!("outer: {quote}"), Some(Box::new(inner))))
            };
            let io = || io::Error::other(cause());
            let unhandled = GetCallerIdentityError::unhandled(AnyError(quote.clone(), None));
            let connector = [
                ConnectorError::io(io().into()),
                ConnectorError::timeout(io().into()),
                ConnectorError::user(io().into()),
                ConnectorError::other(io().into(), None),
            ];
            let mut errors: Vec<SdkError<GetCallerIdentityError, HttpResponse>> =
                connector.map(SdkError::dispatch_failure).into();
            errors.push(SdkError::construction_failure(io()));
            errors.push(SdkError::timeout_error(io()));
            let raw = |body: &str| {
                HttpResponse::new(
                    StatusCode::try_from(500).expect("a status"),
                    SdkBody::from(body),
                )
            };
            errors.push(SdkError::response_error(io(), raw(SECRET)));
            errors.push(SdkError::service_error(unhandled, raw(SECRET)));
            for error in errors {
                for failure in [
                    failure(&error, "cannot call", "eu-west-2"),
                    sign_in_failure(&error, "cannot call", "eu-west-2"),
                ] {
                    let told = format!("{failure:?}");
                    assert!(!told.contains(SECRET), "{told}");
                    assert!(failure.message.starts_with("cannot call: "), "{told}");
                }
            }
        }
    }

    /// The address of a server on this machine that gives this answer, or none.
    fn address(answer: Option<&'static [u8]>) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        if let Some(answer) = answer {
            std::thread::spawn(move || {
                for connection in listener.incoming() {
                    let mut connection = connection.expect("a connection");
                    // Without this the connection is reset before the answer is read.
                    let _ = connection.read(&mut [0; 4096]);
                    let _ = connection.write_all(answer);
                }
            });
        }
        address
    }

    // `never_connected` goes by the HTTP client's words, as its type is private.
    #[tokio::test]
    async fn a_call_without_a_connection_is_told_from_one_without_an_answer() {
        let nobody = format!("http://{}", address(None));
        let no_tls = format!(
            "https://{}",
            address(Some(b"HTTP/1.0 400 Bad Request\r\n\r\n"))
        );
        let no_answer = format!("http://{}", address(Some(b"")));
        let no_http = format!("http://{}", address(Some(b"220 mail.example.com\r\n")));
        for (url, expected) in [
            (nobody, true),
            (no_tls, true),
            (no_answer, false),
            (no_http, false),
        ] {
            let request = HttpRequest::get(&url).expect("a request");
            let error = HttpConnector::call(&Http::default(), request)
                .await
                .expect_err(&url);
            assert_eq!(never_connected(&error), expected, "{url}: {error:?}");
        }
    }
}
