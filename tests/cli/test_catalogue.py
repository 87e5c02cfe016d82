#!/usr/bin/env python3
"""piecework merge and catalogue: receipts in any order give one catalogue, and the pieces alone give the same."""
import json
import os
import random
import shutil
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import catalogue  # noqa: E402
import dag  # noqa: E402
import harness  # noqa: E402

TREE = {"a/b/small": b"small", "a/b/same": b"small", "a/large": harness.noise("catalogue", 2_700_000),
        "a/zeros": bytes(900_000), "again/b/small": b"small", "again/b/same": b"small", "empty": b"", "hollow": None,
        "link": ("symlink", "a/b/small"),
        b"bad-\xff-name": b"bytes", "line\nbreak": b"x" * 100, "a/b/same-link": ("symlink", "a/b/small")}


class Versions(catalogue.Case):
    """A catalogue of version 1, as text in tests/vectors/catalogue."""

    def setUp(self):
        super().setUp()
        database = sqlite3.connect(self.catalogue)
        database.executescript((harness.VECTORS / "catalogue/v1.sql").read_text())
        database.close()
        self.out.mkdir()

    def test_an_older_one_is_brought_up_to_date(self):
        refused = self.check(harness.run("find", "docs/small", "--catalogue", self.catalogue), 78)
        self.assertIn(b"is a catalogue of version 1: piecework merge brings it to version 2", refused.err)
        self.merge()
        found, = self.find("docs/small")
        self.assertEqual((found["size_bytes"], found["deals"]), (6, []))
        self.check(harness.run("catalogue", "check", self.catalogue), 0)
        new = self.temp / "new"
        self.merge(catalogue=new)
        schemas = []
        for path in (self.catalogue, new):
            database = sqlite3.connect(path)
            schemas.append(sorted(database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")))
            schemas[-1].append(database.execute("PRAGMA user_version").fetchone())
            database.close()
        self.assertEqual(*schemas)


class Merge(catalogue.Case):
    def plan_and_pack(self, count=24):
        harness.make_tree(self.source, {f"d{i % 3}/f{i:02}": harness.noise(f"m{i}", 20_000) for i in range(count)})
        return self.pack(self.source, "--out", self.out, "--piece-size", "128KiB")

    def test_any_order_twice_and_halves(self):
        report = self.plan_and_pack()
        self.assertGreater(len(report["pieces"]), 3)
        self.assertEqual(self.merge().json()["new_piece_count"], len(report["pieces"]))
        whole = self.dump()
        self.check_rows(report["pieces"])
        self.assertEqual(self.merge().json()["new_piece_count"], 0)
        self.assertEqual(self.dump(), whole)
        # As if each batch had been packed on a machine of its own.
        receipts = self.out / "receipts" / report["plan_digest"]
        outs = []
        for receipt in receipts.iterdir():
            out = self.temp / f"machine-{receipt.stem}"
            (out / "receipts" / report["plan_digest"]).mkdir(parents=True)
            shutil.copy(receipt, out / "receipts" / report["plan_digest"])
            piece = json.loads(receipt.read_text())["piece_cid_v1"]
            for file in self.out.glob(f"{piece}.*"):
                shutil.copy(file, out)
            outs.append(out)
        for seed in (1, 2):
            random.Random(seed).shuffle(outs)
            other = self.temp / f"order-{seed}"
            self.merge(out=outs[:len(outs) // 2], catalogue=other)
            self.merge(out=outs[len(outs) // 2:] + outs[:2], catalogue=other)
            self.assertEqual(self.dump(other), whole)
        self.check(harness.run("catalogue", "check", self.catalogue, "--pieces", self.out), 0)
        self.check_rebuilt()
        plan = self.out / "plans" / report["plan_digest"]
        other = self.temp / "by-plan"
        self.merge("--plan", plan, catalogue=other)
        self.assertEqual(self.dump(other), whole)

    def test_a_receipt_counts_only_where_its_batch_is_done(self):
        report = self.plan_and_pack(8)
        pieces = report["pieces"]
        car = Path(pieces[0]["car"])
        car.rename(self.temp / car.name)
        merged = self.merge()
        self.assertEqual((merged.json()["not_done_count"], merged.json()["piece_count"]), (1, len(pieces) - 1))
        self.assertIn("is not done", merged.err.decode())
        self.assertEqual(self.merge("--no-car").json()["new_piece_count"], 1)
        self.check_rows(pieces)
        # The CAR lies elsewhere now.
        rebuilt = self.temp / "elsewhere"
        self.rebuild(self.out, catalogue=rebuilt, flags=("--pieces", self.temp))
        self.assertEqual(self.dump(rebuilt), self.dump())

    def test_no_car(self):
        harness.make_tree(self.source, TREE)
        for profile in ("unixfs-v1-2025", "unixfs-v0-2015"):
            with self.subTest(profile=profile):
                flags = ("--profile", profile)
                self.out, with_car = self.temp / f"{profile}-none", self.temp / f"{profile}-car"
                self.catalogue = self.temp / f"{profile}.catalogue"
                report = self.pack(self.source, "--out", self.out, "--no-car", *flags)
                self.pack(self.source, "--out", with_car, *flags)
                self.merge("--no-car")
                self.check_rows(report["pieces"])
                self.check_rebuilt(with_car)
                self.check_rebuilt(self.out)

    def test_contradictions(self):
        report = self.plan_and_pack(8)
        self.merge()
        before = self.dump()
        receipt = self.out / "receipts" / report["plan_digest"] / "0.json"
        good = json.loads(receipt.read_text())
        other = json.loads((self.out / "receipts" / report["plan_digest"] / "1.json").read_text())
        changed = [{**other, "batch": 0}, {**good, "skipped": [{"path": "x", "reason": "fifo"}]},
                   {**good, "root_cid": other["root_cid"]}]
        for content in changed:
            with self.subTest(changed=[key for key in good if content[key] != good[key]]):
                receipt.write_text(json.dumps(content))
                self.assertIn("contradict" if content["root_cid"] == good["root_cid"] or content["piece_cid_v1"] !=
                              good["piece_cid_v1"] else "one of them is wrong", self.merge(code=70).err.decode())
                self.assertEqual(self.dump(), before)
        receipt.write_text("{}")
        self.merge(code=78)

    def test_strict(self):
        self.plan_and_pack(3)
        self.merge("--strict")
        harness.make_tree(self.source, {"sub/ok": b"ok"})
        os.mkfifo(self.source / "fifo")
        self.out = self.temp / "skipping"
        self.pack(self.source, "--out", self.out)
        self.merge()
        self.assertEqual(self.merge("--strict", code=65).json()["skipped_count"], 1)
        skipped = [row["skipped"] for row in map(json.loads, self.dump()) if row["table"] == "batches"]
        self.assertIn([{"path": "fifo", "reason": "fifo"}], skipped)


class Rebuild(catalogue.Case):
    def test_trees(self):
        harness.make_tree(self.source, TREE)
        for profile in ("unixfs-v1-2025", "unixfs-v0-2015"):
            for dedup in ("files", "blocks", "none"):
                with self.subTest(profile=profile, dedup=dedup):
                    name = f"{profile}-{dedup}"
                    self.out, self.catalogue = self.temp / name, self.temp / f"{name}.catalogue"
                    report = self.pack(self.source, "--out", self.out, "--dedup", dedup, "--profile", profile,
                                       "--chunk-size", "65536", "--max-links", "5")
                    self.merge()
                    self.check_rows(report["pieces"])
                    self.check_rebuilt()
                    for path in ("a/large", "a/b/small", "again/b/small", "a/zeros", "empty"):
                        self.check_bytes(report["pieces"], path, (self.source / path).read_bytes())
                    self.check_bytes(report["pieces"], "a/large", TREE["a/large"], 131_070, 140_000)

    def test_a_directory_of_many_names(self):
        harness.make_tree(self.source, {f"many/{'n' * 40}-{i:05}": b"%d" % i for i in range(6000)})
        report = self.pack(self.source, "--out", self.out)
        self.merge()
        self.check_rows(report["pieces"])
        self.check_rebuilt()
        self.assertEqual(self.find(f"many/{'n' * 40}-00077")[0]["size_bytes"], 2)

    def test_sources_with_names(self):
        harness.make_tree(self.source, {"one/x": b"1", "two/x": b"2"})
        report = self.pack(self.source / "one", self.source / "two", "--out", self.out)
        self.merge()
        self.check_rows(report["pieces"])
        rebuilt = self.check_rebuilt()
        self.assertEqual(self.dump(rebuilt), self.dump())
        cids = [self.find("x", "--source", name)[0]["cid"] for name in ("one", "two")]
        self.assertNotEqual(*cids)
        self.find("x", code=66)
        self.find("x", "--source", "three", code=66)

    def test_stores(self):
        """CARs of both profiles: dag-pb leaves and raw ones, links that meet again."""
        harness.make_tree(self.source, TREE)
        first = self.pack_one(self.source, "--out", self.temp / "first", "--profile", "unixfs-v0-2015")
        second = self.pack_one(self.source, "--out", self.temp / "second", "--chunk-size", "4096", "--max-links", "7")
        report = self.pack(first["car"], second["car"], "--out", self.out)
        self.merge()
        self.check_rebuilt()
        found = self.find(second["root_cid"])
        self.assertEqual({version["kind"] for version in found}, {"directory"})
        large = next(row["path"] for row in self.files() if row.get("path", "").endswith("a/large"))
        self.check_bytes(report["pieces"], large, (self.source / "a/large").read_bytes())

    def test_parts_of_files(self):
        content = harness.noise("parts", 700_000)
        harness.make_tree(self.source, {"a/large": content, "b/small": b"small"})
        report = self.pack(self.source, "--out", self.out, "--piece-size", "256KiB", "--chunk-size", "4096",
                           "--max-links", "8")
        self.assertGreater(len(report["pieces"]), 3)
        self.merge()
        self.check_rebuilt()
        found = self.check_bytes(report["pieces"], "a/large", content)
        self.assertEqual((len(found), found[0]["is_complete"]), (1, True))
        self.assertGreater(len(found[0]["pieces"]), 3)
        self.check_bytes(report["pieces"], "a/large", content, 300_000, 300_000)
        # Without the piece of one part the file is known, and known to be incomplete.
        part = json.loads(Path(report["pieces"][0]["receipt"]).read_text())["piece_cid_v1"]
        (self.out / f"{part}.car").unlink()
        other = self.temp / "incomplete"
        self.merge(catalogue=other)
        self.assertFalse(self.find("a/large", catalogue=other)[0]["is_complete"])

    def test_parts_of_stores(self):
        """Paths inside a DAG whose directories stand in other pieces."""
        tree = {f"d{i}/f{j}": harness.noise(f"{i}-{j}", 9000) for i in range(12) for j in range(6)}
        harness.make_tree(self.source, tree)
        car = self.pack_one(self.source, "--out", self.temp / "whole")["car"]
        report = self.pack(car, "--out", self.out, "--piece-size", "128KiB")
        self.assertGreater(len(report["pieces"]), 4)
        self.merge()
        self.check_rebuilt()
        prefix = next(iter(self.find(self.root_of(car))))["path"]
        for path in ("d0/f0", "d7/f3", "d11/f5"):
            self.check_bytes(report["pieces"], f"{prefix}/{path}".lstrip("/"), tree[path])

    def root_of(self, car):
        return dag.cid_text(dag.read_car(Path(car))[1])

    def test_what_lies_there(self):
        harness.make_tree(self.source, {"x": b"x"})
        piece = self.pack_one(self.source, "--out", self.out)
        empty = self.temp / "nothing"
        empty.mkdir()
        self.rebuild(empty, catalogue=self.temp / "none", code=66)
        self.rebuild(self.temp / "missing", catalogue=self.temp / "none", code=66)
        (empty / "other.car").write_bytes(Path(piece["car"]).read_bytes())
        refused = self.rebuild(empty, catalogue=self.temp / "none", code=66)
        self.assertIn("not named by a piece CID", refused.err.decode())
        shutil.copy(piece["car"], empty)
        (empty / "other.car").unlink()
        self.rebuild(empty)
        damaged = bytearray(Path(piece["car"]).read_bytes())
        damaged[100] ^= 1
        (empty / Path(piece["car"]).name).write_bytes(damaged)
        self.rebuild(empty, catalogue=self.temp / "damaged", code=65)


if __name__ == "__main__":
    harness.main()
