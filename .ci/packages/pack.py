"""The formats: .tar.gz or .zip, .deb and wheel. The same contents give the same bytes."""

import base64
import gzip
import hashlib
import io
import tarfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packages import elf, source
from packages.contents import Contents, gather

SUMS = "SHA256SUMS"
# What is in a release: the names of its files end so.
ARTEFACTS = (".tar.gz", ".zip", ".deb", ".whl")

# Path in the package → contents and mode.
Files = Mapping[str, tuple[bytes, int]]


def pack(program: Path, directory: Path) -> None:
    """Packs a program of this system into all its formats."""
    directory.mkdir(parents=True, exist_ok=True)
    contents = gather(program)
    target = source.target()
    folder = f"{source.NAME}-{contents.version}-{target}"
    files = {f"{folder}/{path}": file for path, file in archive_files(contents).items()}
    if contents.suffix:
        write(directory / f"{folder}.zip", zipped(files, contents.time))
    else:
        write(directory / f"{folder}.tar.gz", tar_gz(files, contents.time))
    if target == "x86_64-unknown-linux-gnu":
        write(directory / f"{source.NAME}_{contents.version}_amd64.deb", deb(contents))
    name, files = wheel(contents, target)
    write(directory / name, zipped(files, contents.time))


def write(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    print(path)


def write_sums(directory: Path) -> None:
    """For `sha256sum --check SHA256SUMS` in that directory."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(directory.iterdir())
        if file.name.endswith(ARTEFACTS)
    ]
    write(directory / SUMS, "".join(lines).encode())


def archive_files(contents: Contents) -> Files:
    return {
        source.NAME + contents.suffix: (contents.program, 0o755),
        "LICENSE": (contents.licence, 0o644),
        "README.md": (contents.readme, 0o644),
        "THIRD-PARTY-LICENSES": (contents.third_party, 0o644),
        **{f"man/{name}": (page, 0o644) for name, page in contents.man_pages.items()},
        **{f"completions/{name}": (text, 0o644) for name, text in contents.completions.items()},
    }


def deb(contents: Contents) -> bytes:
    """deb(5): an ar archive of two tar archives. Debian's own tool is not everywhere."""
    completions = iter(contents.completions.values())
    share = "usr/share"
    files = {
        f"usr/bin/{source.NAME}": (contents.program, 0o755),
        f"{share}/bash-completion/completions/{source.NAME}": (next(completions), 0o644),
        f"{share}/zsh/vendor-completions/_{source.NAME}": (next(completions), 0o644),
        f"{share}/fish/vendor_completions.d/{source.NAME}.fish": (next(completions), 0o644),
        f"{share}/doc/{source.NAME}/copyright": (copyright_file(contents), 0o644),
        **{
            f"{share}/man/man1/{name}.gz": (gzipped(page, 0), 0o644)
            for name, page in contents.man_pages.items()
        },
    }
    package = source.package()
    major, minor = elf.glibc(contents.program)[:2]
    control = "\n".join(
        [
            f"Package: {source.NAME}",
            f"Version: {contents.version}",
            "Architecture: amd64",
            f"Maintainer: {package['metadata']['deb']['maintainer']}",
            f"Installed-Size: {sum(len(file) for file, _ in files.values()) // 1024}",
            f"Depends: libc6 (>= {major}.{minor}), ca-certificates",
            "Section: science",
            "Priority: optional",
            f"Homepage: {package['homepage']}",
            f"Description: {package['description']}",
            "",
        ]
    )
    sums = "".join(
        f"{hashlib.md5(file).hexdigest()}  {path}\n" for path, (file, _) in files.items()
    )
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": tar_gz(
            {"./control": (control.encode(), 0o644), "./md5sums": (sums.encode(), 0o644)},
            contents.time,
        ),
        "data.tar.gz": tar_gz({f"./{path}": file for path, file in files.items()}, contents.time),
    }
    archive = b"!<arch>\n"
    for name, part in parts.items():
        header = f"{name:<16}{contents.time:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n"
        archive += header.encode() + part + b"\n" * (len(part) % 2)
    return archive


def copyright_file(contents: Contents) -> bytes:
    return contents.licence + b"\n" + contents.third_party


# The oldest systems that pip may install a wheel on, beside Linux, by Rust's triples.
PLATFORMS = {
    "aarch64-apple-darwin": "macosx_11_0_arm64",
    "x86_64-apple-darwin": "macosx_10_12_x86_64",
    "x86_64-pc-windows-msvc": "win_amd64",
}


def wheel(contents: Contents, target: str) -> tuple[str, Files]:
    """The name and the files of a wheel that holds nothing but the program and its man
    pages ("Binary distribution format", PyPA specifications). Not maturin's, which
    packs only what it has compiled itself."""
    glibc = elf.glibc(contents.program)
    platform = f"manylinux_{glibc[0]}_{glibc[1]}_x86_64" if glibc else PLATFORMS[target]
    tag = f"py3-none-{platform}"
    stem = f"{source.NAME.replace('-', '_')}-{contents.version}"
    package = source.package()
    metadata = "\n".join(
        [
            "Metadata-Version: 2.4",
            f"Name: {source.NAME}",
            f"Version: {contents.version}",
            f"Summary: {package['description']}",
            f"Keywords: {','.join(package['keywords'])}",
            f"Home-page: {package['homepage']}",
            f"Project-URL: Source, {package['repository']}",
            f"License-Expression: {package['license']}",
            "License-File: LICENSE",
            "License-File: THIRD-PARTY-LICENSES",
            "Description-Content-Type: text/markdown",
            "",
            contents.readme.decode(),
        ]
    )
    about = f"Wheel-Version: 1.0\nGenerator: {source.NAME}\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files = {
        f"{stem}.data/scripts/{source.NAME}{contents.suffix}": (contents.program, 0o755),
        **{
            f"{stem}.data/data/share/man/man1/{name}": (page, 0o644)
            for name, page in contents.man_pages.items()
        },
        f"{stem}.dist-info/METADATA": (metadata.encode(), 0o644),
        f"{stem}.dist-info/WHEEL": (about.encode(), 0o644),
        f"{stem}.dist-info/licenses/LICENSE": (contents.licence, 0o644),
        f"{stem}.dist-info/licenses/THIRD-PARTY-LICENSES": (contents.third_party, 0o644),
    }
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{path},sha256={digest(file)},{len(file)}\n" for path, (file, _) in files.items()]
    files[record] = ("".join([*lines, f"{record},,\n"]).encode(), 0o644)
    return f"{stem}-{tag}.whl", files


def digest(contents: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(contents).digest()).rstrip(b"=").decode()


def tar_gz(files: Files, seconds: int) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in folders(files):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, seconds
            tar.addfile(entry)
        for path, (contents, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(contents), mode, seconds
            tar.addfile(entry, io.BytesIO(contents))
    return gzipped(archive.getvalue(), seconds)


def folders(files: Files) -> list[str]:
    """Those that the files are in, each before what is in it."""
    found = {str(parent) for path in files for parent in Path(path).parents}
    dot = "./" if next(iter(files)).startswith("./") else ""
    return sorted(dot + folder for folder in found - {"."})


def gzipped(contents: bytes, seconds: int) -> bytes:
    return gzip.compress(contents, compresslevel=6, mtime=seconds)


def zipped(files: Files, seconds: int) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path, (contents, mode) in files.items():
            entry = zipfile.ZipInfo(path, time.gmtime(seconds)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            # A file, as Unix says it.
            entry.create_system, entry.external_attr = 3, (0o100000 | mode) << 16
            file.writestr(entry, contents)
    return archive.getvalue()
