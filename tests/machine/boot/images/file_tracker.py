"""Stand-in for the file tracker's image: listens on port 5000 of FILE_TRACKER_HOST,
as the real one does (else of every address), and ends when it is told `terminate`
there."""

import os
import signal
import socket
import sys

OF_THE_IMAGE = {"PATH", "HOME", "HOSTNAME", "LC_CTYPE"}
REQUIRED = {"API_URL", "FILE_TRACKER_HOST", "USER_API_KEY", "ICE_URL", "WORKDIR"}


def main():
    given = set(os.environ) - OF_THE_IMAGE
    if given != REQUIRED:
        print(f"CONTRACT: the variables are {sorted(given)}", flush=True)
        return 2
    os.chdir(os.environ["WORKDIR"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = socket.create_server((os.environ["FILE_TRACKER_HOST"], 5000))
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
