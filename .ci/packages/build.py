"""The release build: one binary that says nothing of the machine that built it.

For Linux it is built against glibc 2.17, the oldest that Rust itself supports (that of
RHEL 7, of 2014), with zig as the C compiler and linker. Elsewhere it is a plain cargo build.
"""

import os
import subprocess
import sys
from pathlib import Path

from packages import elf, source

GLIBC = "2.17"
# Of what is downloaded once a job: CONTRIBUTING.md, "How fast".
MOST_BYTES = 15_000_000
# A release does not unwind (Cargo.toml): a tenth of it would be tables that say how.
NOTHING_UNWINDS = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]
# The oldest macOS that Rust supports, on each of its processors.
MACOS = {"aarch64-apple-darwin": "11.0", "x86_64-apple-darwin": "10.12"}


class Unfit(Exception):
    """The program is built, but is not what a release promises."""


def build(directory: Path) -> Path:
    """Builds the program for this system below a target directory; its path."""
    directory = directory.resolve()
    target = source.target()
    # What is fetched says where the sources of the crates are.
    cargo("fetch", "--locked", "--target", target)
    environment = {
        **os.environ,
        **source.version_variables(),
        "CARGO_TARGET_DIR": str(directory),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(rust_flags(directory, target)),
        "SOURCE_DATE_EPOCH": str(source.commit_time()),
    }
    if target in MACOS:
        environment["MACOSX_DEPLOYMENT_TARGET"] = MACOS[target]
    if "windows" not in target:
        # C sources: aws-lc has the place of each error in it.
        flags = [f"-ffile-prefix-map={a}={b}" for a, b in neutral_paths(directory)]
        if "linux" in target:
            flags += NOTHING_UNWINDS
        environment[f"CFLAGS_{target.replace('-', '_')}"] = " ".join(flags)
    command = ["build", "--release", "--locked", "--target", target]
    if "linux" in target:
        command[0] = "zigbuild"
        command[-1] += f".{GLIBC}"
    cargo(*command, environment=environment)
    suffix = ".exe" if "windows" in target else ""
    program = directory / target / "release" / f"{source.NAME}{suffix}"
    check(program)
    return program


def check(program: Path) -> None:
    """Raises Unfit."""
    contents = program.read_bytes()
    if len(contents) > MOST_BYTES:
        raise Unfit(f"{program} has {len(contents)} bytes, more than {MOST_BYTES}")
    needed = elf.glibc(contents)
    if needed is not None and needed > elf.numbers(GLIBC):
        raise Unfit(f"{program} needs glibc {needed}, newer than {GLIBC}")
    home = str(Path.home()).encode()
    for path in (home + b"/", bytes(source.ROOT)):
        if path in contents:
            raise Unfit(f"{program} has a path of this machine in it: {path.decode()}")


def rust_flags(directory: Path, target: str) -> list[str]:
    flags = [f"--remap-path-prefix={a}={b}" for a, b in neutral_paths(directory)]
    if "linux" in target:
        flags.append("-Cforce-unwind-tables=no")
    return flags


def neutral_paths(directory: Path) -> list[tuple[str, str]]:
    """Paths of this machine, and what stands for them; of two that fit, rustc takes the later."""
    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    sysroot = source.said("rustc", "--print", "sysroot")
    commit = next(
        line.removeprefix("commit-hash: ")
        for line in source.said("rustc", "-vV").splitlines()
        if line.startswith("commit-hash: ")
    )
    return [
        (str(source.ROOT), "/inductiva-aws"),
        *((str(index), "/crates") for index in sorted((cargo_home / "registry/src").iterdir())),
        (str(Path(sysroot) / "lib/rustlib/src/rust"), f"/rustc/{commit}"),
        (str(directory), "/target"),
    ]


def cargo(*arguments: str, environment: dict[str, str] | None = None) -> None:
    # stdout is for paths that a script reads.
    subprocess.run(
        ["cargo", *arguments], cwd=source.ROOT, env=environment, stdout=sys.stderr, check=True
    )

