#!/usr/bin/env python3
"""`piecework deal verify-wire`: the self-check passes, and says what it checked."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


class VerifyWire(harness.TestCase):
    def test_all_is_right_and_from_the_vectors(self):
        report = self.check(harness.run("deal", "verify-wire", "--json"), 0).json()
        self.assertTrue(report["ok"])
        self.assertTrue(all(row["ok"] and row["expected"] == row["actual"] for row in report["checks"]), report)
        vectors = (harness.VECTORS / "deals/vectors.txt").read_text()
        expected = {row["name"]: row["expected"] for row in report["checks"]}
        for name in ("wallet address", "proposal", "proposal CID as signed", "signed proposal", "signed proposal CID",
                     "MK20 digest", "MK20 header"):
            self.assertIn(expected[name], vectors, name)
        self.assertEqual([expected[name] for name in ("ten fields", "twelve fields", "label of 257 bytes",
                                                      "client f410", "total for the price per epoch")],
                         ["refused"] * 5)

    def test_text(self):
        lines = self.check(harness.run("deal", "verify-wire"), 0).out.decode().splitlines()
        self.assertEqual(len(lines), 13)
        self.assertTrue(all(line.startswith("ok     ") for line in lines), lines)

    def test_usage(self):
        self.check(harness.run("deal"), 64)
        self.check(harness.run("deal", "verify-wire", "--live"), 64)


if __name__ == "__main__":
    harness.main()
