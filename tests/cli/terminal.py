"""Runs a command on a terminal of its own, as a person would see it.

terminal.py STEP… -- COMMAND…

A STEP is `see:TEXT`, which waits until the command has shown TEXT since the
step before, `type:TEXT`, which types it, `put:PATH JSON`, which tells the
sandbox's control endpoint (the variable SANDBOX), or `post:PATH JSON`, the same, or
`held:`, which waits until a fault holds a call, or `run:LINE`, which a shell runs
to its end beside the command, or `browse:`, which opens the last address shown and
types what that page has between <code> and </code>. The variable SIZE is that of the
terminal, `24x80`. What the terminal showed goes to stdout, and the command's exit code is
this program's.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import urllib.request

# More than any machine needs.
PATIENCE_SECONDS = 180


def main(arguments):
    split = arguments.index("--")
    steps, command = arguments[:split], arguments[split + 1 :]
    pid, terminal = pty.fork()
    if pid == 0:
        if size := os.environ.pop("SIZE", ""):
            rows, columns = map(int, size.split("x"))
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvp(command[0], command)
    shown = bytearray()
    seen = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    for step in steps:
        kind, text = step.split(":", 1)
        if kind == "type":
            os.write(terminal, text.encode().decode("unicode_escape").encode())
            continue
        if kind == "browse":
            address = re.findall(rb"https?://\S+", shown)[-1].decode()
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(address) as page:
                code = re.search(rb"<code>(.*?)</code>", page.read())[1]
            os.write(terminal, code + b"\n")
            continue
        if kind == "run":
            subprocess.run(text, shell=True, check=True, stdin=subprocess.DEVNULL)
            continue
        if kind in ("put", "post"):
            ask(kind.upper(), *text.split(" ", 1))
            continue
        if kind == "held":
            while not any(fault["held"] for fault in ask("GET", "faults")):
                if time.monotonic() > deadline:
                    sys.exit(f"no call is held: {shown.decode()!r}")
                time.sleep(0.02)
            continue
        while (at := shown.find(text.encode(), seen)) < 0:
            if not read(terminal, shown, deadline):
                sys.exit(f"never showed {text!r}, but: {shown.decode()!r}")
        seen = at + len(text)
    while read(terminal, shown, deadline):
        pass
    sys.stdout.write(shown.decode().replace("\r\n", "\n"))
    sys.stdout.flush()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def ask(method, path, body=""):
    address = os.environ["SANDBOX"] + path
    request = urllib.request.Request(address, body.encode() or None, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def read(terminal, shown, deadline):
    """Adds what comes; False at the end."""
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    if not ready:
        sys.exit(f"still running after {PATIENCE_SECONDS} s: {shown.decode()!r}")
    try:
        more = os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the other side is closed.
        return False
    shown += more
    return bool(more)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
