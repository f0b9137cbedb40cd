"""AWS's errors and the XML that each protocol wraps them in."""

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


def error_response(service, error):
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
