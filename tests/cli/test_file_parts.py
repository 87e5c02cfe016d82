#!/usr/bin/env python3
"""Files that are larger than a piece: parts that are complete by themselves, a join with the upper nodes.

What the whole file has to be comes from an independent importer (tests/interop/oracles/unixfs_ref.py); what is packed
is read by tests/support/dag.py.
"""
import json
import os
import shutil
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop/oracles"))
import dag  # noqa: E402
import harness  # noqa: E402
import unixfs_ref  # noqa: E402

PROFILES = {"v1": (("--chunk-size", "4096", "--max-links", "8"), {"chunk": 4096, "max_links": 8}),
            "v0": (("--profile", "unixfs-v0-2015", "--chunk-size", "4096", "--max-links", "5"),
                   {"profile": "unixfs-v0-2015", "chunk": 4096, "max_links": 5}),
            "links of two": (("--chunk-size", "1000", "--max-links", "2"), {"chunk": 1000, "max_links": 2})}
FLAGS, OPTIONS = PROFILES["v1"]


class FileParts(harness.TestCase):
    def setUp(self):
        super().setUp()
        warnings.simplefilter("ignore", ResourceWarning)  # the importer leaves files to the garbage collector
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        self.plan = self.temp / "plan"

    def import_file(self, path, options):
        """({CID: block}, root) of a file, by an independent importer."""
        blocks = {}
        root, _ = unixfs_ref.B(sink=blocks.__setitem__, **options).file(unixfs_ref.content({"file": str(path)}))
        return blocks, root

    def receipts(self, pieces):
        return [json.loads(Path(piece["receipt"]).read_text()) for piece in pieces]

    def entry_of(self, blocks, root, path):
        """The CID at `path` below a directory."""
        for name in path.split("/") if path else []:
            root = dict(dag.links(root, blocks[root]))[name.encode()]
        return root

    def check_file(self, report, path, file, options):
        """Parts and join of one file hold exactly its DAG, and every part its bytes at their place."""
        expected, root = self.import_file(file, options)
        pieces = report["pieces"]
        cars = [dag.read_car(Path(piece["car"])) for piece in pieces]
        receipts = self.receipts(pieces)
        data, places = file.read_bytes(), {}
        held = {}
        for (blocks, car_root), receipt in zip(cars, receipts):
            reached, missing = dag.reach(blocks, car_root)
            for part in receipt["parts"]:
                if part["item_path"] != path:
                    continue
                cid = dag.cid_bytes(part["cid"])
                self.assertEqual(self.entry_of(blocks, car_root, part["path"]), cid)
                name = part["path"].rpartition("/")[2]
                self.assertEqual((len(name), part["path"].rpartition("/")[0]), (20, path))
                content = dag.content(blocks, cid)
                self.assertEqual(content, data[int(name):int(name) + len(content)])
                places[int(name)] = len(content)
                below, nothing = dag.reach(blocks, cid)
                self.assertEqual(nothing, [])
                held.update((block, blocks[block]) for block in below)
        at = 0
        for begin in sorted(places):
            self.assertEqual(begin, at)
            at += places[begin]
        self.assertEqual(at, len(data))
        joins = [(blocks, self.entry_of(blocks, car_root, path)) for (blocks, car_root), receipt in zip(cars, receipts)
                 if receipt.get("external_count") and self.find(blocks, car_root, path) == root]
        self.assertEqual(len(joins), 1)
        upper, external = dag.reach(joins[0][0], root)
        parts = {part["cid"] for receipt in receipts for part in receipt["parts"] if part["item_path"] == path}
        self.assertEqual({dag.cid_text(cid) for cid in external}, parts)
        held.update((cid, joins[0][0][cid]) for cid in upper)
        self.assertEqual(held, expected)
        return root

    def find(self, blocks, root, path):
        try:
            return self.entry_of(blocks, root, path)
        except KeyError:
            return None

    def check_verify(self):
        verified = self.check(harness.run("verify", self.out, "--json"), 0).json()
        self.assertEqual((verified["ok"], verified["problem_count"]), (True, 0))
        self.assertFalse(any("no receipt here" in finding["actual"] for finding in verified["external"]))
        return verified

    def test_a_file_alone(self):
        for name, (flags, options) in PROFILES.items():
            with self.subTest(profile=name):
                file = self.temp / f"file-{name}"
                file.write_bytes(harness.noise(name, 1_234_567))
                self.out = self.temp / f"out-{name}"
                report = self.pack(file, "--out", self.out, "--piece-size", "256KiB", *flags)
                root = self.check_file(report, "", file, options)
                self.assertEqual(report["pieces"][-1]["root_cid"], dag.cid_text(root))
                self.assertGreater(len(report["pieces"]), 5)
                for piece in report["pieces"][:-2]:
                    self.assertGreater(piece["payload_bytes"], 260_096 * 0.9)
                self.check_verify()

    def test_files_among_others(self):
        """Two large files in a tree; small ones fill what their parts leave, in both directions."""
        small = {f"{d}/{i:03}": harness.noise(f"{d}{i}", 3000 + i) for d in "abc" for i in range(30)}
        harness.make_tree(self.source, {"a/large": harness.noise("large", 700_000),
                                        "b/other": harness.noise("b", 300_001), **small})
        report = self.pack(self.source, "--out", self.out, "--piece-size", "256KiB", *FLAGS)
        self.check_file(report, "a/large", self.source / "a/large", OPTIONS)
        self.check_file(report, "b/other", self.source / "b/other", OPTIONS)
        self.check_verify()
        rows = [row for piece in report["pieces"] for row in harness.file_rows(self.out, piece)]
        whole = sorted(row["path"] for row in rows if len(row["path"].rpartition("/")[2]) != 20)
        self.assertEqual(whole, sorted(harness.files_below(self.source)))
        plan = self.check(harness.run("plan", self.source, "--out", self.plan, "--piece-size", "256KiB", "--json",
                                      *FLAGS), 0).json()
        self.assertEqual((plan["plan_digest"], plan["file_count"]), (report["plan_digest"], 92))
        self.assertEqual(plan["source_bytes"], 1_000_001 + sum(map(len, small.values())))
        self.assertEqual([batch["car_bytes"] for batch in plan["batches"]],
                         [piece["payload_bytes"] for piece in report["pieces"]])

    def test_borders(self):
        """Sizes around a chunk, a node and what just fits: kept whole exactly where that is possible."""
        flags, options = ("--chunk-size", "1000", "--max-links", "4"), {"chunk": 1000, "max_links": 4}
        capacity = 65536 // 128 * 127
        whole = 0
        for size in (1000, 4001, 16000, 60_000, 61_000, *range(57_000, 63_000, 250), 65_537, 130_000, 256_001):
            with self.subTest(size=size):
                file = self.temp / f"f{size}"
                file.write_bytes(harness.noise("borders", size))
                self.out = self.temp / f"out-{size}"
                report = self.pack(file, "--out", self.out, "--piece-size", "64KiB", *flags)
                self.assertTrue(all(piece["payload_bytes"] <= capacity for piece in report["pieces"]))
                if len(report["pieces"]) == 1:
                    whole += 1
                    blocks, root = dag.read_car(Path(report["pieces"][0]["car"]))
                    self.assertEqual((blocks, root), self.import_file(file, options))
                else:
                    self.check_file(report, "", file, options)
                    blocks, _ = self.import_file(file, options)
                    self.assertGreater(sum(map(len, blocks.values())) + 38 * len(blocks) + 59, capacity)
        self.assertGreater(whole, 5)

    def test_tasks(self):
        """A join waits for its parts: 75, and no task for `todo`, until all of them are done."""
        self.source.mkdir()
        (self.source / "large").write_bytes(harness.noise("large", 700_000))
        plan = self.check(harness.run("plan", self.source, "--out", self.plan, "--piece-size", "256KiB", "--json",
                                      *FLAGS), 0).json()
        join = plan["batch_count"] - 1
        todo = ("todo", "--plan", self.plan, "--out", self.out)
        self.assertEqual(self.check(harness.run(*todo), 0).out.decode(), f"0-{join - 1}\n")
        pack = ("pack", "--plan", self.plan, "--out", self.out, "--task")
        waits = self.check(harness.run(*pack, join), 75)
        self.assertIn("waits for batch 0", waits.err.decode())
        for batch in range(1, join):
            self.check(harness.run(*pack, batch), 0)
        self.assertIn("waits for batch 0", self.check(harness.run(*pack, join), 75).err.decode())
        report = self.check(harness.run(*todo, "--json"), 0).json()
        self.assertEqual((report["missing"], report["waiting_count"], report["done_count"]), ([0], 1, join - 1))
        self.check(harness.run(*pack, 0), 0)
        self.assertEqual(self.check(harness.run(*todo), 0).out.decode(), f"{join}\n")
        self.check(harness.run(*pack, join), 0)
        self.assertEqual(self.check(harness.run(*todo), 0).out, b"")
        report = self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--all", "--json"), 0).json()
        self.check_file(report, "large", self.source / "large", OPTIONS)
        # The same bytes in one go.
        again = self.pack(self.source, "--out", self.temp / "again", "--piece-size", "256KiB", "--threads", "3", *FLAGS)
        self.assertEqual([piece["piece_cid_v2"] for piece in again["pieces"]],
                         [piece["piece_cid_v2"] for piece in report["pieces"]])

    def test_a_receipt_that_does_not_name_its_parts(self):
        self.source.mkdir()
        (self.source / "large").write_bytes(harness.noise("large", 700_000))
        self.check(harness.run("plan", self.source, "--out", self.plan, "--piece-size", "256KiB", *FLAGS), 0)
        packed = self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--all", "--json"), 0)
        pieces = packed.json()["pieces"]
        receipt = Path(pieces[0]["receipt"])
        receipt.write_text(receipt.read_text().replace("large/0000", "large/0009", 1))
        Path(pieces[-1]["receipt"]).unlink()
        failed = self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--all"), 78)
        self.assertIn("does not name the parts", failed.err.decode())

    def test_changed_between_its_parts(self):
        """All parts are of one file: what changes meanwhile is an error, and never skipped."""
        self.source.mkdir()
        large = self.source / "large"
        large.write_bytes(harness.noise("large", 700_000))
        (self.source / "small").write_bytes(b"small")
        self.check(harness.run("plan", self.source, "--out", self.plan, "--piece-size", "256KiB", *FLAGS), 0)
        self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--task", 0), 0)
        os.utime(large, ns=(1, 1))
        failed = self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--task", 1), 66)
        self.assertIn("large", failed.err.decode())

    def test_an_item_in_parts_is_not_skipped(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        harness.make_tree(self.source, {"large": harness.noise("large", 700_000), "small": b"small"})
        reads = "read,readv,pread64,preadv,preadv2"
        strace = ["strace", "-f", "-o", self.temp / "log", "-P", self.source / "large", "-e", f"trace={reads}", "-e",
                  f"inject={reads}:error=EIO:when=3+"]
        flags = ("--piece-size", "256KiB", "--dedup", "none", "--io", "posix", "--on-source-error", "skip", *FLAGS)
        failed = harness.run("pack", self.source, "--out", self.out, *flags, wrapper=strace,
                             env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.check(failed, 65)
        self.assertIn("large", failed.err.decode())

    def test_known(self):
        """A file in parts is known once its join and all its parts are done."""
        self.source.mkdir()
        (self.source / "large").write_bytes(harness.noise("large", 700_000))
        flags = ("--piece-size", "256KiB", *FLAGS)
        plan = self.check(harness.run("plan", self.source, "--out", self.plan, *flags, "--json"), 0).json()
        pack = ("pack", "--plan", self.plan, "--out", self.out)
        self.check(harness.run(*pack, "--all"), 0)
        for check in ((), ("--known-check",)):
            known = self.check(harness.run("plan", self.source, "--out", self.temp / f"known{len(check)}", "--known",
                                           self.out, *flags, *check, "--json"), 0).json()
            self.assertEqual((known["known_count"], known["known_bytes"], known["batch_count"]), (1, 700_000, 0))
        lost = list(self.out.glob(f"receipts/{plan['plan_digest']}/0.json"))
        lost[0].unlink()
        known = self.check(harness.run("plan", self.source, "--out", self.temp / "rest", "--known", self.out, *flags,
                                       "--json"), 0).json()
        self.assertEqual((known["known_count"], known["batch_count"]), (0, plan["batch_count"]))

    def test_a_sparse_file_of_a_tebibyte_is_planned(self):
        self.source.mkdir()
        with open(self.source / "huge", "wb") as sparse:
            sparse.truncate((1 << 40) + 12345)
        plan = self.check(harness.run("plan", self.source, "--out", self.plan, "--json"), 0).json()
        self.assertEqual((plan["source_bytes"], plan["file_count"]), ((1 << 40) + 12345, 1))
        self.assertEqual(plan["batch_count"], 34)  # 33 parts and the join
        for batch in plan["batches"][:32]:
            self.assertGreater(batch["car_bytes"], (32 << 30) // 128 * 127 * 0.99)

    def test_a_block_larger_than_a_piece_is_refused(self):
        self.source.mkdir()
        (self.source / "whale").write_bytes(bytes(300 << 10))
        failed = self.pack(self.source, "--out", self.out, "--piece-size", "64KiB", "--chunk-size", "100000", code=64)
        self.assertIn("whale", failed.err.decode())
        self.assertIn("choose a larger --piece-size", failed.err.decode())


if __name__ == "__main__":
    harness.main()
