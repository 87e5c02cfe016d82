#!/usr/bin/env python3
"""Packs into an ext4 on a loop device whose power is cut at random moments: what was not synced is gone.

usage: power_cut.py [--cuts N] [--seed N] [--temp DIR]

The cut is EXT4_IOC_SHUTDOWN without a flush of the journal, then the file system is mounted again; the boot id in the
checkpoint is replaced, as a reboot would have it. A published CAR must be whole at any moment, the same command must
come to the bytes of an uninterrupted run, and what it went on from must have survived. Exit code 77 where loop devices
or mount are not allowed, or without a test build.
"""
import argparse
import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import checkpoint_log  # noqa: E402
import harness  # noqa: E402

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2
# A checkpoint every 20 ms, a mark every 15 MB, runs of 20 events.
OFTEN = "20:15000000:4000000:20"


class Disk:
    """An ext4 of 2 GiB in a file, mounted."""

    def __init__(self, folder):
        self.mount_point = folder / "mount"
        self.mount_point.mkdir()
        image = folder / "image"
        with open(image, "wb") as file:
            file.truncate(2 << 30)
        self.run("mkfs.ext4", "-q", "-F", image)
        self.device = self.run("losetup", "-f", "--show", image).strip()
        self.mount()

    @staticmethod
    def run(*command):
        return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout

    def mount(self):
        self.run("mount", self.device, self.mount_point)

    def unmount(self):
        for _ in range(100):  # descriptors of a killed process may close a little later
            if subprocess.run(["umount", str(self.mount_point)], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.mount_point} stays busy")

    def cut_power(self):
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        finally:
            os.close(descriptor)

    def remove(self):
        with contextlib.suppress(AssertionError):
            self.unmount()
        subprocess.run(["losetup", "-d", self.device], capture_output=True)


class Packs:
    def __init__(self, folder, disk, seed):
        self.chance = random.Random(seed)
        self.disk = disk
        self.out = disk.mount_point / "out"
        self.cut_count = self.finished_count = 0
        self.resumed_bytes = []
        source = folder / "source"
        large = harness.payload("power-cut", 40 << 20)
        harness.make_tree(source, {**{f"large-{i}": large[i << 16:] for i in range(6)},
                                   **{f"small-{i}": large[i << 10:][:2000] for i in range(3000)}})
        self.plan = folder / "plan"
        self.check(harness.run("plan", source, "--out", self.plan))
        self.check(harness.run("pack", "--plan", self.plan, "--all", "--out", folder / "expected"))
        self.expected = harness.snapshot(folder / "expected")

    @staticmethod
    def check(finished):
        if finished.code != 0:
            raise AssertionError(str(finished))
        return finished

    def attempt(self, seconds):
        """One process, whose disk loses its power after `seconds`; finishes the plan where it is faster."""
        command = ("pack", "--plan", self.plan, "--all", "--out", self.out, "--json")
        process = harness.start(*command, env={**os.environ, "PIECEWORK_CHECKPOINT": OFTEN})
        try:
            out, message = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.disk.cut_power()
            process.kill()
            process.communicate()
            self.cut_count += 1
            self.disk.unmount()
            self.disk.mount()
            self.reboot()
            return
        finished = self.check(harness.Finished(command, process.returncode, out, message))
        self.resumed_bytes.append(finished.json()["pieces"][0]["resumed_bytes"])
        if harness.snapshot(self.out) != self.expected:
            raise AssertionError("the output differs from that of an uninterrupted run")
        self.finished_count += 1
        shutil.rmtree(self.out)

    def reboot(self):
        for car in self.out.glob("*.car"):
            if self.expected[os.fsencode(car.name)] != ("file", harness.sha256_of(car)):
                raise AssertionError(f"{car} is published and not whole")
        for log in self.out.glob(".piecework-*.checkpoint.tmp"):
            content = log.read_bytes()
            parts = checkpoint_log.records(content)
            if not any(kind == checkpoint_log.BOOT for kind, _ in parts):
                continue
            boot = checkpoint_log.boot(b"another boot", checkpoint_log.boot_of(content)[1])
            log.write_bytes(checkpoint_log.encode([boot if part[0] == checkpoint_log.BOOT else part for part in parts]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temp")
    options = parser.parse_args()
    if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
        sys.exit(harness.SKIPPED)
    folder = Path(tempfile.mkdtemp(prefix="power-cut-", dir=options.temp))
    try:
        try:
            disk = Disk(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"skipped: {error}")
            sys.exit(harness.SKIPPED)
        try:
            packs = Packs(folder, disk, options.seed)
            while packs.cut_count < options.cuts:
                packs.attempt(packs.chance.uniform(0.1, 1.2))
            while packs.finished_count == 0 or packs.out.exists():
                packs.attempt(harness.TIMEOUT_S)
        finally:
            disk.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{packs.cut_count} power cuts, {packs.finished_count} plans done, all equal to an uninterrupted run; "
          f"the last attempts went on at {[count >> 20 for count in packs.resumed_bytes]} MiB")


if __name__ == "__main__":
    main()
