"""The network of a company, on loopback, between the program and the sandbox.

network.py FOLDER HOST:PORT ACCOUNT

A TLS server with a certificate for AWS's names, by a CA of its own (FOLDER/ca.pem),
that passes requests on to the account in the sandbox at HOST:PORT; a proxy that
leads every CONNECT to that server and passes plain requests on; a proxy that
refuses; and one that wants a password. Prints their ports as JSON, and ends when
its stdin does. FOLDER/proxied has a line for what the proxy was asked for.
"""

import datetime
import ipaddress
import json
import pathlib
import socket
import ssl
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMES = [
    "*.eu-west-2.amazonaws.com",
    "*.us-east-1.amazonaws.com",
    "*.us-gov-west-1.amazonaws.com",
    "*.cn-north-1.amazonaws.com.cn",
    "*.sso.cn-north-1.amazonaws.com.cn",
]


def certify(subject, key, issuer, issuer_key, extensions, days=1):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def context(folder, ca, ca_key, label, days=1):
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(one) for one in NAMES]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    certificate = certify(
        name(label), key, ca.subject, ca_key, [x509.SubjectAlternativeName(names)], days
    )
    path = folder / f"{label}.pem"
    path.write_bytes(
        pem(certificate)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server


def serve(handle):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=quietly, args=(handle, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def quietly(handle, connection):
    with connection:
        try:
            handle(connection)
        except OSError:
            pass


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            return None
        head += more
    return head


def join(one, other):
    """Copies in both directions until one of them ends."""

    def copy(source, target):
        try:
            while more := source.recv(65536):
                target.sendall(more)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join()


def main(folder, sandbox, account):
    folder = pathlib.Path(folder)
    host, port = sandbox.split(":")
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = name("a company's CA")
    basic = x509.BasicConstraints(ca=True, path_length=None)
    ca = certify(ca_name, ca_key, ca_name, ca_key, [basic])
    (folder / "ca.pem").write_bytes(b"# the company's own\n" + pem(ca))
    lock = threading.Lock()

    def note(line):
        with lock, (folder / "proxied").open("a") as file:
            file.write(line + "\n")

    def to_sandbox(head, connection):
        """One exchange. A header names the account, as AWS's paths have none."""
        more = f"\r\nConnection: close\r\nX-Sandbox-Account: {account}\r\n".encode()
        with socket.create_connection((host, int(port))) as upstream:
            upstream.sendall(head.replace(b"\r\n", more, 1))
            join(connection, upstream)

    def tls(server_context):
        def handle(connection):
            with server_context.wrap_socket(connection, server_side=True) as inside:
                if (head := read_head(inside)) is not None:
                    to_sandbox(head, inside)

        return handle

    tls_port = serve(tls(context(folder, ca, ca_key, "server")))

    def proxy(connection):
        head = read_head(connection)
        if head is None:
            return
        method, target = head.decode().split(" ")[:2]
        note(target)
        if method == "CONNECT":
            with socket.create_connection(("127.0.0.1", tls_port)) as upstream:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                join(connection, upstream)
        else:
            path = "/" + target.split("/", 3)[3]
            to_sandbox(head.replace(target.encode(), path.encode(), 1), connection)

    def refuse(status):
        def handle(connection):
            read_head(connection)
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        return handle

    ports = {
        "tls": tls_port,
        "expired": serve(tls(context(folder, ca, ca_key, "expired", days=-1))),
        "proxy": serve(proxy),
        "refusing": serve(refuse("403 Forbidden")),
        "guarded": serve(refuse("407 Proxy Authentication Required")),
    }
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


main(*sys.argv[1:])
