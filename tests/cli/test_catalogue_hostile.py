#!/usr/bin/env python3
"""Catalogues of pieces that mean harm, or that others made: bounded, said, and the same from sidecars as from CARs."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import catalogue  # noqa: E402
import dag  # noqa: E402
import harness  # noqa: E402

NO_PIECES = {"55-two-roots.car", "c0-carv2-good-noindex.car"}  # CARs of other kinds than pack writes
ROWS_MAX = 1_000_000  # of a small piece, however often it links to itself; engine/FORMATS.md, Catalogues


class Hostile(catalogue.Case):
    def setUp(self):
        super().setUp()
        self.dag = dag.Builder()
        self.out.mkdir()

    def piece(self, root):
        """The CAR of everything that was built, under the name of its piece."""
        car = self.dag.write(self.temp / "made.car", root)
        name = self.check(harness.run("commp", car, "--json"), 0).json()["piece_cid_v1"]
        car.rename(self.out / f"{name}.car")
        return name

    def count(self, table):
        """Rows, without a dump of all of them."""
        import sqlite3
        with sqlite3.connect(self.catalogue) as database:
            return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def check_limit(self, root, *said):
        """A rebuild ends, says what it left out of which piece, and leaves a sound catalogue; other pieces count."""
        bad = self.piece(root)
        self.dag = dag.Builder()
        self.piece(self.dag.directory([(b"good", self.dag.raw(b"a good file"))]))
        rebuilt = self.rebuild(catalogue=self.catalogue)
        warnings = [line for line in rebuilt.err.decode().splitlines() if bad in line]
        self.assertEqual(len(warnings), len(said), rebuilt)
        for text, line in zip(said, warnings):
            self.assertIn(text, line)
            self.assertIn("name the CAR to ls and extract", line)
        self.assertEqual(len(self.find("good")), 1)
        self.check(harness.run("catalogue", "check", self.catalogue), 0)
        self.assertLess(self.count("entries"), ROWS_MAX + 1000)
        return bad

    def test_directories_that_stand_for_50_to_the_10_files(self):
        cid = self.dag.raw(b"x")
        for _ in range(10):
            cid = self.dag.directory([(b"%02d" % i, cid) for i in range(50)])
        self.check_limit(cid, "was met too often")
        self.assertEqual(self.find("/".join(["00"] * 10))[0]["size_bytes"], 1)
        self.assertEqual(self.find("49")[0]["kind"], "directory")

    def test_paths_of_4096_bytes_without_end(self):
        cid = self.dag.raw(b"x")
        for _ in range(16):
            cid = self.dag.directory([(b"%02d" % i + b"n" * 240, cid) for i in range(10)])
        self.check_limit(cid, "was met too often")
        self.assertLess(self.catalogue.stat().st_size, 256 << 20)

    def test_a_file_of_10_to_the_18_bytes(self):
        cid, size = self.dag.raw(b"0123456789"), 10
        for _ in range(8):
            cid, size = self.dag.file([(cid, size)] * 170), size * 170
        self.check_limit(self.dag.directory([(b"f", cid)]), "was met too often")
        self.assertEqual(self.find("f", "--range", "0-9")[0]["size_bytes"], size)
        self.assertLess(self.count("ranges"), ROWS_MAX + 2000)

    def test_a_large_node_again_and_again(self):
        """Each look at it reads and hashes 2 MB."""
        leaf = self.dag.raw(b"x")
        large = self.dag.directory([(b"L" * 2_000_000, leaf), (b"a", leaf)])
        self.check_limit(self.dag.directory([(b"%06d" % i, large) for i in range(40_000)]), "was met too often",
                         "names of over 255")

    def test_nodes_below_nodes(self):
        """20,000 directories, then as many dag-cbor nodes: listed as deep as paths and the walk go."""
        cid = self.dag.raw(b"deep")
        for _ in range(20_000):
            cid = self.dag.directory([(b"d", cid)])
        self.check_limit(cid, "paths of over 4096", "below too many others")
        self.find("/".join(["d"] * 2000))
        self.find("/".join(["d"] * 2100), code=66)

    def test_a_chain_of_other_nodes(self):
        chain = [self.dag.put(b"\xa0", 0x71)]
        for _ in range(15_000):
            chain.append(self.dag.put(b"\xa1\x61n\xd8\x2a\x58" + bytes([len(chain[-1]) + 1, 0]) + chain[-1], 0x71))
        self.check_limit(chain[-1], "below too many others")
        self.assertEqual(self.find(dag.cid_text(chain[-9_000]))[0]["kind"], "other")
        self.find(dag.cid_text(chain[0]), code=66)

    def test_heavy_nodes_below_each_other(self):
        """Hundreds of MB of nodes in one path."""
        cid = self.dag.raw(b"x")
        for i in range(80):
            cid = self.dag.directory([(b"d", cid), (b"%d" % i + b"x" * 2_000_000, self.dag.raw(b"y"))])
        bad = self.check_limit(cid, "names of over 255", "below too many others")
        time_of = Path("/usr/bin/time")
        if not time_of.exists():
            self.skipTest("no /usr/bin/time")
        done = harness.run("catalogue", "rebuild", self.out, "--catalogue", self.temp / "again",
                           wrapper=[time_of, "-f", "peak %M"])
        if not harness.has_undefined_sanitizer():
            peak_kib = int(done.err.split(b"peak ")[1])
            self.assertLess(peak_kib, 256 << 10, bad)

    def test_names(self):
        """What has no path is found by its CID."""
        child = self.dag.raw(b"content")
        names = [b"n" * 255, b"n" * 256, b"n" * 1_000_000, b"", b"..", b"a/b", b"nul\0", b"\xff"]
        self.piece(self.dag.directory([(name, child) for name in names]))
        rebuilt = self.rebuild(catalogue=self.catalogue)
        self.assertIn("2 entries have names of over 255", rebuilt.err.decode())
        self.assertEqual(len(self.find(dag.cid_text(child))), len(names) - 2)
        self.assertEqual(self.find("n" * 255)[0]["size_bytes"], 7)

    def test_malformed(self):
        """Every CAR that verify refuses for its framing or nodes is refused, and none stops the program otherwise."""
        for row in json.loads((harness.VECTORS / "malformed/MANIFEST.json").read_text())["cars"]:
            path = harness.VECTORS / "malformed" / row["file"]
            done = harness.run("commp", path, "--json")
            if path.suffix != ".car" or done.code != 0:
                continue
            with self.subTest(file=row["file"], why=row["why"]):
                home = self.temp / path.stem
                home.mkdir()
                (home / f"{done.json()['piece_cid_v1']}.car").symlink_to(path)
                rebuilt = harness.run("catalogue", "rebuild", home, "--catalogue", home / "catalogue")
                is_good = row["expect"] == "accept" and row["file"] not in NO_PIECES
                self.assertIn(rebuilt.code, (0,) if is_good else (0, 65), rebuilt)
                if rebuilt.code == 0:
                    self.check(harness.run("catalogue", "check", home / "catalogue"), 0)


class Foreign(catalogue.Case):
    """Leaves of files in encodings that are not ours: what they hold does not follow from their length."""

    def leaves(self, builder, content):
        kind, data, size = dag.pb_number(1, 2), dag.pb_bytes(2, content), dag.pb_number(3, len(content))
        return {"as kubo": builder.node(kind + data + size), "no size": builder.node(kind + data),
                "type raw": builder.node(dag.pb_number(1, 0) + data + size),
                "raw, no size": builder.node(dag.pb_number(1, 0) + data),
                "size first": builder.node(kind + size + data),
                "v0": b"\x12\x20" + builder.node(kind + data)[-32:]}

    def test_from_sidecars_as_from_cars(self):
        for length in (0, 1, 7, 127, 128, 4000, 200_000):
            with self.subTest(length=length):
                builder = dag.Builder()
                content = harness.noise(f"leaf-{length}", length)
                leaves = self.leaves(builder, content)
                v0 = leaves["v0"]
                builder.blocks[v0] = builder.blocks[leaves["no size"]]
                singles = [(name.encode(), cid) for name, cid in sorted(leaves.items())]
                parts = [(cid, length) for cid in leaves.values()] * 2
                root = builder.directory(singles + [(b"z", builder.file(parts))])
                car = builder.write(self.temp / "foreign.car", root)
                base = self.temp / str(length)
                self.out, self.catalogue = base / "none", base / "catalogue"
                base.mkdir()
                without = self.pack_one(car, "--out", self.out, "--no-car")
                with_car = self.pack_one(car, "--out", base / "car")
                self.assertEqual(without["piece_cid_v1"], with_car["piece_cid_v1"])
                self.merge("--no-car")
                self.check_rows([without])
                sizes = {row["path"]: row["size_bytes"] for row in self.files() if row["kind"] == "file"}
                self.assertEqual(sizes, {**{name: length for name in leaves}, "z": len(parts) * length})
                self.check_rebuilt(base / "car")
                self.check_rebuilt(self.out)
                if length > 0:
                    self.check_bytes([with_car], "z", content * len(parts))

    def test_without_the_table_of_files(self):
        builder = dag.Builder()
        leaf = self.leaves(builder, b"leaf")["no size"]
        car = builder.write(self.temp / "foreign.car", builder.directory([(b"f", leaf)]))
        piece = self.pack_one(car, "--out", self.out, "--no-car")
        table = self.out / f"{piece['piece_cid_v1']}.files.ndjson.zst"
        table.unlink()
        said = self.rebuild(self.out, code=66).err.decode()
        self.assertIn(str(table), said)
        self.assertIn("put it, or the CAR, beside", said)


if __name__ == "__main__":
    harness.main()
