#!/usr/bin/env python3
"""Lets every fsync fail in turn, disks lose what was written, and file systems become read-only.

usage: failed_syncs.py [--sizes N] [--read-only N] [--seed N] [--temp DIR]

Each fsync and fdatasync of a pack fails once, by strace, with EIO and with ENOSPC: exit code 74 or 73, no second sync
of that file, nothing wrong under a name of its own, and the same command again comes to the right bytes. Then an ext4
whose image is thin: all writes succeed, the sync does not, and one that is tried again would. What counts is what is
there after the file system was mounted anew. Last an ext4 that reports an error and becomes read-only at a random
moment. Without root, loop devices or strace: those parts are left out, and where all are, exit code 77.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import checkpoint_log  # noqa: E402
import disk  # noqa: E402
from campaign import Skip, require, succeeded  # noqa: E402

OFTEN = {"PIECEWORK_CHECKPOINT": "5:1000000:100000:20", "ASAN_OPTIONS": "detect_leaks=0"}
CALLS = "fsync,fdatasync"
CODES = {"EIO": 74, "ENOSPC": 73}
THIN_BYTES = 256 << 20


def failed_sync(lines):
    """The file whose sync strace let fail, none: None, and the files that are synced after that."""
    paths, syncs, failed, failed_at = {}, [], None, 0
    for line in lines:
        thread = line.split(maxsplit=1)[0]
        call = re.search(r"f(?:data)?sync\(\d+<([^>]*)>", line)
        if call:
            paths[thread] = call.group(1)
            syncs.append(call.group(1))
        if "INJECTED" in line and failed is None:
            failed, failed_at = paths[thread], len(syncs)
    return failed, syncs[failed_at:]


class Syncs:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.chance = random.Random(options.seed)
        self.out = folder / "out"
        self.job = campaign.Job(folder, campaign.tree(options.seed, 6, 200), "--piece-size", "4MiB")

    def each_sync(self):
        """Counts the syncs that failed."""
        campaign.need_tools("strace")
        failed = 0
        for error, code in CODES.items():
            for number in range(1, 10_000):
                if not self.one_sync(number, error, code):
                    break
                failed += 1
        return {"syncs_failed": failed, "syncs_tried_again": 0}

    def one_sync(self, number, error, code):
        shutil.rmtree(self.out, ignore_errors=True)
        log = self.folder / "strace"
        strace = ("strace", "-f", "-y", "-o", log, "-e", f"trace={CALLS}", "-e",
                  f"inject={CALLS}:error={error}:when={number}")
        finished = self.job.pack(self.out, "--io", "posix", "--threads", "2", env=OFTEN, wrapper=strace)
        failed, later = failed_sync(log.read_text().splitlines())
        if not failed:
            succeeded(finished)
            return False
        require(finished.code == code, f"sync {number}, {error}: expected exit code {code}\n{finished}")
        require(failed not in later, f"{failed} is synced again, after {error} of sync {number}")
        self.job.check_published(self.out)
        self.job.finish(self.out)
        return True

    def thin_image(self):
        """An ext4 of which only so much can be stored."""
        results = {"thin_disks": 0, "thin_disks_failed": 0}
        for _ in range(self.options.sizes):
            with disk.Tmpfs(self.folder / "memory", 2 * THIN_BYTES >> 10) as memory:
                results["thin_disks_failed"] += self.one_thin(memory)
            results["thin_disks"] += 1
        require(results["thin_disks_failed"] > self.options.sizes // 4, f"hardly any failed: {results}")
        return results

    def one_thin(self, memory):
        thin = ThinDisk(memory.path, self.folder / "mount")
        try:
            out = thin.mount_point / "out"
            os.sync()
            status = os.statvfs(memory.path)
            used_kib = (status.f_blocks - status.f_bfree) * status.f_frsize >> 10
            memory.resize(used_kib + self.chance.randrange(self.job.car_bytes() * 13 // 10 // 1024))
            finished = succeeded(self.job.pack(out, env=OFTEN), 0, 73, 74)
            thin.remount(lambda: memory.resize(2 * THIN_BYTES >> 10))
            self.job.check_published(out)
            if finished.code == 0:
                self.job.check_there(out)
            checkpoint_log.reboot(out)
            self.job.finish(out)
        finally:
            thin.remove()
        return finished.code != 0

    def read_only(self):
        """An error that makes the file system read-only at a random moment."""
        results = {"read_only": 0, "read_only_failed": 0}
        with disk.Tmpfs(self.folder / "memory", 2 * THIN_BYTES >> 10) as memory:
            for _ in range(self.options.read_only):
                thin = ThinDisk(memory.path, self.folder / "mount", "errors=remount-ro")
                try:
                    results["read_only_failed"] += self.one_read_only(thin)
                finally:
                    thin.remove()
                results["read_only"] += 1
        return results

    def one_read_only(self, thin):
        out = thin.mount_point / "out"
        process = self.job.start(out, "--threads", "1", env=OFTEN)
        time.sleep(self.chance.uniform(0, self.job.seconds))
        with campaign.stopped(process):
            Path(f"/sys/fs/ext4/{Path(thin.device).name}/trigger_fs_error").write_text("1")
        finished = succeeded(campaign.wait(process), 0, 73, 74)
        if out.exists():
            self.job.check_published(out)
        thin.remount(lambda: None)
        self.job.check_published(out)
        self.job.finish(out)
        return finished.code != 0


class ThinDisk:
    """An ext4 whose image is a hole in `folder`."""

    def __init__(self, folder, mount_point, *mount_options):
        self.image, self.mount_point = folder / "image", mount_point
        self.options = ("-o", ",".join(mount_options)) if mount_options else ()
        self.device = None
        mount_point.mkdir(exist_ok=True)
        self.image.unlink(missing_ok=True)
        try:
            disk.make_file_system("ext4", self.image, THIN_BYTES)
            self.attach()
        except disk.CommandFailed as error:
            self.remove()
            raise Skip(error) from error

    def attach(self):
        self.device = disk.run("losetup", "-f", "--show", self.image)
        disk.run("mount", *self.options, self.device, self.mount_point)

    def detach(self):
        disk.unmount(self.mount_point)
        disk.run("losetup", "-d", self.device)
        self.device = None

    def remount(self, make_room):
        """As somebody does who finds the disk broken: unmounts, repairs, mounts."""
        self.detach()
        make_room()
        subprocess.run(["e2fsck", "-f", "-y", str(self.image)], capture_output=True)
        self.attach()

    def remove(self):
        if self.mount_point.is_mount():
            disk.unmount(self.mount_point)
        if self.device:
            subprocess.run(["losetup", "-d", self.device], capture_output=True)
        self.image.unlink(missing_ok=True)


def run(options, folder):
    campaign.need_test_build()
    syncs = Syncs(folder, options)
    figures, reasons = {}, []
    for part in (syncs.each_sync, syncs.thin_image, syncs.read_only):
        try:
            figures.update(part())
        except Skip as reason:
            reasons.append(str(reason))
    if not figures:
        raise Skip("; ".join(reasons))
    return {**figures, **({"left_out": reasons} if reasons else {}), "wrong": 0}


def add_options(add):
    add("--sizes", type=int, default=40, help="thin disks")
    add("--read-only", type=int, default=40, help="file systems that become read-only")


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run, temp=campaign.in_memory())
