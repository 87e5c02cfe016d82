#!/usr/bin/env python3
"""Measures Piecework beside other programs that do the same work (bench/peers/install puts them into build/peers).

usage: run.py [JOB[:PEER]...] [--rounds N] [--seconds S] [--threads N] [--dir DIR] [--binary FILE] [--results DIR]
       run.py --report [--results DIR]                                                     the table, from what is there

A round of a job and a peer is a pair: both do the work once, in an order that changes from round to round, and what
counts is the ratio of the pair. The figures are medians of at least five pairs, on random data. A pair in which others
took more than a fifth of a core is kept but not counted, and measured again. Pairs are added to RESULTS/JOB.json until
N of each count; --seconds stops after about that long (exit code 75: call again to go on),
so that a machine can be lent to others in between. Results of another build or machine: take another --results.

Corpora need up to 20 GB in --dir and stay there: remove it at the end.
"""
import argparse
import json
import os
import platform
import signal
import statistics
import sys
import time
from pathlib import Path

import jobs
import measure

UNFINISHED = 75
TRIES_PER_PAIR = 3
FOREIGN_CORES_MAX = 0.2  # the kernel writes back with about a tenth of a core


def is_quiet(pair):
    return max(pair["peer"]["foreign_cores"], pair["piecework"]["foreign_cores"]) <= FOREIGN_CORES_MAX


class Results:
    """One job's rounds, on disk after each pair."""

    def __init__(self, path, job):
        self.path = path
        self.content = json.loads(path.read_text()) if path.exists() else {
            "job": job.name, "title": job.title, "payload_bytes": job.payload_bytes, "threads": job.threads,
            "cpu": measure.cpu_model(), "cpu_count": os.cpu_count(), "system": platform.platform(), "pairs": {}}

    def pairs(self, peer):
        return self.content["pairs"].get(peer, [])

    def add(self, peer, pair):
        self.content["pairs"].setdefault(peer, []).append(pair)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(self.content, indent=1) + "\n")
        scratch.rename(self.path)


def measure_pair(job, peer, is_peer_first):
    """Both programs once. Checks that they made the same piece where they should."""
    programs = job.programs()
    pair = {"kernel_bytes_per_second": measure.kernel_bytes_per_second(job.binary), "peer_first": is_peer_first}
    for name in (peer, "piecework") if is_peer_first else ("piecework", peer):
        run, commp = programs[name]()
        pair[name if name == "piecework" else "peer"] = {**run, "commp": commp}
    job.clean_up()
    if peer in job.same_commp and pair["peer"]["commp"] != pair["piecework"]["commp"]:
        raise SystemExit(f"{job.name}: {peer} came to another piece: {pair}")
    return pair


def run_job(job, only_peer, results, rounds, deadline):
    """True where all rounds are there."""
    job.prepare()
    for peer in job.programs():
        if peer == "piecework" or only_peer not in ("", peer):
            continue
        while sum(map(is_quiet, results.pairs(peer))) < rounds:
            done = results.pairs(peer)
            if len(done) >= TRIES_PER_PAIR * rounds:
                print(f"{job.name} {peer}: this machine is too busy to measure")
                break
            expected_seconds = max((pair["wall_seconds"] for pair in done), default=job.pair_seconds)
            if time.monotonic() + 1.1 * expected_seconds > deadline:
                return False
            start = time.monotonic()
            pair = measure_pair(job, peer, is_peer_first=len(done) % 2 == 1)
            pair["wall_seconds"] = time.monotonic() - start
            results.add(peer, pair)
            ours, theirs = pair["piecework"]["seconds"], pair["peer"]["seconds"]
            loud = "" if is_quiet(pair) else ", not counted: others were busy"
            print(f"{job.name} {peer}: piecework {ours:.3g} s, {peer} {theirs:.3g} s, {theirs / ours:.3f} x "
                  f"({pair['wall_seconds']:.0f} s){loud}", flush=True)
    return True


def rate(content, runs):
    return content["payload_bytes"] / statistics.median(run["seconds"] for run in runs) / 1e9


def report_rows(content):
    """Lines of the table: one for each peer."""
    for peer, all_pairs in content["pairs"].items():
        pairs = [pair for pair in all_pairs if is_quiet(pair)]
        if not pairs:
            continue
        ratios = sorted(pair["peer"]["seconds"] / pair["piecework"]["seconds"] for pair in pairs)
        ours, theirs = [pair["piecework"] for pair in pairs], [pair["peer"] for pair in pairs]
        cpu_ratio = statistics.median(t["cpu_seconds"] / o["cpu_seconds"] for o, t in zip(ours, theirs))
        kernel = statistics.median(pair["kernel_bytes_per_second"] for pair in pairs) / 1e9
        mebibytes = [max(run["resident_bytes"] for run in runs) / (1 << 20) for runs in (ours, theirs)]
        yield (f"| {content['title']} | {peer} | {rate(content, ours):.3g} | {rate(content, theirs):.3g} | "
               f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(pairs)} pairs) | "
               f"{cpu_ratio:.2f} | {kernel:.2f} | {mebibytes[0]:.0f} / {mebibytes[1]:.0f} |")


def report(directory):
    print("| job | peer | Piecework GB/s | peer GB/s | Piecework is faster by | by CPU time | "
          "node kernel GB/s | resident MiB |\n|---|---|---|---|---|---|---|---|")
    for name in jobs.JOBS:
        path = directory / f"{name}.json"
        if path.exists():
            print("\n".join(report_rows(json.loads(path.read_text()))))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(jobs.JOBS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dir", type=Path, default=Path("/tmp/peers"))
    parser.add_argument("--binary", type=Path, default=jobs.ROOT / "build/release/tools/piecework")
    parser.add_argument("--results", type=Path, default=jobs.PEERS / "results")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.jobs if name.split(":")[0] not in jobs.JOBS]
    if unknown:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(jobs.JOBS)}")
    return arguments


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(UNFINISHED))  # so that a command under way is ended too
    if arguments.report:
        report(arguments.results)
        return 0
    arguments.dir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + arguments.seconds
    for wanted in arguments.jobs or jobs.JOBS:
        name, _, only_peer = wanted.partition(":")
        job = jobs.JOBS[name](arguments.binary, arguments.dir, arguments.threads)
        results = Results(arguments.results / f"{name}.json", job)
        if not run_job(job, only_peer, results, arguments.rounds, deadline):
            print(f"{name}: rounds are left; call again to go on")
            return UNFINISHED
    return 0


if __name__ == "__main__":
    sys.exit(main())
