"""Debian's docker-registry in a namespace, and images made without an engine."""

import gzip
import hashlib
import http.client
import io
import json
import os
import random
import ssl
import subprocess
import tarfile
from pathlib import Path

from .host import WORK, Broken, run, wait_for

NAME = "registry.test"
IMAGES = Path(__file__).resolve().parents[1] / "images"


class Registry:
    """Serves https://registry.test, and by other names too, at an address of a
    namespace."""

    def __init__(self, namespace, address, other_names):
        self._namespace = namespace
        self._address = address
        self._directory = WORK / "registry"
        self.certificate = self._make_certificate([NAME, *other_names])
        program = _program()
        configuration = self._directory / "config.json"
        configuration.write_text(
            json.dumps(
                {
                    "version": 0.1,
                    "log": {"level": "error", "accesslog": {"disabled": True}},
                    "storage": {
                        "filesystem": {"rootdirectory": str(self._directory / "data")}
                    },
                    "http": {
                        "addr": f"{address}:443",
                        "tls": {
                            "certificate": str(self.certificate),
                            "key": str(self._directory / "key.pem"),
                        },
                    },
                }
            ),
            encoding="utf-8",
        )
        with open(self._directory / "log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL"),
                    *("nsenter", f"--net={namespace.path}"),
                    *(program, "serve", configuration),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers, 20, "docker-registry answers")

    def close(self):
        self._process.terminate()
        self._process.wait(10)

    def push(self, repository, layers, configuration):
        """Puts an image there; the name to pull it by. Layers are .tar.gz files."""
        return self._namespace.call(self._push, repository, layers, configuration)

    def _make_certificate(self, names):
        self._directory.mkdir(parents=True, exist_ok=True)
        certificate = self._directory / f"{'+'.join(names)}.pem"
        if not certificate.exists():
            run(
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
                *("-days", "3650", "-subj", f"/CN={NAME}"),
                *("-addext", f"subjectAltName={','.join(f'DNS:{n}' for n in names)}"),
                *("-keyout", self._directory / "key.pem", "-out", certificate),
            )
        return certificate

    def _connect(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        return http.client.HTTPSConnection(self._address, context=context, timeout=60)

    def _answers(self):
        if self._process.poll() is not None:
            log = (self._directory / "log").read_text(encoding="utf-8")
            raise Broken(f"docker-registry ended:\n{log}")
        try:
            return self._namespace.call(self._request, "GET", "/v2/", b"")[0] == 200
        except OSError:
            return False

    def _request(self, method, path, body, kind="application/octet-stream"):
        connection = self._connect()
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
            return answer.status, dict(answer.getheaders())
        finally:
            connection.close()

    def _push(self, repository, layers, configuration):
        history = []
        diff_ids = []
        for layer in layers:
            self._push_blob(repository, layer.read_bytes())
            content = gzip.decompress(layer.read_bytes())
            diff_ids.append(_described(content)["digest"])
            history.append({"created": "2025-01-01T00:00:00Z"})
        image = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "2025-01-01T00:00:00Z",
                "config": configuration,
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
                "history": history,
            }
        ).encode()
        self._push_blob(repository, image)
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                **_described(image),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    **_described(layer.read_bytes()),
                }
                for layer in layers
            ],
        }
        path = f"/v2/{repository}/manifests/main"
        status, _ = self._request("PUT", path, json.dumps(manifest).encode(), kind)
        if status != 201:
            raise Broken(f"the registry took no manifest: {status}")
        return f"{NAME}/{repository}:main"

    def _push_blob(self, repository, blob):
        digest = _described(blob)["digest"]
        status, _ = self._request("HEAD", f"/v2/{repository}/blobs/{digest}", b"")
        if status == 200:
            return
        path = f"/v2/{repository}/blobs/uploads/"
        status, headers = self._request("POST", path, b"")
        location = headers["Location"].partition(NAME)[2] or headers["Location"]
        location = "/v2/" + location.partition("/v2/")[2]
        joint = "&" if "?" in location else "?"
        status, _ = self._request("PUT", f"{location}{joint}digest={digest}", blob)
        if status != 201:
            raise Broken(f"the registry took no blob: {status}")


def _described(blob):
    return {
        "digest": "sha256:" + hashlib.sha256(blob).hexdigest(),
        "size": len(blob),
    }


def _program():
    """docker-registry, taken out of its package: installed, it would run as a
    service of this machine."""
    directory = WORK / "docker-registry"
    program = directory / "usr/bin/docker-registry"
    if not program.exists():
        directory.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", "-qq", "docker-registry", cwd=directory)
        (package,) = directory.glob("docker-registry_*.deb")
        run("dpkg", "-x", package, directory)
        package.unlink()
    return program


