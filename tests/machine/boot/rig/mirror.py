"""The Debian mirror that machines install from."""

import hashlib
import shutil
import threading
import urllib.error
import urllib.request

from .servers import BaseHandler, Failures, Server


class DebianMirror:
    """This machine's own repositories, at /0/, /1/ …, kept in a directory.

    Packages are kept for good, indexes as long as the repository's InRelease
    file is the same.
    """

    def __init__(self, listener, uris, directory):
        self._uris = uris
        self._directory = directory
        self._locks = {}
        self._fresh = set()
        self._lock = threading.Lock()
        self._failures = Failures()
        self._asked = []
        outer = self

        class Handler(BaseHandler):
            def do_GET(self):
                outer._get(self)

            do_HEAD = do_GET

        self._server = Server(listener, Handler)

    def pace(self, bytes_per_second):
        self._server.bytes_per_second = bytes_per_second

    def fail(self, address, times):
        """The next so many requests of this machine are answered 503."""
        self._failures.order(address, times)

    def failures_left(self, address):
        return self._failures.left(address)

    def asked(self, address):
        """How many requests this machine has made."""
        return self._asked.count(address)

    def _get(self, handler):
        self._asked.append(handler.client_address[0])
        if self._failures.strike(handler.client_address[0]):
            handler.answer(503)
            return
        number, _, path = handler.path.lstrip("/").partition("/")
        if not number.isdecimal() or int(number) >= len(self._uris) or ".." in path:
            handler.answer(404)
            return
        file = self._file(int(number), path)
        if file is None:
            handler.answer(404)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(file.stat().st_size))
        handler.end_headers()
        if handler.command != "HEAD":
            with file.open("rb") as content:
                shutil.copyfileobj(content, handler.wfile)

    def _file(self, number, path):
        with self._lock:
            lock = self._locks.setdefault((number, path), threading.Lock())
        with lock:
            name = hashlib.sha256(self._uris[number].encode()).hexdigest()[:12]
            file = self._directory / name / path
            # Indexes are those of the InRelease file, which is asked for once.
            release = path.endswith("/InRelease")
            if not file.is_file() or (release and (number, path) not in self._fresh):
                self._fetch(number, path, file)
            if release:
                self._fresh.add((number, path))
            return file if file.is_file() else None

    def _fetch(self, number, path, file):
        """Leaves what is there when the repository has no answer."""
        file.parent.mkdir(parents=True, exist_ok=True)
        url = self._uris[number] + path
        partial = file.with_name(file.name + ".partial")
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                with partial.open("wb") as kept:
                    shutil.copyfileobj(answer, kept)
        except (urllib.error.URLError, OSError):
            partial.unlink(missing_ok=True)
            return
        changed = not file.is_file() or file.read_bytes() != partial.read_bytes()
        if path.endswith("/InRelease") and changed:
            for old in file.parent.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
        partial.replace(file)
