"""A machine whose supervisor runs.

A tick of its loop is 5 s of the machine's clock, a look at idleness every 20 s.
The supervisor starts when the clock is at 1000.
"""

from machine import GROUP_ID, MachineTest

RUNNER = "inductiva-task-runner"
TRACKER = "inductiva-file-tracker"
DELETE = f"/compute/group?machine_group_id={GROUP_ID}"
# By systemd, so that a test of what does not happen comes to its end.
STOP = "kill -TERM $PPID"
# An end that asks nobody.
END = 'echo notice >"$CASE/metadata/instance-action"'


class Supervisor(MachineTest):
    def idle_after(self, seconds):
        """That it ended the machine for idleness, and when."""
        idle = [line for line in self.console if line.startswith("idle for")]
        self.assertEqual(len(idle), 1, (self.console, self.output[-2000:]))
        self.assertEqual(self.ending, self.ENDED)
        self.assertTrue(seconds <= self.clock() - 1000 <= seconds + 25, self.clock())

    def assert_never_idle(self):
        self.assertEqual([line for line in self.console if "idle" in line], [])
        self.assertEqual(self.ending, [])

    def runs(self, name):
        return [call for call in self.calls("docker run") if name in call.argv]

    def running(self, name):
        return self.read(f"containers/{name}").startswith("running")
