"""Faults that tests order: errors, lost answers, resets, stalls, held calls."""

import random
import threading
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Optional

from . import damage
from .http import Response

KINDS = (
    "none",
    "error",
    "error_answer",
    "lost_answer",
    "damaged_answer",
    "reset",
    "stall",
    "hold",
    "hold_answer",
    "answer",
    "headers",
    "in_part",
)


@dataclass
class Fault:
    """What happens to some of the calls of one operation.

    kind        none: as without a fault, but for the date · error: answered with `status`, `code` and `message` (`detail`
                for inductiva), with no effect · error_answer: the same after it
                has taken effect · lost_answer: takes effect, then
                the connection is closed · damaged_answer: takes effect, and
                the answer has the `damage` that damage.py tells; of AWS's calls
                · reset: closed before it takes effect
                · stall: answered after `seconds`
                by the account's clock · hold: waits, before it takes
                effect, for the test to let it go on or drop it · hold_answer: so
                too, after it has taken effect · answer: answered with `status`,
                `headers` and `times` times `body`, with no effect; in these
                {number} is that of the call, from 1 · headers: takes effect, and
                the answer has these `headers`, too · in_part: takes effect, and
                is answered, as if the last member of the list `of_list` were not
                asked for
    service     with wildcards as in file names, like the next
    operation   EC2 or STS action; for inductiva "METHOD /path", not encoded
    region      only calls to this region; None for all
    match       only requests with these parameters; None for one that is absent
    after       matching calls let through first
    count       calls that it strikes; None for all
    for_seconds strikes no more so long after the first that it struck; None for
                no end
    probability of each matching call to be struck, drawn from `seed`
    at          where a `damage` of "cut" cuts
    date_offset_seconds by which the Date of the answer is wrong
    until_close whether a damaged answer ends with its connection, as with HTTP/1.0
    """

    service: str
    operation: str
    kind: str = "error"
    region: Optional[str] = None
    match: dict = field(default_factory=dict)
    after: int = 0
    count: Optional[int] = 1
    for_seconds: Optional[float] = None
    probability: float = 1
    seed: int = 0
    status: int = 500
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    detail: object = "Internal Server Error"
    seconds: float = 0
    damage: str = "cut"
    at: float = 0.5
    until_close: bool = False
    of_list: str = ""
    body: str = ""
    times: int = 1
    headers: dict = field(default_factory=dict)
    date_offset_seconds: float = 0
    seen: int = 0
    struck: int = 0
    held: int = 0  # calls that wait now

    def __post_init__(self):
        self._random = random.Random(self.seed)
        self._first_struck = None

    def is_due(self, now):
        """Whether it strikes the call that it has just seen."""
        if self.seen <= self.after or self.struck == self.count:
            return False
        if self.for_seconds is not None and self._first_struck is not None:
            if now - self._first_struck > self.for_seconds:
                return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        if self._first_struck is None:
            self._first_struck = now
        self.struck += 1
        return True

    def answer(self):
        """What is answered instead."""
        number = str(self.struck)
        body = self.body.replace("{number}", number) * self.times
        headers = {k: v.replace("{number}", number) for k, v in self.headers.items()}
        return Response(self.status, body.encode(), headers)

    def applies_to(self, service, operation, parameters, region):
        return (
            fnmatchcase(service, self.service)
            and self.region in (None, region)
            and fnmatchcase(operation, self.operation)
            and all(parameters.get(k) == v for k, v in self.match.items())
        )


class Faults:
    def __init__(self, now):
        self._now = now
        self._faults = []
        self._lock = threading.Lock()
        self._released = threading.Condition(self._lock)
        self._releases = 0
        self._drop = False
        # By their threads, those calls that were held and have not come to their end.
        self._under_way = {}

    def add(self, description):
        """Raises ValueError at an unknown key or kind."""
        known = {f.name for f in fields(Fault)} - {"seen", "struck", "held"}
        unknown = set(description) - known
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)}; known: {sorted(known)}")
        if not {"service", "operation"} <= set(description):
            raise ValueError("a fault needs service and operation")
        fault = Fault(**description)
        if fault.kind not in KINDS:
            raise ValueError(f"unknown kind {fault.kind!r}; known: {KINDS}")
        if fault.damage not in damage.KINDS:
            raise ValueError(f"unknown damage {fault.damage!r}; known: {damage.KINDS}")
        with self._lock:
            self._faults.append(fault)
        return asdict(fault)

    def strike(self, service, operation, parameters, region=None):
        """The first fault that this call is due, or None. Every fault that the
        call matches has then seen it."""
        struck = None
        with self._lock:
            for fault in self._faults:
                if not fault.applies_to(service, operation, parameters, region):
                    continue
                fault.seen += 1
                if struck is None and fault.is_due(self._now()):
                    struck = fault
        return struck

    def hold(self, fault):
        """Waits until the test lets go of all calls held; at most a minute.
        Returns whether the call is to be dropped."""
        with self._lock:
            fault.held += 1
            self._under_way[threading.get_ident()] = object()
            release = self._releases + 1
            self._released.wait_for(lambda: self._releases >= release, timeout=60)
            fault.held -= 1
            return self._drop

    def end(self):
        """The call of this thread has come to its end."""
        with self._lock:
            if self._under_way.pop(threading.get_ident(), None) is not None:
                self._released.notify_all()

    def release(self, drop):
        """Lets all calls held go on, or drops them without an answer; returns when
        they have taken what effect they have."""
        with self._lock:
            self._drop = drop
            self._releases += 1
            self._released.notify_all()
            # A thread may have the next call held by then.
            held = set(self._under_way.values())
            self._released.wait_for(
                lambda: held.isdisjoint(self._under_way.values()), timeout=60
            )

    def list(self):
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear(self):
        with self._lock:
            self._faults.clear()
