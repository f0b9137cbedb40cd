"""A machine for user-data.sh without a machine: a directory for its root, and
stand-ins first and last in PATH for every command that would touch a real one.

Time is a file, <root>/proc/uptime, which the stand-in for `sleep` moves on: an
hour of the supervisor's takes as long as its calls. The API is a real HTTP
server, asked by the real curl.
"""

import atexit
import contextlib
import functools
import http.server
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import python

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parents[2] / "user-data.sh"
KEY = "k3y.Of-Nobody_0123456789abcdef"
ME = "i-0123456789abcdef0"
GROUP_ID = "6a2e3a36-4ad2-4d77-9d5e-3b2f6a1c7f10"
# Those before the supervisor's.
PHASES = ["deadlines", "container-engine", "images", "configuration"]

STAND_INS = (
    "apt-cache apt-get cloud-init curl docker dpkg findfs ip6tables iptables lsblk mdadm mkfs.ext4"
    " mount mountpoint poweroff reboot shutdown sleep sync sysctl systemctl systemd-run timeout wipefs"
).split()
# What the script may use of the system as it is; any other command is not found.
TOOLS = (
    "awk bash cat chmod cp cut date find grep install ln mkdir mv rm sed sh tail tee touch tr truncate"
).split()
# A script that makes no call for so long hangs, and so does one that has made so
# many calls: then no more of it is run. No test that passes comes near either,
# however slow the machine is.
PATIENCE_SECONDS = 40
MOST_CALLS = 3000


def entry(host_name=ME, task=None, terminated_at=None):
    """A machine as the API shows it."""
    return {
        "host_name": host_name,
        "started_at": "2025-01-01T00:00:00Z",
        "terminated_at": terminated_at,
        "last_seen_at": None,
        "current_task_id": task,
    }


def group(*machines, id=GROUP_ID, status="started"):
    return {"id": id, "name": "a group", "status": status, "machines": list(machines)}


class Api:
    """The Inductiva API: `answer(request)` gives a document, bytes, an HTTP
    status, a pair of both, or None for no answer at all."""

    def __init__(self, clock):
        self.requests = []
        self.answer = lambda request: group(entry())
        self.closing = threading.Event()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self):
                request = (self.command, self.path)
                api.requests.append((*request, dict(self.headers), clock()))
                answer = api.answer(request)
                if self.command == "DELETE" and isinstance(answer, dict):
                    answer = 202
                if answer is None:
                    api.closing.wait(PATIENCE_SECONDS)
                    return
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                if isinstance(answer, int):
                    status, body = answer, b"{}"
                if not isinstance(body, bytes):
                    body = json.dumps(body).encode()
                self.send_response(status)
                if body[:1] in (b"{", b"["):
                    self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_DELETE = do_POST = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_port

    def asked(self, method):
        return [path for m, path, _, _ in self.requests if m == method]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class Call:
    """One call of a stand-in."""

    def __init__(self, line):
        clock, command = line.split(" ", 1)
        self.clock = int(clock)
        self.argv = shlex.split(command)
        self.text = " ".join(self.argv)

    def __repr__(self):
        return f"{self.clock} {self.text}"


@functools.cache
def python_port():
    """Where this process's python3 listens; it ends with this process."""
    # Without the packages beside it, which the script does not use.
    process = subprocess.Popen(
        [sys.executable, "-IS", HERE / "python.py"],
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.communicate)
    return int(process.stdout.readline())


