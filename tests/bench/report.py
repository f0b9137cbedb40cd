"""report.py BINARY COMMAND…: the figures of tests/bench/launch beside their bounds.

Reads hyperfine's results in the current folder; runs COMMAND once more for its
peak memory, and looks at BINARY's size.
"""

import json
import os
import resource
import subprocess
import sys


def milliseconds(name):
    with open(f"{name}.json") as file:
        return 1_000 * json.load(file)["results"][0]["median"]


def main(binary, *command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1_000
    ours, delayed = milliseconds("ours"), milliseconds("ours-delayed")
    rows = [
        ("start, 2 machines", f"{ours:.1f} ms", ""),
        ("  of the same calls with boto3", f"1/{milliseconds('boto3') / ours:.0f}", "≤ 1/20"),
        ("  of aws ec2 run-instances", f"1/{milliseconds('aws') / ours:.0f}", "≤ 1/20"),
        ("  peak memory", f"{peak_mb:.1f} MB", "≤ 20 MB"),
        ("start, 20 machines, 100 ms a request", f"{delayed:.0f} ms", ""),
        ("  of boto3, one machine at a time", f"1/{milliseconds('boto3-delayed') / delayed:.0f}", "≤ 1/10"),
        ("--help", f"{milliseconds('help'):.1f} ms", "≤ 15 ms"),
        ("binary", f"{os.path.getsize(binary) / 1e6:.1f} MB", "≤ 15 MB"),
        ("(boto3, 2 machines)", f"{milliseconds('boto3'):.0f} ms", ""),
        ("(aws ec2 run-instances, 2 machines)", f"{milliseconds('aws'):.0f} ms", ""),
        ("(boto3, 20 machines, delayed)", f"{milliseconds('boto3-delayed'):.0f} ms", ""),
    ]
    for row in rows:
        print("{:40} {:>10}  {}".format(*row).rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
