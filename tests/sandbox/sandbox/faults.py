"""Faults that tests order: errors, lost answers, resets, stalls."""

import threading
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Optional

KINDS = ("error", "lost_answer", "reset", "stall")


@dataclass
class Fault:
    """What happens to some of the calls of one operation.

    kind        error: answered with `status`, `code` and `message` (`detail`
                for inductiva), with no effect · lost_answer: takes effect, then
                the connection is closed · reset: closed before it takes effect
                · stall: answered after `seconds`
    operation   EC2 or STS action; for inductiva "METHOD /path", not encoded;
                with wildcards as in file names
    match       only requests with these parameters; None for one that is absent
    after       matching calls let through first
    count       calls that it strikes; None for all
    """

    service: str
    operation: str
    kind: str = "error"
    match: dict = field(default_factory=dict)
    after: int = 0
    count: Optional[int] = 1
    status: int = 500
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    detail: object = "Internal Server Error"
    seconds: float = 0
    seen: int = 0
    struck: int = 0

    def applies_to(self, service, operation, parameters):
        return (
            self.service == service
            and fnmatchcase(operation, self.operation)
            and all(parameters.get(k) == v for k, v in self.match.items())
        )


class Faults:
    def __init__(self):
        self._faults = []
        self._lock = threading.Lock()

    def add(self, description):
        """Raises ValueError at an unknown key or kind."""
        known = {f.name for f in fields(Fault)} - {"seen", "struck"}
        unknown = set(description) - known
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)}; known: {sorted(known)}")
        if not {"service", "operation"} <= set(description):
            raise ValueError("a fault needs service and operation")
        fault = Fault(**description)
        if fault.kind not in KINDS:
            raise ValueError(f"unknown kind {fault.kind!r}; known: {KINDS}")
        with self._lock:
            self._faults.append(fault)
        return asdict(fault)

    def strike(self, service, operation, parameters):
        """The first fault that this call is due, or None. Every fault that the
        call matches has then seen it."""
        struck = None
        with self._lock:
            for fault in self._faults:
                if not fault.applies_to(service, operation, parameters):
                    continue
                fault.seen += 1
                spent = fault.count is not None and fault.struck >= fault.count
                if struck is None and fault.seen > fault.after and not spent:
                    fault.struck += 1
                    struck = fault
        return struck

    def list(self):
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def clear(self):
        with self._lock:
            self._faults.clear()
