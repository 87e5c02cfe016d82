#!/usr/bin/env python3
"""CARs as sources: CIDs are kept, sections come out in depth-first order, what is malformed gets its verdict."""
import hashlib
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402

PUBLIC = harness.VECTORS / "public"
MALFORMED = harness.VECTORS / "malformed"

# Rows of MANIFEST.json that packing decides for itself: those marked `policy` (docs/formats.md 11), and one more.
POLICY = {
    "51-hash-mismatch-second.car": 0,  # the damaged block is under no root, so nothing of it is packed
    "13-zero-padding-tail.car": 65,
    "28-header-empty-roots.car": 65,
    "45-cid-unknown-hash.car": 65,
    "49-cid-identity-huge.car": 65,
    "52-root-missing.car": 65,
    "54-dup-blocks-conflict.car": 65,
    "56-dup-roots.car": 0,
    "57-no-blocks.car": 65,
    "b4-missing-child.car": 65,
}


def varint(number):
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded + bytes([number]))


def cid(codec, data):
    return b"\x01" + varint(codec) + b"\x12\x20" + hashlib.sha256(data).digest()


def car(root, *blocks):
    """A CARv1 of (CID, data) pairs."""
    header = b"\xa2\x65roots\x81\xd8\x2a\x58" + bytes([len(root) + 1]) + b"\x00" + root + b"\x67version\x01"
    return varint(len(header)) + header + b"".join(varint(len(c) + len(d)) + c + d for c, d in blocks)


def directory(name, child, child_bytes):
    """A UnixFS directory with one entry."""
    link = b"\x0a" + varint(len(child)) + child + b"\x12" + varint(len(name)) + name + b"\x18" + varint(child_bytes)
    return b"\x12" + varint(len(link)) + link + b"\x0a\x02\x08\x01"


