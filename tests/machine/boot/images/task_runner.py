"""Stand-in for the task runner's image: keeps its side of the contract.

It checks what the machine gave it, registers, asks for tasks until the API says
that it is over, and sends its last event. A machine that breaks the contract
gets a runner that exits 2 with a sentence about it.
"""

import http.client
import json
import os
import re
import signal
import socket
import stat
import sys
import time
import urllib.parse
from datetime import datetime, timezone

# Set by the image or by the container engine, not by the machine.
OF_THE_IMAGE = {"PATH", "HOME", "HOSTNAME", "LC_CTYPE"}
REQUIRED = {
    "API_URL": r"https?://.*[^/]",
    "USER_API_KEY": r"[A-Za-z0-9._-]+",
    "WORKDIR": r"/workdir",
    "EXECUTER_IMAGES_DIR": r"/executer-images",
    "HOST_NAME": r"i-[0-9a-f]{17}",
    "HOST_ID": r"i-[0-9a-f]{17}",
    "LOCAL_MODE": r"true",
    "FILE_TRACKER_HOST": r"127\.0\.0\.1",
}
# What programs in it, and those that it starts, go out by.
PROXY = {name for word in ("http", "https", "no") for name in (f"{word}_proxy", f"{word}_PROXY".upper())}
MACHINE_GROUP = {"MACHINE_GROUP_ID", "MACHINE_GROUP_NAME"}
POLL_SECONDS = 1


def say(words):
    print(words, flush=True)


def broken_contract():
    """Sentences about what the machine got wrong."""
    given = {k: v for k, v in os.environ.items() if k not in OF_THE_IMAGE}
    for name, pattern in REQUIRED.items():
        if not re.fullmatch(pattern, given.get(name, "")):
            yield f"{name} is missing or wrong"
    if len(MACHINE_GROUP & set(given)) != 1:
        yield "one of MACHINE_GROUP_ID and MACHINE_GROUP_NAME is to be set"
    if given.get("HOST_NAME") != given.get("HOST_ID"):
        yield "HOST_NAME and HOST_ID differ"
    if PROXY & set(given) and not PROXY <= set(given):
        yield "only some programs would know of the proxy"
    for name in sorted(set(given) - set(REQUIRED) - MACHINE_GROUP - PROXY):
        yield f"{name} is none of the runner's variables here"
    if os.getuid() != 1000:
        yield f"the user is {os.getuid()}"
    for directory in ("/workdir", "/executer-images"):
        if not os.path.ismount(directory):
            yield f"{directory} is not a volume"
        probe = os.path.join(directory, ".probe")
        try:
            with open(probe, "w", encoding="utf-8"):
                pass
            os.unlink(probe)
        except OSError as error:
            yield f"{directory} cannot be written to: {error.strerror}"
    if stat.S_IMODE(os.stat("/executer-images").st_mode) != 0o777:
        yield "/executer-images is not of mode 0777"
    if not os.path.exists("/dev/fuse"):
        yield "the container is not privileged: no /dev/fuse"


class Api:
    def __init__(self):
        self.url = urllib.parse.urlsplit(os.environ["API_URL"])

    def call(self, method, path, body=None, timeout=300):
        connection = http.client.HTTPConnection(self.url.netloc, timeout=timeout)
        headers = {
            "X-API-Key": os.environ["USER_API_KEY"],
            "User-Agent": "task-runner-stand-in",
            "Content-Type": "application/json",
        }
        text = None if body is None else json.dumps(body)
        connection.request(method, self.url.path + path, text, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content) if content else None


def group_id(api):
    if "MACHINE_GROUP_ID" in os.environ:
        return os.environ["MACHINE_GROUP_ID"]
    name = os.environ["MACHINE_GROUP_NAME"]
    status, group = api.call("GET", f"/compute/group/{urllib.parse.quote(name)}")
    if status == 200 and group["status"] == "started":
        return group["id"]
    made = {"provider_id": "LOCAL", "name": name, "disk_size_gb": 50}
    status, group = api.call("POST", "/compute/group", made)
    if status != 201:
        raise RuntimeError(f"no machine group: {status} {group}")
    return group["id"]


def register(api):
    cores = os.cpu_count()
    status, answer = api.call(
        "POST",
        "/task-runner/register",
        {
            "create_time": datetime.now(timezone.utc).isoformat(),
            "cpu_count_logical": cores,
            "cpu_count_physical": cores,
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "host_name": os.environ["HOST_NAME"],
            "host_id": os.environ["HOST_ID"],
            "machine_group_id": group_id(api),
            "mpi_cluster": False,
            "num_mpi_hosts": 1,
        },
    )
    if status != 202:
        raise RuntimeError(f"registration refused: {status} {answer}")
    return answer["task_runner_id"]


def last_event(api, runner_id, reason):
    """Tried for ever, as the real one does."""
    event = {
        "type": "TaskRunnerTerminated",
        "json": json.dumps({"uuid": runner_id, "reason": reason}),
    }
    while True:
        try:
            status, _ = api.call("POST", f"/task-runner/{runner_id}/event", event)
            if status < 300:
                return
            say(f"the event was refused: {status}")
        except (OSError, http.client.HTTPException) as error:
            say(f"the event was not taken: {error}")
        time.sleep(POLL_SECONDS)


def end_file_tracker():
    try:
        address = (os.environ["FILE_TRACKER_HOST"], 5000)
        with socket.create_connection(address, timeout=3) as tracker:
            tracker.sendall(b"terminate")
            tracker.recv(100)
    except OSError as error:
        say(f"the file tracker was not told: {error}")


def main():
    faults = list(broken_contract())
    if faults:
        for fault in faults:
            say(f"CONTRACT: {fault}")
        return 2
    api = Api()
    try:
        runner_id = register(api)
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        say(f"cannot start: {error}")
        return 1
    say(f"registered as {runner_id}")

    def terminated(_number, _frame):
        say("caught SIGTERM")
        last_event(api, runner_id, "interrupted")
        sys.exit(0)

    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGINT, terminated)
    while True:
        try:
            status, _ = api.call("GET", f"/task-runner/{runner_id}/task?block_s=0")
        except (OSError, http.client.HTTPException) as error:
            say(f"a poll was lost: {error}")
            break
        if 400 <= status < 500:
            say(f"over: {status}")
            break
        time.sleep(POLL_SECONDS)
    last_event(api, runner_id, "error")
    end_file_tracker()
    return 0


if __name__ == "__main__":
    sys.exit(main())
