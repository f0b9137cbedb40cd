"""The files of a package, whatever its format: the program, what it prints for man and
for the shells, and the licences."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packages import licences, source

SHELLS = {
    "bash": f"{source.NAME}.bash",
    "zsh": f"_{source.NAME}",
    "fish": f"{source.NAME}.fish",
}


class Unfit(Exception):
    """The program is not one that can be packed."""


@dataclass(frozen=True)
class Contents:
    program: bytes
    # Name of the file → what is in it.
    man_pages: dict[str, bytes]
    completions: dict[str, bytes]
    licence: bytes
    third_party: bytes
    readme: bytes
    version: str
    time: int

    @property
    def suffix(self) -> str:
        return ".exe" if self.program.startswith(b"MZ") else ""


def gather(program: Path) -> Contents:
    """Raises Unfit for a program of another version than Cargo.toml's."""
    program = program.resolve()
    version = source.package()["version"]
    printed = said(program, "--version").decode().split()
    if printed[:2] != [source.NAME, version]:
        raise Unfit(f"{program} is {' '.join(printed)}, and Cargo.toml has {version}")
    return Contents(
        program=program.read_bytes(),
        man_pages=man_pages(program),
        completions={
            file: said(program, "completions", shell) for shell, file in SHELLS.items()
        },
        licence=(source.ROOT / "LICENSE").read_bytes(),
        third_party=licences.text().encode(),
        readme=(source.ROOT / "README.md").read_bytes(),
        version=version,
        time=source.commit_time(),
    )


def man_pages(program: Path) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        said(program, "man", "--directory", folder)
        return {page.name: page.read_bytes() for page in sorted(Path(folder).iterdir())}


def said(program: Path, *arguments: str) -> bytes:
    # Nothing of the user's own is in what is packed.
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [program, *arguments],
            env={"HOME": home, "USERPROFILE": home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
