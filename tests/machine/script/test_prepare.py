"""user-data.sh with PREPARE_IMAGE: what it leaves for an image of the machine."""

import hashlib
import re

from machine import ME, SCRIPT, MachineTest

# What each image-layout number stands for, see `LAYOUT` below.
LAYOUTS = {1: "59b9e372d0cc8b0b"}
PHASES = ["deadlines", "container-engine", "images", "prepare"]
PREPARED = "prepared, layout 1"
SERVICE = "systemctl start --no-block inductiva-aws-prepare.service"
# What a machine needs of its image: the parts of the script that install and pull,
# and that remove what is one machine's own.
PARTS = (
    ("# --- Packages ---", "# --- Your own commands ---"),
    ("# --- Container engine ---", "# --- Configuration, meanwhile ---"),
)


class Layout(MachineTest):
    def test_what_an_image_holds_changes_with_its_number_alone(self):
        script = SCRIPT.read_text()
        parts = [re.search(f"^{a}$(.*?)^{b}$", script, re.M | re.S)[1] for a, b in PARTS]
        lines = (line.strip() for part in parts for line in part.splitlines())
        code = "\n".join(line for line in lines if line and not line.startswith("#"))
        digest = hashlib.sha256(code.encode()).hexdigest()[:16]
        (number,) = re.findall(r"^image_layout=(\d+)$", script, re.M)
        self.assertEqual(
            LAYOUTS.get(int(number)),
            digest,
            "The parts of user-data.sh that make a prepared image have changed. If a machine"
            " now needs something that older images lack, raise image_layout. Then write the"
            " number and this digest into LAYOUTS.",
        )


