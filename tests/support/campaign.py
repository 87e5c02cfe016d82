"""What the programs of tests/faults share: options, a folder of their own, skipping, and figures as one line of JSON.

A program calls `main` with a function that takes the options and the folder, and returns its figures. What is wrong is
raised: the exit code is 1 and nothing is printed as a figure. `Skip` ends it with 77 and its reason.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

import harness


class Skip(unittest.SkipTest):
    """This host lacks what is needed."""


def need_tools(*names):
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise Skip(f"{', '.join(missing)}: not installed")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def need_test_build():
    if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
        raise Skip("not a test build (PIECEWORK_KILL_POINTS)")


def require(is_true, message):
    if not is_true:
        raise AssertionError(str(message))


def succeeded(finished, *codes):
    """`finished`, whose exit code must be one of `codes`, by default 0."""
    require(finished.code in (codes or (0,)), f"expected exit code {codes or 0}\n{finished}")
    return finished


def in_memory():
    """A directory in memory with a few GiB of room, or None: many syncs and copies of images are quick there."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 6 << 30 else None


def main(document, add_options, campaign, temp=None):
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser.add_argument)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temp", default=temp, help=f"a directory for what is made; default: {temp or 'the usual'}")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"{Path(sys.argv[0]).stem}-", dir=options.temp))
    begin = time.monotonic()
    try:
        figures = campaign(options, folder)
    except Skip as reason:
        print(f"skipped: {reason}")
        sys.exit(harness.SKIPPED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({**figures, "seed": options.seed, "seconds": round(time.monotonic() - begin)}))


class Job:
    """A pack of a plan, and what an uninterrupted run of it leaves."""

    def __init__(self, folder, entries, *plan_flags):
        self.source = folder / "source"
        self.plan = folder / "plan"
        self.expected_out = folder / "expected"
        harness.make_tree(self.source, entries)
        succeeded(harness.run("plan", self.source, "--out", self.plan, *plan_flags))
        begin = time.monotonic()
        succeeded(self.pack(self.expected_out))
        self.seconds = time.monotonic() - begin
        self.expected = harness.snapshot(self.expected_out)

    def command(self, out, *flags):
        return ("pack", "--plan", self.plan, "--all", "--out", out, "--json", *flags)

    def pack(self, out, *flags, **options):
        return harness.run(*self.command(out, *flags), **options)

    def start(self, out, *flags, env=None):
        return harness.start(*self.command(out, *flags), env={**os.environ, **(env or {})})

    def car_bytes(self):
        return sum(path.stat().st_size for path in self.expected_out.glob("*.car"))

    def check_published(self, out):
        """Whatever has a name of its own is whole; a receipt stands for files that are there."""
        if not out.exists():
            return
        found = {name: value for name, value in harness.snapshot(out).items()
                 if value[0] == "file" and b".piecework-" not in name}
        for name, value in found.items():
            require(self.expected.get(name) == value, f"{name!r} is published and not what it should be")
        for name in found:
            if name.startswith(b"receipts/") and name.endswith(b".json"):
                piece = json.loads((out / os.fsdecode(name)).read_text())["piece_cid_v1"].encode()
                files = [other for other in self.expected if other.startswith(piece)]
                require(all(other in found for other in files), f"{name!r} is there, and not all of {files}")

    def check_there(self, out):
        """All that is published is there; temporaries whose removal was not synced may be, too."""
        self.check_published(out)
        found = harness.snapshot(out)
        require(all(name in found for name in self.expected), f"missing: {sorted(set(self.expected) - set(found))}")

    def check_done(self, out):
        found = harness.snapshot(out)
        require(found == self.expected, f"the output differs: {sorted(found)}, expected {sorted(self.expected)}")

    def finish(self, out, *flags, **options):
        """The same command again, without a fault, comes to the same bytes."""
        finished = succeeded(self.pack(out, *flags, **options))
        self.check_done(out)
        return finished.json()


def wait(process, timeout=harness.TIMEOUT_S):
    """The end of a process that harness.start() has started."""
    out, message = process.communicate(timeout=timeout)
    return harness.Finished(process.args, process.returncode, out, message)


@contextlib.contextmanager
def stopped(process):
    """Stands still meanwhile. Yields False where it was over before."""
    process.send_signal(signal.SIGSTOP)
    try:
        with contextlib.suppress(FileNotFoundError):
            deadline = time.monotonic() + 10
            while state_of(process) not in "TZX" and time.monotonic() < deadline:
                time.sleep(0.001)
        yield process.poll() is None and state_of(process) == "T"
    finally:
        process.send_signal(signal.SIGCONT)


def state_of(process):
    """The letter that /proc has for it."""
    try:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"


def tree(seed, large_count, small_count, large_bytes=1 << 20):
    """Entries of a source: large files, and small ones of which every other is equal to the one before."""
    chance = random.Random(f"tree-{seed}")
    entries = {f"large-{i}": chance.randbytes(large_bytes + i) for i in range(large_count)}
    for i in range(small_count):
        if i % 2 == 0:
            content = chance.randbytes(chance.randrange(4000))
        entries[f"d{i % 7}/small-{i}"] = content
    return entries
