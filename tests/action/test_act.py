"""The action in workflows, run by act: what a runner makes of action.yml."""

import os
import shutil
import subprocess

from job import API_KEY, NODE, PROGRAM, ROOT, ActionTest

WORKFLOW = """
on: push
jobs:
  smoke:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - id: first
        uses: ./.github/action
        with:
          vm-type: t3.micro
          num-machines: 2
          path: {program}
          api-key: ${{{{ secrets.INDUCTIVA_API_KEY }}}}
      - id: second
        uses: ./.github/action
        with:
          vm-type: t3.micro
          wait: running
          path: {program}
          api-key: ${{{{ secrets.INDUCTIVA_API_KEY }}}}
      - run: |
          echo "groups: ${{{{ steps.first.outputs.group }}}} ${{{{ steps.second.outputs.group }}}}"
          echo 'ids: ${{{{ steps.first.outputs.instance-ids }}}}'
          {then}
"""


def act(test, workflow, *options):
    """Runs a workflow in the job's workspace; its code and its log."""
    repository = test.job.workspace
    workflows = repository / ".github/workflows"
    workflows.mkdir(parents=True)
    (workflows / "smoke.yml").write_text(workflow)
    home = str(test.job.folder / "home")
    git = {"PATH": os.environ["PATH"], "HOME": home}
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("remote", "add", "origin", "https://github.com/someone/simulations"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "a"),
    ):
        subprocess.run(["git", *command], cwd=repository, env=git, check=True)
    account = test.account.environment()
    ended = subprocess.run(
        [
            *(ROOT / "target/tools/bin/act", "push", "--platform=ubuntu-latest=-self-hosted"),
            *("--secret=INDUCTIVA_API_KEY", *options),
            *(f"--env={name}={value}" for name, value in account.items()),
        ],
        cwd=repository,
        env={
            **account,
            "PATH": f"{NODE.parent}:/usr/local/bin:{os.environ['PATH']}",
            "HOME": home,
            "INDUCTIVA_API_KEY": API_KEY,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return ended.returncode, ended.stdout


class Act(ActionTest):
    def workflow(self, then):
        """Runs a job of two uses and a step after them."""
        shutil.copytree(ROOT / ".github/action", self.job.workspace / ".github/action")
        return act(self, WORKFLOW.format(program=PROGRAM, then=then))

    def assert_launched_and_ended(self, log):
        self.assertEqual(self.account.launched(), 3, log)
        self.assertEqual(self.account.live(), [], log)
        self.assertRegex(log, r"groups: ci-\d+-\d+-[a-z0-9]{8} ci-\d+-\d+-[a-z0-9]{8}")
        self.assertRegex(log, r'ids: \["i-[0-9a-f]{17}","i-[0-9a-f]{17}"\]')
        self.assertNotIn(API_KEY, log)

    def test_the_machines_of_a_job_that_succeeds_are_ended(self):
        code, log = self.workflow("true")
        self.assertEqual(code, 0, log)
        self.assert_launched_and_ended(log)

    def test_the_machines_of_a_job_that_fails_are_ended(self):
        code, log = self.workflow("exit 3")
        self.assertNotEqual(code, 0, log)
        self.assert_launched_and_ended(log)
