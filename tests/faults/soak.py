#!/usr/bin/env python3
"""Runs the other programs of this folder again and again, in random order and each time with another seed.

usage: soak.py [--minutes N] [--seed N] [--temp DIR]

Prints a line for every run; ends with 1 at the first that fails, whose seed repeats it. Programs that this host cannot
run are left out.
"""
import collections
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402

# So much of each that it takes about a minute.
RUNS = (("kill_loop.py", "--kills", "40", "--stops", "10"), ("flipped_bytes.py", "--count", "200"),
        ("full_disk.py", "--fills", "40"), ("failed_syncs.py", "--sizes", "15", "--read-only", "15"),
        ("twins.py", "--runs", "30"), ("changing_sources.py", "--runs", "80"), ("bad_sectors.py", "--count", "15"),
        ("limits.py", "--steps", "20"), ("stalled_disk.py", "--stalls", "8"), ("same_bytes.py", "--threads-max", "16"),
        ("each_call.py", "--every", "12"),
        *((program, "--filesystem", kind, *size) for kind in ("ext4", "ext4-writeback", "xfs", "btrfs")
          for program, *size in (("power_cut.py", "--cuts", "15"), ("power_replay.py", "--every", "4"))))


def run(options, folder):
    chance = random.Random(options.seed)
    deadline = time.monotonic() + 60 * options.minutes
    runs = list(RUNS)
    counts = collections.Counter()
    while time.monotonic() < deadline and runs:
        name, *flags = chosen = chance.choice(runs)
        program = str(Path(__file__).with_name(name))
        seed = str(chance.randrange(1 << 30))
        command = [sys.executable, program, *flags, "--seed", seed, "--temp", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        print(" ".join(command[1:-2]), (done.stdout.splitlines() or [""])[-1], flush=True)
        if done.returncode == harness.SKIPPED:
            runs.remove(chosen)
            continue
        campaign.require(done.returncode == 0, done.stderr[-4000:])
        counts[name] += 1
    return {"minutes": options.minutes, "runs": dict(counts), "failed": 0}


def add_options(add):
    add("--minutes", type=float, default=5)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
