"""Machines per second for 1, 20, 100 and 1,000 machines; see `scale` beside this."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

CONTROL = os.environ["INDUCTIVA_AWS_SANDBOX"] + "/123456789012/_sandbox/"
# RunInstances: requests at once, and those that come back each second (EC2
# developer guide, request throttling). 1,000 machines are within theirs.
BURST, REFILL = 5, 2
MACHINES_PER_CALL = 100
# One machine a call, the bucket alone makes 1,000 of them take 498 s.
MOST_ONE_BY_ONE = 100


def control(method, what, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(CONTROL + what, method=method, data=data)
    with urllib.request.urlopen(request):
        pass


def bound(calls):
    """The least seconds that the request bucket makes `calls` calls take."""
    return max(0, calls - BURST) / REFILL


def measured(command):
    """Seconds, and the peak of memory in MB."""
    control("DELETE", "buckets")
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - begun
    if status != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return took, usage.ru_maxrss / 1024


def seconds(command):
    return measured(command)[0]


def main():
    control("PUT", "settings", {"strict_buckets": 1})
    # boto3 gives up after five tries otherwise.
    os.environ.update(AWS_RETRY_MODE="standard", AWS_MAX_ATTEMPTS="50")
    # What is made only once is there before the first measurement.
    seconds(["inductiva-aws", "start", "--machine-group-name", "before"])
    print("machines  ours      a second  bound    boto3, one by one  bound")
    for number in (1, 20, 100, 1000):
        calls = -(-number // MACHINES_PER_CALL)
        ours = seconds(
            ["inductiva-aws", "start", "-n", str(number), "--machine-group-name", f"g{number}"]
        )
        loop = "not run"
        if number <= MOST_ONE_BY_ONE:
            boto3 = str(Path(__file__).with_name("boto3_start.py"))
            took = seconds([sys.executable, boto3, str(number), "--one-by-one"])
            loop = f"{took:.2f} s"
        print(
            f"{number:<8}  {ours:6.2f} s  {number / ours:<8.0f}  {bound(calls):<5.1f} s  "
            f"{loop:<17}  {bound(number):.1f} s"
        )
    for command in (
        ["list"],
        ["start", "-n", "1000", "--machine-group-name", "g1000", "--wait=running"],
        ["terminate", "g1000", "-y"],
    ):
        took, peak = measured(["inductiva-aws", *command])
        print(f"{command[0]} with 1,000 machines: {took:.2f} s, {peak:.0f} MB")


if __name__ == "__main__":
    main()
