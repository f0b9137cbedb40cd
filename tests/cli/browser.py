#!/usr/bin/env python3
"""A browser for tests: goes where it is sent, redirects and all.

With FORGE in the environment it first comes back with somebody else's answer. What
everybody can see of it is written down, as by the recorders of sandbox/leaks.rs.
"""

import contextlib
import os
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request


def visit(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as page:
            return page.status, page.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def write_down():
    # Not by way of another program, such as the AWS CLI.
    if "INDUCTIVA_AWS_OPEN_PAGE" not in os.environ:
        return
    folders = [f for f in os.environ["PATH"].split(":") if "/children-" in f]
    for what, file in (("argv", "cmdline"), ("environ", "environ")):
        # Other systems have no /proc.
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/self/{file}").read_bytes()
            seen = pathlib.Path(folders[0], f"{os.getpid()}.{what}")
            seen.write_bytes(text.replace(b"\0", b"\n"))


write_down()
url = sys.argv[1]
if "FORGE" in os.environ:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    forged = urllib.parse.urlencode({"code": "forged", "state": "forged"})
    assert visit(f"{query['redirect_uri'][0]}?{forged}")[0] == 404
visit(url)
