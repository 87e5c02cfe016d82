#!/usr/bin/env python3
"""The story of an archive: a directory becomes pieces, pieces become deals, and every file can show its own."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import deal_case  # noqa: E402
import harness  # noqa: E402


class Story(deal_case.Case):
    protocols = {1000: "mk12", 1001: "mk20"}

    def test_from_a_directory_to_an_active_deal(self):
        # Somebody has a directory, packs it, and has a catalogue of what came out.
        site = self.temp / "site"
        harness.make_tree(site, {"index.html": b"<h1>hello</h1>", "photos/cat": harness.payload("cat", 40_000),
                                 "photos/dog": harness.payload("dog", 40_000)})
        piece = self.pack_one(site, "--out", self.temp / "out")
        self.check(harness.run("merge", "--out", self.temp / "out", "--catalogue", self.catalogue), 0)
        self.assertEqual(self.find("photos/cat")["deals"], [])

        # The policy wants two copies with two owners. What it costs is said before anything is signed.
        self.write_policy(copies=2, owners=2, price=1000)
        plan = self.deal_json("plan", "--record")
        self.assertEqual([(row["piece_cid_v1"], row["provider"]) for row in plan["placements"]],
                         [(piece["piece_cid_v1"], "t01001"), (piece["piece_cid_v1"], "t01000")])
        for row in plan["placements"]:
            per_epoch = -(-1000 * piece["padded_bytes"] // 2**30) if row["provider"] == "t01000" else 0
            self.assertEqual(int(row["price_per_epoch_attofil"]), per_epoch)
            self.assertEqual(int(row["total_attofil"]), per_epoch * deal_case.DURATION)
            self.assertEqual(int(row["per_tib_month_attofil"]),
                             -(-per_epoch * 86_400 * 2**40 // piece["padded_bytes"]))

        # Without --live nothing leaves the machine; with it, the network has to be named.
        dry = self.deal_json("propose")
        self.assertEqual(len(dry["would_propose"]), 2)
        for name in ("price_per_epoch_attofil", "total_attofil"):
            self.assertEqual(dry[name], plan[name])
        prices = ("piece_cid_v1", "provider", "price_per_epoch_attofil", "total_attofil", "per_tib_month_attofil")
        self.assertEqual([[row[name] for name in prices] for row in dry["would_propose"]],
                         [[row[name] for name in prices] for row in plan["placements"]])
        lines = self.deal("propose").out.decode().splitlines()
        self.assertIn(f"2 deals on devnet, {dry['price_per_epoch_attofil']} attoFIL per epoch, "
                      f"{dry['total_attofil']} in total; a dry run", lines[-1])
        self.deal("propose", "--live", code=64)
        self.deal("propose", "--live", "--network", "mainnet", code=64)
        self.assertEqual(self.provider_deals(), [])

        outcomes = self.propose().json()["outcomes"]
        self.assertEqual([row["attempt"] for row in outcomes], ["accepted", "accepted"])
        self.check_one_deal_each(2)
        self.assertEqual({deal["status"] for deal in self.find("photos/cat")["deals"]}, {"accepted"})

        # Days pass. The provider of one publishes the deal; both seal; each says so, and that is a claim.
        self.chain.advance(500)
        self.publish_all()
        self.finalize()
        self.track()
        states = {deal["miner"]: deal["status"] for deal in self.find("index.html")["deals"]}
        self.assertEqual(states, {"t01000": "published", "t01001": "accepted"})
        self.seal_all()
        self.track()
        for deal in self.find("index.html")["deals"]:
            self.assertEqual(deal["claim"]["says"], "claims_active")
            self.assertNotEqual(deal["status"], "active")

        # Then it is final on chain, and that is evidence.
        self.finalize()
        self.track()
        for path in ("index.html", "photos/cat", "photos/dog"):
            by_provider = {deal["miner"]: deal for deal in self.find(path)["deals"]}
            for provider, kind in (("t01000", "f05"), ("t01001", "ddo")):
                deal = by_provider[provider]
                self.assertEqual((deal["status"], deal["kind"], deal["pieceCid"], deal["dataCid"]),
                                 ("active", kind, piece["piece_cid_v1"], piece["root_cid"]))
                self.assertEqual(deal["evidence"]["says"], "active")
                self.assertEqual(deal["evidence"]["source"], self.node.url + "/good")
                self.assertEqual(deal["evidence"]["tipset_epoch"], self.chain.head - 900)
            self.assertEqual(by_provider["t01000"]["dealId"], 5000)
            self.assertIsNotNone(by_provider["t01001"]["sector"])
        text = self.check(harness.run("find", "photos/cat", "--catalogue", self.catalogue), 0).out.decode()
        self.assertIn(f"piece {piece['piece_cid_v1']}", text)
        self.assertIn("deal  5000 with t01000 on devnet: active", text)
        self.assertIn(f"evidence: active in sector 1 at epoch {self.chain.head - 900}", text)
        self.assertIn("claim:    claims_active", text)
        shown = self.deal("show", "photos/cat", "--json", policy=False).json()["pieces"][0]
        verdicts = [seen["verdict"] for seen in shown["attempts"][0]["history"]]
        self.assertEqual(verdicts[:3], ["prepared", "sending", "accepted"])
        self.assertEqual(verdicts[-1], "active")

    def find(self, path):
        finished = self.check(harness.run("find", path, "--catalogue", self.catalogue, "--json"), 0)
        return finished.json()["found"][0]


if __name__ == "__main__":
    harness.main()
