#!/usr/bin/env python3
"""Packs the golden files and trees of tests/vectors/public and compares roots, CARs and piece CIDs.

Needs no other implementation: the values were agreed on when the vectors were made (PROVENANCE.md).
usage: golden.py [--large]      --large: only what is larger than LARGE_BYTES (hundreds of MiB each)
"""
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

LARGE_BYTES = 64 << 20
PROFILE_FLAGS = {
    "unixfs-v1-2025": ["--profile", "unixfs-v1-2025"],
    "unixfs-v0-2015": ["--profile", "unixfs-v0-2015"],
    "kubo-test-cid-v1": ["--profile", "unixfs-v1-2025", "--max-links", "174", "--hamt-threshold", "links-bytes:262144"],
    "tiny": ["--profile", "unixfs-v1-2025", "--chunk-size", "64", "--max-links", "3"],
    "tiny-pb": ["--profile", "unixfs-v0-2015", "--chunk-size", "64", "--max-links", "3"],
}


def vectors(name):
    return json.loads((harness.VECTORS / "public" / name).read_text())


def flags_of(profile):
    return PROFILE_FLAGS[profile.split(" ")[0]]


LARGE = "--large" in sys.argv


def is_selected(size):
    return (size > LARGE_BYTES) == LARGE


class Files(harness.TestCase):
    def check_file(self, profile, seed, size, root):
        source = self.temp / "payload.bin"
        if not source.exists() or source.stat().st_size != size:
            source.write_bytes(harness.payload(seed, size))
        out = self.temp / "out"
        piece = self.pack_one(source, "--out", out, *flags_of(profile))
        self.assertEqual(piece["root_cid"], root)
        self.check(harness.run("verify", out / f"{piece['piece_cid_v1']}.car"), 0)
        harness.shutil.rmtree(out)

    def test_unixfs_files(self):
        cases = [v for v in vectors("unixfs-files.json") if is_selected(v["size"])]
        for vector in sorted(cases, key=lambda v: v["size"]):
            with self.subTest(profile=vector["profile"], size=vector["size"]):
                self.check_file(vector["profile"], vector["seed"], vector["size"], vector["root"])

    def test_published_profile_files(self):
        cases = [v for v in vectors("ipip499.json") if v["kind"] == "file" and v["seed"] and is_selected(v["size"])]
        for vector in cases:
            with self.subTest(profile=vector["profile"], what=vector["what"]):
                self.check_file(vector["profile"], vector["seed"], vector["size"], vector["root"])


@unittest.skipIf(LARGE, "small trees")
class Trees(harness.TestCase):
    def check_tree(self, source, vector):
        out = self.temp / "out"
        piece = self.pack_one(source, "--out", out, "--dedup", "blocks", *flags_of(vector["profile"]))
        car = out / f"{piece['piece_cid_v1']}.car"
        want = vector["carDfs"]
        found = {"root": piece["root_cid"], "blocks": piece["block_count"], "bytes": piece["payload_bytes"],
                 "sha256": harness.sha256_of(car), "pieceV1": piece["piece_cid_v1"], "pieceV2": piece["piece_cid_v2"],
                 "paddedSize": piece["padded_bytes"]}
        self.assertEqual(found, {"root": vector["root"], **want})
        self.check(harness.run("verify", out), 0)
        harness.shutil.rmtree(out)

    def test_golden_trees(self):
        for tree in sorted({v["tree"] for v in vectors("unixfs-trees.json")}):
            source = self.temp / "source"
            harness.materialise(tree, source)
            for vector in [v for v in vectors("unixfs-trees.json") if v["tree"] == tree]:
                with self.subTest(tree=tree, profile=vector["profile"]):
                    self.check_tree(source, vector)
            harness.shutil.rmtree(source)

    def test_published_profile_directories(self):
        lengths = {("unixfs-v0-2015", "4096 names len 30"): (4096, 30, 30),
                   ("unixfs-v0-2015", "4033 names len 31 (HAMT)"): (4033, 31, 31),
                   ("unixfs-v1-2025", "4766 names len 11, last 21"): (4766, 11, 21),
                   ("unixfs-v1-2025", "4766 names len 11, last 22 (HAMT)"): (4766, 11, 22)}
        for vector in [v for v in vectors("ipip499.json") if v["kind"] == "dir"]:
            with self.subTest(profile=vector["profile"], what=vector["what"]):
                source = self.temp / "source"
                names = published_names(*lengths[vector["profile"], vector["what"]], vector["seed"])
                harness.make_tree(source, {name: b"x" for name in names})
                piece = self.pack_one(source, "--out", self.temp / "out", *flags_of(vector["profile"]))
                self.assertEqual(piece["root_cid"], vector["root"])
                harness.shutil.rmtree(source)


def published_names(count, length, last_length, seed):
    """The names of IPIP-499's directories (kubo test/cli/cid_profiles_test.go; '0' is twice in the alphabet)."""
    alphabet = "abcdefghijklmnopqrstuvwxyz01234567890-_"
    stream = iter(harness.payload(seed, 1 << 20))
    lengths = [length] * (count - 1) + [last_length]
    return ["".join(alphabet[next(stream) % len(alphabet)] for _ in range(n)) for n in lengths]


if __name__ == "__main__":
    sys.argv = [argument for argument in sys.argv if argument != "--large"]
    harness.main()
