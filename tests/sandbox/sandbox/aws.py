"""The AWS side: which service and operation, who asks, and what is answered."""

import io
import re
from urllib.parse import parse_qsl

from moto.core.request import Request as MotoRequest

from .aws_errors import AwsError, error_response
from .ec2_api import Ec2Api
from .exchange import after_effect, before_effect, recorded
from .http import Response
from .observer import OBSERVER_USER_AGENT
from .other_apis import IamApi, StsApi

SANDBOX_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SANDBOX_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
INVALID_ACCESS_KEY_ID = "AKIAINVALIDKEYEXAMPLE"

API_CLASSES = {"ec2": Ec2Api, "sts": StsApi, "iam": IamApi}

# Credential=KEY/20250101/REGION/SERVICE/aws4_request
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/")


class Aws:
    def __init__(self, tenant):
        self._tenant = tenant

    def answer(self, request):
        credential = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        key_id, region, service = credential.groups() if credential else (None,) * 3
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        form = form or dict(parse_qsl(request.query, keep_blank_values=True))
        call = _Call(self._tenant, request, key_id, region, service or "ec2", form)
        # botocore adds to it what retries and waiters there are.
        if request.headers.get("User-Agent", "").startswith(OBSERVER_USER_AGENT):
            return call.observed()
        return call.recorded()


class _Call:
    def __init__(self, tenant, request, key_id, region, service, form):
        self._tenant = tenant
        self._request = request
        self._key_id = key_id
        self._region = region
        self._service = service
        self._form = form
        self._operation = form.get("Action", "")

    def observed(self):
        try:
            return self._effect()
        except AwsError as error:
            return error_response(self._service, error)

    def recorded(self):
        with recorded(
            self._tenant,
            service=self._service,
            operation=self._operation,
            region=self._region,
            params=self._form,
            user_agent=self._request.headers.get("User-Agent"),
            access_key_id=self._key_id,
        ) as answered:
            try:
                fault = before_effect(
                    self._tenant, self._service, self._operation, self._form
                )
                if fault is not None and fault.kind == "error":
                    raise AwsError(fault.code, fault.message, fault.status)
                if (self._service, self._operation) == ("ec2", "RunInstances"):
                    with self._tenant.lock:
                        self._tenant.launches.run_instances_calls += 1
                response = self._effect()
                after_effect(fault)
            except AwsError as error:
                answered(error.status, error.code)
                return error_response(self._service, error)
            answered(response.status)
            return response

    def _effect(self):
        self._authenticate()
        api_class = API_CLASSES.get(self._service)
        if api_class is None:
            raise AwsError(
                "NotImplemented", f"the sandbox has no {self._service}", status=501
            )
        with self._tenant.lock:
            self._tenant.lifecycle.advance()
            api = api_class()
            api.setup_class(self._as_moto_request())
            return Response(*api.perform(self._tenant, self._form))

    def _authenticate(self):
        if self._key_id is None:
            raise AwsError(
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
                status=403,
            )
        if self._key_id != INVALID_ACCESS_KEY_ID:
            return
        if self._service == "ec2":
            raise AwsError(
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
                status=401,
            )
        raise AwsError(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            status=403,
        )

    def _as_moto_request(self):
        """The request as moto's server would see it.

        moto reads account and region from headers: the account is the
        tenant's, and a region in the User-Agent must not win over the signature.
        """
        request = self._request
        environ = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": "/",
            "QUERY_STRING": request.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": request.headers.get("Authorization"),
            "HTTP_X_MOTO_ACCOUNT_ID": self._tenant.account,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
        }
        moto_request = MotoRequest(environ)
        # Otherwise moto adds a Date of its own.
        moto_request.from_wsgi_server = True
        return moto_request
