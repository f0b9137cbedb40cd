"""How the sandbox calls the classes in which moto answers a service."""

import traceback
import uuid

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.utilities.utils import get_partition

from .aws_errors import AwsError

# moto writes this where a request id belongs.
_PLACEHOLDER = "request-id"
# For calls without a signature, which names the region.
_SOMEWHERE = "us-east-1"


class MotoApi:
    """Mixed in before a moto response class; `set_up` comes before `perform`.

    Operations may raise AwsError beside moto's own exceptions.
    """

    def set_up(self, owner, request, region, form):
        """Takes the request, whose form is parsed already, to the owner's account: what
        moto's `setup_class` does that these services need. That one makes of it a
        request for any service, and parses its form twice: a sixth of all the time."""
        self.region = region or _SOMEWHERE
        self.partition = get_partition(self.region)
        self.current_account = owner.account
        self.headers = request.headers
        self.response_headers = {"server": "amazon.com"}
        self.querystring = self.data = {name: [value] for name, value in form.items()}
        self.uri_match = {}
        if self._get_action():
            self.parse_parameters(_Parsed(request, form))

    def perform(self, tenant, form, caller=None):
        """Answers the call: status, body, headers. Raises AwsError.

        `caller` is None for a call without a signature.
        """
        self.tenant = tenant
        self.form = form
        self.caller = caller
        action = form.get("Action", "")
        operation = getattr(self, camelcase_to_underscores(action), None)
        if not action or operation is None:
            raise AwsError(
                "InvalidAction",
                f"The action {action} is not valid for this web service.",
            )
        try:
            status, headers, body = self.serialized(_as_result(operation()))
        except ServiceException as error:
            raise AwsError(error.code, error.message) from error
        except AwsError:
            raise
        except Exception as error:
            # 501, for a 500 would be tried again.
            traceback.print_exc()
            message = f"the sandbox failed: {type(error).__name__}: {error}"
            raise AwsError("NotImplemented", message, status=501) from error
        request_id = str(uuid.uuid4())
        body = body.replace(f"equestId>{_PLACEHOLDER}<", f"equestId>{request_id}<")
        headers["x-amzn-RequestId"] = request_id
        return status, body.encode(), headers


class _Parsed:
    """A request as moto's parser takes it."""

    def __init__(self, request, form):
        self.method = request.method
        self.content_type = request.headers.get("Content-Type")
        self.values = form
        self.headers = request.headers
        self.data = request.body
        self.path = "/"


def _as_result(answer):
    return answer if isinstance(answer, ActionResult) else EmptyResult()
