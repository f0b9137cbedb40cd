"""Endpoint rules that lead an AWS CLI without AWS_ENDPOINT_URL here.

Version 2.13 of the AWS CLI is the first that reads AWS_ENDPOINT_URL, and
--endpoint-url reaches only the service of its own command, not the clients that
`aws sso login` and profiles make. Botocore looks for its models in AWS_DATA_PATH
and in ~/.aws/models first, though, and the rules by which it finds a service's
endpoint are a model. Files of these names there make the program, as it was
installed, talk to the sandbox.
"""

_VERSIONS = {
    "ec2": "2016-11-15",
    "iam": "2010-05-08",
    "pricing": "2017-10-15",
    "service-quotas": "2019-06-24",
    "sso": "2019-06-10",
    "sso-oidc": "2019-06-10",
    "sts": "2011-06-15",
}


def endpoint_rules(endpoint_url):
    """{file name under AWS_DATA_PATH or ~/.aws/models: its content}"""
    region = {
        "builtIn": "AWS::Region",
        "required": False,
        "documentation": "The region, which the sandbox takes from the signature.",
        "type": "String",
    }
    endpoint = {"url": endpoint_url, "properties": {}, "headers": {}}
    rules = {
        "version": "1.0",
        "parameters": {"Region": region},
        "rules": [{"type": "endpoint", "conditions": [], "endpoint": endpoint}],
    }
    return {
        f"{service}/{version}/endpoint-rule-set-1.json": rules
        for service, version in _VERSIONS.items()
    }
