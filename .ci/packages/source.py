"""What is packed: name and version (of Cargo.toml), commit and date (of git)."""

import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "inductiva-aws"


@lru_cache
def package() -> dict:
    """The package, as `cargo metadata` shows it."""
    return metadata("--no-deps")["packages"][0]


def metadata(*options: str) -> dict:
    return json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", *options))


def target() -> str:
    """The triple of this system."""
    for line in said("rustc", "-vV").splitlines():
        if line.startswith("host: "):
            return line.removeprefix("host: ")
    raise AssertionError("rustc -vV says no host")


def version_variables() -> dict[str, str]:
    """The variables that `--version` is compiled with (src/cli/version.rs)."""
    commit = git("rev-parse", "--short=9", "HEAD")
    if git("status", "--porcelain", "--untracked-files=no"):
        commit += " with changes"
    date = git("log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%d")
    return {"INDUCTIVA_AWS_COMMIT": commit, "INDUCTIVA_AWS_COMMIT_DATE": date}


def commit_time() -> int:
    """Seconds since 1970: the time of every file in a package."""
    return int(git("log", "-1", "--format=%ct"))


def git(*arguments: str) -> str:
    return said("git", *arguments, TZ="UTC")


def said(*command: str, **environment: str) -> str:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout.strip()
