#!/usr/bin/env python3
"""piecework verify: says yes to what is good, and no (65) to every single damage, naming the place."""
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


class Verify(harness.TestCase):
    def setUp(self):
        super().setUp()
        source = self.temp / "source"
        harness.make_tree(source, {"large": harness.payload("verify", 2_500_000),
                          "a/b": b"small", "link": ("symlink", "a/b")})
        self.out = self.temp / "out"
        self.piece = self.pack_one(source, "--out", self.out)
        self.car = self.out / f"{self.piece['piece_cid_v1']}.car"

    def verify(self, target, code, *flags):
        return self.check(harness.run("verify", target, "--json", *flags), code).json()

    def damage(self, path, offset, value=None):
        content = bytearray(path.read_bytes())
        content[offset] = content[offset] ^ 1 if value is None else value
        path.write_bytes(content)

    def test_good(self):
        for target in (self.car, self.out):
            with self.subTest(target=target):
                report = self.verify(target, 0)
                self.assertEqual((report["ok"], report["problems"]), (True, []))

    def test_content_that_repeats_is_good(self):
        """Equal chunks, and with --dedup none equal files, have a section each time."""
        source = self.temp / "repeats"
        harness.make_tree(source, {"zeros": bytes(3 << 20), "copies/a": b"x" * 5000, "copies/b": b"x" * 5000})
        for dedup in ("none", "files", "blocks"):
            with self.subTest(dedup=dedup):
                piece = self.pack_one(source, "--dedup", dedup, "--out", self.temp / dedup)
                sections, _ = harness.car_sections(Path(piece["car"]).read_bytes())
                self.assertEqual(len(set(sections)) < len(sections), dedup != "blocks")
                self.check(harness.run("verify", self.temp / dedup), 0)

    def test_cars_of_other_writers(self):
        for car in sorted((harness.VECTORS / "public").glob("*.car")):
            with self.subTest(car=car.name):
                self.assertTrue(self.verify(car, 0)["ok"])

    def test_a_flipped_bit_anywhere_in_the_car(self):
        good = self.car.read_bytes()
        places = random.Random(3)
        for offset in [0, 1, 59, 60, 61, len(good) - 1, *(places.randrange(len(good)) for _ in range(24))]:
            with self.subTest(offset=offset):
                self.damage(self.car, offset)
                report = self.verify(self.out, 65)
                self.assertFalse(report["ok"])
                self.assertTrue(report["problems"])
                self.car.write_bytes(good)

    def test_a_problem_names_the_block(self):
        self.damage(self.car, 1_000_000)
        problem = self.verify(self.car, 65)["problems"][0]
        self.assertTrue(problem["cid"])
        self.assertGreater(problem["offset_bytes"], 0)
        self.assertNotEqual(problem["expected"], problem["actual"])

    def test_truncated_and_extended(self):
        good = self.car.read_bytes()
        for bad in (good[:-1], good[:70], good + b"\0", b""):
            with self.subTest(length=len(bad)):
                self.car.write_bytes(bad)
                self.verify(self.out, 65)

    def test_missing_block(self):
        good = self.car.read_bytes()
        # The last section is a leaf: cut it off whole, so that only its absence shows.
        start = last_section(good)
        lonely = self.temp / "lonely.car"
        lonely.write_bytes(good[:start])
        self.assertFalse(self.verify(lonely, 65)["ok"])

    def test_missing_and_damaged_sidecars(self):
        for name in [
    n for n in harness.files_below(
        self.out) if n.startswith(
            self.piece["piece_cid_v1"]) and not n.endswith(".car")]:
            path = self.out / name
            good = path.read_bytes()
            with self.subTest(name=name, damage="missing"):
                path.unlink()
                self.verify(self.out, 65)
            with self.subTest(name=name, damage="bit"):
                path.write_bytes(good)
                self.damage(path, len(good) // 2)
                self.verify(self.out, 65)
            path.write_bytes(good)
        self.verify(self.out, 0)

    def test_receipt_that_names_something_else(self):
        receipt = next(self.out.glob("receipts/*/*.json"))
        content = json.loads(receipt.read_text())
        content["payload_bytes"] += 1
        receipt.write_text(json.dumps(content))
        self.assertIn(harness.run("verify", self.out, "--json").code, (65, 78))

    def test_quick_sees_a_missing_car_and_a_wrong_length(self):
        self.verify(self.out, 0, "--quick")
        good = self.car.read_bytes()
        self.car.write_bytes(good[:-1])
        self.verify(self.out, 65, "--quick")
        self.car.unlink()
        self.verify(self.out, 65, "--quick")

    def test_nothing_there(self):
        self.check(harness.run("verify", self.temp / "no-such.car"), 66)


def last_section(car):
    """Offset of the last section of a CARv1."""
    def varint(at):
        value, shift = 0, 0
        while True:
            byte = car[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
    position = start = 0
    while position < len(car):
        start = position
        length, position = varint(position)
        position += length
    return start


if __name__ == "__main__":
    harness.main()
