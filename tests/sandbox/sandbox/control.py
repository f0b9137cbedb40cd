"""The control endpoint, /ACCOUNT/_sandbox/…: how tests steer and look."""

import datetime
import json

from botocore.exceptions import BotoCoreError, ClientError

from . import identity_control
from .http import Response
from .images import publish_newer
from .lifecycle import POWERED_OFF
from .moto_library import backend, forget, have_changed
from .networks import delete_default_vpc, set_free_addresses
from .tenant import DEFAULT_REGION


def answer(tenant, request, observer):
    if request.path.startswith("/clock/"):
        return _of_a_program(tenant, request)
    handler = _ROUTES.get((request.method, request.path))
    if handler is None:
        known = sorted(f"{method} {path}" for method, path in _ROUTES)
        return Response.of_json({"error": "no such control", "known": known}, 404)
    try:
        given = request.json()
        if given is None:
            given = {}
        if not isinstance(given, dict):
            raise ValueError("the body must be a JSON object")
        return handler(tenant, given, observer)
    except (ValueError, TypeError, KeyError, BotoCoreError) as error:
        message = f"{type(error).__name__}: {error}"
        return Response.of_json({"error": {"Code": "Sandbox", "Message": message}}, 400)


def _of_a_program(tenant, request):
    """What a program that runs by the clock asks, which reads the answer's header:
    /clock/join/PROGRAM, /clock/pause/UNTIL and /clock/wait/PROGRAM/SEEN, times in
    microseconds as there."""
    clock = tenant.clock
    match request.path.split("/")[2:]:
        case ["join", program]:
            clock.join(program)
        case ["pause", until]:
            clock.pause(int(until))
        case ["wait", program, seen]:
            clock.wait(program, int(seen), request.has_gone)
        case _:
            return Response.of_json({"error": "no such control"}, 404)
    return Response(204)


def _forget_account(tenant, _given, _observer):
    with tenant.lock:
        tenant.tenants.forget(tenant.account)
        forget(tenant.account)
    return Response(204)


def _get_requests(tenant, _given, _observer):
    return Response.of_json(tenant.recorder.entries())


def _clear_requests(tenant, _given, _observer):
    tenant.recorder.clear()
    return Response(204)


def _get_settings(tenant, _given, _observer):
    return Response.of_json(tenant.settings.as_json())


def _put_settings(tenant, given, _observer):
    tenant.settings.merge(given)
    return Response.of_json(tenant.settings.as_json())


def _get_clock(tenant, _given, _observer):
    return Response.of_json(tenant.clock.as_json())


def _put_clock(tenant, given, _observer):
    """One of these:

    stand        true: stops it
    advance      seconds to move one that stands
    pauses_wait  whether programs' pauses wait until the test lets time pass
    await_pause  true: waits until there is such a pause
    pass_pause   true: and lets its time pass; {"seconds"}
    """
    clock = tenant.clock
    match given:
        case {"stand": True}:
            clock.stand()
        case {"advance": seconds}:
            clock.advance(seconds)
        case {"pauses_wait": True}:
            clock.pauses_wait = True
        case {"pauses_wait": False}:
            clock.let_pauses_go()
        case {"await_pause": True}:
            clock.await_pause()
        case {"pass_pause": True}:
            return Response.of_json({"seconds": clock.pass_pause()})
        case _:
            raise ValueError(f"not understood: {given}")
    return Response.of_json(clock.as_json())


def _get_faults(tenant, _given, _observer):
    return Response.of_json(tenant.faults.list())


def _add_fault(tenant, given, _observer):
    return Response.of_json(tenant.faults.add(given), 201)


def _clear_faults(tenant, _given, _observer):
    tenant.faults.clear()
    return Response(204)


def _release(tenant, given, _observer):
    """Ends the wait of all calls held; {"drop": true} closes their connections."""
    tenant.faults.release(bool(given.get("drop")))
    return Response(204)


def _get_buckets(tenant, _given, _observer):
    with tenant.lock:
        return Response.of_json(tenant.buckets.as_json())


def _fill_buckets(tenant, _given, _observer):
    with tenant.lock:
        tenant.buckets.fill()
    return Response(204)


def _publish_image(tenant, _given, _observer):
    """A newer image than the newest of each that the launcher takes, everywhere."""
    with tenant.lock:
        published = publish_newer(tenant.account)
    return Response.of_json({"image_ids": published})


def _boto3(tenant, given, observer):
    try:
        result = observer.call(
            tenant.account,
            given.get("service", "ec2"),
            given.get("region", DEFAULT_REGION),
            given["method"],
            given.get("kwargs") or {},
            bool(given.get("paginate")),
        )
    except ClientError as error:
        return Response.of_json({"error": error.response["Error"]}, 400)
    return Response(
        200,
        json.dumps(result, default=_json_value).encode(),
        {"Content-Type": "application/json"},
    )