class Prepare(MachineTest):
    def prepare(self, **variables):
        """As `image build` does: without a group, a key or anything of a run."""
        kept = ("TASK_RUNNER_IMAGE", "FILE_TRACKER_IMAGE", "BOOT_TIMEOUT_SECONDS", "GPU")
        self.variables = {name: self.variables[name] for name in kept}
        return self.boot(PREPARE_IMAGE="true", **variables)

    def finish(self):
        """The service that comes after cloud-init."""
        (self.root / "var/lib/cloud/instances" / ME).mkdir(parents=True)
        for name, text in {
            f"var/lib/cloud/instances/{ME}/user-data.txt": "secrets",
            "var/lib/cloud/data/previous-instance-id": ME,
            "var/lib/cloud/seed/nocloud/meta-data": "the image's own",
            "var/log/cloud-init-output.log": "words",
            "var/log/journal/0123/system.journal": "words",
            "etc/machine-id": "0123\n",
            "var/lib/dbus/machine-id": "0123\n",
            "etc/ssh/ssh_host_ed25519_key": "a key",
            "etc/ssh/sshd_config": "Port 22\n",
            "var/lib/systemd/timers/stamp-inductiva-aws-boot-deadline.timer": "",
        }.items():
            self.write(f"root/{name}", text)
        wants = self.root / "etc/systemd/system/timers.target.wants"
        wants.mkdir(parents=True)
        (wants / "inductiva-aws-boot-deadline.timer").symlink_to("../x")
        (wants / "another.timer").symlink_to("../y")
        return self.run_bash(self.root / "run/inductiva-aws-prepare")

    def left(self):
        found = (p for p in self.root.rglob("*") if p.is_file() or p.is_symlink())
        return {str(p.relative_to(self.root)) for p in found}

    def test_it_installs_and_pulls_and_leaves_the_rest_to_a_service(self):
        (self.case / "bin/docker").unlink()
        self.assertEqual(self.prepare(), 0, self.output)
        self.assertEqual(self.phases, PHASES)
        self.assertTrue(self.texts("apt-get"))
        self.assertEqual(len(self.texts("docker pull")), 2)
        self.assertEqual(self.texts("systemctl")[-1], SERVICE)
        unit = self.read("root/run/systemd/system/inductiva-aws-prepare.service")
        self.assertIn("\nAfter=cloud-final.service\n", unit)
        self.assertIn("\nOnFailure=inductiva-aws-end.service\n", unit)
        self.assertEqual(self.texts("docker run"), [])
        self.assertNotIn(PREPARED, self.console)
        for name in ("containers.env", "settings", "supervisor"):
            self.assertFalse((self.root / "var/lib/inductiva-aws" / name).exists(), name)
        self.assertEqual(self.unit("inductiva-aws.service"), "")

    def test_nothing_of_the_machine_is_left_in_its_image(self):
        self.assertEqual(self.prepare(https_proxy="http://me:secret-word@proxy.test:3128"), 0)
        removed = self.texts("docker rm") + self.texts("docker volume")
        self.forget()
        self.assertEqual(self.finish(), 0, self.output)
        self.assertEqual(self.texts()[-1], "sync")
        self.assertEqual(self.console[-1], PREPARED)
        image = {name for name in self.left() if not name.startswith(("run/", "proc/", "sys/", "dev/"))}
        locks = "lib/apt/lists/lock cache/apt/archives/lock lib/dpkg/lock-frontend lib/dpkg/lock"
        self.assertEqual(
            image,
            {
                *("etc/machine-id", "etc/ssh/sshd_config"),
                "etc/systemd/system/timers.target.wants/another.timer",
                "var/lib/cloud/seed/nocloud/meta-data",
                *("var/log/cloud-init-output.log", "var/log/inductiva-aws.log"),
            }
            | {f"var/{lock}" for lock in locks.split() if not (self.case / "bin/docker").exists()},
        )
        for name in ("etc/machine-id", "var/log/cloud-init-output.log", "var/log/inductiva-aws.log"):
            self.assertEqual(self.read(f"root/{name}"), "", name)
        self.assertEqual(
            removed,
            [
                "docker rm --force inductiva-task-runner inductiva-file-tracker",
                "docker volume rm --force workdir",
            ],
        )

    def test_the_deadline_goes_on_but_not_in_the_image(self):
        self.prepare(BOOT_TIMEOUT_SECONDS="600")
        self.assertIn("systemctl restart inductiva-aws-boot-deadline.timer", self.texts())
        timer = self.unit("inductiva-aws-boot-deadline.timer")
        self.assertIn("\nOnActiveSec=600\n", timer)
        self.assertEqual(self.finish(), 0, self.output)
        moved = "root/run/systemd/system/inductiva-aws-"
        self.assertEqual(self.read(f"{moved}boot-deadline.timer"), timer)
        for name in ("boot-deadline.service", "end.service"):
            self.assertIn("poweroff", self.read(moved + name))
        self.assertEqual(self.texts("systemctl stop") + self.texts("systemctl disable --now i"), [])

    def test_cloud_init_forgets_first_so_that_a_reboot_begins_anew(self):
        """Whatever fails, the machine ends, and never says that it is prepared."""
        self.prepare()
        self.forget()
        self.reply("systemctl-daemon-reload", "exit 1")
        self.assertNotEqual(self.finish(), 0)
        self.assert_failed("prepare: .*daemon-reload")
        self.assertNotIn(PREPARED, self.console)
        self.assertFalse((self.root / "var/lib/cloud/instances").exists())

    def test_the_registry_decides_even_if_an_older_image_is_there(self):
        self.write("local-images", "")
        self.reply("docker-pull", "fail_the_first 14 toomanyrequests")
        self.assertEqual(self.prepare(), 0, self.output)
        self.assertEqual([line for line in self.console if "going on" in line], [])

    def test_images_that_cannot_be_had_end_it(self):
        self.reply("docker-pull", "exit 1")
        self.assertNotEqual(self.prepare(BOOT_TIMEOUT_SECONDS="120"), 0)
        self.assertRegex(self.failures[0], "^failed images: docker pull")
        self.assertEqual(self.ending, self.ENDED)
        self.assertNotIn(SERVICE, self.texts())

    def test_everything_is_on_the_root_disk(self):
        self.write("root/sys/block/nvme1n1/device/model", "Amazon EC2 NVMe Instance Storage\n")
        self.assertEqual(self.prepare(), 0, self.output)
        self.assertEqual(self.texts("lsblk") + self.texts("mkfs.ext4") + self.texts("mount "), [])

    def test_without_it_a_group_and_a_key_are_needed(self):
        for missing in ("MACHINE_GROUP_NAME", "INDUCTIVA_API_KEY"):
            with self.subTest(missing):
                self.forget()
                kept = self.variables[missing]
                self.assertNotEqual(self.boot(PREPARE_IMAGE="", **{missing: None}), 0)
                self.assert_failed(f"configuration: {missing} is not set")
                self.variables[missing] = kept
