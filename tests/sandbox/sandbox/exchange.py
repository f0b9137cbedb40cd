"""What happens around every recorded call: record, delay, faults."""

import time
from contextlib import contextmanager

from .http import ConnectionDropped


@contextmanager
def recorded(tenant, **facts):
    """Records the call that the block answers.

    The block calls the yielded function with the status and the error's code;
    a call that never gets there was dropped.
    """
    entry = tenant.recorder.begin(**facts)
    outcome = {"status": None}

    def answered(status, error_code=None):
        outcome.update(status=status, error_code=error_code)

    try:
        yield answered
    finally:
        tenant.recorder.end(entry, **outcome)
        tenant.faults.end()


def before_effect(tenant, service, operation, parameters, region=None):
    """Sleeps the delay, then deals with the fault that is due, if any.

    Returns that fault when the caller has to answer for it, or to call
    `after_effect`; raises ConnectionDropped for a reset.
    """
    if tenant.settings.delay_ms:
        time.sleep(tenant.settings.delay_ms / 1000)
    fault = tenant.faults.strike(service, operation, parameters, region)
    if fault is None:
        return None
    if fault.kind == "stall":
        tenant.clock.stall(fault.seconds)
    if fault.kind == "reset":
        raise ConnectionDropped(reset=True)
    if fault.kind == "hold" and tenant.faults.hold(fault):
        raise ConnectionDropped(reset=True)
    return fault


def after_effect(tenant, fault, response=None):
    """Loses the answer, holds it back, or adds headers to it when the fault says
    so: a refusal is an answer too."""
    if fault is None:
        return
    if fault.kind == "headers" and response is not None:
        response.headers.update(fault.headers)
    dropped = fault.kind == "lost_answer"
    if fault.kind == "hold_answer":
        dropped = tenant.faults.hold(fault)
    if dropped:
        raise ConnectionDropped(reset=False)
