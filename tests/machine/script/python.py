"""The machine's python3: a process that has Python running already, and forks for
each call. To start Python anew takes longer than all else of a call, and
user-data.sh calls it some 3,000 times in these tests.

    python -IS python.py    listens; its first line on stdout is the port

A call is the stand-in `python3` of a test (`CLIENT`): it says which process it is,
and gets back with what to exit. What it was called with, its environment, its
folder and its streams are read from /proc.
"""

import contextlib
import os
import select
import socket
import sys
import traceback

# As user-data.sh's own lines do.
import fcntl  # noqa: F401
import json  # noqa: F401
import urllib.parse  # noqa: F401

CLIENT = """#!/bin/bash
# Copies, as redirections of single commands replace 0 to 2 for a moment.
exec 3<>/dev/tcp/127.0.0.1/{port} 10<&0 11>&1 12>&2
echo $$ >&3
read -r -u 3 code
exit "$code"
"""


def serve():
    """Until its stdin ends."""
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(server.getsockname()[1], flush=True)
    while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            answer(connection)
            os._exit(0)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def answer(connection):
    """Runs one call in a process of its own, and tells its exit code."""
    caller = connection.makefile().readline().strip()
    child = os.fork()
    if child == 0:
        connection.close()
        os._exit(run(f"/proc/{caller}"))
    _, status = os.waitpid(child, 0)
    connection.sendall(b"%d\n" % (os.waitstatus_to_exitcode(status) % 256))


def run(process):
    """What `python3 -c CODE ARGUMENTS…` would have done: the exit code."""
    with open(f"{process}/cmdline", "rb") as file:
        words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
    with open(f"{process}/environ", "rb") as file:
        pairs = [pair.partition(b"=") for pair in file.read().split(b"\0") if pair]
    os.environb.clear()
    os.environb.update({name: value for name, _, value in pairs})
    os.chdir(f"{process}/cwd")
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        stream = os.open(f"{process}/fd/{10 + number}", flags)
        os.dup2(stream, number)
        os.close(stream)
    # bash, the stand-in itself, -c, the code, its arguments
    code = 0
    sys.argv = ["-c", *words[4:]]
    try:
        exec(compile(words[3], "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        code = 120
    return code


if __name__ == "__main__":
    serve()