# What Python needs of a Debian tree, besides its libraries.
_PYTHON = ("bin", "lib", "lib64", "usr/lib/python3.*", "usr/bin/python3*")


# About the layers of the real images: those of the python:3.9 that they are made
# from, and what is installed on them. Megabytes, compressed.
REALISTIC = {
    "task_runner": (49, 24, 64, 211, 20, 55, 80, 40),
    "file_tracker": (49, 24, 64, 211, 20, 30),
}


def push_stand_ins(registry, tree, ballast=None):
    """The runner's and the tracker's image: Python from a Debian tree, and
    layers of so many megabytes. Returns their names."""
    work = WORK / "images"
    work.mkdir(parents=True, exist_ok=True)
    python = _layer(work, f"python-{tree.name}", lambda tar: _add_python(tar, tree))
    names = []
    for program, user, directories in (
        ("task_runner", "1000", ("workdir", "executer-images")),
        ("file_tracker", "", ()),
    ):
        layers = [python, _layer(work, program, _program_of(program, directories))]
        for number, megabytes in enumerate(ballast[program] if ballast else ()):
            name = f"{program}-{number}-{megabytes}"
            layers.append(_layer(work, name, _ballast_of(name, megabytes)))
        configuration = {
            "User": user,
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            "WorkingDir": f"/{program}",
            "Cmd": ["python3", "./main.py"],
        }
        if directories:
            configuration["Volumes"] = {"/executer-images": {}}
        repository = f"inductiva/{program.replace('_', '-')}"
        repository += "-realistic" if ballast else ""
        names.append(registry.push(repository, layers, configuration))
    return names


def _layer(work, name, fill):
    """A .tar.gz that is the same for the same content. One with a dash in its
    name says all that it depends on, and is kept."""
    raw = io.BytesIO()
    file = work / f"{name}.tar.gz"
    if "-" in name and file.exists():
        return file
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        fill(tar)
    partial = file.with_suffix(f".{os.getpid()}")
    with open(partial, "wb") as out:
        with gzip.GzipFile("", "wb", 1, out, mtime=0) as packed:
            packed.write(raw.getvalue())
    partial.replace(file)
    return file


def _member(name, mode, uid=0, kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid, member.type = mode, uid, uid, kind
    return member


def _add_python(tar, tree):
    needed = [path for pattern in _PYTHON for path in tree.glob(pattern)]
    python = next(p for p in needed if p.name.startswith("python3.") and p.is_file())
    libraries = run("chroot", tree, "ldd", "/" + str(python.relative_to(tree)))
    names = {word.rpartition("/")[2] for word in libraries.split() if "/lib" in word}
    for name in names:
        for path in tree.glob(f"usr/lib*/**/{name}"):
            needed.append(path)
            if path.is_symlink():
                # To a neighbour, by whatever path.
                needed.append(path.with_name(Path(os.readlink(path)).name))
    added = set()
    for path in sorted(needed):
        name = str(path.relative_to(tree))
        if name in added:
            continue
        added.add(name)
        if path.is_dir() and not path.is_symlink():
            tar.add(path, name, filter=_plain)
        else:
            tar.add(path, name, recursive=False, filter=_plain)
    for name in ("etc", "tmp", "proc", "sys", "dev", "root"):
        tar.addfile(_member(name, 0o1777 if name == "tmp" else 0o755, 0, tarfile.DIRTYPE))
    passwd = b"root:x:0:0::/root:/bin/sh\ntask-runner:x:1000:1000::/tmp:/bin/sh\n"
    member = _member("etc/passwd", 0o644)
    member.size = len(passwd)
    tar.addfile(member, io.BytesIO(passwd))


def _plain(member):
    """Without what differs from one making of the tree to the next."""
    if "__pycache__" in member.name or "/dist-packages" in member.name:
        return None
    member.mtime = 0
    return member


def _program_of(program, directories):
    def fill(tar):
        text = (IMAGES / f"{program}.py").read_bytes()
        tar.addfile(_member(program, 0o755, 0, tarfile.DIRTYPE))
        member = _member(f"{program}/main.py", 0o644)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
        for name in directories:
            tar.addfile(_member(name, 0o755, 1000, tarfile.DIRTYPE))

    return fill


def _ballast_of(name, megabytes):
    """Files of 64 KiB that gzip makes 25 of, as it does of programs."""

    def fill(tar):
        source = random.Random(name)
        for number in range(megabytes * 41):
            noise = source.randbytes(1 << 14)
            text = source.randbytes(1 << 13).hex().encode()
            content = noise + text + text[:1024] * 32
            member = _member(f"opt/{name}/{number}", 0o644)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

    return fill
