"""The lines of the README's section "In CI", as they stand."""

import os
import re
import shutil
import signal
import subprocess

from job import API_KEY, PROGRAM, ROOT, ActionTest, until
from test_act import act

SECTION = re.search(
    r"^## In CI$(.*?)^## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)[1]
[WORKFLOW] = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
[SHELL] = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
SMOKE_TEST = "import os, sys\nprint('the test of', os.environ['GROUP'])\nsys.exit({code})\n"


class Shell(ActionTest):
    def begin(self, code=0):
        (self.job.workspace / "smoke_test.py").write_text(SMOKE_TEST.format(code=code))
        commands = self.job.folder / "commands"
        commands.mkdir()
        # A pause passes by the account's clock.
        sleep = commands / "sleep"
        pause = f"""'{{"advance": '$1'}}'"""
        sleep.write_text(f"#!/bin/sh\ncurl -sf -X PUT -d {pause} {self.account.url}/_sandbox/clock\n")
        sleep.chmod(0o755)
        environment = {
            **self.account.environment(),
            "PATH": f"{commands}:{PROGRAM.parent}:/usr/local/bin:{os.environ['PATH']}",
            "HOME": str(self.job.folder / "home"),
            "INDUCTIVA_API_KEY": API_KEY,
        }
        self.out = self.job.folder / "out"
        with open(self.out, "w", encoding="utf-8") as out:
            # A group of processes of its own, which a CI ends as a whole.
            self.process = subprocess.Popen(
                ["sh", "-c", SHELL],
                cwd=self.job.workspace,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end(self):
        code = self.process.wait()
        return code, self.out.read_text(encoding="utf-8")

    def test_the_machines_are_ended_and_the_tests_code_is_kept(self):
        for expected in (0, 7):
            with self.subTest(expected):
                self.begin(expected)
                code, log = self.end()
                self.assertEqual(code, expected, log)
                self.assertIn("the test of ci-", log)
                self.assertEqual(self.account.live(), [], log)
                shutil.rmtree(self.job.folder / "commands")
        self.assertEqual(self.account.launched(), 2)

    def test_no_machine_is_left_of_what_was_cut_off(self):
        for number, of_all in ((signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGKILL, False)):
            with self.subTest(number):
                # None has shown yet when the first look is over.
                self.account.put("settings", {"visible_after_seconds": 60})
                self.account.post("faults", {
                    "service": "ec2", "operation": "RunInstances", "kind": "hold_answer",
                })
                # And Inductiva has no group that would tell of it.
                self.account.put("inductiva", {"status": 503})
                before = self.account.launched()
                self.begin()
                until("the launch is held", self.account.held)
                self.account.put("inductiva", {"status": None})
                if of_all:
                    os.killpg(self.process.pid, number)
                else:
                    [start] = subprocess.check_output(["pgrep", "-P", str(self.process.pid)]).split()
                    os.kill(int(start), number)
                self.account.post("release", {})
                code, log = self.end()
                self.assertNotEqual(code, 0, log)
                self.assertEqual(self.account.launched(), before + 1, log)
                self.assert_none_left()
                self.account.ask("DELETE", "faults")
                shutil.rmtree(self.job.folder / "commands")


class GitHub(ActionTest):
    def test_the_workflow_launches_and_ends(self):
        self.assertEqual(len(WORKFLOW.splitlines()), 10)
        uses = dict(re.findall(r"uses: ([\w/.-]+)@(\w+)", WORKFLOW))
        # Ours as it is here, but with the program that is built; and a stand-in.
        ours = self.job.folder / "ours"
        shutil.copytree(ROOT / ".github/action", ours / ".github/action")
        action = ours / ".github/action/action.yml"
        action.write_text(re.sub(
            r"(  path:\n    description: .*\n)", rf"\1    default: {PROGRAM}\n", action.read_text()
        ))
        signs_in = self.job.folder / "signs-in"
        signs_in.mkdir()
        (signs_in / "action.yml").write_text(
            "name: a\ndescription: a\ninputs: {role-to-assume: {description: a}, aws-region: {description: a}}\n"
            "runs: {using: composite, steps: [{run: 'true', shell: sh}]}\n"
        )
        (self.job.workspace / "smoke_test.py").write_text(SMOKE_TEST.format(code=0))
        repository = "inductiva-aws/inductiva-aws"
        name = "aws-actions/configure-aws-credentials"
        code, log = act(
            self,
            "on: push\njobs:\n  smoke:\n    runs-on: ubuntu-latest\n" + WORKFLOW,
            f"--local-repository={repository}@{uses[f'{repository}/.github/action']}={ours}",
            f"--local-repository={name}@{uses[name]}={signs_in}",
        )
        self.assertEqual(code, 0, log)
        self.assertRegex(log, r"the test of ci-\d+-\d+-[a-z0-9]{8}")
        self.assertEqual(self.account.launched(), 1, log)
        self.assertEqual(self.account.live(), [], log)
