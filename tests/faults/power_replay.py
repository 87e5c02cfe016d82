#!/usr/bin/env python3
"""Records every write of a pack and a merge below the file system, and looks at every state a power cut could leave.

usage: power_replay.py [--filesystem ext4|ext4-writeback|xfs|btrfs] [--logs N] [--every N] [--seed N] [--temp DIR]

In each state the file system is mounted, which replays its journal. Every published file must be whole, every receipt
must have its files, a catalogue that is there must be sound; then the same commands must come to the bytes of an
uninterrupted run. A state is a prefix of the recorded log, and once more that prefix without a random part of what was
written since the last flush. The folder lies in memory where there is room. Exit code 77 without root, loop
devices, qemu-storage-daemon with FUSE (Debian: qemu-system-common, fuse3), the file system's tools, or a test build.
"""
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import checkpoint_log  # noqa: E402
import disk  # noqa: E402
import harness  # noqa: E402
import write_log  # noqa: E402
from campaign import require, succeeded  # noqa: E402

SIZE_BYTES = 320 << 20  # xfs takes no less than 300 MiB
# A checkpoint as often as there is a run of 40 events, a mark every 2 MB.
OFTEN = {"PIECEWORK_CHECKPOINT": "0:2000000:100000:40"}


class Replay:
    def __init__(self, folder, seed):
        self.folder = folder
        self.chance = random.Random(seed)
        self.job = campaign.Job(folder, campaign.tree(seed, 3, 150), "--piece-size", "4MiB")
        self.catalogue = folder / "catalogue"
        succeeded(self.merge(self.job.expected_out, self.catalogue))
        self.rows = self.dump(self.catalogue)
        self.state_count = self.published_states = 0

    @staticmethod
    def merge(out, catalogue):
        return harness.run("merge", "--out", out, "--catalogue", catalogue)

    @staticmethod
    def dump(catalogue):
        return succeeded(harness.run("catalogue", "dump", catalogue, "--json")).out

    def record(self, kind, folder):
        with write_log.RecordedDisk(folder, kind, SIZE_BYTES) as recorded:
            succeeded(self.job.pack(recorded.mount_point / "out", env=OFTEN))
            succeeded(self.merge(recorded.mount_point / "out", recorded.mount_point / "catalogue"))
        return recorded

    def look_at(self, mount_point):
        """What is there must be right, and the work can be finished."""
        out, catalogue = mount_point / "out", mount_point / "catalogue"
        self.job.check_published(out)
        self.published_states += any(out.glob("*.car"))
        if catalogue.exists():
            # An empty file is what there is before the first commit.
            succeeded(harness.run("catalogue", "check", catalogue), 0, 78)
        checkpoint_log.reboot(out)
        self.job.finish(out)
        succeeded(self.merge(out, catalogue))
        require(self.dump(catalogue) == self.rows, "the catalogue has other rows")

    def replay(self, kind, options, folder):
        recorded = self.record(kind, folder)
        states = write_log.States(recorded, folder / "image", self.chance)
        mount_point = folder / "mount"
        mount_point.mkdir()
        for state in states.images(options.every, drop=True):
            device = disk.run("losetup", "-f", "--show", states.image)
            try:
                disk.mount(kind, device, mount_point)
                self.look_at(mount_point)
            except AssertionError as error:
                raise AssertionError(f"{kind}, {state}: {error}") from error
            finally:
                if mount_point.is_mount():
                    disk.unmount(mount_point)
                disk.run("losetup", "-d", device)
            self.state_count += 1
        return states


def run(options, folder):
    campaign.need_test_build()
    totals = {"filesystem": options.filesystem, "logs": options.logs, "states": 0, "states_with_a_piece": 0,
              "entries": 0, "flushes": 0}
    for i in range(options.logs):
        (folder / str(i)).mkdir()
        replay = Replay(folder / str(i), f"{options.seed}-{i}")
        states = replay.replay(options.filesystem, options, folder / str(i))
        for name, count in (("states", replay.state_count), ("states_with_a_piece", replay.published_states),
                            ("entries", states.entry_count), ("flushes", states.flush_count)):
            totals[name] += count
    return {**totals, "wrong": 0}


def add_options(add):
    add("--filesystem", choices=disk.KINDS, default="ext4")
    add("--logs", type=int, default=1)
    add("--every", type=int, default=1, help="states behind each N-th write; those behind a flush always")


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run, temp=campaign.in_memory())