class CarSources(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.out = self.temp / "out"

    def test_golden_cars_come_out_as_they_are(self):
        for car in sorted(PUBLIC.glob("*.car")):
            with self.subTest(car=car.name):
                out = self.temp / car.stem
                piece = self.pack_one(car, "--out", out)
                self.assertEqual(Path(piece["car"]).read_bytes(), car.read_bytes())

    def test_malformed_cars_get_their_verdict(self):
        for row in json.loads((MALFORMED / "MANIFEST.json").read_text())["cars"]:
            car = MALFORMED / row["file"]
            if not car.exists():
                continue  # the large ones are recipes
            expected = POLICY.get(row["file"], 65 if row["expect"] == "reject" else 0)
            with self.subTest(car=row["file"], why=row["why"]):
                out = self.temp / f"out-{row['file']}"
                finished = harness.run("pack", car, "--out", out, "--json")
                self.check(finished, expected)
                cars = list(out.glob("*.car"))
                self.assertEqual(len(cars), 1 if expected == 0 else 0)
                if expected == 0:
                    self.assertEqual(harness.run("verify", out, "--json").json()["ok"], True)
                shutil.rmtree(out, ignore_errors=True)

    def test_several_cars_are_joined_under_their_names(self):
        cars = [PUBLIC / "basic.unixfs-v1-2025.car", PUBLIC / "basic.tiny.car"]
        piece = self.pack_one(*cars, "--out", self.out)
        self.check(harness.run("verify", self.out), 0)
        names = {row["path"].split("/")[0] for row in harness.file_rows(self.out, piece)}
        self.assertEqual(names, {car.name for car in cars})

    def test_standard_input(self):
        car = PUBLIC / "basic.unixfs-v1-2025.car"
        piece = self.pack_one("-", "--out", self.out, stdin=car.read_bytes())
        self.assertEqual(Path(piece["car"]).read_bytes(), car.read_bytes())
        self.check(harness.run("pack", "-", "--out", self.out, stdin=car.read_bytes()[:-1]), 65)
        # A plan of it could not be packed later.
        self.check(harness.run("plan", "-", "--out", self.temp / "plan", stdin=car.read_bytes()), 64)

    def test_blocks_of_a_codec_whose_links_nobody_knows_are_leaves(self):
        """They are packed as they stand and listed, by pack and by verify."""
        data = b"some dag-jose"
        jose = cid(0x85, data)
        node = directory(b"d", jose, len(data))
        root = cid(0x70, node)
        for name, blocks in {"alone": [(jose, data)], "below": [(root, node), (jose, data)]}.items():
            with self.subTest(name=name):
                source, out = self.temp / f"{name}.car", self.temp / f"out-{name}"
                source.write_bytes(car(blocks[0][0], *blocks))
                finished = self.check(harness.run("pack", source, "--out", out, "--json"), 0)
                self.assertIn("1 blocks have codecs whose links are not known", finished.err.decode())
                self.assertIn(dag.cid_text(jose), finished.err.decode())
                [piece] = finished.json()["pieces"]
                self.assertEqual(Path(piece["car"]).read_bytes(), source.read_bytes())
                self.assertEqual(harness.file_rows(out, piece), [])
                verified = self.check(harness.run("verify", out, "--json"), 0).json()
                self.assertIn(dag.cid_text(jose), str(verified["warnings"]))

    def test_depth_and_paths_are_bounded(self):
        """12,000 directories inside each other are refused; names that make a path too long are packed, not listed."""
        for count, name, code in ((12_000, b"d", 65), (100, b"n" * 250, 0)):
            with self.subTest(count=count):
                leaf = b"content"
                blocks = [(cid(0x55, leaf), leaf)]
                for _ in range(count):
                    node = directory(name, blocks[-1][0], 1)
                    blocks.append((cid(0x70, node), node))
                source = self.temp / f"{count}.car"
                source.write_bytes(car(blocks[-1][0], *reversed(blocks)))
                out = self.temp / f"out-{count}"
                finished = self.check(harness.run("pack", source, "--out", out, "--json"), code)
                if code == 0:
                    piece = finished.json()["pieces"][0]
                    self.assertEqual(Path(piece["car"]).read_bytes(), source.read_bytes())
                    self.assertEqual(harness.file_rows(out, piece), [])

    def test_a_source_of_another_kind_than_planned(self):
        source = self.temp / "x.car"
        shutil.copy(PUBLIC / "basic.unixfs-v1-2025.car", source)
        self.check(harness.run("plan", source, "--out", self.temp / "plan"), 0)
        source.unlink()
        source.mkdir()
        self.check(harness.run("pack", "--plan", self.temp / "plan", "--all", "--out", self.out), 66)

    def test_store_flags_are_for_stores(self):
        harness.make_tree(self.temp / "files", {"a": b"a"})
        (self.temp / "roots").write_text("")
        for flags in (("--one-item-per-piece",), ("--roots", self.temp / "roots")):
            self.check(harness.run("pack", self.temp / "files", *flags, "--out", self.out), 64)

    def test_an_inline_root_among_several_cars(self):
        inline = b"\x01\x55\x00\x05hello"
        (self.temp / "roots").write_text("f" + inline.hex() + "\n")
        piece = self.pack_one(PUBLIC / "basic.unixfs-v1-2025.car", PUBLIC / "basic.tiny.car", "--roots",
                              self.temp / "roots", "--out", self.out)
        self.assertEqual(piece["block_count"], 2)  # it, and the directory that names its CAR

    def test_blocks_may_lie_in_another_car(self):
        """The sections of a golden CAR dealt out to two CARs: only together they hold the DAG."""
        whole = PUBLIC / "basic.unixfs-v1-2025.car"
        sections, header = harness.car_sections(whole.read_bytes())
        halves = [self.temp / "a.car", self.temp / "b.car"]
        for number, half in enumerate(halves):
            half.write_bytes(header + b"".join(sections[number::2]))
        self.check(harness.run("pack", halves[0], "--out", self.temp / "half"), 65)
        report = self.pack(*halves, "--out", self.out, "--one-item-per-piece")
        for piece in report["pieces"]:
            self.assertEqual(Path(piece["car"]).read_bytes(), whole.read_bytes())


if __name__ == "__main__":
    harness.main()
