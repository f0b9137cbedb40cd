"""Service Quotas: how many vCPUs an account may run."""

import json
import uuid

from .aws_errors import AwsError
from .http import Response

TARGET_PREFIX = "ServiceQuotasV20190624."
# vCPUs. A new account has 5 of the standard families ("Amazon EC2 instance type
# quotas"); these are of one whose quotas were raised.
DEFAULT_VALUES = {
    "L-1216C47A": 256.0,
    "L-34B43A08": 256.0,
    "L-DB2E81BA": 64.0,
    "L-3819A6DF": 64.0,
    "L-1945791B": 64.0,
}
_NAMES = {
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-34B43A08": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-3819A6DF": "All G and VT Spot Instance Requests",
    "L-1945791B": "Running On-Demand Inf instances",
}


def answer(tenant, operation, region, asked):
    """Raises AwsError."""
    if operation not in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
        raise AwsError(
            "UnknownOperationException", f"the sandbox has no {operation}", 400
        )
    code = asked.get("QuotaCode")
    values = tenant.quotas if operation == "GetServiceQuota" else DEFAULT_VALUES
    if asked.get("ServiceCode") != "ec2" or code not in values:
        raise AwsError(
            "NoSuchResourceException",
            "The request failed because the specified service quota does not exist.",
        )
    quota = {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{tenant.account}:ec2/{code}",
        "QuotaCode": code,
        "QuotaName": _NAMES.get(code, code),
        "Value": values[code],
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
    return Response(
        200,
        json.dumps({"Quota": quota}).encode(),
        {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": str(uuid.uuid4()),
        },
    )
