#!/usr/bin/env python3
"""Reads sources from disks with bad sectors: a short read, then EIO. The file is named, and never packed.

usage: bad_sectors.py [--count N] [--seed N] [--temp DIR]

A btrfs with one flipped byte in a file's data gives EIO behind a short read; COUNT bytes are flipped, one after the
other, and met by both backends with --on-source-error fail (exit code 65, the file named, nothing published) and skip
(0, and the report lists just that file). Exit code 77 without root, loop devices or btrfs-progs.
"""
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import disk  # noqa: E402
import harness  # noqa: E402
from campaign import require, succeeded  # noqa: E402

SIZE_BYTES = 256 << 20
FILE_BYTES = 1_500_000
FILE_COUNT = 6
SECTOR_BYTES = 4096


class BadDisk:
    """A btrfs with a source on it, whose image is opened again for each flip."""

    def __init__(self, folder, contents):
        self.image, self.mount_point, self.device = folder / "image", folder / "mount", None
        self.good = None
        self.mount_point.mkdir()
        try:
            disk.make_file_system("btrfs", self.image, SIZE_BYTES)
            self.attach()
        except disk.CommandFailed as error:
            raise campaign.Skip(error) from error
        harness.make_tree(self.mount_point / "source", contents)
        self.detach()
        self.good = self.image.read_bytes()

    def attach(self):
        self.device = disk.run("losetup", "-f", "--show", self.image)
        disk.run("mount", "-o", "ro" if self.good else "rw", self.device, self.mount_point)

    def detach(self):
        if self.mount_point.is_mount():
            disk.unmount(self.mount_point)
        if self.device:
            disk.run("losetup", "-d", self.device)
            self.device = None

    def flip(self, content, at):
        """Flips byte `at` of a file with this content, wherever its sector is stored."""
        begin = at - at % SECTOR_BYTES
        place = self.good.index(content[begin:begin + SECTOR_BYTES]) + at % SECTOR_BYTES
        with open(self.image, "r+b") as image:
            image.seek(place)
            image.write(bytes([self.good[place] ^ 1]))
        return place

    def restore(self, place):
        with open(self.image, "r+b") as image:
            image.seek(place)
            image.write(self.good[place:place + 1])


class Sectors:
    def __init__(self, folder, options):
        self.chance = random.Random(options.seed)
        self.out = folder / "out"
        self.contents = {f"file-{i}": self.chance.randbytes(FILE_BYTES) for i in range(FILE_COUNT)}
        self.disk = BadDisk(folder, self.contents)

    def one(self):
        name = self.chance.choice(list(self.contents))
        content = self.contents[name]
        place = self.disk.flip(content, self.chance.randrange(len(content) // SECTOR_BYTES * SECTOR_BYTES))
        self.disk.attach()
        try:
            for backend in ("uring", "posix"):
                self.fails(name, "--io", backend)
                self.is_skipped(name, "--io", backend)
        finally:
            self.disk.detach()
        self.disk.restore(place)

    def pack(self, *flags):
        # --dedup none: nothing reads the file before it is packed.
        shutil.rmtree(self.out, ignore_errors=True)
        source = self.disk.mount_point / "source"
        return harness.run("pack", source, "--dedup", "none", "--out", self.out, "--json", *flags)

    def fails(self, name, *flags):
        finished = succeeded(self.pack(*flags), 65)
        require(name in finished.err.decode(), f"{name} is not named\n{finished}")
        require(not list(self.out.glob("*.car")), f"something is published\n{finished}")

    def is_skipped(self, name, *flags):
        report = succeeded(self.pack(*flags, "--on-source-error", "skip")).json()
        require([Path(item["path"]).name for item in report["skipped"]] == [name], report)
        succeeded(harness.run("verify", self.out))


def run(options, folder):
    sectors = Sectors(folder, options)
    try:
        for _ in range(options.count):
            sectors.one()
    finally:
        sectors.disk.detach()
    return {"bad_sectors": options.count, "named": 2 * options.count, "skipped_and_listed": 2 * options.count,
            "packed": 0}


def add_options(add):
    add("--count", type=int, default=50)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run, temp=campaign.in_memory())
