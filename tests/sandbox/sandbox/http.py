"""A small threaded HTTP/1.1 server with keep-alive.

werkzeug's own server closes every connection after one answer; the clients
under test keep theirs open, and the benchmark counts on it.
"""

import json
import select
import socket
import socketserver
import struct
import traceback
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler


@dataclass
class Request:
    method: str
    path: str  # percent-encoded, as it came
    query: str
    headers: object  # case-insensitive, with .get()
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


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # A start of many machines, or many tests, connect at once.
    request_queue_size = 512

    def __init__(self, application):
        self.application = application
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        """Clients that go away are part of what is tested: no traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Small answers on kept connections would wait 40 ms for a delayed ACK.
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self):
        try:
            response = self.server.application(self._read_request())
        except ConnectionDropped as dropped:
            self._drop(dropped.reset)
            return
        except Exception:
            traceback.print_exc()
            response = Response(500, b"the sandbox failed; see its stderr\n")
        self._write(response)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _answer

    def handle_expect_100(self):
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _read_request(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._read_chunks()
        return Request(
            self.command, path, query, self.headers, body, has_gone=self._has_gone
        )

    def _has_gone(self):
        """A client that waits for an answer sends nothing: what can be read is the
        end of its connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _read_chunks(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return b""
        chunks = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return b"".join(chunks)

    def _write(self, response):
        status = HTTPStatus(response.status)
        head = [f"HTTP/1.1 {status.value} {status.phrase}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.until_close:
            self.close_connection = True
        elif status != HTTPStatus.NO_CONTENT:
            head.append(f"Content-Length: {len(response.body)}")
        if self.close_connection:
            head.append("Connection: close")
        self.wfile.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
        if self.command != "HEAD" and status != HTTPStatus.NO_CONTENT:
            self.wfile.write(response.body)
        self.wfile.flush()

    def _drop(self, reset):
        self.close_connection = True
        if reset:
            # Linger of zero seconds: close sends RST rather than FIN.
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self.connection.close()

    def log_message(self, format, *args):
        """No access log: the recorder is better, and stderr is the command's."""
