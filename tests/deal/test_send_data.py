#!/usr/bin/env python3
"""Uploads to providers by mk20: whole, cut off, repeated, and never other bytes than the piece's."""
import contextlib
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import deal_case  # noqa: E402
import harness  # noqa: E402

PUSH = {1002: 'transfer = "push"', 1003: 'transfer = "push"'}


class SendData(deal_case.Case):
    protocols = {1000: "mk12", 1002: "mk20", 1003: "mk20"}

    def setUp(self):
        super().setUp()
        self.pieces = {piece["piece_cid_v1"]: piece for piece in self.make_pieces(3)}
        self.write_policy(copies=2, only=(1002, 1003), more=PUSH)
        self.deal("plan", "--record")

    def send(self, *arguments, code=0, kill=None, directory=None):
        finished = self.deal("send-data", "--network", "devnet", "--dir", directory or self.temp / "out", "--json",
                             *arguments, code=code, kill=kill)
        return finished.json()["uploads"] if finished.code not in (deal_case.KILLED, 64) else None

    def outcomes(self, **options):
        return sorted(row["outcome"] for row in self.send(**options))

    def car(self, piece):
        return (self.temp / "out" / f"{piece}.car").read_bytes()

    def check_arrived(self, count):
        found = 0
        for _, deal in self.provider_deals():
            if deal.data is not None:
                self.assertIn(deal.data, [self.car(piece) for piece in self.pieces])
                found += 1
        self.assertEqual(found, count)

    def test_from_a_deal_to_its_bytes(self):
        self.propose()
        self.assertEqual({deal.stage for _, deal in self.provider_deals()}, {"uploading"})
        self.deal("send-data", "--network", "mainnet", "--dir", self.temp / "out", code=64)
        self.check_arrived(0)
        rows = self.send()
        self.assertEqual({row["outcome"] for row in rows}, {"sent"})
        self.assertEqual(sorted(row["sent_bytes"] for row in rows),
                         sorted(2 * [piece["payload_bytes"] for piece in self.pieces.values()]))
        self.check_arrived(6)
        self.assertEqual({state for _, state in self.attempts().values()}, {"data_sent"})
        self.assertEqual({row["outcome"] for row in self.send()}, {"there"})
        self.live_through()
        self.assertEqual(self.track()["states"], {"active": 6})
        self.assertEqual(self.send(), [])

    def test_only_what_was_asked_for_and_only_uploads(self):
        self.write_policy(copies=3, only=(1000, 1002, 1003), more=PUSH)
        self.deal("plan", "--record")
        self.propose()
        piece = next(iter(self.pieces))
        self.assertEqual([(row["piece_cid_v1"], row["outcome"]) for row in self.send("--piece", piece)],
                         [(piece, "sent")] * 2)
        self.assertEqual(self.outcomes(), ["sent"] * 4 + ["there"] * 2)
        other = "baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq"
        self.deal("send-data", "--network", "devnet", "--dir", self.temp / "out", "--piece", other, code=66)

    def test_cut_off_at_every_request(self):
        self.propose()
        for kind, match in (("reset", "GET /market/mk20/status"), ("503", "GET /market/mk20/uploads"),
                            ("reset_after", "POST /market/mk20/uploads"), ("429", "PUT /market/mk20/uploads"),
                            ("reset_after", "PUT /market/mk20/uploads"),
                            ("503_after", "POST /market/mk20/uploads/finalize")):
            for provider in self.providers.values():
                provider.inject(kind, match)
            self.assertIn(self.outcomes(code=None)[0], ("incomplete", "sent"), (kind, match))
        self.outcomes()
        self.check_arrived(6)
        for _, deal in self.provider_deals():
            self.assertEqual(deal.stage, "processing")

    def test_a_silent_provider_is_left_alone(self):
        """It is waited for once, and not again for each of its pieces."""
        self.propose()
        silent = self.providers[1002]
        for match in ("GET /market/mk20/status", "GET /market/mk20/uploads"):
            silent.inject("reset", match, count=99)
            before = len(silent.requests)
            outcomes = {(row["provider"], row["outcome"]) for row in self.send(code=69)}
            self.assertIn(("t01002", "incomplete"), outcomes)
            self.assertNotIn("incomplete", {outcome for provider, outcome in outcomes if provider != "t01002"})
            asked = {path for method, path, _ in silent.requests[before:] if f"{method} {path}".startswith(match)}
            self.assertEqual(len(asked), 1, asked)
            silent.faults.clear()
        self.assertEqual(self.outcomes(), ["sent"] * 3 + ["there"] * 3)

    def test_another_campaigns_deals_are_its_own_to_upload(self):
        self.propose()
        mine = self.policy.read_text()
        self.policy.write_text(mine.replace('name = "sites"', 'name = "films"'))
        self.assertEqual(self.send(), [])
        self.check_arrived(0)
        self.policy.write_text(mine)
        self.assertEqual(self.outcomes(), ["sent"] * 6)

    def steal_lease_at(self, wanted):
        """Another process takes over the deals while a provider answers such a request."""
        def answer(provider, handle):
            def steal(method, path, headers, body):
                if f"{method} {path}".startswith(wanted):
                    self.execute("UPDATE leases SET holder='another'")
                return handle(method, path, headers, body)
            provider.handle = steal
            self.addCleanup(setattr, provider, "handle", handle)
        for provider in self.providers.values():
            answer(provider, type(provider).handle.__get__(provider))

    def execute(self, statement):
        with contextlib.closing(sqlite3.connect(self.catalogue)) as book, book:
            book.execute(statement)

    def test_a_lost_lease_ends_the_upload(self):
        """Before the first byte where it is lost by then, and else after the chunk that is under way."""
        self.propose()
        self.track()  # so that nothing is news, and nothing is stored before the upload
        for wanted, never in (("GET /market/mk20/status", "/market/mk20/uploads"),
                              ("PUT /market/mk20/uploads", "/market/mk20/uploads/finalize")):
            self.steal_lease_at(wanted)
            self.assertEqual(self.send(code=75), [])
            asked = [path for provider in self.providers.values() for _, path, _ in provider.requests]
            self.assertFalse([path for path in asked if path.startswith(never)])
            self.execute("DELETE FROM leases")
        self.steal_lease_at("nothing")
        self.assertEqual(self.outcomes(), ["sent"] * 6)

    def test_killed_before_and_after(self):
        self.propose()
        for point, left in (("deal.before_data", 6), ("deal.after_data", 5)):
            self.send(kill=f"{point}:1", code=deal_case.KILLED)
            self.assertEqual(sum(deal.data is None for _, deal in self.provider_deals()), left)
        self.assertEqual(self.outcomes(), ["sent"] * 5 + ["there"])
        self.check_arrived(6)
        self.check_one_deal_each(6)

    def test_other_bytes_are_not_sent(self):
        self.propose()
        piece = next(iter(self.pieces))
        path = self.temp / "out" / f"{piece}.car"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        rows = self.send(code=65)
        self.assertEqual(sorted(row["outcome"] for row in rows), ["sent"] * 4 + ["unreadable"] * 2)
        self.assertTrue(all("is not the piece's" in row["reason"] for row in rows if row["piece_cid_v1"] == piece))
        self.check_arrived(4)
        (self.temp / "none").mkdir()
        self.assertEqual(self.outcomes(code=66, directory=self.temp / "none"), ["missing"] * 2 + ["there"] * 4)

    def test_a_piece_whose_car_is_not_stored(self):
        self.propose()
        cars = {piece: self.car(piece) for piece in self.pieces}
        for piece in cars:
            (self.temp / "out" / f"{piece}.car").unlink()
        self.assertEqual(self.outcomes(), ["sent"] * 6)
        for _, deal in self.provider_deals():
            self.assertIn(deal.data, cars.values())

    def test_what_nobody_knows_is_not_sent(self):
        for provider in self.providers.values():
            provider.inject("503_after", "POST /market/mk20/deal", count=9)
        self.propose(code=69)
        uploads = self.send()
        self.assertEqual(uploads, [])
        self.reconcile(code=None)
        self.propose(code=None)
        self.reconcile(code=None)
        self.assertGreater(len(self.send()), 0)


if __name__ == "__main__":
    harness.main()
