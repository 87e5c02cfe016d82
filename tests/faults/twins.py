#!/usr/bin/env python3
"""Starts two to eight copies of one task at once, of which one stands still for a while: one piece comes out.

usage: twins.py [--runs N] [--patience-ms N] [--seed N] [--temp DIR]

One of the copies is stopped (SIGSTOP) at a random moment until all others are over, and then goes on. Every copy must
end with 0, the others while it stands, and nothing but the files of a single run may be left. PATIENCE is how long a
copy waits for one that makes no progress (10 s outside test builds).
"""
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
from campaign import require, succeeded  # noqa: E402


class Twins:
    def __init__(self, folder, options):
        self.chance = random.Random(options.seed)
        self.out = folder / "out"
        self.environment = {"PIECEWORK_PATIENCE": str(options.patience_ms),
                            "PIECEWORK_CHECKPOINT": "5:1000000:100000:20"}
        self.job = campaign.Job(folder, campaign.tree(options.seed, 12, 200), "--piece-size", "8MiB")
        self.copies = self.stood_still = self.stood_in_the_midst = 0

    def one_run(self):
        twins = [self.job.start(self.out, "--threads", "1", env=self.environment)
                 for _ in range(self.chance.randint(2, 8))]
        self.copies += len(twins)
        time.sleep(self.chance.uniform(0, self.job.seconds * len(twins) / 2))
        still = twins.pop(self.chance.randrange(len(twins)))
        with campaign.stopped(still) as stands:
            if stands:
                self.stood_still += 1
                self.stood_in_the_midst += any(self.out.glob(".piecework-*.tmp"))
            for twin in twins:
                succeeded(campaign.wait(twin))
            self.job.check_published(self.out)
            receipts = list(self.out.glob("receipts/*/*.json"))
            require(len(receipts) == len(list(self.job.expected_out.glob("receipts/*/*.json"))), f"only {receipts}")
        succeeded(campaign.wait(still))
        self.job.check_done(self.out)
        shutil.rmtree(self.out)


def run(options, folder):
    campaign.need_test_build()
    twins = Twins(folder, options)
    for number in range(options.runs):
        try:
            twins.one_run()
        except AssertionError as error:
            raise AssertionError(f"run {number}: {error}") from error
    require(twins.stood_still > options.runs // 4, f"only {twins.stood_still} stood still before they were over")
    return {"runs": options.runs, "copies": twins.copies, "stood_still": twins.stood_still,
            "beside_temporaries": twins.stood_in_the_midst, "wrong": 0}


def add_options(add):
    add("--runs", type=int, default=100)
    add("--patience-ms", type=int, default=300)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
