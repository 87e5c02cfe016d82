#!/usr/bin/env python3
"""--known-grain block: what new DAGs share with earlier pieces is linked and left out.

That no block is then in no piece: test_known_blocks_whole.py.
"""
import json
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402
from snapshots import BLOCK, BlockCase  # noqa: E402

REPOSITORY = harness.VECTORS / "public/flatfs-repo-basic"


class Snapshots(BlockCase):
    def test_a_second_snapshot_packs_only_what_is_new(self):
        for options in ({}, {"threshold": 200}, {"profile": "unixfs-v0-2015"}):
            with self.subTest(options=options):
                name = "-".join(map(str, options)) or "plain"
                self.out = self.temp / f"out-{name}"
                first, old = self.snapshot(f"{name}-1", self.TREE, **options)
                second, new = self.snapshot(f"{name}-2", self.CHANGED, **options)
                self.run_blocks(first)
                report = self.run_blocks(second)
                [piece] = report["pieces"]
                packed, root = dag.read_car(Path(piece["car"]))
                self.assertEqual(root, new)
                before, _ = dag.read_car(first)
                after, _ = dag.read_car(second)
                fresh = {cid: block for cid, block in after.items() if cid not in before}
                self.assertEqual(packed, fresh)
                self.assert_whole(new)
                # What is left out is said, with the reason.
                _, missing = dag.reach(packed, new)
                lines = self.external(piece)
                self.assertEqual(set(lines), {dag.cid_text(cid) for cid in missing})
                self.assertEqual({line["why"] for line in lines.values()}, {"known"})
                self.assertEqual((report["known_count"], report["known_block_count"]), (0, len(lines)))
                sizes = [self.tsize(packed, cid) for cid in missing]
                self.assertEqual(report["known_block_bytes"], sum(sizes))
                receipt = json.loads(Path(piece["receipt"]).read_text())
                self.assertEqual(receipt["external_count"], len(lines))
                verified = self.check(harness.run("verify", self.out, "--json"), 0).json()
                self.assertTrue(verified["ok"])
                self.assertEqual({found["cid"] for found in verified["external"]}, set(lines))
                self.assertEqual({found["actual"] for found in verified["external"]}, {"in an earlier piece"})
                # And then both are known.
                again = self.run_known(first, second)
                self.assertEqual((again["pieces"], again["known_count"]), ([], 2))
                self.assertEqual(self.run_blocks(first, second)["pieces"], [])

    def tsize(self, blocks, cid):
        """What the first link to `cid` says."""
        for parent, block in blocks.items():
            for number, value in dag.fields(block) if dag.links(parent, block) else ():
                link = dict(dag.fields(value)) if number == 2 else {}
                if link.get(1) == cid:
                    return link.get(3, 0)
        raise AssertionError(f"nothing links to {dag.cid_text(cid)}")

    def test_the_default_packs_whole_items(self):
        first, _ = self.snapshot("1", self.TREE)
        second, root = self.snapshot("2", self.CHANGED)
        self.run_known(first)
        report = self.run_known(second, flags=("--known-grain", "item"))
        self.assertEqual(len(dag.read_car(Path(report["pieces"][0]["car"]))[0]), len(dag.read_car(second)[0]))
        self.assertEqual((report["known_block_count"], report["known_block_bytes"]), (0, 0))
        plan, _ = self.plan_of(second, "--known", self.out, *BLOCK)
        self.assertEqual((plan["batch_count"], plan["known_count"]), (0, 1))
        self.assert_whole(root)

    def test_a_plan_says_what_is_packed(self):
        first, _ = self.snapshot("1", self.TREE)
        second, root = self.snapshot("2", self.CHANGED)
        self.run_blocks(first)
        plans = [self.plan_of(second, "--known", self.out, *BLOCK) for _ in range(2)]
        self.assertEqual(plans[0][0], plans[1][0])
        plan, path = plans[0]
        self.check(harness.run("pack", "--plan", path, "--out", self.out, "--task", "0"), 0)
        report = self.check(harness.run("pack", "--plan", path, "--out", self.out, "--all", "--json"), 0).json()
        for key in ("plan_digest", "known_block_count", "known_block_bytes"):
            self.assertEqual(report[key], plan[key])
        [batch], [piece] = plan["batches"], report["pieces"]
        self.assertEqual((batch["car_bytes"], batch["block_count"]), (piece["payload_bytes"], piece["block_count"]))
        self.assertEqual(batch["external_count"], plan["known_block_count"])
        self.assert_whole(root)
        # Where the earlier pieces lie and how many directories they are in decides nothing.
        copy = self.temp / "copy"
        third, _ = self.snapshot("3", {**self.CHANGED, "z": b"z"})
        shutil.copytree(self.out, copy)
        digests = {self.plan_of(third, *known, *BLOCK)[0]["plan_digest"] for known in (
            ("--known", self.out), ("--known", copy), ("--known", copy, "--known", self.out))}
        self.assertEqual(len(digests), 1)

    def test_nothing_shared_gives_the_plan_without_the_flag(self):
        first, _ = self.snapshot("1", {"x": b"x"})
        second, _ = self.snapshot("2", self.TREE)
        self.run_known(first)
        digests = {self.plan_of(second, "--known", self.out, *flags)[0]["plan_digest"] for flags in ((), BLOCK)}
        self.assertEqual(digests, {self.plan_of(second)[0]["plan_digest"]})

    def test_a_chain_of_snapshots(self):
        """Each refers to all those before it, in directories of their own."""
        tree, outs, roots = {}, [], []
        for i in range(6):
            tree[f"day/{i}"] = harness.noise(f"day-{i}", 5000)
            car, root = self.snapshot(f"{i}", tree)
            outs.append(self.temp / f"out-{i}")
            known = [flag for out in outs[:-1] for flag in ("--known", out)]
            report = self.pack(car, "--out", outs[-1], *known, *(BLOCK if known else ()))
            roots.append((car, root))
            self.assertEqual(report["known_block_count"], i)
            self.assertLess(report["pieces"][0]["block_count"], 15)
        for _, root in roots:
            self.assert_whole(root, *outs)
        # Without one of the directories, what is in it is not known, nor what was built on it.
        for gone in range(6):
            rest = [out for out in outs if out != outs[gone]]
            flags = [flag for out in rest for flag in ("--known", out)]
            for grain in ("item", "block"):
                plan, _ = self.plan_of(*[car for car, _ in roots], *flags, "--known-grain", grain)
                self.assertEqual(plan["known_count"], gone)
            out = self.temp / f"again-{gone}"
            self.pack(roots[-1][0], "--out", out, *flags, *BLOCK)
            self.assert_whole(roots[-1][1], out, *rest)

    def test_inner_blocks_as_roots(self):
        """A root that is a block of an earlier DAG is known, where blocks are asked for."""
        first, root = self.snapshot("1", self.TREE)
        blocks, _ = dag.read_car(first)
        self.run_blocks(first)
        inner = dict(dag.links(root, blocks[root]))[b"b"]
        (self.temp / "roots").write_text(f"{dag.cid_text(inner)}\n")
        flags = ("--roots", self.temp / "roots")
        self.assertEqual(self.plan_of(first, "--known", self.out, *flags)[0]["batch_count"], 1)
        report = self.run_blocks(first, flags=flags)
        self.assertEqual((report["pieces"], report["known_count"], report["known_block_count"]), ([], 1, 0))
        self.assertGreater(report["known_bytes"], 12 * 3200)

    def test_blocks_that_the_store_no_longer_has(self):
        """A known block is not read: it may be gone."""
        first, _ = self.snapshot("1", self.TREE)
        self.run_blocks(first)
        held = self.held()
        second, root = self.snapshot("2", self.CHANGED, cut=held)
        self.pack(second, "--out", self.temp / "else", code=65)
        for flags in ((), ("--partial",)):
            out = self.temp / f"out{len(flags)}"
            report = self.run_blocks(second, out=out, known=self.out, flags=flags)
            self.assertEqual({line["why"] for line in self.external(report["pieces"][0]).values()}, {"known"})
            self.assert_whole(root, out, self.out)

    def test_several_roots_and_one_item_per_piece(self):
        first, old = self.snapshot("1", self.TREE)
        second, new = self.snapshot("2", self.CHANGED)
        third, other = self.snapshot("3", {"x": self.TREE["a/01"], "y": b"y"})
        self.run_blocks(first)
        for flags in ((), ("--one-item-per-piece",)):
            out = self.temp / f"out{len(flags)}"
            report = self.run_blocks(second, third, first, out=out, known=self.out, flags=flags)
            self.assertEqual((len(report["pieces"]), report["known_count"]), (1 + len(flags), 1))
            for root in (new, other):
                self.assert_whole(root, self.out, out)
            self.check(harness.run("verify", out), 0)

    def test_threads_change_nothing(self):
        first, _ = self.snapshot("1", self.TREE)
        second, _ = self.snapshot("2", self.CHANGED)
        self.run_blocks(first)
        cids = {self.run_blocks(second, out=self.temp / threads, known=self.out, flags=("--threads", threads))
                ["pieces"][0]["piece_cid_v2"] for threads in ("1", "3")}
        self.assertEqual(len(cids), 1)

    def test_a_repository(self):
        """Its second snapshot is a directory that kubo might have made of parts of the first."""
        rows = json.loads((harness.VECTORS / "public/unixfs-trees.json").read_text())
        root = next(row["root"] for row in rows if row["tree"] == "basic.spec.json" and
                    row["profile"].startswith("unixfs-v1-2025"))
        repository = self.temp / "repository"
        shutil.copytree(REPOSITORY, repository)
        (self.temp / "roots").write_text(f"{root}\n")
        [piece] = self.run_blocks(repository, flags=("--roots", self.temp / "roots"))["pieces"]
        held, _ = dag.read_car(Path(piece["car"]))
        self.blocks.update(held)
        entries = dag.links(dag.cid_bytes(root), held[dag.cid_bytes(root)])
        link = b"".join(b"\x12" + dag.varint(len(value)) + value for value in
                        (b"\x0a" + bytes([len(cid)]) + cid + b"\x12" + bytes([len(name)]) + name + b"\x18\x07"
                         for name, cid in entries[:2]))
        block = link + b"\x0a\x02\x08\x01"
        digest = harness.hashlib.sha256(block).digest()
        new = bytes.fromhex("01701220") + digest
        self.blocks[new] = block
        key = dag.base64.b32encode(b"\x12\x20" + digest).decode().rstrip("=")
        path = repository / "blocks" / key[-3:-1] / f"{key}.data"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(block)
        (self.temp / "roots").write_text(f"{root}\n{dag.cid_text(new)}\n")
        report = self.run_blocks(repository, flags=("--roots", self.temp / "roots"))
        self.assertEqual((report["known_count"], report["known_block_count"], report["known_block_bytes"]), (1, 2, 14))
        self.assertEqual([piece["block_count"] for piece in report["pieces"]], [1])
        self.assert_whole(new)
        self.check(harness.run("verify", self.out), 0)


