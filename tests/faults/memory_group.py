#!/usr/bin/env python3
"""Works in a control group of 256 MiB: large pieces, many files, one large directory; nothing may be killed.

usage: memory_group.py [--gib N] [--files N] [--directory N] [--mib N] [--seed N] [--temp DIR]

A sparse file of GIB, FILES small files in many directories, DIRECTORY empty ones in one, and data that is stored: pack,
verify, extract and merge of what fits the disk. Prints the largest resident size of each command in MiB (VmHWM, looked
at all the time).
Page cache counts to the group and is taken back by the kernel; resident memory is what the promise is about. Exit code
77 where no group can be made, or the folder lies in memory, which counts to the group and cannot be taken back.
"""
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402
from campaign import require  # noqa: E402
from control_group import memory_group  # noqa: E402

LIMIT_BYTES = 256 << 20


class Runs:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.resident_mib = {}

    def run(self, name, *arguments):
        """Runs piecework in the group; notes its resident size."""
        out = self.folder / "report"
        with memory_group(LIMIT_BYTES) as (wrapper, _), open(out, "wb") as file:
            process = subprocess.Popen([*map(str, wrapper), harness.BINARY, *map(str, arguments), "--json"],
                                       stdout=file, stderr=file)
            resident_kib = self.watch(process)
        require(process.returncode == 0, f"{name}: exit code {process.returncode}: {out.read_bytes()[-1000:]}")
        self.resident_mib[name] = resident_kib // 1024
        require(0 < resident_kib <= LIMIT_BYTES // 1024, f"{name}: {resident_kib} KiB resident")

    @staticmethod
    def watch(process):
        """Waits for its end; returns its largest resident size. (What the kernel tells afterwards counts the memory of
        the process that it was forked from, too.)"""
        binary = os.path.realpath(harness.BINARY)
        resident_kib = 0
        while process.poll() is None:
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                if os.readlink(f"/proc/{process.pid}/exe") == binary:
                    resident_kib = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")),
                                        resident_kib)
            time.sleep(0.005)
        return resident_kib

    def source(self, name):
        path = self.folder / name
        path.mkdir()
        return path

    def large_piece(self):
        source = self.source("sparse")
        with open(source / "sparse", "wb") as file:
            file.truncate(self.options.gib << 30)
        flags = ("--no-car", "--piece-size", "64GiB")
        self.run("pack_sparse", "pack", source, *flags, "--out", self.folder / "sparse-out")

    def many_files(self):
        source = self.source("many")
        for i in range(self.options.files):
            if i % 1000 == 0:
                folder = source / str(i)
                folder.mkdir()
            (folder / str(i)).write_bytes(b"%d" % i)
        self.run("pack_many", "pack", source, "--out", self.folder / "many-out")
        self.run("verify_many", "verify", self.folder / "many-out")
        self.run("merge_many", "merge", "--out", self.folder / "many-out", "--catalogue", self.folder / "catalogue")
        self.run("extract_many", "extract", self.folder / "many-out", "--verify-only")

    def one_directory(self):
        source = self.source("directory")
        for i in range(self.options.directory):
            os.close(os.open(source / f"name-of-a-file-{i:08d}", os.O_CREAT | os.O_WRONLY))
        self.run("pack_directory", "pack", source, "--no-car", "--out", self.folder / "directory-out")

    def stored(self):
        source = self.source("stored")
        for i in range(16):
            (source / str(i)).write_bytes(harness.payload(f"memory-{i}", self.options.mib << 16))
        self.run("pack_stored", "pack", source, "--dedup", "blocks", "--out", self.folder / "stored-out")
        self.run("verify_stored", "verify", self.folder / "stored-out")
        car = next((self.folder / "stored-out").glob("*.car"))
        self.run("pack_car", "pack", car, "--out", self.folder / "car-out")
        self.run("extract_stored", "extract", car, "--verify-only")


def run(options, folder):
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True).stdout.strip()
    if kind == "tmpfs":
        raise campaign.Skip(f"{folder} lies in memory: --temp elsewhere")
    runs = Runs(folder, options)
    for part in (runs.stored, runs.many_files, runs.one_directory, runs.large_piece):
        part()
    return {"limit_mib": LIMIT_BYTES >> 20, "gib": options.gib, "files": options.files, "directory": options.directory,
            "stored_mib": options.mib, "resident_mib": runs.resident_mib, "killed": 0}


def add_options(add):
    add("--gib", type=int, default=16, help="of a sparse file")
    add("--files", type=int, default=200_000)
    add("--directory", type=int, default=300_000, help="entries of one directory")
    add("--mib", type=int, default=1024, help="of data that is stored")


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
