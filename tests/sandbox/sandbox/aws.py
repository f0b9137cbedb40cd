"""The AWS side: which service and operation, who asks, and what is answered.

The path decides whose record, faults and delay a call is subject to; the keys
decide whose machines, roles and policy, as one endpoint serves all accounts.
"""

from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Optional
from urllib.parse import parse_qsl

from .aws_errors import AwsError, error_response
from .credentials import user_caller
from .damage import damaged
from .ec2_api import Ec2Api
from .exchange import after_effect, before_effect, recorded
from .http import Response
from .moto_library import KNOWN_REGIONS
from .iam_api import IamApi
from .observer import OBSERVER, OBSERVER_USER_AGENT
from .signing import CREDENTIAL, authenticate
from .sts_api import StsApi

API_CLASSES = {"ec2": Ec2Api, "sts": StsApi, "iam": IamApi}

# The end of 9999.
_LAST_DATE = 253402300799
# The one operation of the query protocol that comes without a signature.
_UNSIGNED = "AssumeRoleWithWebIdentity"


class Aws:
    def __init__(self, tenant):
        self._tenant = tenant

    def answer(self, request):
        call = _Call(self._tenant, request, _asked(request))
        # botocore adds to it what retries and waiters there are.
        if request.headers.get("User-Agent", "").startswith(OBSERVER_USER_AGENT):
            response = call.observed()
        else:
            response = call.recorded()
        now = self._tenant.now()
        response.headers["Date"] = _http_date(now + response.date_offset_seconds)
        return response


def _http_date(seconds):
    """As far as the calendar goes: an answer may tell whatever year."""
    return formatdate(min(max(seconds, 0), _LAST_DATE), usegmt=True)


@dataclass(frozen=True)
class _Asked:
    service: str
    operation: str
    region: Optional[str]
    access_key_id: Optional[str]
    params: dict
    handler: Any = None  # of the services that are reached by path


def _asked(request):
    if request.path != "/":
        from .rest import asked_by_path

        by_path = asked_by_path(request)
        if by_path is not None:
            service, operation, params, handler = by_path
            return _Asked(service, operation, None, None, params, handler)
    credential = CREDENTIAL.search(request.headers.get("Authorization", ""))
    key_id, _, region, service = credential.groups() if credential else (None,) * 4
    target = request.headers.get("X-Amz-Target")
    if target is not None:
        operation = target.rpartition(".")[2]
        return _Asked(service or "", operation, region, key_id, _json_object(request))
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    form = form or dict(parse_qsl(request.query, keep_blank_values=True))
    operation = form.get("Action", "")
    service = service or ("sts" if operation == _UNSIGNED else "ec2")
    return _Asked(service, operation, region, key_id, form)


def _json_object(request):
    try:
        params = request.json()
    except ValueError:
        return {}
    return params if isinstance(params, dict) else {}


def _without_last(params, name):
    """Without the last of `name`.1, `name`.2 and so on."""
    members = [key for key in params if key.startswith(f"{name}.")]
    last = max(members, key=lambda key: int(key.rpartition(".")[2]))
    return {key: value for key, value in params.items() if key != last}


class _Call:
    def __init__(self, tenant, request, asked):
        self._tenant = tenant
        self._request = request
        self._asked = asked

    def observed(self):
        try:
            observer = user_caller(self._tenant.account, OBSERVER)
            return self._effect(self._tenant, observer)
        except AwsError as error:
            return error_response(self._asked.service, error)

    def recorded(self):
        asked = self._asked
        with recorded(
            self._tenant,
            service=asked.service,
            operation=asked.operation,
            region=asked.region,
            params=asked.params,
            user_agent=self._request.headers.get("User-Agent"),
            access_key_id=asked.access_key_id,
        ) as answered:
            fault = None
            try:
                fault = before_effect(
                    self._tenant,
                    asked.service,
                    asked.operation,
                    asked.params,
                    asked.region,
                )
                if fault is not None and fault.kind == "error":
                    raise AwsError(fault.code, fault.message, fault.status)
                if fault is not None and fault.kind == "answer":
                    answered(fault.status)
                    return fault.answer()
                if fault is not None and fault.kind == "in_part":
                    params = _without_last(asked.params, fault.of_list)
                    self._asked = replace(asked, params=params)
                if (asked.service, asked.operation) == ("ec2", "RunInstances"):
                    with self._tenant.lock:
                        self._tenant.launches.run_instances_calls += 1
                response = None
                try:
                    response = self._allowed_effect()
                finally:
                    after_effect(self._tenant, fault, response)
                if fault is not None and fault.kind == "error_answer":
                    raise AwsError(fault.code, fault.message, fault.status)
            except AwsError as error:
                answered(error.status, error.code)
                response = error_response(asked.service, error)
                if fault is not None:
                    response.date_offset_seconds = fault.date_offset_seconds
                return response
            answered(response.status)
            if fault is not None:
                response.date_offset_seconds = fault.date_offset_seconds
            if fault is not None and fault.kind == "damaged_answer":
                return damaged(
                    response,
                    asked.operation,
                    fault.damage,
                    fault.at,
                    fault.until_close,
                )
            return response

    def _allowed_effect(self):
        """The effect, if the keys are good and the policy of their account lets it."""
        asked = self._asked
        if asked.handler is not None:
            with self._tenant.lock:
                return asked.handler(self._tenant, self._request, asked.params)
        if asked.operation == _UNSIGNED:
            return self._effect(self._tenant, None)
        caller = authenticate(
            self._tenant, self._request, asked.service, asked.access_key_id
        )
        owner = self._tenant.tenants[caller.account]
        if asked.service == "iam" and caller.kind == "session" and not caller.mfa:
            raise AwsError(
                "InvalidClientTokenId",
                "The security token included in the request is invalid",
                403,
            )
        if owner.identity.policy is not None:
            from .permissions import authorize_call

            with owner.lock:
                authorize_call(
                    owner,
                    caller,
                    asked.service,
                    asked.operation,
                    asked.region,
                    asked.params,
                )
        if asked.service == "ec2" and owner.settings.strict_buckets:
            with owner.lock:
                owner.buckets.admit(asked.region, asked.operation, asked.params)
        return self._effect(owner, caller)

    def _effect(self, owner, caller):
        asked = self._asked
        if asked.service == "servicequotas":
            from .service_quotas import answer

            return answer(owner, asked.operation, asked.region, asked.params)
        if asked.service in ("ssm", "secretsmanager"):
            from .kept_keys import answer

            return answer(owner, asked.operation, asked.params)
        if asked.service == "pricing":
            from .pricing import answer

            return answer(owner, asked.operation, asked.region, asked.params)
        if asked.service == "ec2" and asked.region not in KNOWN_REGIONS:
            # "Enable or disable AWS Regions in your account", account management guide.
            raise AwsError(
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            )
        api_class = API_CLASSES.get(asked.service)
        if api_class is None:
            raise AwsError(
                "NotImplemented", f"the sandbox has no {asked.service}", status=501
            )
        with owner.lock:
            owner.lifecycle.advance()
            owner.machine_images.advance()
            api = api_class()
            api.set_up(owner, self._request, asked.region, asked.params)
            return Response(*api.perform(owner, asked.params, caller))
