"""All the tests, as many at once as there are processors:

    python3 tests/machine/script

One by one, or some of them: `python3 -m unittest discover -s tests/machine/script`
with -k and its other options.
"""

import concurrent.futures
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def names(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from names(test)
        else:
            yield test.id()


def run(name):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    return [f"FAIL: {test}\n{text}" for test, text in result.failures + result.errors]


if __name__ == "__main__":
    tests = list(names(unittest.defaultTestLoader.discover(sys.path[0])))
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as workers:
        failures = [text for texts in workers.map(run, tests) for text in texts]
    print(*failures, f"{len(tests)} tests, {len(failures)} failures", sep="\n")
    sys.exit(bool(failures))
