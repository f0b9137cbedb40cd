"""prices.py COMMAND…: `start` with and without its price in the cache, while the Price
List takes 100 ms and 800 ms for an answer, and the README's line about that.

Run by tests/bench/launch, in its sandbox. Each start makes a group of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

RUNS = 15
WARMUP = 2
DELAYS_MS = (100, 800)
CONTROL = f"{os.environ['INDUCTIVA_AWS_SANDBOX']}/123456789012/_sandbox"


def control(method, what, body=None):
    request = urllib.request.Request(
        f"{CONTROL}/{what}", method=method, data=json.dumps(body).encode() if body else None
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()


def cache():
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "inductiva-aws/prices.json"


def milliseconds(command):
    """How long one start takes, into a new group."""
    group = f"bench-{uuid.uuid4().hex[:8]}"
    began = time.perf_counter()
    subprocess.run(
        [*command, "--machine-group-name", group],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return 1_000 * (time.perf_counter() - began)


def measured(command, delay):
    """Medians without and with the prices in the cache, taken in turns: each start
    leaves machines, of which the server knows more and more."""
    control("POST", "faults", {
        "service": "pricing", "operation": "GetProducts",
        "kind": "stall", "seconds": delay / 1_000, "count": None,
    })
    warm = cache().read_bytes()
    took = {"without": [], "with": []}
    for _ in range(RUNS + WARMUP):
        cache().unlink(missing_ok=True)
        took["without"].append(milliseconds(command))
        cache().write_bytes(warm)
        took["with"].append(milliseconds(command))
    control("DELETE", "faults")
    return {name: statistics.median(all[WARMUP:]) for name, all in took.items()}


def main(*command):
    # Its prices are in the cache from here on.
    milliseconds(command)
    if not cache().exists():
        sys.exit(f"prices.py: there are no prices in {cache()}")
    told = {delay: measured(command, delay) for delay in DELAYS_MS}
    for delay, names in told.items():
        for name, took in names.items():
            row = f"start, {name} its prices in the cache, Price List {delay} ms"
            print(f"{row:60} {took:>6.0f} ms")
    short, long = DELAYS_MS
    print(
        f"README: A start takes {told[short]['with']:.0f} ms with its prices in the cache, however"
        f" slow the Price List is ({told[long]['with']:.0f} ms at {long} ms); without them,"
        f" {told[short]['without']:.0f} ms where the Price List answers in {short} ms, and"
        f" {told[long]['without']:.0f} ms in {long} ms."
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
