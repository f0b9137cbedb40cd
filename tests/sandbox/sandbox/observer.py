"""The observer: a boto3 client against this server, for what tests assert.

Its requests are known by their User-Agent, and are neither recorded nor delayed
nor struck by faults, and all instances show in its answers.
"""

import gc
import threading

OBSERVER = "observer"  # the name of its IAM user
_ANY_ACCOUNT = "0" * 12
OBSERVER_USER_AGENT = "inductiva-aws-sandbox-observer"


class Observer:
    def __init__(self, application):
        self._application = application
        self._session = None
        self._clients = {}
        self._lock = threading.Lock()
        # One client serves all accounts, as each takes a while to make: this is
        # the account that the calling thread is at.
        self._at = threading.local()

    def call(self, account, service, region, method, arguments, paginate=False):
        """The method's answer; all pages merged into one with `paginate`.

        Raises botocore's ClientError, and ValueError for what is no such call.
        """
        client = self._client(service, region)
        self._at.account = account
        if not hasattr(client, method):
            raise ValueError(f"boto3's {service} client has no method {method!r}")
        if paginate:
            return client.get_paginator(method).paginate(**arguments).build_full_result()
        answer = getattr(client, method)(**arguments)
        answer.pop("ResponseMetadata", None)
        return answer

    def endpoint_url(self, account):
        return f"http://127.0.0.1:{self._application.port}/{account}"

    def _client(self, service, region):
        key = (service, region)
        # boto3 sessions are not made for threads; clients are.
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, service, region):
        import boto3.session
        from botocore.config import Config

        if self._session is None:
            self._session = boto3.session.Session()
        client = self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url(_ANY_ACCOUNT),
            aws_access_key_id="AKIAOBSERVEREXAMPLE0",
            aws_secret_access_key="observer",
            config=Config(
                user_agent=OBSERVER_USER_AGENT,
                retries={"total_max_attempts": 1},
                max_pool_connections=50,
            ),
        )
        client.meta.events.register("before-call", self._address)
        # It stays for good, with the service's model: see server.py.
        gc.freeze()
        return client

    def _address(self, params, **_):
        """Sends a call to the account's endpoint."""
        url = params["url"]
        own = self.endpoint_url(self._at.account)
        params["url"] = url.replace(self.endpoint_url(_ANY_ACCOUNT), own, 1)
