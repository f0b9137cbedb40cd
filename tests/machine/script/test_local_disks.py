"""user-data.sh on machines that have local disks."""

import unittest

from machine import MachineTest

STATE = "root/var/lib/inductiva-aws"


class LocalDisks(MachineTest):
    UNIT = "inductiva-aws-local-disks.service"
    STORE = "Amazon EC2 NVMe Instance Storage"

    def disk(self, name, model=STORE, **about):
        # As the kernel shows it, filled up with blanks.
        self.write(f"root/sys/block/{name}/device/model", f"{model:<40}\n")
        for what, text in about.items():
            self.write(f"disks/{name}/{what}", text)

    def setUp(self):
        super().setUp()
        self.disk("nvme0n1", "Amazon Elastic Block Store", lsblk="/")
        self.write("root/proc/sys/kernel/random/uuid", "6d1f0a52-0000-4000-8000-000000000001\n")

    def started(self, **variables):
        self.assertEqual(self.boot(**variables), 0, self.output)

    def changes(self):
        """Whatever may write to a disk."""
        return [text for name in ("mkfs.ext4", "mdadm", "mount ") for text in self.texts(name)]

    def mounts(self):
        return [text.removeprefix("mount ") for text in self.texts("mount ")]

    def expected_mounts(self, device):
        state = self.case / STATE
        local = state / "local-disks"
        lib = self.root / "var/lib"
        return [f"-o noatime {device} {local}"] + [
            f"--bind {local}/{path.name} {path}"
            for path in (lib / "docker", lib / "containerd", state / "executer-images")
        ]

    def test_a_machine_without_any_is_left_as_it_is(self):
        self.started()
        self.assertEqual(self.changes(), [])
        self.assertEqual(self.texts("lsblk") + self.texts("wipefs") + self.texts("findfs"), [])
        self.assertEqual(self.unit(self.UNIT), "")

    def test_one_takes_docker_and_the_simulators_before_the_engine_is_installed(self):
        (self.case / "bin/docker").unlink()
        self.disk("nvme1n1")
        self.started()
        [made] = self.texts("mkfs.ext4")
        self.assertTrue(made.endswith(" /dev/nvme1n1"), made)
        self.assertEqual(self.mounts(), self.expected_mounts("/dev/nvme1n1"))
        self.assertEqual(self.texts("mdadm"), [])
        texts = self.texts()
        installed = next(i for i, text in enumerate(texts) if text.startswith("apt-get") and " install " in text)
        self.assertLess(texts.index("mount " + self.mounts()[-1]), installed)
        self.assertIn("tasks and images are on the local disks of /dev/nvme1n1", self.console)

    def test_several_are_striped(self):
        for number in (1, 2, 3):
            self.disk(f"nvme{number}n1")
        self.started()
        [made] = self.texts("mdadm")
        self.assertTrue(made.endswith("--level=0 --raid-devices=3 /dev/nvme1n1 /dev/nvme2n1 /dev/nvme3n1"), made)
        self.assertEqual(self.mounts(), self.expected_mounts("/dev/md/inductiva-aws"))

    def test_what_striping_needs_is_installed(self):
        (self.case / "bin/mdadm").unlink()
        for number in (1, 2):
            self.disk(f"nvme{number}n1")
        self.reply("apt-get-install", '[[ $* != *mdadm* ]] || ln -s "$STAND_IN" "$CASE/bin/mdadm"')
        self.started()
        [installed] = [text for text in self.texts("apt-get") if text.endswith(" mdadm")]
        self.assertLess(self.texts().index(installed), self.texts().index(self.texts("mdadm")[0]))

    def test_one_with_anything_on_it_is_never_touched_and_is_named(self):
        for about in (
            {"lsblk": " "},
            {"lsblk": "/data"},
            *(
                {"signatures": f"nvme1n1 0x438 {kind}"}
                for kind in "ext4 xfs btrfs swap linux_raid_member LVM2_member crypto_LUKS gpt dos zfs_member".split()
            ),
        ):
            with self.subTest(about):
                self.forget()
                self.disk("nvme1n1", **{"lsblk": "", "signatures": "", **about})
                if not about.get("lsblk"):
                    (self.case / "disks/nvme1n1/lsblk").unlink()
                self.started()
                self.assertEqual(self.changes(), [])
                self.assertIn(
                    "this local disk is left alone, as it is in use or has data: /dev/nvme1n1", self.console)

    def test_one_that_is_mounted_as_a_whole_is_never_touched(self):
        self.disk("nvme1n1")
        self.reply("lsblk", "echo /data; exit 0")
        self.started()
        self.assertEqual(self.changes(), [])

    def test_one_of_which_nothing_can_be_learned_is_never_touched(self):
        for tool in ("lsblk", "wipefs"):
            with self.subTest(tool):
                self.disk("nvme1n1")
                self.reply(tool, "exit 1")
                self.started()
                self.assertEqual(self.changes(), [])
                (self.case / "replies" / tool).unlink()

    def test_the_good_ones_beside_one_with_data_are_used(self):
        self.disk("nvme1n1", signatures="nvme1n1 0x438 ext4")
        self.disk("nvme2n1")
        self.started()
        self.assertEqual(self.mounts(), self.expected_mounts("/dev/nvme2n1"))

    def test_they_can_be_left_out(self):
        self.disk("nvme1n1")
        self.started(LOCAL_DISKS="false")
        self.assertEqual(self.changes(), [])
        # Also on a machine that had them before.
        self.started(LOCAL_DISKS="true")
        self.assertNotEqual(self.unit(self.UNIT), "")
        self.forget()
        self.started(LOCAL_DISKS="false")
        self.assertIn(f"systemctl disable --quiet {self.UNIT}", self.texts("systemctl"))
        self.assertEqual(self.unit(self.UNIT), "")

    def test_one_that_fails_leaves_the_work_on_the_root_disk(self):
        self.disk("nvme1n1")
        self.reply("mkfs.ext4", "exit 1")
        self.started()
        self.assertEqual(self.mounts(), [])
        self.assertIn("the local disks cannot be used: going on with the root disk", self.console)

    def test_one_with_half_of_a_copy_on_it_is_left_alone_at_the_next_boot(self):
        self.disk("nvme1n1")
        self.reply("mount", "[[ $* != *--bind*containerd ]] || exit 1")
        self.started()
        self.assertIn("the local disks cannot be used: going on with the root disk", self.console)
        (self.case / "replies/mount").unlink()
        self.disk("nvme1n1", signatures="nvme1n1 0x438 ext4")
        self.reboot()
        self.assertEqual(self.changes(), [])

    def test_what_an_image_brought_along_comes_too(self):
        self.disk("nvme1n1")
        self.write("root/var/lib/docker/overlay2/layer", "a layer")
        self.started()
        self.assertEqual(self.read(f"{STATE}/local-disks/docker/overlay2/layer"), "a layer")
        engine = "systemctl stop docker.socket docker.service containerd.service"
        self.assertLess(self.texts().index(engine), self.texts().index("mount " + self.mounts()[0]))

    def reboot(self):
        (self.case / "mounts").unlink()
        self.forget()
        self.write("root/proc/sys/kernel/random/uuid", "6d1f0a52-0000-4000-8000-000000000002\n")
        self.assertEqual(self.run_bash(self.case / STATE / "use-local-disks"), 0, self.output)

    def test_after_a_reboot_they_are_as_they_were(self):
        self.disk("nvme1n1")
        self.started()
        self.assertIn(f"systemctl enable --quiet {self.UNIT}", self.texts("systemctl"))
        unit = self.unit(self.UNIT)
        self.assertIn("\nBefore=docker.service ", unit)
        self.assertIn(f"\nExecStart=/bin/bash {self.case}/{STATE}/use-local-disks\n", unit)
        self.disk("nvme1n1", signatures="nvme1n1 0x438 ext4")
        self.reboot()
        self.assertEqual(self.texts("mkfs.ext4"), [])
        self.assertEqual(self.mounts(), self.expected_mounts("/dev/nvme1n1"))
        self.assertEqual([line for line in self.console if "left alone" in line], [])

    def test_stripes_are_put_together_after_a_reboot(self):
        for number in (1, 2):
            self.disk(f"nvme{number}n1")
        self.started()
        made = self.read("file-systems")
        (self.case / "file-systems").unlink()
        for number in (1, 2):
            self.disk(f"nvme{number}n1", signatures=f"nvme{number}n1 0x1000 linux_raid_member")
        self.reply("mdadm", f"[[ $* != *--assemble* ]] || echo {made.strip()!r} >>$CASE/file-systems")
        self.reboot()
        self.assertEqual(self.texts("mkfs.ext4"), [])
        self.assertEqual(self.mounts(), self.expected_mounts("/dev/md/inductiva-aws"))

    def test_after_a_stop_they_are_prepared_again(self):
        self.disk("nvme1n1")
        self.started()
        (self.case / "file-systems").unlink()
        self.reboot()
        [made] = self.texts("mkfs.ext4")
        self.assertIn("-U 6d1f0a52-0000-4000-8000-000000000002 ", made)
        self.assertEqual(self.mounts(), self.expected_mounts("/dev/nvme1n1"))

    def test_a_second_run_of_the_script_leaves_them_in_place(self):
        self.disk("nvme1n1")
        self.started()
        self.disk("nvme1n1", lsblk="", signatures="nvme1n1 0x438 ext4")
        self.forget()
        self.started()
        self.assertEqual(self.changes(), [])


if __name__ == "__main__":
    unittest.main()
