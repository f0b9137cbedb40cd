"""What .ci/release makes of a program that is built already: packed, installed, run and
removed again.

    python3 tests/packages

INDUCTIVA_AWS_BIN_DIR is the folder of the program, target/debug unless it is set. As
root on Debian or Ubuntu, with Python 3.10 or newer. tests/packages/bare_root is for a
release build.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / ".ci"))
from packages import contents, elf, licences, pack, source  # noqa: E402

BUILT = Path(os.environ.get("INDUCTIVA_AWS_BIN_DIR") or ROOT / "target/debug") / source.NAME
VERSION = source.package()["version"]
# Neither Rust nor a Python environment of the developer's.
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run(*command, **environment):
    ended = subprocess.run(
        command,
        env={**CLEAN, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    if ended.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}\n{ended.stdout}")
    return ended.stdout


def files(directory):
    return sorted(str(file.relative_to(directory)) for file in directory.rglob("*"))


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="inductiva-aws-packages-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        # As a release is: half as much to pack.
        program = cls.folder / source.NAME
        run("strip", "-o", program, BUILT)
        cls.made = cls.folder / "made"
        pack.pack(program, cls.made)
        pack.write_sums(cls.made)
        cls.said = run(BUILT, "--version")

    def one(self, pattern):
        [found] = self.made.glob(pattern)
        return found

    def test_all_formats_are_made_with_the_version_of_cargo_toml_and_their_sums(self):
        glibc = "_".join(map(str, elf.glibc(BUILT.read_bytes())))
        names = [
            f"inductiva-aws-{VERSION}-x86_64-unknown-linux-gnu.tar.gz",
            f"inductiva-aws_{VERSION}_amd64.deb",
            f"inductiva_aws-{VERSION}-py3-none-manylinux_{glibc}_x86_64.whl",
        ]
        self.assertEqual(files(self.made), sorted([*names, "SHA256SUMS"]))
        sums = (self.made / "SHA256SUMS").read_text().splitlines()
        expected = [
            f"{hashlib.sha256((self.made / name).read_bytes()).hexdigest()}  {name}"
            for name in sorted(names)
        ]
        self.assertEqual(sums, expected)

    def test_the_archive_has_the_program_and_what_belongs_to_it(self):
        home = self.folder / "archive"
        home.mkdir()
        run("tar", "-xzf", self.one("*.tar.gz"), "-C", home)
        [folder] = home.iterdir()
        self.assertEqual(folder.name, f"inductiva-aws-{VERSION}-x86_64-unknown-linux-gnu")
        found = files(folder)
        for file in (
            "LICENSE",
            "README.md",
            "THIRD-PARTY-LICENSES",
            "completions/_inductiva-aws",
            "completions/inductiva-aws.bash",
            "completions/inductiva-aws.fish",
            "man/inductiva-aws.1",
            "man/inductiva-aws-start.1",
        ):
            self.assertIn(file, found)
        self.assertEqual(run(folder / "inductiva-aws", "--version"), self.said)
        run("bash", "-n", folder / "completions/inductiva-aws.bash")
        self.assertIn(".TH inductiva-aws 1", (folder / "man/inductiva-aws.1").read_text())
        # Where binstall looks for the program.
        where = source.package()["metadata"]["binstall"]["bin-dir"]
        self.assertEqual(where, "{ name }-{ version }-{ target }/{ bin }{ binary-ext }")

    def test_the_deb_installs_and_leaves_nothing_when_it_is_removed(self):
        deb = self.one("*.deb")
        root = self.folder / "root"
        # Of dpkg's own in an empty root.
        for folder in ("var/lib/dpkg/updates", "var/lib/dpkg/info", "var/log", "usr"):
            (root / folder).mkdir(parents=True)
        for file in ("status", "available"):
            (root / "var/lib/dpkg" / file).touch()
        dpkg = ("dpkg", f"--root={root}", "--force-depends")
        empty = files(root / "usr")
        run(*dpkg, "--install", deb)
        self.assertEqual(run(root / "usr/bin/inductiva-aws", "--version"), self.said)
        for file in (
            "bash-completion/completions/inductiva-aws",
            "zsh/vendor-completions/_inductiva-aws",
            "fish/vendor_completions.d/inductiva-aws.fish",
            "doc/inductiva-aws/copyright",
            "man/man1/inductiva-aws.1.gz",
            "man/man1/inductiva-aws-start.1.gz",
        ):
            self.assertTrue((root / "usr/share" / file).is_file(), file)
        self.assertEqual(run("dpkg-deb", "--field", deb, "Version").strip(), VERSION)
        owners = {line.split()[1] for line in run("dpkg-deb", "--contents", deb).splitlines()}
        self.assertEqual(owners, {"0/0"})
        run(*dpkg, "--purge", "inductiva-aws")
        self.assertEqual(files(root / "usr"), empty)

    def test_the_wheel_installs_without_rust_and_leaves_nothing_when_it_is_removed(self):
        environment = self.folder / "environment"
        run(sys.executable, "-m", "venv", environment)
        python = environment / "bin/python"
        before = files(environment)
        pip = (python, "-m", "pip", "--disable-pip-version-check")
        run(*pip, "install", "--no-index", "--no-compile", self.one("*.whl"))
        self.assertEqual(run(environment / "bin/inductiva-aws", "--version"), self.said)
        shown = run(*pip, "show", "--files", "inductiva-aws")
        self.assertIn(f"Version: {VERSION}\n", shown)
        run(*pip, "uninstall", "--yes", "inductiva-aws")
        # What Python compiles of pip is not the wheel's; nor are share's folders, which stay.
        left = [
            file
            for file in files(environment)
            if file not in before
            and "__pycache__" not in file
            and (environment / file).is_file()
        ]
        self.assertEqual(left, [])

    def test_the_wheel_is_a_tool_of_uv_and_of_pipx_and_leaves_nothing_of_it(self):
        tools = ROOT / "target/tools"
        provision = (ROOT / "tests/sandbox/provision.py", tools, ROOT / ".ci/tools.txt")
        subprocess.run([sys.executable, *provision], check=True)
        wheel = self.one("*.whl")
        for name, install, environment in (
            (
                "uv",
                ("tool", "install", "--offline", "--no-config", "--python", sys.executable, wheel),
                {"UV_PYTHON_DOWNLOADS": "never"},
            ),
            # No index, from which it would bring its own pip up to date.
            ("pipx", ("install", "--python", sys.executable, "--pip-args=--no-index", wheel), {}),
        ):
            with self.subTest(name):
                home = self.folder / f"home-of-{name}"
                home.mkdir()
                environment["HOME"] = str(home)
                tool = tools / "bin" / name
                run(tool, *install, **environment)
                self.assertEqual(run(home / ".local/bin/inductiva-aws", "--version"), self.said)
                uninstall = ("tool", "uninstall") if name == "uv" else ("uninstall",)
                run(tool, *uninstall, source.NAME, **environment)
                # What they keep to install it sooner another time, and their locks, are theirs.
                left = [
                    file
                    for file in files(home)
                    if "inductiva" in file
                    and not file.startswith(".cache/")
                    and not file.endswith(".lock")
                ]
                self.assertEqual(left, [])

    def test_every_library_is_named_with_its_licence(self):
        text = (contents.gather(BUILT)).third_party.decode()
        for package in licences.dependencies():
            self.assertIn(f"\n{package['name']} {package['version']}: {package['license']}\n", text)
        self.assertIn("Permission is hereby granted", text)

    def test_a_program_of_another_version_is_not_packed(self):
        other = self.folder / "other"
        other.write_text("#!/bin/sh\necho inductiva-aws 0.0.1\n")
        other.chmod(0o755)
        with self.assertRaisesRegex(contents.Unfit, f"Cargo.toml has {VERSION}"):
            contents.gather(other)


class Formats(unittest.TestCase):
    def packed(self):
        gathered = contents.Contents(
            program=b"\x7fELF\0GLIBC_2.9\0GLIBC_2.17\0",
            man_pages={"inductiva-aws.1": b"page"},
            completions=dict.fromkeys(contents.SHELLS.values(), b"words"),
            licence=b"licence",
            third_party=b"others",
            readme=b"readme",
            version="1.2.3",
            time=1_700_000_000,
        )
        name, wheel = pack.wheel(gathered, "x86_64-unknown-linux-gnu")
        self.assertEqual(name, "inductiva_aws-1.2.3-py3-none-manylinux_2_17_x86_64.whl")
        return (
            pack.deb(gathered),
            pack.zipped(wheel, gathered.time),
            pack.tar_gz(pack.archive_files(gathered), gathered.time),
        )

    def test_the_same_contents_give_the_same_bytes(self):
        first = self.packed()
        os.environ["TZ"] = "Asia/Tokyo"
        self.addCleanup(os.environ.pop, "TZ")
        self.assertEqual(self.packed(), first)

    def test_only_licences_that_somebody_has_read_are_accepted(self):
        accepted = {
            "MIT": True,
            "GPL-3.0": False,
            "GPL-3.0 OR MIT": True,
            "MIT/Apache-2.0": True,
            "MIT AND GPL-3.0": False,
            "ISC AND (GPL-3.0 OR MIT-0)": True,
            "Apache-2.0 WITH LLVM-exception": True,
        }
        for expression, is_accepted in accepted.items():
            self.assertIs(licences.is_accepted(expression), is_accepted, expression)


class Workflows(unittest.TestCase):
    WORKFLOWS = ROOT / ".github/workflows"

    def test_the_tag_of_a_whole_version_is_released_and_no_other(self):
        text = (self.WORKFLOWS / "release.yml").read_text()
        [pattern] = re.findall(r"^    tags: \['(.*)'\]$", text, re.MULTILINE)
        # GitHub's patterns of this kind are regular expressions, but for the dot.
        pattern = pattern.replace(".", r"\.")
        for tag, is_released in {
            f"v{VERSION}": True,
            "v12.0.10": True,
            # What `uses: …/.github/action@` names.
            "v1": False,
            "v1.2": False,
            "v1.2.3-rc.1": False,
            "version": False,
        }.items():
            self.assertIs(bool(re.fullmatch(pattern, tag)), is_released, tag)

    def move(self, published, latest, has_tag):
        """What the workflow asks GitHub's API to change."""
        text = (self.WORKFLOWS / "action-tag.yml").read_text()
        [script] = re.findall(r"^        run: \|\n((?:          .*\n|\n)+)", text, re.MULTILINE)
        with tempfile.TemporaryDirectory() as folder:
            calls = Path(folder) / "calls"
            calls.touch()
            gh = Path(folder) / "gh"
            gh.write_text(
                "#!/bin/sh\n"
                'case "$*" in\n'
                f"*/releases/latest*) echo {latest} ;;\n"
                f"*/git/ref/tags/*) exit {0 if has_tag else 1} ;;\n"
                f'*) echo "$*" >>{calls} ;;\n'
                "esac\n"
            )
            gh.chmod(0o755)
            run(
                *("bash", "-e", "-c", textwrap.dedent(script)),
                PATH=f"{folder}:{CLEAN['PATH']}",
                GITHUB_REPOSITORY="a/b",
                GITHUB_REF_NAME=published,
                GITHUB_SHA="0123abc",
                TAG="v1",
            )
            return calls.read_text().splitlines()

    def test_the_actions_tag_is_moved_to_the_latest_release(self):
        moved = "api --method PATCH repos/a/b/git/refs/tags/v1 -f sha=0123abc -F force=true"
        made = "api --method POST repos/a/b/git/refs -f ref=refs/tags/v1 -f sha=0123abc"
        self.assertEqual(self.move("v1.2.3", "v1.2.3", has_tag=True), [moved])
        self.assertEqual(self.move("v1.2.3", "v1.2.3", has_tag=False), [made])
        self.assertEqual(self.move("v1.1.4", "v1.2.3", has_tag=True), [])

    def test_the_readme_names_the_tag_that_is_moved(self):
        text = (self.WORKFLOWS / "action-tag.yml").read_text()
        [tag] = re.findall(r"^          TAG: (\S+)$", text, re.MULTILINE)
        self.assertIn(f"/.github/action@{tag}\n", (ROOT / "README.md").read_text())


class Notes(unittest.TestCase):
    def test_notes_are_the_commits_since_the_last_release(self):
        said = run(ROOT / ".ci/release", "notes", PATH=os.environ["PATH"], HOME=str(Path.home()))
        self.assertTrue(said.startswith(f"## inductiva-aws {VERSION}\n\n- "), said)
        self.assertIn(source.git("log", "-1", "--no-merges", "--format=%s"), said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
