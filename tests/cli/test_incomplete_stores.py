#!/usr/bin/env python3
"""--partial and --all-blocks: stores whose DAGs are incomplete, and stores of which nobody knows the roots.

What has to come out is said by tests/support/dag.py, which reads CARs by itself.
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402

PUBLIC = harness.VECTORS / "public"
GOLDEN = PUBLIC / "basic.tiny.car"  # files of several levels: chunks of 64 bytes, 3 links


def external_blocks(piece):
    """The lines of the list of blocks that a piece does not hold on purpose."""
    path = Path(piece["receipt"]).with_suffix(".external.ndjson.zst")
    if not path.exists():
        return []
    return [json.loads(line) for line in subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True)
            .stdout.splitlines()]


def tops(blocks):
    """The CIDs that no block links to."""
    linked = {child for cid, block in blocks.items() for _, child in dag.links(cid, block)}
    return {cid for cid in blocks if cid not in linked}


class Incomplete(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.out = self.temp / "out"
        self.blocks, self.root = dag.read_car(GOLDEN)

    def shard(self, name, cids, root=None):
        """A CAR of some blocks only."""
        return dag.write_car(self.temp / name, root or self.root, {cid: self.blocks[cid] for cid in cids})

    def check_partial(self, cids, *sources):
        """All blocks come out once, below a directory that names those which nothing links to."""
        piece = self.pack_one(*sources, "--partial", "--out", self.out)
        packed, root = dag.read_car(Path(piece["car"]))
        there = {cid: self.blocks[cid] for cid in cids}
        made = {cid for cid in packed if cid not in there}
        self.assertEqual({cid: block for cid, block in packed.items() if cid not in made}, there)
        reached, missing = dag.reach(packed, root)
        self.assertEqual(len(reached), len(packed))
        self.assertEqual({line["cid"] for line in external_blocks(piece)}, {dag.cid_text(cid) for cid in missing})
        self.assertTrue(all(line["why"] == "missing" for line in external_blocks(piece)))
        receipt = json.loads(Path(piece["receipt"]).read_text())
        self.assertEqual(receipt.get("external_count", 0), len(missing))
        self.check(harness.run("verify", self.out), 0)
        return packed, root, missing

    def test_an_incomplete_dag_is_refused_unless_asked_for(self):
        cids = list(self.blocks)[:-1]
        failed = self.pack(self.shard("a.car", cids), "--out", self.out, code=65)
        self.assertIn("is missing", failed.err.decode())
        packed, root, missing = self.check_partial(cids, self.shard("a.car", cids))
        self.assertEqual(missing, [list(self.blocks)[-1]])
        self.assertEqual([(name.decode(), cid) for name, cid in dag.links(root, packed[root])],
                         [(dag.cid_text(self.root), self.root)])

    def test_shards(self):
        """Every third block, in three CARs by themselves and two of them together; the root is in one only."""
        cids = list(self.blocks)
        parts = [cids[i::3] for i in range(3)]
        cars = [self.shard(f"{i}.car", part) for i, part in enumerate(parts)]
        for i, part in enumerate(parts):
            self.out = self.temp / f"out{i}"
            packed, root, _ = self.check_partial(part, cars[i])
            there = {cid: self.blocks[cid] for cid in part}
            self.assertEqual({cid for _, cid in dag.links(root, packed[root])}, tops(there))
        self.out = self.temp / "out-two"
        self.check_partial(parts[0] + parts[1], cars[0], cars[1])
        self.out = self.temp / "out-all"
        _, _, missing = self.check_partial(cids, *cars)
        self.assertEqual(missing, [])

    def test_a_missing_root_is_said(self):
        car = self.shard("a.car", list(self.blocks)[1:])
        finished = self.check(harness.run("pack", car, "--partial", "--out", self.out), 0)
        self.assertIn(f"the root {dag.cid_text(self.root)} is left out", finished.err.decode())

    def test_a_damaged_block_is_not_packed(self):
        cids = list(self.blocks)[:-1]
        car = self.shard("a.car", cids)
        data = bytearray(car.read_bytes())
        data[-1] ^= 1
        car.write_bytes(data)
        self.pack(car, "--partial", "--out", self.out, code=65)
        self.assertEqual(list(self.out.glob("*.car")), [])

    def test_roots_of_an_incomplete_repository(self):
        repository = self.temp / "repository"
        shutil.copytree(PUBLIC / "flatfs-repo-basic", repository)
        root = next(row["root"] for row in json.loads((PUBLIC / "unixfs-trees.json").read_text())
                    if row["tree"] == "basic.spec.json" and row["profile"].startswith("unixfs-v1"))
        (self.temp / "roots").write_text(root + "\n")
        leaf = next(path for path in sorted((repository / "blocks").glob("*/*.data")) if path.read_bytes() == b"lower")
        leaf.unlink()
        arguments = (repository, "--roots", self.temp / "roots", "--out", self.out)
        self.pack(*arguments, code=65)
        piece = self.pack_one(*arguments, "--partial")
        self.assertEqual([line["why"] for line in external_blocks(piece)], ["missing"])
        self.check(harness.run("verify", self.out), 0)

    def test_all_blocks_of_a_repository(self):
        for vector, golden in (("flatfs-repo-basic", "basic.unixfs-v1-2025"),
                               ("flatfs-repo-basic-v0-ntl3", "basic.unixfs-v0-2015")):
            with self.subTest(vector=vector):
                out = self.temp / vector
                piece = self.pack_one(PUBLIC / vector, "--all-blocks", "--out", out)
                blocks, root = dag.read_car(PUBLIC / f"{golden}.car")
                packed, packed_root = dag.read_car(Path(piece["car"]))
                # The only block that nothing links to is the root, by its multihash; its codec is a guess.
                [(name, top)] = dag.links(packed_root, packed[packed_root])
                self.assertEqual(top, b"\x01\x70" + root[-34:])
                self.assertEqual(name.decode(), dag.cid_text(top))
                self.assertEqual({cid[-34:] for cid in packed if cid != packed_root}, {cid[-34:] for cid in blocks})
                self.assertIs(json.loads(Path(piece["receipt"]).read_text())["codec_guessed"], True)
                self.check(harness.run("verify", out), 0)

    def test_all_blocks_take_what_is_no_unixfs_for_raw(self):
        """Text that begins like dag-pb, dag-pb without UnixFS, and a lone leaf."""
        repository = self.temp / "repository"
        shutil.copytree(PUBLIC / "flatfs-repo-basic", repository)
        leaf = b"\x0a\x07\x08\x02\x12\x01x\x18\x01"
        lone = [b"\n starts with a line feed", b"\x0a\x03abc", b"\x12 and no links", b"raw", leaf]
        for block in lone:
            digest = dag.hashlib.sha256(block).digest()
            key = dag.base64.b32encode(b"\x12\x20" + digest).decode().rstrip("=")
            path = repository / "blocks" / key[-3:-1] / f"{key}.data"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(block)
        piece = self.pack_one(repository, "--all-blocks", "--out", self.out)
        packed, root = dag.read_car(Path(piece["car"]))
        names = {cid[-32:]: cid[1] for _, cid in dag.links(root, packed[root])}
        codecs = [names.get(dag.hashlib.sha256(block).digest()) for block in lone]
        self.assertEqual(codecs, [dag.RAW] * 4 + [dag.DAG_PB])

    def test_all_blocks_of_a_repository_after_garbage_collection(self):
        """An orphan whose children are gone needs --partial beside it."""
        repository = self.temp / "repository"
        shutil.copytree(PUBLIC / "flatfs-repo-basic", repository)
        next(path for path in (repository / "blocks").glob("*/*.data") if path.read_bytes() == b"lower").unlink()
        self.pack(repository, "--all-blocks", "--out", self.out, code=65)
        piece = self.pack_one(repository, "--all-blocks", "--partial", "--out", self.out)
        self.assertEqual(len(external_blocks(piece)), 1)

    def test_flags_that_do_not_fit(self):
        tree = self.temp / "tree"
        tree.mkdir()
        for flag in ("--partial", "--all-blocks"):
            self.assertIn("for stores", self.pack(tree, flag, "--out", self.out, code=64).err.decode())
        (self.temp / "roots").write_text("")
        self.pack(GOLDEN, "--all-blocks", "--roots", self.temp / "roots", "--out", self.out, code=64)


if __name__ == "__main__":
    harness.main()
