#!/usr/bin/env python3
"""Compares two builds on this machine, pair by pair: is the new one slower?

usage: compare_builds.py OLD NEW [--corpus NAME...] [--rounds N] [--threshold 0.05] [--by wall|cpu] [--dir DIR] [--json]
       compare_builds.py OLD NEW --command 'pack TREE --out {out}' [--command ...] [the same options]

OLD and NEW are piecework binaries, which run in turn, N times each, the first of a pair changing: `bench` with one
round (--corpus as there, default memory), or each --command, where {out} is a new directory. Before each run the node
kernel's rate is measured, always by NEW, and a speed counts as a ratio to it: so the pair's two halves compare even
where the machine is not as fast in one as in the other. A row is the median over the pairs of new over old, with the
least and the most. Exit code 1 where a median is below 1 - threshold; 0 otherwise. What only shows the machine (copies,
plain reads and writes) is printed and never judged.

The threshold is yours to choose: by how much two runs of the same build differ here is shown by giving it twice.
"""
import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MACHINE_FIGURES = ("copy", "disk_write", "read_cold", "read_warm")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--corpus", nargs="+", default=["memory"], help="of piecework bench")
    parser.add_argument("--command", action="append", default=[], help="a command line, without the program")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threshold", type=float, default=0.05, help="the share by which a row may be slower")
    parser.add_argument("--by", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--dir", default=tempfile.gettempdir())
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def bench(binary, *options):
    done = subprocess.run([binary, "bench", "--json", *options], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def kernel_rate(binary):
    corpus = bench(binary, "--smoke", "--corpus", "memory")["corpora"][0]
    return next(figure["bytes_per_second"] for figure in corpus["figures"] if figure["name"] == "node_kernel")


def bench_speeds(binary, arguments):
    """{row: bytes per second} of one round."""
    key = "bytes_per_second" if arguments.by == "wall" else "bytes_per_cpu_second"
    report = bench(binary, "--rounds", "1", "--dir", arguments.dir, "--corpus", *arguments.corpus)
    return {f"{corpus['name']}/{figure['name']}": figure[key]
            for corpus in report["corpora"] for figure in corpus["figures"]}


def command_speeds(binary, arguments):
    """{command: runs per second} of one run each."""
    speeds = {}
    for command in arguments.command:
        out = Path(tempfile.mkdtemp(prefix="compare-builds-", dir=arguments.dir))
        words = [word.replace("{out}", str(out / "out")) for word in shlex.split(command)]
        before, start = os.times(), time.monotonic()
        subprocess.run([binary, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall_seconds, after = time.monotonic() - start, os.times()
        shutil.rmtree(out)
        cpu_seconds = after.children_user + after.children_system - before.children_user - before.children_system
        speeds[command] = 1 / (wall_seconds if arguments.by == "wall" else max(cpu_seconds, 0.01))
    return speeds


def measure_pair(arguments, is_new_first):
    """{row: new over old}, each as a ratio to the kernel's rate right before."""
    speeds_of = command_speeds if arguments.command else bench_speeds
    relative = {}
    for side in ("new", "old") if is_new_first else ("old", "new"):
        kernel = kernel_rate(arguments.new)
        speeds = speeds_of(getattr(arguments, side), arguments)
        relative[side] = {row: speed / kernel for row, speed in speeds.items()}
    old, new = relative["old"], relative["new"]
    return {row: new[row] / old[row] for row in new if row in old}


def is_judged(row):
    return row.rsplit("/", 1)[-1] not in MACHINE_FIGURES


def main():
    arguments = parse_arguments()
    arguments.old, arguments.new = arguments.old.absolute(), arguments.new.absolute()
    pairs = [measure_pair(arguments, is_new_first=number % 2 == 1) for number in range(arguments.rounds)]
    rows = []
    for row in pairs[0]:
        ratios = sorted(pair[row] for pair in pairs)
        median = statistics.median(ratios)
        rows.append({"row": row, "ratio": median, "least": ratios[0], "most": ratios[-1],
                     "slower": is_judged(row) and median < 1 - arguments.threshold})
    if arguments.json:
        print(json.dumps({"rounds": arguments.rounds, "threshold": arguments.threshold, "by": arguments.by,
                          "rows": rows}))
    else:
        print(f"new over old, medians of {arguments.rounds} pairs by {arguments.by} time, to the node kernel's rate")
        for row in rows:
            verdict = "SLOWER" if row["slower"] else "" if is_judged(row["row"]) else "(the machine)"
            print(f"{row['ratio']:7.3f}   {row['least']:.3f} to {row['most']:.3f}   {row['row']}   {verdict}".rstrip())
    return 1 if any(row["slower"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
