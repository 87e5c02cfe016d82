#!/usr/bin/env python3
"""Restores what other implementations packed, and has them restore what we packed (tests/interop/oracles).

`extract` takes CARs that ipfs-unixfs-importer and ipfs-car made, `ipfs-car unpack` takes ours (export.mjs does in
oracles.py): trees are equal by names, bytes and symlinks. Needs node >= 20 and, once, the npm registry; else the exit
code is 77.
"""
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import oracles  # noqa: E402


def ipfs_car(*arguments):
    """Runs the command line of ipfs-car."""
    program = harness.ORACLES / "node_modules/ipfs-car/bin.js"
    done = subprocess.run(["node", program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"ipfs-car {arguments}: exit code {done.returncode}\n{done.stderr[-2000:]}")


def only_files(entries):
    """ipfs-car knows neither symlinks nor empty directories."""
    return {path: content for path, content in entries.items() if isinstance(content, bytes)}


class Restore(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.target = self.temp / "target"

    def trees(self, choose=dict):
        for name, entries in oracles.generated_trees():
            chosen = choose(entries)
            if not chosen and entries:
                continue
            harness.make_tree(self.source, chosen)
            yield name
            shutil.rmtree(self.source)

    def check_extract(self, car):
        done = harness.run("extract", car, "--out", self.target, "--allow-symlinks", "any", "--json")
        self.assertTrue(self.check(done, 0).json()["ok"])
        restored, packed = harness.snapshot(self.target), harness.snapshot(self.source)
        self.assertEqual(set(restored.items()) ^ set(packed.items()), set())
        shutil.rmtree(self.target)

    def test_cars_of_the_importer(self):
        for name in self.trees():
            for profile in oracles.PROFILES:
                with self.subTest(tree=name, profile=profile):
                    car = self.temp / "made.car"
                    oracles.oracle("unixfs-root.mjs", self.source, "--profile", profile, "--hidden", "--car", car)
                    self.check_extract(car)

    def test_cars_of_ipfs_car(self):
        for name in self.trees(only_files):
            if not any(self.source.iterdir()):
                continue
            with self.subTest(tree=name):
                car = self.temp / "made.car"
                ipfs_car("pack", self.source, "--hidden", "--output", car)
                self.check_extract(car)

    def test_ipfs_car_unpacks_ours(self):
        for name in self.trees(only_files):
            for profile in oracles.PROFILES:
                with self.subTest(tree=name, profile=profile):
                    out = self.temp / "out"
                    piece = self.pack_one(self.source, "--out", out, "--profile", profile)
                    ipfs_car("unpack", piece["car"], "--output", self.target)
                    restored, packed = harness.snapshot(self.target), harness.snapshot(self.source)
                    self.assertEqual(set(restored.items()) ^ set(packed.items()), set())
                    shutil.rmtree(self.target)
                    shutil.rmtree(out)


if __name__ == "__main__":
    oracles.add_local_node_to_path()
    reason = oracles.why_not_runnable()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(harness.SKIPPED)
    harness.main()
