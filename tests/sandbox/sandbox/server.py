"""Starting the server, and ending it."""

import gc
import json
import sys
import threading

from .app import Application
from .http import Server
from .moto_library import load_models

# New objects after which Python looks whether some can go.
_GARBAGE_AFTER = 50_000


def bind():
    """A server that listens on a free port of 127.0.0.1 and serves already."""
    application = Application()
    server = Server(application)
    application.port = server.port
    server.start()
    # Botocore's service models take a while to load: they do so while the
    # client is still starting.
    threading.Thread(target=_load, daemon=True).start()
    return server


def _load():
    load_models()
    # They are there for good, and large: Python need not look through them again and
    # again for what can go, nor look so often for what accounts have left.
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER)


def serve_until_stdin_ends(server):
    """Prints `{"port": N}`, then waits: a parent that dies closes our stdin."""
    print(json.dumps({"port": server.port}), flush=True)
    while sys.stdin.buffer.read(65536):
        pass
