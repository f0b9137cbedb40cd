"""Makes the sandbox's virtual environment: provision.py DIRECTORY REQUIREMENTS.

Runs under the system's Python. Two at once are safe: the second waits for the
first and finds its work done. A copy of the requirements, written last, says
that the environment is complete.
"""

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys


def main(directory, requirements):
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    with open(directory + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = os.path.join(directory, "requirements.txt")
        python = os.path.join(directory, "bin", "python")
        # A Python that was upgraded away leaves a dangling link.
        if os.access(python, os.X_OK) and os.path.exists(installed):
            if filecmp.cmp(installed, requirements, shallow=False):
                return
        print("sandbox: setting up its Python packages (once)", file=sys.stderr)
        _quietly(
            [sys.executable, "-m", "venv", "--clear", directory],
            "cannot make a virtual environment; on Debian and Ubuntu it needs the "
            "package python3-venv",
        )
        _quietly(
            [
                python,
                *("-m", "pip", "install", "--disable-pip-version-check"),
                *("--require-hashes", "--only-binary", ":all:"),
                *("-r", requirements),
            ],
            "cannot install the Python packages",
        )
        shutil.copyfile(requirements, installed)


def _quietly(command, failure):
    """Runs the command; its output is shown only if it fails, and ends this program."""
    process = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if process.returncode != 0:
        sys.stderr.write(process.stdout.decode(errors="replace"))
        sys.exit(f"sandbox: {failure}")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
