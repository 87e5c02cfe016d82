#!/usr/bin/env python3
"""DAGs of a store that are larger than a piece: parts that are complete by themselves, a join with the upper nodes.

The DAGs come from an independent importer (tests/interop/oracles/unixfs_ref.py) or from golden CARs; what is packed is
read by tests/support/dag.py.
"""
import json
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop/oracles"))
import dag  # noqa: E402
import harness  # noqa: E402
import unixfs_ref  # noqa: E402

PUBLIC = harness.VECTORS / "public"


class StoreParts(harness.TestCase):
    def setUp(self):
        super().setUp()
        warnings.simplefilter("ignore", ResourceWarning)  # the importer leaves files to the garbage collector
        self.out = self.temp / "out"

    def import_tree(self, tree, name, **options):
        """A CAR of `tree`, a file or directory, made by an independent importer."""
        blocks = {}
        importer = unixfs_ref.B(sink=blocks.__setitem__, **options)
        if tree.is_dir():
            root, _ = importer.tree(unixfs_ref.walk(str(tree)))
        else:
            root, _ = importer.file(unixfs_ref.content({"file": str(tree)}))
        return dag.write_car(self.temp / f"{name}.car", root, blocks)

    def make_file(self, count, name="file"):
        path = self.temp / name
        path.write_bytes(harness.noise(name, count))
        return path

    def read_pieces(self, pieces):
        return [dag.read_car(Path(piece["car"])) for piece in pieces]

    def receipts(self, pieces):
        return [json.loads(Path(piece["receipt"]).read_text()) for piece in pieces]

    def check_parts_and_join(self, car, *options):
        """Packs `car` and checks everything that does not depend on what it holds."""
        original, root = dag.read_car(car)
        pieces = self.pack(car, "--out", self.out, *options)["pieces"]
        cars = self.read_pieces(pieces)
        join_blocks, join_root = cars[-1]
        self.assertEqual(join_root, root)
        receipts = self.receipts(pieces)
        made, everything = set(), {}
        for (blocks, part_root), receipt in zip(cars[:-1], receipts):
            reached, missing = dag.reach(blocks, part_root)
            self.assertEqual((len(reached), missing), (len(blocks), []))
            linked = dag.links(part_root, blocks[part_root])
            self.assertEqual([(name.decode(), dag.cid_text(cid)) for name, cid in linked],
                             [(part["path"], part["cid"]) for part in receipt["parts"]])
            self.assertTrue(all(len(name) == 20 and name.isdigit() for name, _ in linked))
            made.add(part_root)
            everything.update(blocks)
        self.assertEqual(receipts[-1]["parts"], [])
        # The upper nodes are exactly what no part holds, and every link out of the join leads to a part's subtree.
        upper, external = dag.reach(join_blocks, root)
        self.assertEqual(len(upper), len(join_blocks))
        subtrees = {part["cid"] for receipt in receipts for part in receipt["parts"]}
        self.assertEqual({dag.cid_text(cid) for cid in external}, subtrees)
        self.assertEqual(receipts[-1]["external_count"], len(external))
        # Nothing is lost, nothing is made but the directories of the parts.
        everything.update(join_blocks)
        self.assertEqual({cid: block for cid, block in everything.items() if cid not in made}, original)
        verified = self.check(harness.run("verify", self.out, "--json"), 0).json()
        self.assertEqual((verified["ok"], verified["problem_count"]), (True, 0))
        links = [cid for block in upper for _, cid in dag.links(block, join_blocks[block])]
        self.assertEqual(verified["external_count"], sum(cid not in join_blocks for cid in links))
        places = {finding["cid"]: finding["actual"] for finding in verified["external"]}
        for piece, receipt in zip(pieces, receipts):
            for part in receipt["parts"]:
                self.assertIn(piece["piece_cid_v1"], places[part["cid"]])
        return pieces, cars, receipts

    def test_a_file(self):
        for profile, options in {"v1": {"chunk": 4096, "max_links": 8},
                                 "v0": {"profile": "unixfs-v0-2015", "chunk": 4096, "max_links": 5}}.items():
            with self.subTest(profile=profile):
                file = self.make_file(1_234_567, profile)
                self.out = self.temp / f"out-{profile}"
                pieces, cars, receipts = self.check_parts_and_join(
                    self.import_tree(file, profile, **options), "--piece-size", "256KiB")
                data, at = file.read_bytes(), 0
                for (blocks, _), receipt in zip(cars, receipts):
                    for part in receipt["parts"]:
                        self.assertEqual(int(part["path"]), at)
                        content = dag.content(blocks, dag.cid_bytes(part["cid"]))
                        self.assertEqual(content, data[at:at + len(content)])
                        at += len(content)
                self.assertEqual(at, len(data))
                # Full up to a chunk and what the directories were reckoned at.
                for piece in pieces[:-2]:
                    self.assertGreater(piece["payload_bytes"], 260_096 * 0.95)

    def test_directories_and_shards(self):
        many = self.temp / "many"
        harness.make_tree(many, {f"d/{i:04}": b"%d" % i * 40 for i in range(1000)} | {"e/f": b"f"})
        cars = {"sharded": (self.import_tree(many, "sharded", threshold=3000), "32KiB"),
                "v1": (PUBLIC / "many-small-dirs.unixfs-v1-2025.car", "16KiB"),
                "v0": (PUBLIC / "many-small-dirs.unixfs-v0-2015.car", "16KiB")}
        for name, (car, piece_size) in cars.items():
            with self.subTest(name=name):
                self.out = self.temp / name
                _, _, receipts = self.check_parts_and_join(car, "--piece-size", piece_size)
                ranks = [int(part["path"]) for receipt in receipts for part in receipt["parts"]]
                self.assertEqual(ranks, list(range(len(ranks))))

    def test_parts_say_where_they_stand_in_the_item(self):
        tree = self.temp / "tree"
        harness.make_tree(tree, {"a/large": harness.noise("large", 300_000), "a/small": b"small", "z": b"z"})
        car = self.import_tree(tree, "tree", chunk=4096)
        _, _, receipts = self.check_parts_and_join(car, "--piece-size", "128KiB")
        places = {part["item_path"] for receipt in receipts for part in receipt["parts"]}
        self.assertEqual(places, {"a/large", "a/small", "z"})

    def test_several_roots_and_sources(self):
        large = self.import_tree(self.make_file(400_000, "large"), "large", chunk=4096)
        small = self.import_tree(self.make_file(1000, "small"), "small")
        pieces = self.pack(f"big={large}", f"little={small}", "--out", self.out, "--piece-size", "256KiB")["pieces"]
        root = dag.read_car(large)[1]
        blocks, join_root = dag.read_car(Path(pieces[-1]["car"]))
        self.assertEqual(dag.links(join_root, blocks[join_root]), [(b"big", root)])
        paths = [part["path"] for receipt in self.receipts(pieces) for part in receipt["parts"]]
        self.assertTrue(paths and all(path.startswith("big/0000") for path in paths), paths)
        listed = [row["path"] for piece in pieces for row in harness.file_rows(self.out, piece)]
        self.assertIn("little", listed)
        self.check(harness.run("verify", self.out), 0)

    def test_one_item_per_piece(self):
        car = self.import_tree(self.make_file(400_000), "file", chunk=4096)
        self.check_parts_and_join(car, "--piece-size", "256KiB", "--one-item-per-piece")

    def test_same_bytes_on_any_number_of_threads(self):
        car = self.import_tree(self.make_file(700_000), "file", chunk=4096, max_links=4)
        cids = []
        for threads in ("1", "3"):
            pieces = self.pack(car, "--piece-size", "256KiB", "--threads", threads, "--out", self.temp / threads)
            cids.append([piece["piece_cid_v2"] for piece in pieces["pieces"]])
        self.assertEqual(cids[0], cids[1])

    def test_a_small_tsize_hides_nothing(self):
        """A directory that says of a large child that it is small."""
        car = self.import_tree(self.make_file(400_000), "file", chunk=4096)
        blocks, root = dag.read_car(car)
        link = b"\x0a\x24" + root + b"\x12\x01f" + b"\x18\x01"
        liar = b"\x12" + bytes([len(link)]) + link + b"\x0a\x02\x08\x01"
        liar_cid = bytes.fromhex("01701220") + dag.hashlib.sha256(liar).digest()
        header = bytes.fromhex("3aa265726f6f747381d82a582500") + liar_cid + b"\x67version\x01"
        section = b"".join([bytes([len(liar_cid) + len(liar)]), liar_cid, liar])
        (self.temp / "liar.car").write_bytes(header + section + car.read_bytes()[59:])
        self.check_parts_and_join(self.temp / "liar.car", "--piece-size", "256KiB")

    def test_join_can_run_first(self):
        """Its CIDs are known: it waits for nobody. What verify then says of it is not a lie."""
        car = self.import_tree(self.make_file(400_000), "file", chunk=4096)
        plan = self.temp / "plan"
        batches = self.check(harness.run("plan", car, "--out", plan, "--piece-size", "256KiB", "--json"), 0).json()
        join = len(batches["batches"]) - 1
        todo = self.check(harness.run("todo", "--plan", plan, "--out", self.out), 0)
        self.assertEqual(todo.out.decode().strip(), f"0-{join}")
        self.check(harness.run("pack", "--plan", plan, "--out", self.out, "--task", str(join)), 0)
        verified = self.check(harness.run("verify", self.out, "--json"), 0).json()
        self.assertTrue(verified["external"])
        self.assertTrue(all("no receipt here" in finding["actual"] for finding in verified["external"]))
        self.check(harness.run("pack", "--plan", plan, "--out", self.out, "--all"), 0)
        verified = self.check(harness.run("verify", self.out, "--json"), 0).json()
        self.assertFalse(any("no receipt here" in finding["actual"] for finding in verified["external"]))

    def test_a_part_that_is_not_what_the_join_needs_is_found(self):
        car = self.import_tree(self.make_file(400_000), "file", chunk=4096)
        pieces = self.pack(car, "--out", self.out, "--piece-size", "256KiB")["pieces"]
        receipt = Path(pieces[0]["receipt"])
        receipt.write_text(receipt.read_text().replace('"cid": "bafk', '"cid": "bafy', 1))
        verified = self.check(harness.run("verify", self.out, "--json"), 65).json()
        self.assertEqual({problem["kind"] for problem in verified["problems"]}, {"missing-block"})

    def test_a_lost_or_damaged_list_is_found(self):
        car = self.import_tree(self.make_file(400_000), "file", chunk=4096)
        self.pack(car, "--out", self.out, "--piece-size", "256KiB")
        [external] = self.out.glob("receipts/*/*.external.ndjson.zst")
        data = external.read_bytes()
        middle = len(data) // 2
        external.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1:])
        kinds = {p["kind"] for p in self.check(harness.run("verify", self.out, "--json"), 65).json()["problems"]}
        self.assertIn("sidecar", kinds)
        external.unlink()
        verified = self.check(harness.run("verify", self.out, "--json"), 65).json()
        self.assertTrue({"missing-file", "missing-block"} <= {p["kind"] for p in verified["problems"]})
        # pack makes it again.
        self.pack(car, "--out", self.out, "--piece-size", "256KiB")
        self.assertTrue(external.exists())
        self.check(harness.run("verify", self.out), 0)

    def test_an_upper_node_larger_than_a_piece_is_refused(self):
        """One flat directory of 265,000 bytes."""
        car = PUBLIC / "mid-threshold.unixfs-v0-2015.car"
        failed = self.pack(car, "--out", self.out, "--piece-size", "64KiB", code=64)
        self.assertIn("choose a larger --piece-size", failed.err.decode())

    def test_a_block_larger_than_a_piece_is_refused(self):
        car = self.import_tree(self.make_file(400_000), "file", chunk=100000)
        failed = self.pack(car, "--out", self.out, "--piece-size", "64KiB", code=64)
        self.assertIn("choose a larger --piece-size", failed.err.decode())


if __name__ == "__main__":
    harness.main()
