"""Starting the server, and ending it."""

import json
import sys
import threading

from .app import Application
from .http import Server
from .moto_library import load_models


def bind():
    """A server that listens on a free port of 127.0.0.1 and serves already."""
    application = Application()
    server = Server(application)
    application.port = server.port
    server.start()
    # Botocore's service models take a while to load: they do so while the
    # client is still starting.
    threading.Thread(target=load_models, daemon=True).start()
    return server


def serve_until_stdin_ends(server):
    """Prints `{"port": N}`, then waits: a parent that dies closes our stdin."""
    print(json.dumps({"port": server.port}), flush=True)
    while sys.stdin.buffer.read(65536):
        pass
