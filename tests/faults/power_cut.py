#!/usr/bin/env python3
"""Packs into a file system on a loop device whose power is cut at random moments: what was not synced is gone.

usage: power_cut.py [--filesystem ext4|ext4-writeback|xfs|btrfs] [--cuts N] [--seed N] [--temp DIR]

The cut is a shutdown of the file system (of btrfs: of the one that its image lies in) without a flush of the journal,
then it is mounted again; the boot id in the checkpoint is replaced, as a reboot would have it. A published file must be
whole at any moment, a receipt must have its files, the same command must come to the bytes of an uninterrupted run, and
what it went on from must have survived. Exit code 77 where loop devices or mount are not allowed, where the file
system's tools are missing, or without a test build.
"""
import random
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import checkpoint_log  # noqa: E402
import harness  # noqa: E402
from disk import KINDS, Disk  # noqa: E402

# A checkpoint every 20 ms, a mark every 15 MB, runs of 20 events.
OFTEN = {"PIECEWORK_CHECKPOINT": "20:15000000:4000000:20"}


class Packs:
    def __init__(self, folder, disk, seed):
        self.chance = random.Random(seed)
        self.disk = disk
        self.out = disk.mount_point / "out"
        self.cut_count = self.finished_count = 0
        self.resumed_bytes = []
        large = harness.payload("power-cut", 40 << 20)
        self.job = campaign.Job(folder, {**{f"large-{i}": large[i << 16:] for i in range(6)},
                                         **{f"small-{i}": large[i << 10:][:2000] for i in range(3000)}})

    def attempt(self, seconds):
        """One process, whose disk loses its power after `seconds`; finishes the plan where it is faster."""
        process = self.job.start(self.out, env=OFTEN)
        try:
            finished = campaign.wait(process, seconds)
        except subprocess.TimeoutExpired:
            self.disk.cut_power()
            process.kill()
            process.communicate()
            self.cut_count += 1
            self.disk.restart()
            self.job.check_published(self.out)
            checkpoint_log.reboot(self.out)
            return
        self.resumed_bytes.append(campaign.succeeded(finished).json()["pieces"][0]["resumed_bytes"])
        self.job.check_done(self.out)
        self.finished_count += 1
        shutil.rmtree(self.out)


def run(options, folder):
    campaign.need_test_build()
    disk = Disk(folder, options.filesystem)
    try:
        packs = Packs(folder, disk, options.seed)
        while packs.cut_count < options.cuts:
            packs.attempt(packs.chance.uniform(0.1, 1.2))
        while packs.finished_count == 0 or packs.out.exists():
            packs.attempt(harness.TIMEOUT_S)
    finally:
        disk.remove()
    return {"filesystem": options.filesystem, "power_cuts": packs.cut_count, "plans_done": packs.finished_count,
            "went_on_at_mib": [count >> 20 for count in packs.resumed_bytes], "wrong": 0}


def add_options(add):
    add("--filesystem", choices=KINDS, default="ext4")
    add("--cuts", type=int, default=40)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run, temp=campaign.in_memory())
