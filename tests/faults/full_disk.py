#!/usr/bin/env python3
"""Packs and merges into file systems that are too small by any amount, or become full while work goes on.

usage: full_disk.py [--fills N] [--step-kib N] [--seed N] [--temp DIR]

First file systems in memory of every size up to what is needed, in steps; pack sees most of these beforehand. Then
FILLS ones that are large enough, of which all but a little is taken while pack stands still at a random moment. The
same for catalogues and merge. Each must end with 73 (or 0 where there was room), leave nothing wrong under a name of
its own, and come to the bytes of an undisturbed run when there is room again. Exit code 77 without root.
"""
import contextlib
import os
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402
from campaign import require, succeeded  # noqa: E402
from disk import Tmpfs  # noqa: E402

FULL = 73
AMPLE_KIB = 256 << 10
LITTLE_KIB = 300  # at most left when the disk becomes full
# Checkpoints all the time: their logs grow meanwhile.
OFTEN = {"PIECEWORK_CHECKPOINT": "5:1000000:100000:20"}


class Fills:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.chance = random.Random(options.seed)
        self.job = campaign.Job(folder, campaign.tree(options.seed, 12, 400), "--piece-size", "16MiB")
        self.figures = {"sizes": 0, "sizes_full": 0, "fills": 0, "fills_full": 0, "catalogue_sizes": 0,
                        "catalogue_sizes_full": 0, "wrong": 0}

    def count(self, name, code):
        self.figures[name] += 1
        self.figures[f"{name}_full"] += code == FULL

    def settle(self, finished, disk, out):
        """After a pack on a disk without room: nothing wrong is there, and with room it finishes."""
        succeeded(finished, 0, FULL)
        self.job.check_published(out)
        disk.resize(AMPLE_KIB)
        self.job.finish(out)
        return finished.code

    def sizes(self):
        needed_kib = self.job.car_bytes() * 105 // 100 // 1024
        for size_kib in range(self.options.step_kib, needed_kib + self.options.step_kib, self.options.step_kib):
            with Tmpfs(self.folder / "disk", size_kib) as disk:
                out = disk.path / "out"
                backend = ("--io", self.chance.choice(("uring", "posix")))
                finished = self.job.pack(out, *backend, env=OFTEN)
                require(finished.code == FULL or size_kib * 1024 > self.job.car_bytes(), f"{size_kib} KiB\n{finished}")
                self.count("sizes", self.settle(finished, disk, out))

    def fills(self):
        for number in range(self.options.fills):
            with Tmpfs(self.folder / "disk", AMPLE_KIB) as disk:
                out = disk.path / "out"
                process = self.job.start(out, "--threads", "1", "--io", ("uring", "posix")[number % 2], env=OFTEN)
                time.sleep(self.chance.uniform(0, self.job.seconds))
                with campaign.stopped(process):
                    filler = self.fill(disk.path)
                finished = campaign.wait(process)
                filler.unlink()
                self.count("fills", self.settle(finished, disk, out))

    def fill(self, path):
        """Takes what is left of a file system, but for a little or nothing."""
        filler = path / "filler"
        status = os.statvfs(path)
        left = status.f_bavail * status.f_frsize - self.chance.choice((0, self.chance.randrange(LITTLE_KIB << 10)))
        with open(filler, "wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(left, 1))
        return filler

    def merge(self, catalogue):
        return harness.run("merge", "--out", self.job.expected_out, "--catalogue", catalogue, "--wait", 0)

    def rows(self, catalogue):
        return succeeded(harness.run("catalogue", "dump", catalogue, "--json")).out

    def catalogues(self):
        whole = self.folder / "catalogue"
        succeeded(self.merge(whole))
        expected = self.rows(whole)
        for size_kib in range(16, 2 * whole.stat().st_size // 1024 + 200, max(self.options.step_kib // 64, 4)):
            with Tmpfs(self.folder / "disk", size_kib) as disk:
                catalogue = disk.path / "catalogue"
                finished = succeeded(self.merge(catalogue), 0, FULL)
                require(finished.code == FULL or self.rows(catalogue) == expected, f"{size_kib} KiB: other rows")
                self.count("catalogue_sizes", finished.code)
                disk.resize(AMPLE_KIB)
                succeeded(self.merge(catalogue))
                require(self.rows(catalogue) == expected, f"{size_kib} KiB: other rows after room was made")


def run(options, folder):
    campaign.need_test_build()
    fills = Fills(folder, options)
    fills.sizes()
    fills.fills()
    fills.catalogues()
    require(fills.figures["fills_full"] > options.fills // 4, f"hardly any met a full disk: {fills.figures}")
    shutil.rmtree(folder / "disk", ignore_errors=True)
    return fills.figures


def add_options(add):
    add("--fills", type=int, default=100)
    add("--step-kib", type=int, default=1024)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
