"""AWS's errors and what each protocol wraps them in."""

import json
import re
import uuid
from xml.sax.saxutils import escape

from .http import Response

# Those that are not 400; from "Error codes for the Amazon EC2 API".
_STATUS = {
    "AuthFailure": 401,
    "UnauthorizedOperation": 403,
    "DryRunOperation": 412,
    "InsufficientFreeAddressesInSubnet": 400,
    "InsufficientInstanceCapacity": 500,
    "InternalError": 500,
    "InternalFailure": 500,
    "RequestLimitExceeded": 503,
    "Unavailable": 503,
}

_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}


class AwsError(Exception):
    def __init__(self, code, message, status=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, 400)


def denied(caller, service, action, resource, ending):
    """The refusal of every service but EC2, which adds to it."""
    message = f"User: {caller.arn} is not authorized to perform: {action}"
    if resource != "*":
        message += f" on resource: {resource}"
    message += f" {ending}" if ending else ""
    if service in _JSON:
        return AwsError("AccessDeniedException", message, 400)
    return AwsError("AccessDenied", message, 403)


# The services whose errors are those of JSON 1.1.
_JSON = ("pricing", "servicequotas", "ssm", "secretsmanager")
# Header and body of the services that speak JSON, as their answers have been seen.
_CORAL = "http://internal.amazon.com/coral"
_OIDC = f"{_CORAL}/com.amazonaws.sso.oidc/"
_PORTAL = "com.amazonaws.switchboard.portal"


def error_response(service, error):
    if service in (*_JSON, "sso", "sso-oidc"):
        return _json_response(service, error)
    return _xml_response(service, error)


def _json_response(service, error):
    error_type, content_type = error.code, "application/json"
    if service == "sso-oidc":
        error_type = f"{error.code}:{_OIDC}"
        body = {"error": _oauth_name(error.code), "error_description": error.message}
    elif service == "sso":
        error_type = f"{error.code}:{_CORAL}/{_PORTAL}/"
        body = {"message": error.message, "__type": f"{_PORTAL}#{error.code}"}
    else:
        content_type = "application/x-amz-json-1.1"
        body = {"__type": error.code, "Message": error.message}
    return Response(
        error.status,
        json.dumps(body).encode(),
        {
            "Content-Type": content_type,
            "x-amzn-ErrorType": error_type,
            "x-amzn-RequestId": str(uuid.uuid4()),
        },
    )


def _oauth_name(code):
    """InvalidGrantException → invalid_grant"""
    words = re.findall("[A-Z][a-z]*", code.removesuffix("Exception"))
    return "_".join(words).lower()


def _xml_response(service, error):
    request_id = uuid.uuid4()
    described = (
        f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    )
    if service == "ec2":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error>{described}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    else:
        blame = "Receiver" if error.status >= 500 else "Sender"
        body = (
            f'<ErrorResponse xmlns="{_NAMESPACES.get(service, "")}">'
            f"<Error><Type>{blame}</Type>{described}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Response(
        error.status,
        body.encode(),
        {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-RequestId": request_id},
    )
