"""Authorization: which permissions a call needs, and how a denial is told.

Imported only once an account has a policy.
"""

import base64
import json
import re
import zlib

from .aws_errors import AwsError, denied

# Calls that need no permission, and that no policy can deny ("GetCallerIdentity"
# and "GetSessionToken", STS API reference).
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
# AWS encodes what EC2's changing calls were denied for, not what reads were.
_READS = re.compile(r"ec2:(Describe|Get)")
_RESOURCES = {
    "AuthorizeSecurityGroupEgress": ("security-group", "GroupId"),
    "AuthorizeSecurityGroupIngress": ("security-group", "GroupId"),
    "CreateKeyPair": ("key-pair", "KeyName"),
    "DeleteKeyPair": ("key-pair", "KeyName"),
    "DeleteSnapshot": ("snapshot", "SnapshotId"),
    "DeregisterImage": ("image", "ImageId"),
    "DeleteSecurityGroup": ("security-group", "GroupId"),
    "GetConsoleOutput": ("instance", "InstanceId"),
    "ImportKeyPair": ("key-pair", "KeyName"),
    "RevokeSecurityGroupEgress": ("security-group", "GroupId"),
    "RevokeSecurityGroupIngress": ("security-group", "GroupId"),
}
_TYPE_OF_ID = {
    "i": "instance",
    "vol": "volume",
    "eni": "network-interface",
    "sg": "security-group",
    "sir": "spot-instances-request",
    "key": "key-pair",
    "ami": "image",
    "snap": "snapshot",
}


def authorize_call(tenant, caller, service, operation, region, form):
    """Raises AwsError when the account's policy denies the call."""
    policy = tenant.identity.policy
    action = f"{service}:{operation}"
    if policy is None or action in _FREE:
        return
    if service == "ec2":
        for action, resource, more in _Ec2Needs(tenant, region, form).list():
            context = {**_context(caller, region), **more}
            _demand(policy, caller, "ec2", action, resource, context)
        return
    # A role's own trust is enough within an account: only a denial counts.
    if action in ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"):
        decision = policy.decide(action, form.get("RoleArn", "*"), {})
        if decision.explicit:
            ending = decision.ending(action)
            raise denied(caller, service, action, form["RoleArn"], ending)
        return
    _demand(policy, caller, service, action, "*", _context(caller, region))


# "Required IAM permissions for Amazon EBS encryption", EBS user guide.
_OF_A_DISK_KEY = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


def may_use_disk_key(tenant, caller, region):
    """Whether the account's default key encrypts disks for this caller. EC2 asks for
    it once the launch is answered."""
    policy, key = tenant.identity.policy, tenant.identity.disk_key
    if key is None:
        return True
    context = _context(caller, region)
    return all(policy.decide(a, key, context).allowed for a in _OF_A_DISK_KEY)


def _demand(policy, caller, service, action, resource, context):
    decision = policy.decide(action, resource, context)
    if decision.allowed:
        return
    ending = decision.ending(action)
    if service != "ec2":
        raise denied(caller, service, action, resource, ending)
    message = "You are not authorized to perform this operation."
    if not policy.older_messages:
        message += " " + denied(caller, service, action, resource, ending).message
    if not _READS.match(action):
        encoded = _encode(caller, action, resource, context, decision)
        message = f"{message.rstrip('.')}. Encoded authorization failure message: {encoded}"
    raise AwsError("UnauthorizedOperation", message)


def _encode(caller, action, resource, context, decision):
    """What DecodeAuthorizationMessage shows (its page in the STS API reference)."""
    statements = []
    if decision.statement is not None:
        statement = decision.statement
        conditions = [
            {"key": key, "values": _items({"value": v} for v in _texts(values))}
            for keys in statement.conditions.values()
            for key, values in keys.items()
        ]
        statements.append(
            {
                "statementId": statement.sid,
                "effect": statement.effect.upper(),
                "principals": _items([{"value": caller.user_id.split(":")[0]}]),
                "principalGroups": _items([]),
                "actions": _items({"value": value} for value in statement.actions),
                "resources": _items({"value": value} for value in statement.resources),
                "conditions": _items(conditions),
            }
        )
    told = {
        "allowed": False,
        "explicitDeny": decision.explicit,
        "matchedStatements": _items(statements),
        "failures": _items([]),
        "context": {
            "principal": {"id": caller.user_id, "arn": caller.arn},
            "action": action,
            "resource": resource,
            "conditions": _items(
                {"key": key, "values": _items({"value": v} for v in values)}
                for key, values in context.items()
            ),
        },
    }
    text = json.dumps(told, separators=(",", ":"))
    return base64.urlsafe_b64encode(zlib.compress(text.encode())).decode()


def _items(items):
    return {"items": list(items)}


def _texts(values):
    return [str(v) for v in (values if isinstance(values, list) else [values])]


