"""EC2's throttling of an account: token buckets, in each region.

Sizes and refill rates are those of "Request throttling for the Amazon EC2 API"
(EC2 developer guide). Each API action has buckets of its own, of its category's
size. A call that is refused takes nothing from any bucket.
"""

import re

from .aws_errors import AwsError

_NON_MUTATING = (100, 20)
_UNFILTERED = (50, 10)  # neither filters nor pages
_MUTATING = (50, 5)
_REQUESTS = {"RunInstances": (5, 2), "TerminateInstances": (100, 5)}
_RESOURCES = {"RunInstances": (1000, 2), "TerminateInstances": (1000, 20)}

_READS = ("Describe", "Get", "List", "Search")
_NARROWED = re.compile(r"(Filter|InstanceId|\w+Id)\.\d+|MaxResults|NextToken")


class _Bucket:
    def __init__(self, size, per_second, now):
        self._size = size
        self._per_second = per_second
        self._tokens = float(size)
        self._seen = now

    def level(self, now):
        grown = self._tokens + (now - self._seen) * self._per_second
        return min(float(self._size), grown)

    def take(self, tokens, now):
        self._tokens = self.level(now) - tokens
        self._seen = now


class Buckets:
    def __init__(self, launches, now):
        self._launches = launches
        self._now = now
        self._buckets = {}

    def admit(self, region, operation, params):
        """Takes what the call costs. Raises AwsError when there is too little."""
        now = self._now()
        cost = [(self._requests(region, operation, params, now), 1)]
        resources = self._resources_asked(region, operation, params)
        if resources:
            sizes = _RESOURCES[operation]
            cost.append((self._bucket(region, operation, "resources", sizes, now), resources))
        if any(bucket.level(now) < tokens for bucket, tokens in cost):
            raise AwsError("RequestLimitExceeded", "Request limit exceeded.")
        for bucket, tokens in cost:
            bucket.take(tokens, now)

    def fill(self):
        self._buckets.clear()

    def as_json(self):
        """{region: {bucket: tokens in it}}, of those in use."""
        levels = {}
        now = self._now()
        for (region, *name), bucket in self._buckets.items():
            levels.setdefault(region, {})[" ".join(name)] = bucket.level(now)
        return levels

    def _requests(self, region, operation, params, now):
        kind, sizes = "requests", _REQUESTS.get(operation, _MUTATING)
        if operation.startswith(_READS):
            sizes = _NON_MUTATING
            if operation == "DescribeInstances" and not _is_narrowed(params):
                kind, sizes = "unfiltered requests", _UNFILTERED
        return self._bucket(region, operation, kind, sizes, now)

    def _bucket(self, region, operation, kind, sizes, now):
        key = (region, operation, kind)
        if key not in self._buckets:
            self._buckets[key] = _Bucket(*sizes, now)
        return self._buckets[key]

    def _resources_asked(self, region, operation, params):
        if operation not in _RESOURCES or params.get("DryRun") == "true":
            return 0
        if operation == "TerminateInstances":
            return sum(name.startswith("InstanceId.") for name in params)
        # Resource tokens are for the resources "impacted by the request": those
        # of a token that has been used are not launched again.
        if self._launches.is_used(region, params.get("ClientToken")):
            return 0
        most = params.get("MaxCount", "")
        return int(most) if most.isdigit() else 0


def _is_narrowed(params):
    return any(_NARROWED.match(name) for name in params)
