"""Routes a request to an account and within it to AWS, Inductiva or control."""

import re

from . import control
from .aws import Aws
from .http import Request
from .inductiva import InductivaApi
from .observer import Observer
from .tenant import DEFAULT_ACCOUNT, Tenants

_ACCOUNT_PREFIX = re.compile(r"/(\d{12})(?=/|$)")


class Application:
    def __init__(self):
        self.port = None  # known once the server is bound
        self.tenants = Tenants()
        self._observer = Observer(self)

    def __call__(self, request):
        # A relay in front of the sandbox names the account in a header, so that
        # paths stay as they were signed.
        account = request.headers.get("X-Sandbox-Account", DEFAULT_ACCOUNT)
        path = request.path
        prefix = _ACCOUNT_PREFIX.match(path)
        if prefix:
            account, path = prefix.group(1), path[prefix.end() :]
        tenant = self.tenants[account]
        inner = Request(
            request.method,
            path or "/",
            request.query,
            request.headers,
            request.body,
            whole_path=request.path,
            has_gone=request.has_gone,
        )
        response = self._answer(tenant, path, inner)
        time = tenant.clock.header()
        if time is not None:
            response.headers["X-Sandbox-Clock"] = time
        return response

    def _answer(self, tenant, path, inner):
        if path.startswith("/_sandbox/"):
            inner.path = path[len("/_sandbox") :]
            return control.answer(tenant, inner, self._observer)
        if path == "/inductiva" or path.startswith("/inductiva/"):
            inner.path = path[len("/inductiva") :] or "/"
            return InductivaApi(tenant).answer(inner)
        return Aws(tenant).answer(inner)
