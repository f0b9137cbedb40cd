"""Checks what the sandbox does to a launch: machines that do not show, capacity,
throttling, faults.

target/sandbox/venv/bin/python tests/sandbox/faults_selftest.py
"""

import unittest

from selftest import SandboxTest


class FaultsTest(SandboxTest):
    def observed(self):
        """The ids of all instances as the observer sees them, with their states."""
        answer = self.control(
            "POST", "boto3", {"method": "describe_instances", "paginate": True}
        )
        return {
            i["InstanceId"]: i["State"]["Name"]
            for r in answer["Reservations"]
            for i in r["Instances"]
        }

    def launched(self):
        return [i["instance_id"] for i in self.control("GET", "launched")["instances"]]


class Visibility(FaultsTest):
    def test_a_new_instance_shows_to_the_observer_alone(self):
        self.control("PUT", "settings", {"visible_after_seconds": 60})
        ids = self.launch_ids(MinCount=2, MaxCount=2, ClientToken="a")
        self.assertEqual(self.instances(), [])
        self.assertEqual(set(self.observed()), set(ids))
        self.assertEqual(self.launched(), ids)
        status = self.ec2.describe_instance_status(IncludeAllInstances=True)
        self.assertEqual(status["InstanceStatuses"], [])
        missing = "InvalidInstanceID.NotFound"
        self.refused(missing, self.ec2.describe_instances, InstanceIds=ids[:1])
        self.refused(missing, self.ec2.terminate_instances, InstanceIds=ids)
        self.refused(missing, self.ec2.get_console_output, InstanceId=ids[0])
        tag = [{"Key": "k", "Value": "v"}]
        self.refused(missing, self.ec2.create_tags, Resources=ids, Tags=tag)
        # What the token answers is the launch itself.
        again = self.launch_ids(MinCount=2, MaxCount=2, ClientToken="a")
        self.assertEqual(again, ids)
        self.control("PUT", "settings", {"visible_after_seconds": 0})
        self.ec2.create_tags(Resources=ids, Tags=tag)
        self.ec2.terminate_instances(InstanceIds=ids)
        self.assertEqual(len(self.instances(InstanceIds=ids)), 2)

    def test_some_of_a_launch_may_show_at_once(self):
        self.control(
            "PUT", "settings", {"visible_after_seconds": 1, "visible_at_once": 2}
        )
        ids = self.launch_ids(MinCount=3, MaxCount=3)
        self.assertEqual([i["InstanceId"] for i in self.instances()], ids[:2])
        self.refused(
            "InvalidInstanceID.NotFound",
            self.ec2.terminate_instances,
            InstanceIds=ids,
        )
        self.assertNotIn("shutting-down", self.observed().values())
        self.wait_for_states(["running"] * 3)


if __name__ == "__main__":
    unittest.main()