class MachineTest(unittest.TestCase):
    """A test with a fresh machine; afterwards the key is in no place but its own."""

    # For the run as a whole: what is called with the name of a test that hangs.
    on_hang = staticmethod(lambda name: None)

    def setUp(self):
        self.hangs = False
        self.case = Path(tempfile.mkdtemp(prefix="machine-"))
        self.addCleanup(shutil.rmtree, self.case)
        self.root = self.case / "root"
        for directory in (
            "bin tools replies timeline containers metadata root/dev root/proc/net"
            " root/var/lib/apt/lists root/var/lib/dpkg root/var/cache/apt/archives"
        ).split():
            (self.case / directory).mkdir(parents=True)
        self.write("root/dev/console", "")
        self.write("root/proc/uptime", "1000.00 1000.00\n")
        self.write("root/proc/net/if_inet6", "")
        self.write("metadata/instance-id", ME)
        self.be_machine(ME)
        self.write("root/proc/sys/kernel/random/boot_id", "5f0c6a5e-the-first-boot\n")
        self.write("key", KEY)
        self.write("calls", "")
        for name in STAND_INS:
            (self.case / "bin" / name).symlink_to(HERE / "stand-in")
        for name in TOOLS:
            (self.case / "tools" / name).symlink_to(self.real(name))
        self.write("tools/python3", python.CLIENT.format(port=python_port()))
        (self.case / "tools/python3").chmod(0o755)
        self.api = Api(self.clock)
        self.addCleanup(self.api.close)
        self.output = ""
        # What `start` puts into the preamble.
        self.variables = {
            "INDUCTIVA_API_KEY": KEY,
            "INDUCTIVA_API_URL": self.api.url,
            "MACHINE_GROUP_ID": GROUP_ID,
            "MACHINE_GROUP_NAME": "a group",
            "TASK_RUNNER_IMAGE": "registry.test/task-runner:main",
            "FILE_TRACKER_IMAGE": "registry.test/file-tracker:main",
            "MAX_IDLE_MINUTES": "1",
            "MAX_LIFETIME_SECONDS": "",
            "BOOT_TIMEOUT_SECONDS": "1800",
            "GPU": "false",
        }

    def tearDown(self):
        if (self.case / "console-of-the-test").exists():
            self.fail(self.read("console-of-the-test") + self.output)
        leaks = self.case / "key-in-environment"
        self.assertFalse(leaks.exists(), "the key is in a command's environment")
        self.assertNotIn(KEY, self.output)
        allowed = {self.case / "key", self.case / "part-001", self.env_file}
        for path in self.case.rglob("*"):
            if path.is_file() and not path.is_symlink() and path not in allowed:
                self.assertNotIn(KEY.encode(), path.read_bytes(), f"the key is in {path}")

    # --- The machine's parts ---

    @staticmethod
    def real(name):
        path = shutil.which(name)
        if path is None:
            raise RuntimeError(f"{name} is not installed; these tests need it")
        return os.path.realpath(path)

    @property
    def env_file(self):
        return self.root / "var/lib/inductiva-aws/containers.env"

    def write(self, name, text):
        path = self.case / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name):
        path = self.case / name
        return path.read_text() if path.exists() else ""

    def clock(self):
        return int(float(self.read("root/proc/uptime").split()[0]))

    def reply(self, name, code):
        """What the stand-in NAME or NAME-VERB does, before its own part."""
        self.write(f"replies/{name}", code + "\n")

    def at(self, seconds, code):
        """What happens when the machine is so old; the supervisor starts at 1000."""
        self.write(f"timeline/{1000 + seconds:06}", code + "\n")

    def long_pauses(self, seconds, after=0, before=100_000, of=5):
        """For a time in which there is nothing to see in between: each pause of so
        many seconds, the loop's if nothing else is said, is longer."""
        self.reply("sleep", f"[[ $1 != {of} ]] || ((clock < {after} || clock >= {before})) ||"
                            f" clock=$((clock + {seconds - of}))")

    def be_machine(self, id):
        """A machine of Nitro's kind: its board tells its id."""
        self.write("root/sys/class/dmi/id/board_asset_tag", f"{id}\n")

    def unit(self, name):
        return self.read(f"root/etc/systemd/system/{name}")

    # --- Running ---

    def environment(self):
        return {
            "PATH": f"{self.case}/bin:{self.case}/tools",
            "CASE": str(self.case),
            "STAND_IN": str(HERE / "stand-in"),
            "INDUCTIVA_AWS_ROOT": str(self.root),
            "REAL_CURL": self.real("curl"),
            "REAL_MV": self.real("mv"),
            "REAL_RM": self.real("rm"),
            "REAL_SLEEP": self.real("sleep"),
            "REAL_TIMEOUT": self.real("timeout"),
        }

    def run_bash(self, *argv):
        if self.hangs:
            self.fail("not run: the script hung before, in this test")
        process = subprocess.Popen(
            [self.real("bash"), *map(str, argv)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.case,
            start_new_session=True,
        )
        try:
            output = self.wait_for(process)
        finally:
            # A `sleep` that it left behind; on a machine systemd ends that.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.output += output
        return process.returncode

    def wait_for(self, process):
        """What the script says; a failure when it gets no further."""
        looks = 8
        calls = quiet = 0
        while quiet < looks and calls <= MOST_CALLS:
            try:
                return process.communicate(timeout=PATIENCE_SECONDS / looks)[0]
            except subprocess.TimeoutExpired:
                before, calls = calls, self.read("calls").count("\n")
                quiet = quiet + 1 if calls == before else 0
        self.hangs = True
        self.on_hang(self.id())
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        last = self.read("calls")[-3000:]
        self.fail(f"it hangs, after {calls} calls; its output and the last calls:\n{output}\n{last}")

    def boot(self, edit=lambda script: script, trace=False, **variables):
        """Runs user-data.sh below its preamble, as cloud-init does. A variable
        that is None is not in the preamble."""
        self.variables.update(variables)
        shebang, rest = SCRIPT.read_text().split("\n", 1)
        preamble = "".join(
            f"export {name}={shlex.quote(value)}\n"
            for name, value in self.variables.items()
            if value is not None
        )
        script = edit(rest)
        self.write("part-001", f"{shebang}\n{preamble}{'set -x' if trace else ':'}\n{script}")
        return self.run_bash(self.case / "part-001")

    def supervise(self, *bash_options):
        """Runs the supervisor until it ends by itself."""
        return self.run_bash(*bash_options, self.root / "var/lib/inductiva-aws/supervisor")

    def boot_and_supervise(self, **variables):
        self.assertEqual(self.boot(**variables), 0, self.output)
        self.forget()
        return self.supervise()

    def forget(self):
        """So that what comes is looked at alone."""
        self.write("calls", "")
        self.write("root/dev/console", "")

    # --- What was seen ---

    @property
    def console(self):
        return [
            line.removeprefix("inductiva-aws: ")
            for line in self.read("root/dev/console").splitlines()
        ]

    @property
    def phases(self):
        return [line.removeprefix("phase ") for line in self.console if line.startswith("phase ")]

    @property
    def failures(self):
        return [line for line in self.console if line.startswith("failed ")]

    def calls(self, beginning=""):
        calls = [Call(line) for line in self.read("calls").splitlines()]
        return [call for call in calls if call.text.startswith(beginning)]

    def texts(self, beginning=""):
        return [call.text for call in self.calls(beginning)]

    @property
    def ending(self):
        """The calls that end the machine."""
        return [
            text
            for text in self.texts("systemctl ")
            if "inductiva-aws-end" in text or "poweroff" in text
        ]

    ENDED = ["systemctl start --no-block inductiva-aws-end.service"]

    def assert_failed(self, reason):
        """One line says why, and the machine is ended once."""
        self.assertEqual(len(self.failures), 1, (self.failures, self.output))
        self.assertRegex(self.failures[0], "^failed " + reason)
        self.assertEqual(self.ending, self.ENDED)

    def container_arguments(self, name):
        """The arguments of the last `docker run` of that container."""
        runs = [c.argv[2:] for c in self.calls("docker run") if name in c.argv]
        self.assertTrue(runs, f"no docker run of {name}")
        return runs[-1]

    @property
    def log(self):
        """What commands said that the script does not repeat."""
        return self.read("root/var/log/inductiva-aws.log")

    def pauses(self):
        """Without those beside the pulls."""
        pauses = [int(call.argv[1]) for call in self.calls("sleep ")]
        return [pause for pause in pauses if pause != 3]
