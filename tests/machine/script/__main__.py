"""All the tests, as many at once as there are processors:

    python3 tests/machine/script

One by one, or some of them: `python3 -m unittest discover -s tests/machine/script`
with -k and its other options.
"""

import concurrent.futures
import multiprocessing
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from machine import MachineTest  # noqa: E402

# A script that hangs does so in most tests. After so many the rest is not run: all
# of it would take an hour.
MOST_HANGS = 2
hangs = None


def names(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from names(test)
        else:
            yield test.id()


def start(shared):
    """In each worker, before its first test."""
    global hangs
    hangs = shared

    def count(_name):
        with hangs.get_lock():
            hangs.value += 1

    MachineTest.on_hang = staticmethod(count)


def run(name):
    """What failed, as text; None when the test is not run."""
    if hangs.value >= MOST_HANGS:
        return None
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    return [f"FAIL: {test}\n{text}" for test, text in result.failures + result.errors]


if __name__ == "__main__":
    tests = list(names(unittest.defaultTestLoader.discover(sys.path[0])))
    shared = multiprocessing.Value("i", 0)
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), None, start, (shared,)) as workers:
        results = list(workers.map(run, tests))
    ran = [texts for texts in results if texts is not None]
    failures = [text for texts in ran for text in texts]
    print(*failures, f"{len(ran)} tests, {len(failures)} failures", sep="\n")
    if len(ran) < len(tests):
        print(f"{shared.value} hung; {len(tests) - len(ran)} were not run")
    sys.exit(bool(failures))
