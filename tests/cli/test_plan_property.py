#!/usr/bin/env python3
"""What a plan predicts, over random trees and stores: the bytes of every batch, and how full batches are."""
import math
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402

TREES = 40
MIB = 1 << 20


def lognormal(rng, median, sigma, most):
    """A size with many small ones and a long tail."""
    return min(most, int(rng.lognormvariate(math.log(median), sigma)))


# Sizes as they are met: (piece size, number of items, how full batches have to be, a size).
DISTRIBUTIONS = {
    "pages of web sites": (64, 12_000, 0.99, lambda rng: lognormal(rng, 9_000, 1.4, 600_000)),
    "a source tree": (32, 20_000, 0.99, lambda rng: lognormal(rng, 3_000, 1.6, 300_000)),
    "photographs": (1024, 1_500, 0.99, lambda rng: rng.randint(1_500_000, 9_000_000)),
    "videos": (1024, 150, 0.90, lambda rng: rng.randint(5_000_000, 100_000_000)),
    "anything": (256, 3_000, 0.90, lambda rng: min(26_000_000, int(20_000 * rng.paretovariate(0.7)))),
}


class Predicted(harness.TestCase):
    def random_tree(self, rng):
        """Entries with sizes around the borders of chunks and nodes, equal ones, and one that may fit no piece."""
        directories = ["", "a/", "a/deep/", "b/"]
        entries = {}
        for number in range(rng.randint(1, 60)):
            name = f"{rng.choice(directories)}{number}"
            size = rng.choice((0, 1, 1023, 1024, 1025, 4096, rng.randint(0, 30_000)))
            entries[name] = rng.choice((rng.randbytes(size), b"x" * size))
        entries["large"] = rng.randbytes(rng.choice((1, 50_000, 200_000)))
        entries["link"] = ("symlink", "nowhere")
        entries["hollow/inside"] = None
        return entries

    def test_what_is_planned_is_packed(self):
        parts = 0
        for seed in range(TREES):
            rng = random.Random(seed)
            source, out, plan = (self.temp / f"{name}{seed}" for name in ("tree", "out", "plan"))
            harness.make_tree(source, self.random_tree(rng))
            flags = ["--piece-size", rng.choice(("64KiB", "128KiB", "256KiB", "1MiB")), "--dedup",
                     rng.choice(("none", "files", "blocks")), "--items", rng.choice(("files", "top", "source")),
                     "--profile", rng.choice(("unixfs-v1-2025", "unixfs-v0-2015")), "--chunk-size",
                     rng.choice(("1024", "4096")), "--max-links", rng.choice(("2", "7", "174")), "--hamt-threshold",
                     rng.choice(("block-bytes:262144", "links-bytes:300", "block-bytes:0"))]
            with self.subTest(seed=seed, flags=flags):
                planned = self.check(harness.run("plan", source, "--out", plan, *flags, "--json"), 0).json()
                packed = self.pack("--plan", plan, "--all", "--out", out)
                self.assertEqual([(batch["car_bytes"], batch["padded_bytes"]) for batch in planned["batches"]],
                                 [(piece["payload_bytes"], piece["padded_bytes"]) for piece in packed["pieces"]])
                self.assertEqual([Path(piece["car"]).stat().st_size for piece in packed["pieces"]],
                                 [piece["payload_bytes"] for piece in packed["pieces"]])
                rows = [row["path"] for piece in packed["pieces"] for row in harness.file_rows(out, piece)]
                in_parts = [path for path in rows if path.startswith("large/")]
                parts += bool(in_parts)
                self.assertEqual(sorted(set(rows) - set(in_parts)), sorted([*harness.files_below(source), "link"]))
                self.check(harness.run("verify", out), 0)
        self.assertGreater(parts, TREES // 8)


class Fill(harness.TestCase):
    def check_fill(self, batches, capacity_bytes, least):
        self.assertGreater(len(batches), 3)
        fills = [batch["car_bytes"] / capacity_bytes for batch in batches]
        self.assertGreaterEqual(min(fills[:-1]), least)
        self.assertLessEqual(max(fills), 1)

    def test_of_files(self):
        for name, (piece_mib, count, least, size_of) in DISTRIBUTIONS.items():
            with self.subTest(name=name):
                rng = random.Random(name)
                source = self.temp / name
                for number in range(count):
                    path = source / f"{number % 37:02}/{number:05}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with open(path, "wb") as sparse:
                        sparse.truncate(size_of(rng))
                planned = self.check(harness.run("plan", source, "--out", self.temp / f"plan {name}", "--dedup", "none",
                                                 "--piece-size", f"{piece_mib}MiB", "--json"), 0).json()
                self.check_fill(planned["batches"], piece_mib * MIB // 128 * 127, least)
                self.assertEqual(planned["file_count"], count)

    def test_of_stored_dags(self):
        """The same shapes, smaller: raw blocks of a CAR, each a root. In still smaller pieces the step from a flat
        directory to a HAMT, some 30 kB, would be more than a hundredth."""
        for name, (piece_mib, count, least, size_of) in DISTRIBUTIONS.items():
            with self.subTest(name=name):
                rng = random.Random(name)
                scale = piece_mib // 8
                blocks = {}
                for number in range(count):
                    block = number.to_bytes(4, "big") + bytes(size_of(rng) // scale)
                    blocks[dag.raw_cid(block)] = block
                car = dag.write_car(self.temp / f"{name}.car", next(iter(blocks)), blocks)
                roots = self.temp / f"roots {name}"
                roots.write_text("".join(f"{dag.cid_text(cid)}\n" for cid in blocks))
                planned = self.check(harness.run("plan", car, "--roots", roots, "--out", self.temp / f"plan {name}",
                                                 "--piece-size", "8MiB", "--json"), 0).json()
                self.check_fill(planned["batches"], 8 * MIB // 128 * 127, least)


if __name__ == "__main__":
    harness.main()
