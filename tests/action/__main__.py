"""The tests of the action, with node 24 and a program that is built already:

    python3 tests/action            all; with names of tests or files, those

INDUCTIVA_AWS_BIN_DIR is the folder of the program, target/debug unless it is set.
INDUCTIVA_AWS_ACTION_PAUSES=1 lets as much time pass between the signals of a
cancellation as GitHub's runner does.
"""

import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

subprocess.run(
    [
        sys.executable,
        ROOT / "tests/sandbox/provision.py",
        ROOT / "target/tools",
        ROOT / ".ci/tools.txt",
    ],
    check=True,
)
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
arguments = sys.argv[1:] or ["discover", "-s", str(HERE)]
unittest.main(module=None, argv=["tests/action", *arguments], verbosity=2)