def _context(caller, region):
    """Condition keys that every request has, in lower case."""
    context = {
        "aws:principalarn": [caller.arn],
        "aws:principalaccount": [caller.account],
        "aws:requestedregion": [region],
        "ec2:region": [region],
    }
    if caller.mfa is not None:
        context["aws:multifactorauthpresent"] = [str(caller.mfa).lower()]
    return context


class _Ec2Needs:
    """(action, resource, condition keys) of all that one EC2 call needs.

    From "Actions, resources, and condition keys for Amazon EC2".
    """

    def __init__(self, tenant, region, form):
        self._tenant = tenant
        self._region = region
        self._form = form
        self._operation = form["Action"]

    def list(self):
        needs = getattr(self, f"_{self._operation}", self._plain)
        return [*needs(), *self._tags_on_create()]

    def _plain(self):
        kind, parameter = _RESOURCES.get(self._operation, (None, None))
        name = self._form.get(parameter)
        yield self._need(self._arn(kind, name) if name else "*", name)

    def _RunInstances(self):
        instance_type = {"ec2:instancetype": [self._form.get("InstanceType", "m1.small")]}
        interface = "NetworkInterface.1"
        subnet = self._form.get("SubnetId") or self._form.get(f"{interface}.SubnetId")
        groups = self._numbered("SecurityGroupId")
        groups += self._numbered(f"{interface}.SecurityGroupId")
        yield self._need(self._arn("instance", "*"), **instance_type)
        yield self._need(self._arn("image", self._form.get("ImageId", "*"), account=""))
        yield self._need(self._arn("subnet", subnet or "*"), subnet)
        for group in groups or ["*"]:
            yield self._need(self._arn("security-group", group), group)
        yield self._need(self._arn("network-interface", "*"))
        yield self._need(self._arn("volume", "*"))
        if "KeyName" in self._form:
            yield self._need(self._arn("key-pair", self._form["KeyName"]))
        if self._form.get("InstanceMarketOptions.MarketType") == "spot":
            yield self._need(self._arn("spot-instances-request", "*"))
        profile = self._form.get("IamInstanceProfile.Name") or self._form.get(
            "IamInstanceProfile.Arn", ""
        ).rpartition("/")[2]
        if profile:
            passed_to = {"iam:passedtoservice": ["ec2.amazonaws.com"]}
            yield "iam:PassRole", self._role_of(profile), passed_to

    def _TerminateInstances(self):
        for instance in self._numbered("InstanceId"):
            yield self._need(self._arn("instance", instance), instance)

    _StopInstances = _TerminateInstances

    def _CreateImage(self):
        instance = self._form.get("InstanceId", "*")
        yield self._need(self._arn("instance", instance), instance)
        yield self._need(self._arn("image", "*", account=""))
        yield self._need(self._arn("snapshot", "*", account=""))

    def _CreateSecurityGroup(self):
        yield self._need(self._arn("security-group", "*"))
        yield self._need(self._arn("vpc", self._form.get("VpcId", "*")))

    def _CreateTags(self):
        for one in self._numbered("ResourceId"):
            kind = _TYPE_OF_ID.get(one.partition("-")[0], "*")
            yield self._need(self._arn(kind, one), one)

    def _tags_on_create(self):
        """Tags given at creation are a permission of their own."""
        kinds = self._numbered("TagSpecification", "ResourceType")
        for number, kind in enumerate(kinds, 1):
            keys = self._numbered(f"TagSpecification.{number}.Tag", "Key")
            values = self._numbered(f"TagSpecification.{number}.Tag", "Value")
            asked = {f"aws:requesttag/{k.lower()}": [v] for k, v in zip(keys, values)}
            more = {**asked, "aws:tagkeys": keys, "ec2:createaction": [self._operation]}
            yield "ec2:CreateTags", self._arn(kind, "*"), more

    def _need(self, resource, tagged=None, **context):
        """`tagged`: the id whose tags the condition keys of the resource show."""
        for key, value in self._tags_of(tagged).items():
            for prefix in ("aws", "ec2"):
                context[f"{prefix}:resourcetag/{key.lower()}"] = [value]
        return f"ec2:{self._operation}", resource, context

    def _tags_of(self, resource_id):
        if resource_id is None:
            return {}
        from .moto_library import backend

        return backend(self._tenant.account, self._region).tags.get(resource_id, {})

    def _role_of(self, profile):
        from moto.iam.models import iam_backends

        backend = iam_backends[self._tenant.account]["aws"]
        for known in backend.instance_profiles.values():
            if known.name == profile and known.roles:
                return known.roles[0].arn
        return f"arn:aws:iam::{self._tenant.account}:role/{profile}"

    def _arn(self, kind, name, account=None):
        account = self._tenant.account if account is None else account
        return f"arn:aws:ec2:{self._region}:{account}:{kind}/{name}"

    def _numbered(self, name, field=None):
        """Values of name.1, name.2 …, or of their field."""
        values = []
        suffix = f".{field}" if field else ""
        while (key := f"{name}.{len(values) + 1}{suffix}") in self._form:
            values.append(self._form[key])
        return values
