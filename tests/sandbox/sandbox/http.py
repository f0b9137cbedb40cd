"""A small threaded HTTP/1.1 server with keep-alive.

werkzeug's own server closes every connection after one answer; the clients
under test keep theirs open, and the benchmark counts on it. Python's own
http.server took a third of the tests' time for setting up: it starts a thread
for each connection, and reads the head of each request as e-mail.
"""

import json
import select
import socket
import struct
import threading
import traceback
from dataclasses import dataclass, field
from http import HTTPStatus

# A start of many machines, or many tests, connect at once.
_BACKLOG = 512
# More threads than this that wait for a connection end.
_MOST_IDLE = 32
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NAMED = frozenset(HTTPStatus)


class Headers(dict):
    """By names in whatever case."""

    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def __getitem__(self, name):
        return super().__getitem__(name.lower())


@dataclass
class Request:
    method: str
    path: str  # percent-encoded, as it came
    query: str
    headers: Headers
    body: bytes
    whole_path: str = "/"  # the path with the account's prefix, as it was signed
    has_gone: object = lambda: False  # whether the client has hung up

    def json(self):
        """The body as JSON, None when empty; ValueError when it is not JSON."""
        return json.loads(self.body) if self.body else None


@dataclass
class Response:
    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    # Whether its body ends with the connection, and not by its length.
    until_close: bool = False
    # By how much its Date differs from the account's clock.
    date_offset_seconds: float = 0

    @classmethod
    def of_json(cls, value, status=200):
        body = json.dumps(value, default=str).encode()
        return cls(status, body, {"Content-Type": "application/json"})


class ConnectionDropped(Exception):
    """Raised by the application to end the connection without an answer."""

    def __init__(self, reset):
        super().__init__("reset" if reset else "closed")
        self.reset = reset


class Server:
    """Each thread serves one connection after another. When the last one that waits
    has got one, it starts another."""

    def __init__(self, application):
        self._application = application
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._idle = 0
        self._lock = threading.Lock()

    @property
    def port(self):
        return self._listener.getsockname()[1]

    def start(self):
        with self._lock:
            self._idle += 1
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            accepted, _ = self._listener.accept()
            with self._lock:
                self._idle -= 1
                is_last = self._idle == 0
            if is_last:
                self.start()
            try:
                _Connection(accepted, self._application).serve()
            except OSError:
                pass  # clients that go away are part of what is tested
            finally:
                accepted.close()
            with self._lock:
                if self._idle >= _MOST_IDLE:
                    return
                self._idle += 1


class _Connection:
    def __init__(self, accepted, application):
        # Small answers on kept connections would wait 40 ms for a delayed ACK.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = accepted
        self._application = application
        self._is_kept = True

    def serve(self):
        with self._socket.makefile("rb") as self._input:
            while self._is_kept and (line := self._input.readline()):
                request = self._request(line.decode("latin-1").split())
                if request is None:
                    self._write("GET", Response(400))
                    return
                self._answer(request)

    def _answer(self, request):
        try:
            response = self._application(request)
        except ConnectionDropped as dropped:
            self._is_kept = False
            if dropped.reset:
                # Linger of zero seconds: close sends RST rather than FIN.
                self._socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            return
        except Exception:
            traceback.print_exc()
            response = Response(500, b"the sandbox failed; see its stderr\n")
        self._write(request.method, response)

    def _request(self, words):
        """None when it is not HTTP."""
        if len(words) != 3:
            return None
        method, target, version = words
        headers = Headers()
        while (line := self._whole(self._input.readline())) not in (b"\r\n", b"\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers.setdefault(name.lower(), value.strip())
        connection = headers.get("Connection", "").lower()
        self._is_kept = version == "HTTP/1.1" and connection != "close"
        if headers.get("Expect", "").lower() == "100-continue":
            self._socket.sendall(_CONTINUE)
        if "chunked" in headers.get("Transfer-Encoding", "").lower():
            body = self._chunks()
        else:
            length = int(headers.get("Content-Length") or 0)
            body = self._whole(self._input.read(length), length) if length else b""
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, body, has_gone=self._has_gone)

    @staticmethod
    def _whole(read, length=1):
        """Raises OSError when the client has gone in the middle of it."""
        if len(read) < length:
            raise ConnectionAbortedError
        return read

    def _has_gone(self):
        """A client that waits for an answer sends nothing: what can be read is the
        end of its connection."""
        readable, _, _ = select.select([self._socket], [], [], 0)
        try:
            return bool(readable) and not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _chunks(self):
        chunks = []
        while True:
            size = int(self._input.readline().split(b";")[0], 16)
            chunks.append(self._input.read(size))
            self._input.readline()
            if size == 0:
                return b"".join(chunks)

    def _write(self, method, response):
        status = response.status
        # EC2 has some that no standard names.
        phrase = HTTPStatus(status).phrase if status in _NAMED else "Error"
        head = [f"HTTP/1.1 {status} {phrase}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.until_close:
            self._is_kept = False
        elif status != HTTPStatus.NO_CONTENT:
            head.append(f"Content-Length: {len(response.body)}")
        if not self._is_kept:
            head.append("Connection: close")
        answer = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        if method != "HEAD" and status != HTTPStatus.NO_CONTENT:
            answer += response.body
        self._socket.sendall(answer)
