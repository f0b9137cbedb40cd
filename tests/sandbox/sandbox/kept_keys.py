"""Whether Systems Manager and Secrets Manager keep something under a name."""

import json
import uuid

from .aws_errors import AwsError
from .http import Response


def answer(tenant, operation, asked):
    """Raises AwsError."""
    if operation == "DescribeParameters":
        [name_is] = asked["ParameterFilters"]
        if (name_is["Key"], name_is["Option"]) != ("Name", "Equals"):
            raise AwsError("NotImplemented", "the sandbox has no such filter", 501)
        kept = [name for name in name_is["Values"] if name in tenant.kept_keys]
        body = {"Parameters": [{"Name": name, "Type": "SecureString"} for name in kept]}
    elif operation == "DescribeSecret":
        name = asked["SecretId"]
        if name not in tenant.kept_keys:
            raise AwsError(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
                400,
            )
        body = {"Name": name}
    else:
        raise AwsError("UnknownOperationException", f"the sandbox has no {operation}", 400)
    return Response(
        200,
        json.dumps(body).encode(),
        {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": str(uuid.uuid4()),
        },
    )
