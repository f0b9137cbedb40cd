"""The observer: a boto3 client against this server, for what tests assert.

Its requests are known by their User-Agent, and are neither recorded nor delayed
nor struck by faults, and all instances show in its answers.
"""

import threading

OBSERVER = "observer"  # the name of its IAM user
OBSERVER_USER_AGENT = "inductiva-aws-sandbox-observer"


class Observer:
    def __init__(self, application):
        self._application = application
        self._clients = {}
        self._lock = threading.Lock()

    def call(self, account, service, region, method, arguments, paginate=False):
        """The method's answer; all pages merged into one with `paginate`.

        Raises botocore's ClientError, and ValueError for what is no such call.
        """
        client = self._client(account, service, region)
        if not hasattr(client, method):
            raise ValueError(f"boto3's {service} client has no method {method!r}")
        if paginate:
            return client.get_paginator(method).paginate(**arguments).build_full_result()
        answer = getattr(client, method)(**arguments)
        answer.pop("ResponseMetadata", None)
        return answer

    def endpoint_url(self, account):
        return f"http://127.0.0.1:{self._application.port}/{account}"

    def _client(self, account, service, region):
        key = (account, service, region)
        # boto3 sessions are not made for threads; clients are.
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, account, service, region):
        import boto3.session
        from botocore.config import Config

        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url(account),
            aws_access_key_id="AKIAOBSERVEREXAMPLE0",
            aws_secret_access_key="observer",
            config=Config(
                user_agent=OBSERVER_USER_AGENT,
                retries={"total_max_attempts": 1},
                max_pool_connections=50,
            ),
        )
