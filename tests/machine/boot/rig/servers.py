"""What a machine reaches: instance metadata, a key store, and what stands between it
and others."""

import base64
import http.server
import json
import os
import secrets
import socket
import ssl
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from .host import Broken

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from signatures import signed_for  # noqa: E402


# Of <asm-generic/socket.h>; Python has no name for it.
_SO_MAX_PACING_RATE = 47


def _pace(connection, bytes_per_second):
    """The most that goes out on it; None for no limit."""
    if bytes_per_second:
        connection.setsockopt(
            socket.SOL_SOCKET, _SO_MAX_PACING_RATE, bytes_per_second
        )


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    bytes_per_second = None

    def __init__(self, listener, handler):
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        _pace(connection, self.bytes_per_second)
        return connection, address

    def handle_error(self, request, client_address):
        """A machine that is switched off drops its connections."""


class BaseHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """No access log."""


class InstanceMetadata:
    """169.254.169.254, version 2 alone: without a token from PUT, 401.

    Each machine is told its own: it is known by its address.
    """

    def __init__(self, listener):
        self._machines = {}
        self._tokens = set()
        outer = self

        class Handler(BaseHandler):
            def do_PUT(self):
                outer._put(self)

            def do_GET(self):
                outer._get(self)

            do_HEAD = do_GET

        Server(listener, Handler)

    def tell(self, address, mac, instance_id, region, user_data):
        name = f"ip-{address.replace('.', '-')}.{region}.internal"
        zone = f"{region}a"
        document = {
            "instanceId": instance_id,
            "region": region,
            "availabilityZone": zone,
            "instanceType": "t2.micro",
            "privateIp": address,
        }
        self._machines[address] = {
            "user-data": user_data,
            "meta-data": {
                "instance-id": instance_id,
                "ami-id": "ami-0123456789abcdef0",
                "instance-type": "t2.micro",
                "local-ipv4": address,
                "local-hostname": name,
                "hostname": name,
                "mac": mac,
                "network": {
                    "interfaces": {
                        "macs": {
                            mac: {
                                "device-number": "0",
                                "local-ipv4s": address,
                                "mac": mac,
                                "subnet-ipv4-cidr-block": "172.31.0.0/16",
                            }
                        }
                    }
                },
                "placement": {"availability-zone": zone, "region": region},
            },
            "dynamic": {
                "instance-identity": {"document": json.dumps(document)},
            },
        }

    def give_role(self, address, name, role):
        """An instance profile: the role's credentials, and where to use them."""
        about = self._machines[address]["meta-data"]
        about["iam"] = {"security-credentials": {name: json.dumps(role)}}
        about["services"] = {"domain": "amazonaws.com", "partition": "aws"}

    def spot_notice(self, address, time):
        """Tells the machine that its capacity is taken back."""
        notice = json.dumps({"action": "terminate", "time": time})
        self._machines[address]["meta-data"]["spot"] = {
            "instance-action": notice,
            "termination-time": time,
        }

    def _put(self, handler):
        seconds = handler.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        if handler.path != "/latest/api/token" or not seconds:
            handler.answer(400)
            return
        token = secrets.token_urlsafe(40)
        self._tokens.add(token)
        handler.answer(200, token.encode())

    def _get(self, handler):
        if handler.headers.get("X-aws-ec2-metadata-token") not in self._tokens:
            handler.answer(401)
            return
        # The first part is the version: latest or a date.
        _, version, *path = handler.path.partition("?")[0].split("/")
        value = self._machines.get(handler.client_address[0])
        if value is None or not version:
            handler.answer(404)
            return
        for part in filter(None, path):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            handler.answer(404)
        elif isinstance(value, dict):
            names = (k + "/" if isinstance(v, dict) else k for k, v in value.items())
            handler.answer(200, "\n".join(names).encode())
        else:
            handler.answer(200, value if isinstance(value, bytes) else value.encode())


class Failures:
    """How many more of a machine's requests are to fail."""

    def __init__(self):
        self._left = {}
        self._lock = threading.Lock()

    def order(self, address, times):
        self._left[address] = times

    def left(self, address):
        return self._left.get(address, 0)

    def strike(self, address):
        """Whether this request is to fail."""
        with self._lock:
            left = self.left(address)
            self._left[address] = max(0, left - 1)
            return left > 0


