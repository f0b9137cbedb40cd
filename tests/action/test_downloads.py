"""A release that is downloaded."""

import hashlib
import http.server
import io
import re
import signal
import tarfile
import threading

from job import PROGRAM, ROOT, ActionTest, until

VERSION = "9.8.7"
NAME = f"inductiva-aws-{VERSION}-x86_64-unknown-linux-gnu"
RELEASE = f"/someone/simulations/releases/download/v{VERSION}/"


def archive():
    """As .ci/release packs it; the program in it is the one that is built."""
    script = f'#!/bin/sh\nexec {PROGRAM} "$@"\n'.encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo(f"{NAME}/inductiva-aws")
        entry.size, entry.mode = len(script), 0o755
        tar.addfile(entry, io.BytesIO(script))
    return packed.getvalue()


class Downloads(ActionTest):
    def setUp(self):
        super().setUp()
        packed = archive()
        sum_of_it = hashlib.sha256(packed).hexdigest()
        self.files = {
            f"{RELEASE}{NAME}.tar.gz": packed,
            f"{RELEASE}SHA256SUMS": f"{'0' * 64}  other.whl\n{sum_of_it}  {NAME}.tar.gz\n".encode(),
        }
        # Answers that the server gives before those, and requests that it holds.
        self.failures = []
        self.asked = []
        self.let_go = threading.Event()
        self.let_go.set()
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                test.asked.append(self.path)
                test.let_go.wait()
                status = test.failures.pop(0) if test.failures else 200
                content = test.files.get(self.path)
                if content is None:
                    status = 404
                self.send_response(status)
                self.end_headers()
                if status == 200:
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """A step that was killed reads nothing more."""

        server = Server(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.job.environment["GITHUB_SERVER_URL"] = f"http://127.0.0.1:{server.server_port}"
        self.job.environment["GITHUB_ACTION_REPOSITORY"] = "someone/simulations"

    def test_a_release_that_is_what_its_sums_say_launches_and_ends(self):
        self.failures = [503]
        step = self.job.step(path="", version=VERSION)
        self.assertEqual(step.main(), 0, step.log)
        self.assertEqual(len(self.account.live()), 1)
        self.assertEqual(step.post(), 0, step.log)
        self.assertEqual(self.account.live(), [])

    def test_a_release_that_is_not_what_its_sums_say_is_not_run(self):
        archive_path, sums_path = self.files
        for path, content in (
            (archive_path, self.files[archive_path] + b"\0"),
            (sums_path, b""),
            (sums_path, self.files[sums_path].replace(NAME.encode(), b"x" + NAME.encode())),
        ):
            with self.subTest(path):
                kept = self.files[path]
                self.files[path] = content
                step = self.job.step(path="", version=f"v{VERSION}")
                self.assertEqual(step.main(), 1, step.log)
                self.assertIn("is not what SHA256SUMS says", step.errors[0])
                self.assertEqual(step.post(), 0, step.log)
                self.files[path] = kept
        self.assertEqual(self.account.get("requests"), [])

    def test_a_release_that_is_not_there_is_told_and_so_is_no_version(self):
        for version, told in (("1.0.0", "HTTP 404"), ("../1.0.0", "not a version")):
            step = self.job.step(path="", version=version)
            self.assertEqual(step.main(), 1, step.log)
            self.assertIn(told, step.errors[0])
        self.assertNotIn("..", "".join(self.asked))

    def test_the_version_is_the_actions_own_unless_one_is_given(self):
        manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
        version = re.search(r'^version = "(.+)"$', manifest, re.MULTILINE)[1]
        step = self.job.step(path="")
        self.assertEqual(step.main(), 1, step.log)
        [asked] = self.asked
        self.assertTrue(asked.endswith(f"/releases/download/v{version}/SHA256SUMS"), asked)

    def test_a_step_that_is_cut_off_while_it_downloads_has_launched_nothing(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number):
                self.let_go.clear()
                self.asked.clear()
                step = self.job.step(path="", version=VERSION)
                step.begin()
                until("it downloads", lambda: self.asked)
                step.process.send_signal(number)
                if number == signal.SIGKILL:
                    step.process.wait()
                self.let_go.set()
                self.assertNotEqual(step.end(), 0, step.log)
                self.assertEqual(step.post(), 0, step.log)
                self.assertIn("nothing was launched", step.log)
        self.assertEqual(self.account.get("requests"), [])
