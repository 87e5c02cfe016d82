#!/usr/bin/env python3
"""prove, ls, cat and extract through a catalogue: they need the pieces that it names, and no others."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import catalogue  # noqa: E402
import harness  # noqa: E402

V1 = ("--chunk-size", "1000", "--max-links", "4", "--piece-size", "64KiB")


class CatalogueUse(catalogue.Case):
    def setUp(self):
        super().setUp()
        self.near, self.far = self.temp / "near", self.temp / "far"
        harness.make_tree(self.source, {"d/movie": harness.noise("movie", 150_000), "d/small": b"small",
                                        **{f"d/e/{i:02}": harness.noise(str(i), 9000) for i in range(8)}})

    def spread(self, item):
        """Only what `find` says an item needs, in two directories; returns the pieces."""
        needed = {piece["piece_cid_v1"] for version in self.find(item) for piece in version["pieces"]}
        for directory in (self.near, self.far):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        for index, piece in enumerate(sorted(needed)):
            for path in self.out.glob(piece + ".*"):
                os.link(path, (self.near, self.far)[index % 2] / path.name)
        return sorted(needed)

    def use(self, command, *arguments, code=0):
        return self.check(harness.run(command, "--catalogue", self.catalogue, "--pieces", self.near, "--pieces",
                                      self.far, *arguments), code)

    def check_item(self, item, data):
        """Proof, content and listing of an item that lies at `data`."""
        proof, target = self.temp / "proof", self.temp / "target"
        self.use("prove", item, "--out", proof)
        self.check(harness.run("check-proof", proof, "--data", data), 0)
        shutil.rmtree(target, ignore_errors=True)
        self.use("extract", item, "--out", target)
        if data.is_dir():
            self.assertEqual(harness.snapshot(target), harness.snapshot(data))
            listed = {entry["path"] for entry in self.use("ls", "-r", "--json", item).json()["entries"]
                      if entry["kind"] == "file"}
            self.assertLessEqual({os.path.join(item, name) for name in harness.files_below(data)}, listed)
            return
        content = data.read_bytes()
        self.assertEqual(self.use("cat", item).out, content)
        restored, = target.iterdir()
        self.assertEqual(restored.read_bytes(), content)

    def test_files_and_directories_in_several_pieces(self):
        pieces = self.pack(self.source, "--out", self.out, *V1)["pieces"]
        self.merge()
        counts = {}
        for item in ("d/movie", "d/small", "d/e/03", "d/e"):
            with self.subTest(item=item):
                counts[item] = len(self.spread(item))
                self.check_item(item, self.source / item)
        self.assertEqual(counts["d/small"], 1)
        self.assertGreater(counts["d/movie"], 2)
        self.assertEqual(self.use("ls", "d/e/03").out, b"03\n")

    def test_a_path_through_a_cut_dag(self):
        whole = self.pack_one(self.source, "--out", self.temp / "whole", *V1[:4])
        self.pack(whole["car"], "--out", self.out, *V1[4:])
        self.merge()
        self.near.mkdir()
        self.far.symlink_to(self.out)
        for item in ("d/movie", "d/small", "d/e/03"):
            with self.subTest(item=item):
                self.check_item(item, self.source / item)
        self.use("extract", "--root", whole["root_cid"], "--out", self.temp / "all")
        self.assertEqual(harness.snapshot(self.temp / "all"), harness.snapshot(self.source))
        self.use("extract", "--car", whole["root_cid"], "--out", self.temp / "dag.car")
        self.assertEqual(harness.sha256_of(self.temp / "dag.car"), harness.sha256_of(whole["car"]))

    def test_other_pieces_are_not_looked_at(self):
        self.pack(self.source, "--out", self.out, *V1)
        self.merge()
        needed = self.spread("d/small")
        for path in self.out.iterdir():
            if path.is_file() and not path.name.startswith(needed[0]):
                shutil.copy(path, self.far / path.name)
                (self.far / path.name).write_bytes(b"damaged")
        self.check_item("d/small", self.source / "d/small")
        self.assertNotEqual(harness.run("cat", self.near, self.far, "d/small").code, 0)

    def test_a_piece_that_is_not_there(self):
        self.pack(self.source, "--out", self.out, *V1)
        self.merge()
        lost = self.spread("d/movie")[-1]
        for directory in (self.near, self.far):
            for path in directory.glob(lost + ".*"):
                path.unlink()
        for command, *flags in (("cat",), ("ls",), ("extract", "--out", self.temp / "target"),
                                ("prove", "--out", self.temp / "proof")):
            said = self.use(command, "d/movie", *flags, code=66).err
            self.assertIn(lost.encode(), said)
            self.assertIn(b"--pieces", said)
            self.use(command, "d/none", *flags, code=66)
        self.assertFalse((self.temp / "target").exists())

    def test_versions_cids_and_sources(self):
        first = self.pack_one("a=" + str(self.source / "d/small"), "--out", self.out)
        (self.source / "d/small").write_bytes(b"another")
        self.pack_one(self.source, "--out", self.out)
        self.pack_one("x=" + str(self.source), "y=" + str(self.source / "d"), "--out", self.out)
        self.merge()
        self.near.symlink_to(self.out)
        self.far.mkdir()
        self.assertEqual(self.use("cat", "a").out, b"small")  # a source that is a file
        self.assertEqual(self.use("cat", first["root_cid"]).out, b"small")
        self.use("prove", "a", "--out", self.temp / "proof")
        self.assertEqual(self.use("cat", "d/small", "--source", "x").out, b"another")
        self.assertEqual(self.use("cat", "small", "--source", "y").out, b"another")
        self.use("cat", "small", "--source", "x", code=66)
        self.use("cat", "d", code=64)
        (self.source / "d/small").write_bytes(b"a third")
        self.pack_one(self.source, "--out", self.out)
        self.merge()
        for command, *flags in (("cat",), ("prove", "--out", self.temp / "proof")):
            self.assertIn(b"CID", self.use(command, "d/small", *flags, code=64).err)
        self.use("cat", "d/small", "d/small", code=64)
        self.check(harness.run("cat", "--catalogue", self.catalogue, "d/small"), 64)
        self.check(harness.run("cat", self.out, "d/small", "--pieces", self.out), 64)
        self.check(harness.run("cat"), 64)


if __name__ == "__main__":
    harness.main()
