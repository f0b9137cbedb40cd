"""What a Linux program asks of the system that it runs on."""

import re


def glibc(program: bytes) -> tuple[int, ...] | None:
    """The newest version of glibc's symbols that it uses; none for what is no ELF file."""
    if not program.startswith(b"\x7fELF"):
        return None
    versions = re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", program)
    return max(numbers(version.decode()) for version in versions)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
