#!/usr/bin/env python3
"""piecework find: paths, prefixes, CIDs in both spellings, pieces, bytes of files; every version, 66 for nothing."""
import base64
import json
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import catalogue  # noqa: E402
import dag  # noqa: E402
import harness  # noqa: E402


class Find(catalogue.Case):
    def setUp(self):
        super().setUp()
        self.content = harness.payload("find", 600_000)
        harness.make_tree(self.source, {"docs/large": self.content, "docs/small": b"small", "docs.txt": b"text",
                                        "docs/sub/small": b"small", b"docs/\xfe": b"bytes", "docs/\x1b[2J": b"escape"})
        self.piece = self.pack_one(self.source, "--out", self.out, "--profile", "unixfs-v0-2015")
        self.merge()

    def test_path(self):
        version, = self.find("docs/large")
        self.assertEqual((version["path"], version["kind"], version["size_bytes"]), ("docs/large", "file", 600_000))
        piece, = version["pieces"]
        for key in ("piece_cid_v1", "piece_cid_v2", "root_cid", "payload_bytes", "padded_bytes"):
            self.assertEqual(piece[key], self.piece[key])
        self.assertEqual([batch["sources"] for batch in piece["batches"]], [["source"]])
        self.assertEqual(version["dagSize"], sum(run["car_bytes"] for run in piece["ranges"]))
        self.assertEqual(self.find("docs/")[0]["kind"], "directory")
        self.check_bytes([self.piece], "docs/large", self.content)
        for first, last in ((0, 0), (262_143, 262_144), (599_999, 599_999), (0, 599_999)):
            self.check_bytes([self.piece], "docs/large", self.content, first, last)
        one, = self.find("docs/large", "--range", "0-0")[0]["pieces"]
        self.assertLess(sum(run["car_bytes"] for run in one["ranges"]), 300_000)
        for bad in ("1", "2-1", "-", "0-x", "0-99999999999999999999"):
            self.find("docs/large", "--range", bad, code=64)

    def test_nothing(self):
        for what in ("docs/none", "none", "docs/larg", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
                     "baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq"):
            self.find(what, code=66)

    def test_names_that_are_no_text(self):
        version, = self.find(b"docs/\xfe")
        self.assertEqual(base64.b64decode(version["path_base64"]), b"docs/\xfe")
        text = self.check(harness.run("find", "docs/\x1b[2J", "--catalogue", self.catalogue), 0)
        self.assertNotIn(b"\x1b", text.out + text.err)

    def test_prefix(self):
        def paths(prefix):
            return sorted(version.get("path", "?") for version in self.find(prefix, "--prefix"))
        self.assertEqual(paths("docs/s"), ["docs/small", "docs/sub/small"])
        self.assertEqual(paths("docs"), sorted(["docs.txt", "docs/large", "docs/small", "docs/sub/small", "?",
                                                "docs/\x1b[2J"]))
        self.assertEqual(paths(""), paths("docs"))
        self.find("docs/x", "--prefix", code=66)

    def test_cids(self):
        small = self.find("docs/small")[0]["cid"]
        self.assertTrue(small.startswith("Qm"))
        v1 = dag.cid_text(b"\x01\x70" + dag.cid_bytes(small))
        for spelling in (small, v1):
            paths = sorted(version["path"] for version in self.find(spelling))
            self.assertEqual(paths, ["docs/small", "docs/sub/small"])
        self.assertEqual(self.find(self.piece["root_cid"])[0]["path"], "")
        for spelling in (self.piece["piece_cid_v1"], self.piece["piece_cid_v2"]):
            self.assertEqual(self.find(spelling)[0]["cid"], self.piece["root_cid"])

    def test_versions(self):
        (self.source / "docs/small").write_bytes(b"another")
        self.pack_one(self.source, "--out", self.out)
        self.merge()
        self.assertEqual({version["size_bytes"] for version in self.find("docs/small")}, {5, 7})

    def test_deals(self):
        with sqlite3.connect(self.catalogue) as database:
            database.executescript("""
                INSERT INTO networks VALUES('mainnet', 1598306400, 30);
                INSERT INTO deals VALUES(1, NULL, 'mainnet', 1, 'f01234', 'f0200', 'f05', 'bafy', 5000000, 6468000, 0,
                  77, NULL, NULL, 9, '', 5000100, 6500000, 'active', 5000900, NULL, NULL, NULL);
                INSERT INTO observations VALUES(1, NULL, 1, 1800000000, 'provider', 'claims_active', 0, 0, -1, -1, 78,
                  NULL, NULL, NULL, NULL, NULL, '', 'https://sp.example', 'status', '', '', 'Sealed' || char(27));
                INSERT INTO observations VALUES(2, NULL, 1, 1800000060, 'chain', 'active', 1, 1, 5001800, 5000900, 77,
                  NULL, NULL, 9, NULL, NULL, '', 'https://node.example', 'StateMarketStorageDeal', 'bafytipset', '',
                  '');
                UPDATE deals SET claim=1, evidence=2;""")
        database.close()
        deal, = self.find("docs/small")[0]["deals"]
        self.assertEqual((deal["dealId"], deal["miner"], deal["status"], deal["pieceCid"], deal["dataCid"]),
                         (77, "f01234", "active", self.piece["piece_cid_v1"], self.piece["root_cid"]))
        self.assertEqual(deal["evidence"], {"says": "active", "at": "2027-01-15T08:01:00.000Z",
                                            "source": "https://node.example", "tipset_epoch": 5000900,
                                            "tipset": "bafytipset"})
        self.assertEqual(deal["claim"], {"says": "claims_active", "at": "2027-01-15T08:00:00.000Z",
                                         "source": "https://sp.example", "detail": "Sealed\\x1b"})
        self.assertIn({"table": "deals", "piece_cid_v1": self.piece["piece_cid_v1"], "network": "mainnet",
                       "provider": "f01234", "kind": "f05", "state": "active", "start_epoch": 5000000,
                       "end_epoch": 6468000, "deal_id": 77, "claim_id": None, "sector": 9},
                      [json.loads(line) for line in self.dump()])
        text = self.check(harness.run("find", "docs/small", "--catalogue", self.catalogue), 0).out.decode()
        self.assertIn("deal  77 with f01234 on mainnet: active, epochs 5000000 to 6468000\n"
                      "    evidence: active in sector 9 at epoch 5000900, read 2027-01-15T08:01:00.000Z from "
                      "https://node.example\n"
                      "    claim:    claims_active, said 2027-01-15T08:00:00.000Z by https://sp.example: Sealed\\x1b\n",
                      text)
        with sqlite3.connect(self.catalogue) as database:
            rows = database.execute("SELECT piece_cid_v1, provider, reference, state, seen_at FROM file_deals WHERE "
                                    "path=CAST('docs/small' AS BLOB)").fetchall()
        database.close()
        self.assertEqual(rows, [(self.piece["piece_cid_v1"], "f01234", 77, "active", 1800000060)])


if __name__ == "__main__":
    harness.main()
