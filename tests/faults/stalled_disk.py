#!/usr/bin/env python3
"""Packs onto a disk that stops answering for a while: no success meanwhile, and afterwards the right bytes.

usage: stalled_disk.py [--stalls N] [--seconds S] [--seed N] [--temp DIR]

The disk is a program's (qemu-storage-daemon), which is stopped (SIGSTOP) at a random moment of the pack. Whoever has
not ended a second later cannot end before the disk answers again, since the receipt has to be synced. Meanwhile the
events say that the job stands still, and then that it goes on. Exit code 77 without root, loop devices,
qemu-storage-daemon with FUSE, or a test build.
"""
import json
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import write_log  # noqa: E402
from campaign import require, succeeded  # noqa: E402

SETTLED_SECONDS = 1


class Stalls:
    def __init__(self, folder, options, mount_point, daemon):
        self.options, self.daemon = options, daemon
        self.chance = random.Random(options.seed)
        self.out = mount_point / "out"
        self.job = campaign.Job(folder, campaign.tree(options.seed, 10, 200), "--piece-size", "4MiB")
        self.waited = 0

    def one(self):
        events = self.job.source.parent / "events"
        events.unlink(missing_ok=True)
        process = self.job.start(self.out, "--threads", "1", "--events", events,
                                 env={"PIECEWORK_CHECKPOINT": "5:1000000:100000:20", "PIECEWORK_STALL": "1000"})
        has_waited = False
        time.sleep(self.chance.uniform(0, self.job.seconds))
        with campaign.stopped(self.daemon):
            time.sleep(SETTLED_SECONDS)
            if process.poll() is None:
                has_waited = True
                time.sleep(self.options.seconds)
                require(process.poll() is None, "it ended although its disk did not answer")
        succeeded(campaign.wait(process))
        names = [json.loads(line)["event"] for line in events.read_text().splitlines()]
        if has_waited:
            self.waited += 1
            require(names.count("stalled") == names.count("resumed") == 1, f"it does not say that it waits: {names}")
        self.job.check_done(self.out)
        shutil.rmtree(self.out)


def run(options, folder):
    campaign.need_test_build()
    with write_log.RecordedDisk(folder, "ext4", 320 << 20) as recorded:
        stalls = Stalls(folder, options, recorded.mount_point, recorded.daemon)
        for _ in range(options.stalls):
            stalls.one()
    require(stalls.waited > options.stalls // 4, f"only {stalls.waited} had to wait")
    return {"stalls": options.stalls, "waited": stalls.waited, "said_so": stalls.waited,
            "stall_seconds": options.seconds, "false_success": 0}


def add_options(add):
    add("--stalls", type=int, default=20)
    add("--seconds", type=float, default=3)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run, temp=campaign.in_memory())
