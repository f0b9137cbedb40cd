"""How the sandbox calls the classes in which moto answers a service."""

import traceback
import uuid

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores

from .aws_errors import AwsError

# moto writes this where a request id belongs.
_PLACEHOLDER = "request-id"


class MotoApi:
    """Mixed in before a moto response class; `setup_class` comes before `perform`.

    Operations may raise AwsError beside moto's own exceptions.
    """

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


def _as_result(answer):
    return answer if isinstance(answer, ActionResult) else EmptyResult()
