"""Running a command in the sandbox's environment."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

from .credentials import SANDBOX_ACCESS_KEY_ID, SANDBOX_SECRET_ACCESS_KEY
from .inductiva import DEFAULT_API_KEY
from .server import bind
from .tenant import DEFAULT_ACCOUNT, DEFAULT_REGION


def run_command(binary_directory, command):
    """Runs `command` to its end and returns its exit code, 128 + n for signal n."""
    home = tempfile.mkdtemp(prefix="inductiva-aws-sandbox-")
    try:
        server = bind()
        return _run(command, _environment(server.port, home, binary_directory))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(command, environment):
    process = None
    received = []

    def forward(number, _frame):
        received.append(number)
        if process is not None:
            process.send_signal(number)

    # Ctrl-C goes to the whole foreground group: the command decides what it
    # means, and this process stays to clean up. Handlers, unlike ignored
    # signals, are not inherited.
    signal.signal(signal.SIGINT, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        print(f"sandbox: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126
    # One that came before there was a process to send it to.
    for number in list(received):
        process.send_signal(number)
    code = process.wait()
    return code if code >= 0 else 128 - code


def _environment(port, home, binary_directory):
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "INDUCTIVA_"))
        and not name.lower().endswith("_proxy")
    }
    caller_home = os.path.expanduser("~")
    # A rustup shim or a virtual environment of the caller must keep working
    # although HOME is another.
    inherited.setdefault("CARGO_HOME", os.path.join(caller_home, ".cargo"))
    inherited.setdefault("RUSTUP_HOME", os.path.join(caller_home, ".rustup"))
    path = [binary_directory, os.path.dirname(sys.executable)]
    path += [inherited["PATH"]] if "PATH" in inherited else []
    return {
        **inherited,
        "PATH": os.pathsep.join(path),
        "HOME": home,
        "AWS_ACCESS_KEY_ID": SANDBOX_ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SANDBOX_SECRET_ACCESS_KEY,
        "AWS_REGION": DEFAULT_REGION,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}/{DEFAULT_ACCOUNT}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "INDUCTIVA_API_KEY": DEFAULT_API_KEY,
        "INDUCTIVA_API_URL": f"http://127.0.0.1:{port}/{DEFAULT_ACCOUNT}/inductiva",
        "INDUCTIVA_AWS_SANDBOX": f"http://127.0.0.1:{port}",
    }
