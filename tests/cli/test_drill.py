#!/usr/bin/env python3
"""piecework drill: files chosen at random restore, and only what they need is read."""
import json
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


class Drill(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        source = random.Random(1)
        entries = {f"d{i % 5}/file {i}": source.randbytes(3000 + 50 * i) for i in range(200)}
        harness.make_tree(self.source, entries | {"link": ("symlink", "d0"), b"\xff odd": b"odd", "d0/empty": b""})
        self.pieces = self.pack(self.source, "--out", self.out, "--piece-size", "512KiB")["pieces"]
        self.assertGreater(len(self.pieces), 2)

    def drill(self, *flags, code=0, out=None):
        return self.check(harness.run("drill", out or self.out, "--json", *flags), code).json()

    def test_everything(self):
        report = self.drill("--sample", "1000")
        rows = {(p["piece_cid_v1"], row["cid"], row.get("path"), row["size_bytes"]) for p in self.pieces
                for row in harness.file_rows(self.out, p)}
        self.assertEqual({(f["piece"], f["cid"], f.get("path"), f["size_bytes"]) for f in report["files"]}, rows)
        self.assertEqual((report["row_count"], report["file_count"], report["fault_count"]), (203, 203, 0))
        self.assertEqual(report["content_bytes"], sum(row[3] for row in rows))

    def test_the_seed_decides(self):
        first = self.drill("--sample", "20", "--seed", "1")
        self.assertEqual(self.drill("--sample", "20", "--seed", "1")["files"], first["files"])
        self.assertNotEqual(self.drill("--sample", "20", "--seed", "2")["files"], first["files"])
        self.assertEqual(first["file_count"], 20)
        # Every row may be drawn.
        drawn = {f.get("path", f.get("path_base64")) for seed in range(12)
                 for f in self.drill("--sample", "100", "--seed", seed)["files"]}
        self.assertEqual(len(drawn), 203)

    def test_the_report(self):
        path = self.temp / "report.json"
        printed = self.drill("--sample", "5", "--report", path)
        self.assertEqual(json.loads(path.read_text()), printed)
        self.check(harness.run("drill", self.out, "--sample", "5", "--report", path), 0)

    def test_a_damaged_file_is_found_and_others_are_not_read(self):
        car = Path(self.pieces[0]["car"])
        row = harness.file_rows(self.out, self.pieces[0])[3]
        content = bytearray(car.read_bytes())
        place = row["sections"][0]["offset_bytes"] + row["sections"][0]["length_bytes"] - 9
        content[place] ^= 1
        car.write_bytes(content)
        report = self.drill("--sample", "1000", code=65)
        self.assertEqual([f["path"] for f in report["files"] if not f["ok"]], [row["path"]])
        fault = report["faults"][0]
        self.assertEqual((fault["kind"], fault["path"], fault["piece"], fault["cid"]),
                         ("digest", row["path"], str(car), row["cid"]))
        good = [f for f in report["files"] if f["ok"]]
        self.assertEqual(len(good), 202)
        for seed in range(5):
            small = harness.run("drill", self.out, "--sample", "3", "--seed", seed, "--json")
            is_drawn = row["path"] in [f.get("path") for f in small.json()["files"]]
            self.assertEqual(small.code, 65 if is_drawn else 0)

    def test_damaged_and_missing_files(self):
        piece = self.pieces[0]["piece_cid_v1"]
        for name, kind in ((f"{piece}.car", "missing-file"), (f"{piece}.nodes", "missing-file"),
                           (f"{piece}.files.ndjson.zst", "missing-file")):
            with self.subTest(name=name):
                shutil.move(self.out / name, self.temp / "kept")
                report = self.drill("--sample", "1000", code=65)
                self.assertEqual({f["kind"] for f in report["faults"]}, {kind})
                shutil.move(self.temp / "kept", self.out / name)
        nodes = self.out / f"{piece}.nodes"
        good = nodes.read_bytes()
        nodes.write_bytes(good[:-30] + bytes(30))
        self.assertEqual({f["kind"] for f in self.drill("--sample", "1000", code=65)["faults"]}, {"sidecar"})
        nodes.write_bytes(good)
        shutil.copy(self.out / f"{self.pieces[1]['piece_cid_v1']}.files.ndjson.zst",
                    self.out / f"{piece}.files.ndjson.zst")
        self.assertFalse(self.drill("--sample", "1000", code=65)["ok"])

    def test_items_in_parts(self):
        harness.make_tree(self.temp / "large", {"movie": harness.payload("movie", 700_000), "small": b"s"})
        out = self.temp / "parts"
        flags = ("--piece-size", "256KiB", "--chunk-size", "4096", "--max-links", "8")
        self.pack(self.temp / "large", "--out", out, *flags)
        report = self.drill("--sample", "1000", out=out)
        self.assertIn(("movie", 700_000), [(f["path"], f["size_bytes"]) for f in report["files"]])

    def test_nothing_there(self):
        self.check(harness.run("drill", self.source), 66)
        self.check(harness.run("drill", self.temp / "none"), 66)
        self.check(harness.run("drill", self.out, "--sample", "0"), 64)


if __name__ == "__main__":
    harness.main()
