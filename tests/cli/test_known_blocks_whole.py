#!/usr/bin/env python3
"""--known-grain block and pieces that are incomplete: a block is known only where all below it is in pieces.

Every run is followed by the same question: is each DAG that was asked for whole, in the pieces of the directories that
were known to it?
"""
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402
from snapshots import BLOCK, BlockCase  # noqa: E402


class NothingIsLost(BlockCase):
    """A block is known only where everything below it is in pieces."""

    def links_of(self, root, path):
        """The CIDs on the way to `path`, the root first."""
        way = [root]
        for name in path.split("/"):
            way.append(dict(dag.links(way[-1], self.blocks[way[-1]]))[name.encode()])
        return way

    def test_partial_batches_hide_nothing(self):
        """Whatever block was missing comes with the next complete store, and only what is above it comes again."""
        whole, root = self.snapshot("whole", self.TREE)
        below = [cid for cid in dag.reach(self.blocks, root)[0] if cid != root]
        for i, cid in enumerate(below[::7]):
            out = self.temp / f"out-{i}"
            cut, _ = self.snapshot("cut", self.TREE, cut=(cid,))
            self.run_blocks(cut, out=out, flags=("--partial",))
            self.assertNotIn(cid, self.held(out))
            self.assertEqual(self.plan_of(whole, "--known", out)[0]["known_count"], 0)
            report = self.run_blocks(whole, out=out)
            self.assert_whole(root, out)
            packed = dag.read_car(Path(report["pieces"][0]["car"]))[0]
            # Exactly the missing block, what is below it and in no piece, and what is above it.
            above = {root}
            for _ in below:
                above |= {c for c in below if any(link in above | {cid} and link != root
                                                  for _, link in dag.links(c, self.blocks[c]))}
            lost = set(dag.reach(self.blocks, cid)[0])
            self.assertLessEqual(set(packed), above | lost)
            self.assertIn(cid, packed)
            self.check(harness.run("verify", out), 0)
            self.assertEqual(self.run_blocks(whole, out=out)["pieces"], [])

    def test_two_incomplete_batches_complete_each_other(self):
        _, root = self.snapshot("whole", self.TREE)
        a, b = self.links_of(root, "a/03")[-1], self.links_of(root, "b/05")[-1]
        for name, cid in (("1", a), ("2", b)):
            cut, _ = self.snapshot(name, self.TREE, cut=(cid,))
            self.pack(cut, "--partial", "--out", self.out)
        self.assert_whole(root)
        for grain in ("item", "block"):
            plan, _ = self.plan_of(self.temp / "whole.car", "--known", self.out, "--known-grain", grain)
            self.assertEqual((plan["batch_count"], plan["known_count"]), (0, 1), grain)

    def test_partial_runs_one_after_the_other(self):
        """A store that is always incomplete, in another place each time: at the end everything is there."""
        whole, root = self.snapshot("whole", self.TREE)
        below = [cid for cid in dag.reach(self.blocks, root)[0] if cid != root]
        for i in range(5):
            cut, _ = self.snapshot("cut", self.TREE, cut=below[i::5])
            self.run_blocks(cut, flags=("--partial",))
            self.check(harness.run("verify", self.out), 0)
        self.run_blocks(whole)
        self.assert_whole(root)
        self.assertEqual(self.run_blocks(whole)["pieces"], [])

    def test_joins_and_parts_half_done(self):
        """A DAG larger than a piece, of which one batch after the other is the one that is not done."""
        large = {f"d/{i}": harness.noise(f"large-{i}", 40_000) for i in range(12)}
        car, root = self.snapshot("large", large)
        second, new = self.snapshot("second", {**large, "d/3": b"changed", "e": b"e"})
        flags = ("--piece-size", "128KiB")
        plan, path = self.plan_of(car, *flags)
        self.assertGreater(plan["batch_count"], 3)
        for missing in [*range(plan["batch_count"]), None]:
            out = self.temp / f"out-{missing}"
            for batch in range(plan["batch_count"]):
                if batch != missing:
                    self.check(harness.run("pack", "--plan", path, "--out", out, "--task", batch), 0)
            shutil.copytree(out, self.temp / f"copy-{missing}")
            report = self.run_blocks(second, out=out, flags=flags)
            self.assert_whole(new, out)
            self.check(harness.run("verify", out), 0)
            copy = self.temp / f"copy-{missing}"
            known = self.run_blocks(car, out=copy, flags=flags)["known_count"]
            self.assert_whole(root, copy)
            self.assertEqual(known, missing is None)
            blocks = sum(piece["block_count"] for piece in report["pieces"])
            if missing is None:
                self.assertLess(blocks, 20)

    def test_a_part_that_missed_a_block(self):
        """With --partial, a part that is done may be incomplete: then so is the DAG above it."""
        large = {f"d/{i}": harness.noise(f"large-{i}", 40_000) for i in range(12)}
        whole, root = self.snapshot("whole", large)
        file = self.links_of(root, "d/5")[-1]
        chunk = [cid for cid in dag.reach(self.blocks, file)[0] if cid[1] == dag.RAW][20]
        cut, _ = self.snapshot("cut", large, cut=(chunk,))
        flags = ("--piece-size", "128KiB")
        report = self.run_blocks(cut, flags=(*flags, "--partial"))
        self.assertGreater(len(report["pieces"]), 3)
        shutil.copytree(self.out, self.temp / "item")
        for out, grain in ((self.out, "block"), (self.temp / "item", "item")):
            self.assertEqual(self.run_known(whole, out=out, flags=(*flags, "--known-grain", grain))["known_count"], 0)
            self.assert_whole(root, out)

    def test_a_new_dag_larger_than_a_piece(self):
        """It is cut, known blocks are in no part, and the names of a file's parts still say where they begin."""
        old = harness.noise("old", 100_000)
        first, _ = self.snapshot("1", {"f": old})
        self.run_blocks(first)
        content = old + harness.noise("more", 300_000)
        second, root = self.snapshot("2", {"f": content})
        [file] = [cid for name, cid in dag.links(root, self.blocks[root]) if name == b"f"]
        (self.temp / "roots").write_text(dag.cid_text(file) + "\n")
        flags = ("--piece-size", "128KiB", "--roots", self.temp / "roots")
        report = self.run_blocks(second, flags=flags)
        self.assertGreater(len(report["pieces"]), 3)
        self.assert_whole(file)
        held, earlier = self.held(), dag.read_car(first)[0]
        for piece in report["pieces"]:
            packed, _ = dag.read_car(Path(piece["car"]))
            self.assertEqual([cid for cid in packed if cid in earlier], [])
            for part in json.loads(Path(piece["receipt"]).read_text())["parts"]:
                at, data = int(part["path"][-20:]), dag.content(held, dag.cid_bytes(part["cid"]))
                self.assertEqual(content[at:at + len(data)], data)
                self.assertGreater(at, 0)  # that subtree is all known
        why = {line["why"] for piece in report["pieces"] for line in self.external(piece).values()}
        self.assertEqual(why, {"part", "known"})
        self.check(harness.run("verify", self.out), 0)

    def test_a_batch_that_is_no_longer_done(self):
        """The receipt of an earlier piece is gone: what refers to its blocks is not known either."""
        first, _ = self.snapshot("1", self.TREE)
        second, new = self.snapshot("2", self.CHANGED)
        [piece] = self.run_blocks(first)["pieces"]
        self.run_blocks(second)
        Path(piece["receipt"]).unlink()
        Path(piece["car"]).unlink()
        for grain in ("item", "block"):
            plan, _ = self.plan_of(second, "--known", self.out, "--known-grain", grain)
            self.assertEqual((plan["known_count"], plan["batch_count"]), (0, 1))
        self.run_blocks(second)
        self.assert_whole(new)

    def test_blocks_that_bring_themselves_along(self):
        """An identity CID with a link: what is below it is walked, and it is packed again."""
        leaf = b"a leaf"
        leaf_cid = bytes.fromhex("01551220") + harness.hashlib.sha256(leaf).digest()
        link = b"\x0a" + bytes([len(leaf_cid)]) + leaf_cid + b"\x12\x01l" + b"\x18\x06"
        inline = b"\x12" + bytes([len(link)]) + link + b"\x0a\x02\x08\x01"
        inline_cid = b"\x01\x70\x00" + bytes([len(inline)]) + inline

        def top(names):
            block = b""
            for name in names:
                link = b"\x0a" + bytes([len(inline_cid)]) + inline_cid + b"\x12\x01" + name + b"\x18\x07"
                block += b"\x12" + dag.varint(len(link)) + link
            block += b"\x0a\x02\x08\x01"
            return bytes.fromhex("01701220") + harness.hashlib.sha256(block).digest(), block

        for i, names in enumerate(((b"a",), (b"a", b"b"))):
            cid, block = top(names)
            car = dag.write_car(self.temp / f"{i}.car", cid, {cid: block, leaf_cid: leaf})
            report = self.run_blocks(car)
            self.assertEqual([piece["block_count"] for piece in report["pieces"]], [3 - i])
            self.assertEqual(report["known_block_count"], i)
        self.check(harness.run("verify", self.out), 0)


if __name__ == "__main__":
    harness.main()
