"""Authentication: the signature's keys, token, time and, where it can be, itself.

Keys that the sandbox handed out, or that a test has set, are checked to the last
byte. Of others it knows no secret: they are taken at their word, unless the test
says that there are none (`only_known_keys`).
"""

import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import parse_qsl, quote

from .aws_errors import AwsError

# Credential=KEY/20250101/REGION/SERVICE/aws4_request
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/")
_SIGNED_HEADERS = re.compile(r"SignedHeaders=([^,\s]+)")
_SIGNATURE = re.compile(r"Signature=([0-9a-f]+)")

# How far a request's time may be off ("Troubleshoot SigV4 signing"); STS and,
# for RequestExpired, EC2 ("Error codes for the Amazon EC2 API") allow 15 minutes.
_MINUTE = 60
_MOST_SKEW = {"sts": 15 * _MINUTE, "iam": 15 * _MINUTE}
_DEFAULT_SKEW = 5 * _MINUTE
_EC2_EXPIRY = 15 * _MINUTE

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service "
    "documentation for details."
)
_EC2_INVALID = (
    "AuthFailure",
    "AWS was not able to validate the provided access credentials",
    401,
)
_QUERY_REFUSALS = {
    "missing": (
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
        403,
    ),
    "invalid": (
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        403,
    ),
    "expired": (
        "ExpiredToken",
        "The security token included in the request is expired",
        403,
    ),
    "mismatch": ("SignatureDoesNotMatch", _MISMATCH, 403),
    "skewed": ("SignatureDoesNotMatch", None, 403),
}
_REFUSALS = {
    "ec2": {
        **_QUERY_REFUSALS,
        "invalid": _EC2_INVALID,
        "expired": ("RequestExpired", "Request has expired.", 400),
        "mismatch": _EC2_INVALID,
        "skewed": _EC2_INVALID,
    },
    "servicequotas": {
        "missing": (
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
            400,
        ),
        "invalid": (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            400,
        ),
        "expired": (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            400,
        ),
        "mismatch": ("InvalidSignatureException", _MISMATCH, 400),
        "skewed": ("InvalidSignatureException", None, 400),
    },
}


def authenticate(tenant, request, service, access_key_id):
    """The Caller behind the request. Raises AwsError as that service would."""
    refuse = _Refuser(service)
    if access_key_id is None:
        refuse("missing")
    token = request.headers.get("X-Amz-Security-Token")
    keys = tenant.keys.get(access_key_id)
    if keys is not None:
        caller, secret = keys.caller, keys.secret_access_key
        if token != keys.session_token:
            refuse("invalid")
    else:
        caller, secret = tenant.identity.holder_of(access_key_id, token)
        if caller is None:
            refuse("invalid")
    if tenant.settings.clock_offset_seconds:
        _check_time(tenant, request, service, refuse)
    if secret is not None and not _is_signed_with(secret, request):
        refuse("mismatch")
    if keys is not None and keys.expires_at <= tenant.now():
        refuse("expired")
    return caller


class _Refuser:
    def __init__(self, service):
        self._refusals = _REFUSALS.get(service, _QUERY_REFUSALS)

    def __call__(self, reason, message=None):
        code, usual_message, status = self._refusals[reason]
        raise AwsError(code, usual_message or message, status)


def _check_time(tenant, request, service, refuse):
    stamp = request.headers.get("X-Amz-Date")
    if stamp is None:
        return
    signed_at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    now = tenant.now()
    age = now - signed_at
    if service == "ec2" and abs(age) > _EC2_EXPIRY:
        refuse("expired")
    most = _MOST_SKEW.get(service, _DEFAULT_SKEW)
    if abs(age) <= most:
        return
    minutes = f"{most // _MINUTE} min."
    if age > 0:
        refuse(
            "skewed",
            f"Signature expired: {stamp} is now earlier than {_stamp(now - most)} "
            f"({_stamp(now)} - {minutes})",
        )
    refuse(
        "skewed",
        f"Signature not yet current: {stamp} is still later than {_stamp(now + most)} "
        f"({_stamp(now)} + {minutes})",
    )


def _stamp(seconds):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _is_signed_with(secret, request):
    """Signature Version 4 ("Create a signed AWS API request"), in the header."""
    authorization = request.headers.get("Authorization", "")
    names = _SIGNED_HEADERS.search(authorization)
    signature = _SIGNATURE.search(authorization)
    stamp = request.headers.get("X-Amz-Date")
    if names is None or signature is None or stamp is None:
        return False
    names = names.group(1).split(";")
    # The token is part of what is signed, and so is the host.
    if "host" not in names:
        return False
    payload = request.headers.get("X-Amz-Content-Sha256")
    headers = [f"{n}:{' '.join(request.headers.get(n, '').split())}\n" for n in names]
    canonical = "\n".join(
        (
            request.method,
            quote(request.whole_path, safe="/~%"),
            _canonical_query(request.query),
            "".join(headers),
            ";".join(names),
            payload or hashlib.sha256(request.body).hexdigest(),
        )
    )
    _, day, region, service = CREDENTIAL.search(authorization).groups()
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    expected = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return hmac.compare_digest(expected, signature.group(1))


def _canonical_query(query):
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in pairs)
    return "&".join(f"{key}={value}" for key, value in encoded)
