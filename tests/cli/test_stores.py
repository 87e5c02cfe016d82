#!/usr/bin/env python3
"""Kubo repositories as sources: CIDs are kept, the CAR is that of `ipfs dag export`, nothing wrong is packed.

Vectors: tests/vectors/public/flatfs-repo-* were made from golden CARs by an independent script (PROVENANCE.md there).
"""
import hashlib
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

PUBLIC = harness.VECTORS / "public"
REPOSITORY = PUBLIC / "flatfs-repo-basic"
REPOSITORY_V0 = PUBLIC / "flatfs-repo-basic-v0-ntl3"


def golden(profile):
    """The row of unixfs-trees.json for the basic tree."""
    rows = json.loads((PUBLIC / "unixfs-trees.json").read_text())
    return next(row for row in rows if row["tree"] == "basic.spec.json" and row["profile"].startswith(profile))


def block_files(repository):
    return sorted(path for path in (repository / "blocks").glob("*/*.data"))


class Stores(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.out = self.temp / "out"
        self.repository = self.temp / "repository"
        shutil.copytree(REPOSITORY, self.repository)

    def roots_file(self, *roots):
        path = self.temp / f"roots-{hashlib.sha256(' '.join(roots).encode()).hexdigest()[:8]}"
        path.write_text("# a comment\n" + "\n".join(roots) + "\n")
        return path

    def assert_nothing_published(self):
        names = [n for n in harness.files_below(self.out) if not n.startswith("plans")] if self.out.exists() else []
        self.assertEqual(names, [])

    def rows_of_the_tree(self, row):
        piece = self.pack_one(self.repository, "--roots", self.roots_file(row["root"]), "--out", self.temp / "tree-out")
        return harness.file_rows(self.temp / "tree-out", piece)

    def test_car_is_that_of_dag_export(self):
        for repository, profile in ((REPOSITORY, "unixfs-v1-2025"), (REPOSITORY_V0, "unixfs-v0-2015")):
            with self.subTest(profile=profile):
                row = golden(profile)
                out = self.temp / profile
                piece = self.pack_one(repository, "--roots", self.roots_file(row["root"]), "--out", out)
                self.assertEqual(piece["root_cid"], row["root"])
                self.assertEqual(piece["piece_cid_v2"], row["carDfs"]["pieceV2"])
                self.assertEqual(piece["block_count"], row["carDfs"]["blocks"])
                self.assertEqual(harness.sha256_of(piece["car"]), row["carDfs"]["sha256"])
                self.check(harness.run("verify", out), 0)

    def test_files_are_listed_with_their_paths(self):
        row = golden("unixfs-v1-2025")
        stored = self.pack_one(self.repository, "--roots", self.roots_file(row["root"]), "--out", self.out)
        harness.materialise("basic.spec.json", self.temp / "tree")
        packed = self.pack_one(self.temp / "tree", "--dedup", "blocks", "--out", self.temp / "out-tree")
        self.assertEqual(stored["piece_cid_v2"], packed["piece_cid_v2"])
        self.assertEqual(harness.file_rows(self.out, stored), harness.file_rows(self.temp / "out-tree", packed))

    def test_several_roots_stand_in_a_directory_and_share_blocks(self):
        row = golden("unixfs-v1-2025")
        rows = self.rows_of_the_tree(row)
        inner = rows[0]["cid"]  # a file of the tree, as a root of its own
        piece = self.pack_one(self.repository, "--roots", self.roots_file(row["root"], inner), "--out", self.out)
        self.check(harness.run("verify", self.out), 0)
        self.assertEqual(piece["block_count"], row["carDfs"]["blocks"] + 1)  # the directory around them
        paths = {r["path"] for r in harness.file_rows(self.out, piece)}
        self.assertIn(inner, paths)
        self.assertIn(f"{row['root']}/{rows[0]['path']}", paths)

    def test_one_item_per_piece(self):
        row = golden("unixfs-v1-2025")
        rows = self.rows_of_the_tree(row)
        report = self.pack(self.repository, "--roots", self.roots_file(row["root"], rows[0]["cid"]), "--out", self.out,
                           "--one-item-per-piece")
        self.assertEqual({piece["root_cid"] for piece in report["pieces"]}, {row["root"], rows[0]["cid"]})
        tree = next(piece for piece in report["pieces"] if piece["root_cid"] == row["root"])
        self.assertEqual(harness.sha256_of(tree["car"]), row["carDfs"]["sha256"])
        self.check(harness.run("verify", self.out), 0)

    def test_same_digest_from_a_copy(self):
        roots = self.roots_file(golden("unixfs-v1-2025")["root"])
        first = self.pack(REPOSITORY, "--roots", roots, "--out", self.temp / "a")
        copy = self.temp / "elsewhere" / REPOSITORY.name
        shutil.copytree(REPOSITORY, copy)
        second = self.pack(copy, "--roots", roots, "--out", self.temp / "b")
        self.assertEqual(first["plan_digest"], second["plan_digest"])

    def test_damaged_blocks_are_never_packed(self):
        """A flipped byte, a lost byte, no bytes, no file: for every block of the repository, each."""
        roots = self.roots_file(golden("unixfs-v1-2025")["root"])
        for block in block_files(self.repository):
            whole = block.read_bytes()
            if not whole:
                continue
            damages = {"flipped": bytes([whole[0] ^ 1]) + whole[1:], "short": whole[:-1], "empty": b"", "missing": None}
            for name, damaged in damages.items():
                with self.subTest(block=block.name, damage=name):
                    block.unlink() if damaged is None else block.write_bytes(damaged)
                    finished = self.check(harness.run("pack", self.repository, "--roots", roots, "--out", self.out), 65)
                    self.assertIn(block.name, finished.err.decode())
                    self.assert_nothing_published()
            block.write_bytes(whole)
        self.pack_one(self.repository, "--roots", roots, "--out", self.out)

    def test_a_block_in_the_wrong_directory_is_missing_and_said(self):
        roots = self.roots_file(golden("unixfs-v1-2025")["root"])
        block = block_files(self.repository)[0]
        wrong = self.repository / "blocks" / "ZZ"
        wrong.mkdir()
        block.rename(wrong / block.name)
        finished = self.check(harness.run("pack", self.repository, "--roots", roots, "--out", self.out), 65)
        self.assertIn(f"ZZ/{block.name}", finished.err.decode())

    def test_roots_that_are_not_there(self):
        (self.temp / "bad").write_text("not a cid\n")
        finished = self.check(harness.run("pack", self.repository, "--roots", self.temp / "bad", "--out", self.out), 64)
        self.assertIn("1", finished.err.decode())
        absent = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
        self.check(harness.run("pack", self.repository, "--roots", self.roots_file(absent), "--out", self.out), 65)
        self.assert_nothing_published()

    def test_stores_and_files_are_not_mixed(self):
        harness.make_tree(self.temp / "files", {"a": b"a"})
        finished = harness.run("pack", self.repository, self.temp / "files", "--out", self.out)
        self.check(finished, 64)

    def test_a_dag_larger_than_a_piece(self):
        roots = self.roots_file(golden("unixfs-v1-2025")["root"])
        finished = harness.run("pack", self.repository, "--roots", roots, "--piece-size", "2KiB", "--out", self.out)
        self.assertIn("piece-size", self.check(finished, 64).err.decode())

    def test_shard_functions_that_are_wrong(self):
        for number in range(5):
            with self.subTest(number=number):
                shutil.copy(harness.VECTORS / f"malformed/flatfs-SHARDING-bad-{number}",
                            self.repository / "blocks/SHARDING")
                finished = harness.run("pack", self.repository, "--roots",
                                       self.roots_file(golden("unixfs-v1-2025")["root"]), "--out", self.out)
                self.assertIn("SHARDING", self.check(finished, 65).err.decode())


if __name__ == "__main__":
    harness.main()
