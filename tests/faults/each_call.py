#!/usr/bin/env python3
"""Lets each call of small jobs fail, one at a time: every open, read, write, sync, link and so on of the job's files.

usage: each_call.py [--every N] [--job NAME...] [--seed N] [--temp DIR]

Jobs: plan, pack (of a plan and of sources), merge, catalogue rebuild, extract, verify, repair, prove, deal propose and
deal track. Each runs once to count its calls (tests/support/fail_call.c) by the directory they touch and by kind, then
once for every call (--every 1) that fails: with EIO, those that make or store something also with ENOSPC, transfers
also with EINTR and half done. Each time: the exit code is one of the side whose call it was, nothing wrong has a name
of its own, and the same command without the fault comes to the right end. EINTR and half a transfer are no faults: the
job is done.
On threads for IO: a ring's operations are no calls. Exit code 77 without the library (sanitized builds).
"""
import collections
import errno
import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import call_jobs  # noqa: E402
import campaign  # noqa: E402
import fail_call  # noqa: E402
from campaign import require  # noqa: E402

HARMLESS = (errno.EINTR, fail_call.SHORT)
STORES = ("create", "link", "mkdir", "resize", "sync", "write")
TRANSFERS = ("read", "write")


def faults_of(kind):
    yield errno.EIO
    if kind in STORES:
        yield errno.ENOSPC
    if kind in TRANSFERS:
        yield from HARMLESS


class Sweep:
    """All faults of one job."""

    def __init__(self, job, folder, options):
        self.job, self.log, self.every = job, folder / "calls", options.every
        self.chance = random.Random(f"{options.seed}-{job.name}")
        self.failures = []
        self.codes = collections.Counter()

    def run_with(self, fault=None):
        self.log.unlink(missing_ok=True)
        finished = self.job.run(fail_call.environment(self.job.roots, fault, self.log))
        return finished, fail_call.lines(self.log)

    def calls(self):
        """{(side, kind): how many} of the job without a fault."""
        self.job.reset()
        finished, lines = self.run_with()
        self.job.check_done(campaign.succeeded(finished))
        counts = collections.Counter(tuple(line.split(" ", 2)[:2]) for line in lines)
        require(counts, f"{self.job.name} makes no calls that count: is the library loaded?")
        return counts

    def codes_of(self, side, kind, error):
        codes = self.job.codes[side]
        return codes.get((kind, error), codes.get(error, ()))

    def one(self, side, kind, index, error):
        self.job.reset()
        finished, lines = self.run_with(f"{side}.{kind}.{index}.{error}")
        failed = fail_call.failed(lines)
        if not failed:
            campaign.succeeded(finished)
            return
        allowed = (0,) if error in HARMLESS else (0, *self.codes_of(side, kind, error))
        where = f"{self.job.name}: {failed[0]}, the {index}th, {os.strerror(error) if error else 'half done'}"
        try:
            require(finished.code in allowed, f"exit code {finished.code}, expected one of {allowed}")
            if finished.code == 0:
                self.job.check_done(finished, kind)
            else:
                self.job.check_failed()
            self.job.finish()
        except AssertionError as problem:
            self.failures.append(f"{where}: {problem}\n{finished}")
        self.codes[finished.code] += 1

    def run(self):
        faults = [(side, kind, index, error) for (side, kind), count in sorted(self.calls().items())
                  for index in range(count) for error in faults_of(kind)]
        for fault in faults:
            if self.every == 1 or self.chance.randrange(self.every) == 0:
                self.one(*fault)
        return self


def run(options, folder):
    if not fail_call.LIBRARY.exists():
        raise campaign.Skip(f"{fail_call.LIBRARY.name} is not built: no test build, or one with sanitizers")
    campaign.need_test_build()
    figures, failures = {}, []
    for number, make in enumerate(call_jobs.JOBS):
        if options.job and make.name not in options.job:
            continue
        (folder / str(number)).mkdir()
        with make(folder / str(number)) as job:
            sweep = Sweep(job, folder / str(number), options).run()
        failures += sweep.failures
        figures[make.name] = {"failed_calls": sum(sweep.codes.values()),
                              "exit_codes": {str(code): count for code, count in sorted(sweep.codes.items())}}
        print(json.dumps({make.name: {**figures[make.name], "wrong": len(sweep.failures)}}), flush=True)
    require(not failures, "\n\n".join(failures) + f"\n\n{len(failures)} wrong")
    return {"failed_calls": sum(job["failed_calls"] for job in figures.values()), "jobs": figures, "wrong": 0}


def add_options(add):
    add("--every", type=int, default=4, metavar="N", help="one call in N, chosen at random; 1: all; default: 4")
    add("--job", nargs="*", choices=[make.name for make in call_jobs.JOBS], help="only these")


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run, temp=campaign.in_memory())
