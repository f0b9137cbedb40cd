"""Stand-in for the file tracker's image: listens on port 5000 of every address,
as the real one does, and ends when it is told `terminate` there."""

import os
import signal
import socket
import sys

OF_THE_IMAGE = {"PATH", "HOME", "HOSTNAME", "LC_CTYPE"}
REQUIRED = {"API_URL", "USER_API_KEY", "ICE_URL", "WORKDIR"}


def main():
    given = set(os.environ) - OF_THE_IMAGE
    if given != REQUIRED:
        print(f"CONTRACT: the variables are {sorted(given)}", flush=True)
        return 2
    os.chdir(os.environ["WORKDIR"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = socket.create_server(("0.0.0.0", 5000))
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            try:
                message = connection.recv(1024)
                connection.sendall(b"ACK")
            except OSError:
                continue
        if message == b"terminate":
            return 0


if __name__ == "__main__":
    sys.exit(main())