def _json_value(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"no JSON for {type(value).__name__}")


def _delete_default_vpc(tenant, given, _observer):
    with tenant.lock:
        delete_default_vpc(backend(tenant.account, given.get("region", DEFAULT_REGION)))
    return Response(204)


def _forget_terminated(tenant, given, _observer):
    """As EC2 does after about an hour."""
    with tenant.lock:
        tenant.lifecycle.advance()
        region = backend(tenant.account, given.get("region", DEFAULT_REGION))
        forgotten = []
        for reservation in list(region.reservations.values()):
            gone = [i for i in reservation.instances if i.state == "terminated"]
            forgotten += [instance.id for instance in gone]
            # A client token still answers with the launch as it was.
            kept = [i for i in reservation.instances if i not in gone]
            del region.reservations[reservation.id]
            if kept:
                remaining = type(reservation)(reservation.id, reservation.owner_id)
                remaining.instances = kept
                region.reservations[reservation.id] = remaining
        for instance_id in forgotten:
            region.tags.pop(instance_id, None)
        have_changed(region)
    return Response.of_json({"forgotten": forgotten})


def _get_launched(tenant, _given, _observer):
    with tenant.lock:
        tenant.lifecycle.advance()
        return Response.of_json(tenant.launches.as_json())


def _get_prices(tenant, _given, _observer):
    return Response.of_json(tenant.prices.as_json())


def _put_prices(tenant, given, _observer):
    with tenant.lock:
        tenant.prices.change(given)
        return Response.of_json(tenant.prices.as_json())


def _get_capacity(tenant, _given, _observer):
    with tenant.lock:
        tenant.lifecycle.advance()
        return Response.of_json(tenant.capacity.as_json())


def _put_capacity(tenant, given, _observer):
    with tenant.lock:
        tenant.capacity.replace(given)
        return Response.of_json(tenant.capacity.as_json())


def _put_free_addresses(tenant, given, _observer):
    """{subnet id: how many addresses are free there now}"""
    with tenant.lock:
        tenant.lifecycle.advance()
        for subnet_id, number in given.items():
            set_free_addresses(tenant.account, subnet_id, int(number))
    return Response(204)


def _put_consoles(tenant, given, _observer):
    """{instance id: all that the machine has said on its console}"""
    for instance_id, text in given.items():
        tenant.consoles.say(instance_id, str(text))
    return Response(204)


def _power_off(tenant, given, _observer):
    """{"instance_ids"}: from within, as user-data.sh does."""
    with tenant.lock:
        region = backend(tenant.account, given.get("region", DEFAULT_REGION))
        for instance_id in given["instance_ids"]:
            instance = region.get_instance(instance_id)
            tenant.lifecycle.terminate(instance, POWERED_OFF)
    return Response(204)


def _get_traits(tenant, _given, _observer):
    return Response.of_json(tenant.traits.as_json())


def _put_traits(tenant, given, _observer):
    """What the account is like: see traits.py."""
    with tenant.lock:
        tenant.traits.change(given)
        return Response.of_json(tenant.traits.as_json())


def _get_inductiva(tenant, _given, _observer):
    with tenant.lock:
        tenant.lifecycle.advance()
        tenant.inductiva.register_running(tenant)
        return Response.of_json(tenant.inductiva.as_json())


def _put_inductiva(tenant, given, _observer):
    with tenant.lock:
        tenant.inductiva.change(given)
        return Response.of_json(tenant.inductiva.as_json())


_ROUTES = {
    ("DELETE", "/account"): _forget_account,
    ("GET", "/requests"): _get_requests,
    ("DELETE", "/requests"): _clear_requests,
    ("GET", "/settings"): _get_settings,
    ("PUT", "/settings"): _put_settings,
    ("GET", "/clock"): _get_clock,
    ("PUT", "/clock"): _put_clock,
    ("GET", "/faults"): _get_faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("POST", "/release"): _release,
    ("GET", "/buckets"): _get_buckets,
    ("DELETE", "/buckets"): _fill_buckets,
    ("POST", "/publish_image"): _publish_image,
    ("POST", "/boto3"): _boto3,
    ("POST", "/delete_default_vpc"): _delete_default_vpc,
    ("POST", "/forget_terminated"): _forget_terminated,
    ("GET", "/launched"): _get_launched,
    ("GET", "/prices"): _get_prices,
    ("PUT", "/prices"): _put_prices,
    ("GET", "/capacity"): _get_capacity,
    ("PUT", "/capacity"): _put_capacity,
    ("PUT", "/free_addresses"): _put_free_addresses,
    ("PUT", "/consoles"): _put_consoles,
    ("POST", "/power_off"): _power_off,
    ("GET", "/traits"): _get_traits,
    ("PUT", "/traits"): _put_traits,
    ("GET", "/inductiva"): _get_inductiva,
    ("PUT", "/inductiva"): _put_inductiva,
    **identity_control.ROUTES,
}
