#!/usr/bin/env python3
"""Kills and stops a pack of several batches at random moments until it is done, over and over.

usage: kill_loop.py [--kills N] [--stops N] [--mib N] [--seed N] [--temp DIR]

Counts only real kills (the process was at work) and real stops (exit code 75). Every time a plan is done, every file of
the output is compared with that of an uninterrupted run. A stop must end with 75 in under five seconds.
"""
import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402

STOP_SECONDS_MAX = 5
OFTEN = {"PIECEWORK_CHECKPOINT": "20:15000000:4000000:20"}  # of test builds: a state every 20 ms
PIECE_SIZE = "256MiB"  # less than a large file: it is cut into parts


class Loop:
    def __init__(self, options, folder):
        self.chance = random.Random(options.seed)
        self.temp = folder
        self.plan = self.temp / "plan"
        self.out = self.temp / "out"
        self.kill_count = self.stop_count = self.finished_count = 0
        self.stop_seconds = []
        self.make_source(options.mib)

    def make_source(self, mebibytes):
        """Four files of a sixth each, and small ones, some of them equal."""
        source = self.temp / "source"
        source.mkdir()
        large = mebibytes // 6
        for i in range(4):
            (source / f"large-{i}").write_bytes(harness.payload(f"kill-loop-{i}", large << 20))
        small = harness.payload("kill-loop-small", 1 << 20)
        for i in range((mebibytes - 4 * large) * 8):
            folder = source / f"d{i % 50}"
            folder.mkdir(exist_ok=True)
            (folder / str(i)).write_bytes(small[i % 1000:i % 1000 + (100 << 10) + i % 3] + str(i // 2).encode() * 8000)
        self.check(subprocess.run(self.command("plan", source, "--piece-size", PIECE_SIZE, "--out", self.plan)), 0)

    @staticmethod
    def command(*arguments):
        return [harness.BINARY, *map(str, arguments)]

    def pack(self, out):
        return self.command("pack", "--plan", self.plan, "--all", "--out", out, "--json")

    @staticmethod
    def check(finished, code):
        if finished.returncode != code:
            raise AssertionError(f"{finished.args}: exit code {finished.returncode}, expected {code}")

    def expect(self):
        begin = time.monotonic()
        self.check(subprocess.run(self.pack(self.temp / "expected"), stdout=subprocess.DEVNULL), 0)
        self.whole_seconds = time.monotonic() - begin
        self.expected = harness.snapshot(self.temp / "expected")

    def attempt(self, number):
        """One process that meets `number` at a random moment. True where the plan is done."""
        process = subprocess.Popen(self.pack(self.out), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, **OFTEN})
        try:
            # Soon, so that only many attempts together get there, or any time up to the last file.
            latest = self.whole_seconds * self.chance.choice((0.25, 1))
            _, message = process.communicate(timeout=self.chance.uniform(0.005, latest))
        except subprocess.TimeoutExpired:
            if number == signal.SIGTERM:
                self.await_handlers(process)
            begin = time.monotonic()
            process.send_signal(number)
            _, message = process.communicate(timeout=600)
            self.note(number, process.returncode, time.monotonic() - begin, message)
        if process.returncode in (75, -signal.SIGKILL):
            return False
        self.check(process, 0)
        return True

    @staticmethod
    def await_handlers(process):
        """While the program is still being loaded, a stop ends it like any other."""
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
            if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.001)

    def note(self, number, code, seconds, message):
        if code == -signal.SIGKILL:
            self.kill_count += 1
        elif code == 75:
            self.stop_count += 1
            self.stop_seconds.append(seconds)
            if seconds > STOP_SECONDS_MAX:
                raise AssertionError(f"a stop took {seconds:.1f} s")
        elif code != 0:
            raise AssertionError(f"signal {number}: exit code {code}: {message.decode(errors='replace')}")

    def check_published(self):
        """What has a final name is whole, at any moment."""
        for name in self.out.glob("*.car"):
            expected = self.temp / "expected" / name.name
            if name.stat().st_size != expected.stat().st_size:
                raise AssertionError(f"{name} is not whole")

    def run(self, kills, stops):
        while self.kill_count < kills or self.stop_count < stops:
            number = signal.SIGTERM if self.chance.randrange(kills + stops) < stops else signal.SIGKILL
            is_done = self.attempt(number)
            with contextlib.suppress(FileNotFoundError):
                self.check_published()
            if not is_done:
                continue
            self.finish()
        if self.out.exists():
            while not self.attempt(0):
                pass
            self.finish()

    def finish(self):
        found = harness.snapshot(self.out)
        if found != self.expected:
            raise AssertionError(f"the output differs: {sorted(found)} and {sorted(self.expected)}")
        self.finished_count += 1
        shutil.rmtree(self.out)


def run(options, folder):
    loop = Loop(options, folder)
    loop.expect()
    loop.run(options.kills, options.stops)
    stops = sorted(loop.stop_seconds) or [0]
    return {"kills": loop.kill_count, "stops": loop.stop_count, "plans_done": loop.finished_count, "mib": options.mib,
            "uninterrupted_seconds": round(loop.whole_seconds, 1), "wrong": 0,
            "stop_seconds": {"median": round(statistics.median(stops), 2), "slowest": round(stops[-1], 2)}}


def add_options(add):
    add("--kills", type=int, default=200)
    add("--stops", type=int, default=50)
    add("--mib", type=int, default=2100)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