class Forward:
    """Connections to a listener go on, by way of `connect()`."""

    def __init__(self, listener, connect, bytes_per_second=None):
        self._connect = connect
        self._listener = listener
        self._bytes_per_second = bytes_per_second
        self._failures = Failures()
        threading.Thread(target=self._serve, daemon=True).start()

    def fail(self, address, times):
        """The next so many connections of this machine are closed at once."""
        self._failures.order(address, times)

    def failures_left(self, address):
        return self._failures.left(address)

    def close(self):
        # Wakes the thread that is waiting in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, (address, _) = self._listener.accept()
            except OSError:
                return
            if self._failures.strike(address):
                client.close()
                continue
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            _pace(client, self._bytes_per_second)
            server.settimeout(None)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=_copy, args=(source, sink), daemon=True
                ).start()


def _copy(source, sink):
    """Within the kernel: copying here would take time from the machines."""
    out, into = os.pipe()
    try:
        while some := os.splice(source.fileno(), into, 1 << 20):
            while some:
                some -= os.splice(out, sink.fileno(), some)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
    finally:
        os.close(out)
        os.close(into)


class Proxy:
    """An HTTP proxy: whoever has its password reaches the hosts that it knows."""

    USER = "someone"
    PASSWORD = "word-of-the-proxy"

    def __init__(self, listener, addresses, connect):
        self.hosts = set()
        self._addresses = addresses
        self._connect = connect
        outer = self

        class Handler(BaseHandler):
            def do_CONNECT(self):
                host, _, port = self.path.partition(":")
                server = outer._reach(self, host, int(port))
                if server is None:
                    return
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(
                    target=_copy, args=(server, self.connection), daemon=True
                )
                back.start()
                _copy(self.connection, server)
                back.join()
                self.close_connection = True

            def do_GET(self):
                address = urllib.parse.urlsplit(self.path)
                server = outer._reach(self, address.hostname, address.port or 80)
                if server is None:
                    return
                lines = [f"{self.command} {address.path} HTTP/1.1"]
                lines += [
                    f"{name}: {value}"
                    for name, value in self.headers.items()
                    if not name.lower().startswith("proxy-")
                ]
                lines += ["Connection: close", "", ""]
                server.sendall("\r\n".join(lines).encode())
                _copy(server, self.connection)
                self.close_connection = True

            do_HEAD = do_GET

        Server(listener, Handler)

    @property
    def user_info(self):
        return f"{self.USER}:{self.PASSWORD}"

    def _reach(self, handler, host, port):
        expected = base64.b64encode(self.user_info.encode()).decode()
        if handler.headers["Proxy-Authorization"] != f"Basic {expected}":
            handler.send_response(407)
            handler.send_header("Proxy-Authenticate", "Basic")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        if host not in self._addresses:
            handler.answer(502)
            return None
        self.hosts.add(host)
        server = self._connect(self._addresses[host], port)
        server.settimeout(None)
        return server


class KeyStore:
    """Systems Manager, which keeps one parameter for one role."""

    NAME = "/inductiva/api-key"
    ROLE = {
        "Code": "Success",
        "AccessKeyId": "ASIA0000000000000000",
        "SecretAccessKey": "the-secret-of/the+role",
        "Token": "the-token-of-the-role==",
    }

    def __init__(self, listener, certificate, region):
        self.key = None
        self.asked = 0
        outer = self

        class Handler(BaseHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                signed = signed_for(outer.ROLE, self.path, self.headers, body)
                right = {"Name": outer.NAME, "WithDecryption": True}
                if signed != ("ssm", region) or json.loads(body) != right:
                    answer, status = {"__type": "AccessDeniedException"}, 400
                else:
                    answer, status = {"Parameter": {"Value": outer.key}}, 200
                self.answer(status, json.dumps(answer).encode())

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        Server(context.wrap_socket(listener, server_side=True), Handler)


class BlackHole:
    """Takes connections and says nothing."""

    def __init__(self, listener):
        self._connections = []
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener):
        while True:
            self._connections.append(listener.accept()[0])


def request_json(method, url, body=None):
    """An HTTP call to a server of the rig's own; its JSON answer, or None."""
    text = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, text, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            content = answer.read()
    except urllib.error.HTTPError as error:
        raise Broken(f"{method} {url}: {error.code} {error.read()[:500]}") from None
    return json.loads(content) if content else None