class Usage(BlockCase):
    def test_files_have_no_blocks(self):
        harness.make_tree(self.source, {"a": b"1"})
        self.run_known()
        for command in (("pack", self.source, "--out", self.out), ("plan", self.source, "--out", self.temp / "p")):
            finished = self.check(harness.run(*command, "--known", self.out, *BLOCK), 64)
            self.assertIn("--known-grain block is for stores", finished.err.decode())
            self.check(harness.run(*command, "--known", self.out, "--known-grain", "item"), 0)

    def test_flags_that_do_not_go_together(self):
        car, _ = self.snapshot("1", self.TREE)
        self.check(harness.run("pack", car, "--out", self.out, *BLOCK), 64)
        self.check(harness.run("pack", car, "--out", self.out, "--known", self.out, "--known-grain", "chunk"), 64)

    def test_pieces_of_files_are_not_known_by_block(self):
        """The CIDs of what was packed from a directory are not in its plan."""
        harness.make_tree(self.source, self.TREE)
        self.run_known()
        car, root = self.snapshot("1", self.TREE)
        report = self.run_blocks(car)
        self.assertEqual((report["known_count"], report["known_block_count"]), (0, 0))
        self.assert_whole(root)


class Killed(BlockCase):
    def test_an_open_plan_is_of_one_grain(self):
        """Killed and run again, the same job goes on; the other grain is another job."""
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("not a test build")
        first, _ = self.snapshot("1", self.TREE)
        self.run_blocks(first)
        more = {f"more/{i}": harness.noise(f"more-{i}", 40_000) for i in range(8)}
        second, root = self.snapshot("2", {**self.TREE, **more})
        flags = ("--piece-size", "128KiB")
        expected = self.temp / "expected"
        shutil.copytree(self.out, expected)
        report = self.run_blocks(second, out=expected, flags=flags)
        self.assertGreater(len(report["pieces"]), 3)
        for point in ("receipt.before:1", "receipt.after:2", "publish.after_link:7"):
            out = self.temp / point.replace(":", "-")
            shutil.copytree(self.out, out)
            killed = harness.run("pack", second, "--out", out, "--known", out, *BLOCK, *flags,
                                 env={"PIECEWORK_KILL": point})
            self.assertEqual(killed.code, -signal.SIGKILL, killed)
            shutil.copytree(out, self.temp / f"{out.name}-item")
            again = self.run_blocks(second, out=out, flags=flags)
            self.assertEqual(again["plan_digest"], report["plan_digest"])
            self.assertEqual(harness.snapshot(out), harness.snapshot(expected))
            out = self.temp / f"{out.name}-item"
            self.assertNotEqual(self.run_known(second, out=out, flags=flags)["plan_digest"], report["plan_digest"])
            self.assertEqual(len(list(out.glob("plans/*.open"))), 1)
            self.run_blocks(second, out=out, flags=flags)
            self.assertEqual(list(out.glob("plans/*.open")), [])
            self.assert_whole(root, out)


if __name__ == "__main__":
    harness.main()
