#!/usr/bin/env python3
"""Flips random bits in block stores, in CARs that are sources, and in the files of finished pieces: each must be found.

usage: flipped_bytes.py [--count N] [--jobs N] [--seed N] [--temp DIR]

COUNT flips of each kind. A store's and a CAR's are met by pack: exit code 65, the block's file, the CAR or the CID that
is missing now named, and nothing published. A piece's are met by verify: exit code 65 and a problem with a block's
place, or the sidecar's name. A flip that changes nothing is no damage, and is counted: in a compressed sidecar where
zstd reads the same as before, in a CAR that is a source where the CAR that comes out is the undamaged one (blocks are
found by their digests, so the codec that a section states is not needed).
"""
import concurrent.futures
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402
import store  # noqa: E402
from campaign import require, succeeded  # noqa: E402

SIDECARS = (".tree", ".nodes", ".files.ndjson.zst")


class Flip:
    """One bit of one byte is turned over while this is entered."""

    def __init__(self, chance, path, begin=0, end=None):
        self.path = path
        self.good = path.read_bytes()
        self.at = chance.randrange(begin, len(self.good) if end is None else end)
        self.bit = 1 << chance.randrange(8)

    def __enter__(self):
        self.bad = bytearray(self.good)
        self.bad[self.at] ^= self.bit
        self.path.write_bytes(self.bad)
        return self

    def __exit__(self, *_):
        self.path.write_bytes(self.good)

    def __str__(self):
        return f"byte {self.at} of {self.path}, bit {self.bit}"


class Target:
    """Files of one kind in a folder of its own, whose flips are met one after the other."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.chance = random.Random(seed)
        self.harmless_count = 0
        self.prepare(folder)

    def run(self, count):
        for _ in range(count):
            self.meet_one()
        return self.harmless_count

    def pack_is_refused(self, flip, *source, named):
        out = self.folder / "out"
        finished = harness.run("pack", *source, "--out", out, "--json")
        if finished.code == 0 and self.is_whole(finished.json()["pieces"]):
            self.harmless_count += 1
            shutil.rmtree(out)
            return
        require(finished.code == 65, f"{flip}: expected exit code 65\n{finished}")
        message = finished.err.decode()
        require(named in message or "the block is missing" in message, f"{flip}: {named} is not named\n{finished}")
        left = [name for name in harness.files_below(out) if not name.startswith("plans/")] if out.exists() else []
        require(not left, f"{flip}: {left} is published")
        shutil.rmtree(out, ignore_errors=True)


    @staticmethod
    def is_whole(_):
        return False


class Store(Target):
    def prepare(self, folder):
        self.repository = folder / "repository"
        root, self.files = store.flatfs_of_car(folder.parent / "source.car", self.repository)
        self.files = [path for path in self.files if path.stat().st_size]
        self.weights = [path.stat().st_size for path in self.files]
        self.roots = folder / "roots"
        self.roots.write_text(root + "\n")

    def meet_one(self):
        # By bytes, and every other time by files: nodes are small.
        weights = self.weights if self.chance.randrange(2) else None
        with Flip(self.chance, self.chance.choices(self.files, weights)[0]) as flip:
            self.pack_is_refused(flip, self.repository, "--roots", self.roots, named=flip.path.name)


class Car(Target):
    def prepare(self, folder):
        self.car = folder / "flipped.car"
        shutil.copy(folder.parent / "source.car", self.car)
        sections, header = harness.car_sections(self.car.read_bytes())
        self.begins = [0, len(header)]
        for section in sections:
            self.begins.append(self.begins[-1] + len(section))

    def meet_one(self):
        # Anywhere, and every other time in what frames a block: its length and CID.
        begin, end = 0, None
        if self.chance.randrange(2):
            begin = self.chance.choice(self.begins[:-1])
            end = begin + 39
        with Flip(self.chance, self.car, begin, end and min(end, self.begins[-1])) as flip:
            self.pack_is_refused(flip, self.car, named=self.car.name)


    def is_whole(self, pieces):
        [piece] = pieces
        return harness.sha256_of(piece["car"]) == harness.sha256_of(self.folder.parent / "source.car")


class Piece(Target):
    def prepare(self, folder):
        self.out = folder / "piece"
        shutil.copytree(folder.parent / "piece", self.out)
        self.car = next(self.out.glob("*.car"))
        self.sidecars = [self.out / (self.car.stem + suffix) for suffix in SIDECARS]

    def meet_one(self):
        in_car = self.chance.randrange(10) < 7
        with Flip(self.chance, self.car if in_car else self.chance.choice(self.sidecars)) as flip:
            finished = harness.run("verify", self.out, "--json")
            if finished.code == 0 and not in_car and self.says_the_same(flip):
                self.harmless_count += 1
                return
            require(finished.code == 65, f"{flip}: expected exit code 65\n{finished}")
            problems = finished.json()["problems"]
            require(any(self.names(problem, flip) for problem in problems), f"{flip}: not named\n{finished}")

    def names(self, problem, flip):
        if flip.path != self.car:
            return problem["kind"] in ("tree", "sidecar") and self.car.stem in json.dumps(problem)
        is_a_place = problem.get("offset_bytes") is not None or problem.get("cid")
        return bool(is_a_place) or problem["kind"] in ("framing", "missing-root", "piece-cid")

    def says_the_same(self, flip):
        """zstd reads the flipped file as it read the good one. (Of .nodes: all its frames, then the same trailer.)"""
        if flip.path.suffix == ".tree":
            return False
        cut = 24 if flip.path.suffix == ".nodes" else 0
        texts = []
        for content in (flip.good, bytes(flip.bad)):
            if content[len(content) - cut:] != flip.good[len(content) - cut:]:
                return False
            done = subprocess.run(["zstd", "-dc"], input=content[:len(content) - cut], capture_output=True)
            if done.returncode != 0:
                return False
            texts.append(done.stdout)
        return texts[0] == texts[1]


def run_kind(kind, options, folder):
    """Flips in as many copies as there are jobs."""
    targets = []
    for i in range(options.jobs):
        (folder / f"{kind.__name__}-{i}").mkdir()
        targets.append(kind(folder / f"{kind.__name__}-{i}", f"{options.seed}-{kind.__name__}-{i}"))
    counts = [options.count // options.jobs + (i < options.count % options.jobs) for i in range(options.jobs)]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        harmless = list(pool.map(lambda pair: pair[0].run(pair[1]), zip(targets, counts)))
    return sum(harmless)


def run(options, folder):
    harness.make_tree(folder / "source", campaign.tree(options.seed, 3, 120, large_bytes=700_000))
    piece = succeeded(harness.run("pack", folder / "source", "--dedup", "blocks", "--chunk-size", "65536",
                                  "--max-links", "8", "--out", folder / "piece", "--json")).json()["pieces"][0]
    shutil.copy(piece["car"], folder / "source.car")
    figures = {}
    for kind in (Store, Car, Piece):
        harmless = run_kind(kind, options, folder)
        figures[kind.__name__.lower()] = {"flips": options.count, "found": options.count - harmless,
                                          "changed_nothing": harmless, "missed": 0}
    return figures


def add_options(add):
    add("--count", type=int, default=1000)
    add("--jobs", type=int, default=2)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
