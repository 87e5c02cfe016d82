#!/usr/bin/env python3
"""Packs under limits of every size on descriptors, file sizes and address space: it works, or says so and stops.

usage: limits.py [--steps N] [--seed N] [--temp DIR]

Exit code 0, 71 (descriptors, memory) or 73 (file sizes), nothing wrong under a name of its own, and without the limit
the same command comes to the right bytes. An address space in which just a worker thread of oneTBB finds no room ends
the process with a signal, out of the middle of the library: these are counted (as_died), and the rest must hold.
"""
import collections
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402
from campaign import require, succeeded  # noqa: E402


class Limits:
    def __init__(self, folder, options):
        self.steps = options.steps
        self.chance = random.Random(options.seed)
        self.out = folder / "out"
        self.job = campaign.Job(folder, campaign.tree(options.seed, 4, 100), "--piece-size", "4MiB")
        self.counts = collections.Counter()

    def meet(self, resource, value, refused):
        limited = ("prlimit", f"--{resource}={value}:{value}")
        if harness.run("--version", wrapper=limited).code != 0:
            return  # too little for the program to be loaded
        backend = self.chance.choice(("uring", "posix"))
        finished = self.job.pack(self.out, "--io", backend, wrapper=limited)
        died = resource == "as" and finished.code < 0
        require(died or finished.code in (0, refused), f"{resource} {value}: expected 0 or {refused}\n{finished}")
        self.counts[f"{resource}_limits"] += 1
        self.counts[f"{resource}_refused"] += finished.code == refused
        self.counts[f"{resource}_died"] += died
        self.job.check_published(self.out)
        self.job.finish(self.out)
        shutil.rmtree(self.out)

    def run(self):
        for value in range(4, 184, 3):
            self.meet("nofile", value, 71)
        for step in range(self.steps):
            self.meet("fsize", 1000 + step * self.job.car_bytes() // self.steps, 73)
        for step in range(self.steps):
            self.meet("as", (20 << 20) + step * (400 << 20) // self.steps, 71)


def run(options, folder):
    campaign.need_tools("prlimit")
    if harness.has_undefined_sanitizer():
        raise campaign.Skip("sanitizers need more than these limits")
    limits = Limits(folder, options)
    limits.run()
    succeeded(harness.run("verify", limits.job.expected_out))
    return {**limits.counts, "wrong": 0}


def add_options(add):
    add("--steps", type=int, default=60)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
