#!/usr/bin/env python3
"""Lives of deals against models of providers and of the chain: whole, and each way in which one may go wrong."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import deal_case  # noqa: E402
import fake_chain  # noqa: E402
import harness  # noqa: E402

LATE = deal_case.START_DELAY + 200 + fake_chain.FINALITY  # from signing: start epoch and margin are final


class FiftyDeals(deal_case.Case):
    protocols = {1000: "mk12", 1001: "mk12", 1002: "mk12", 1003: "mk20", 1004: "mk20"}

    def test_a_whole_life(self):
        pieces = self.make_pieces(25)
        self.assertEqual(len(pieces), 25)
        self.write_policy(copies=2, owners=2, regions=2)
        self.assertEqual(len(self.deal_json("plan", "--record")["placements"]), 50)
        self.assertEqual(self.deal_json("plan")["placements"], [])
        self.propose()
        self.check_one_deal_each(50)
        self.live_through()
        before = len(self.node.calls)
        self.assertEqual(self.track()["states"], {"active": 50})
        # Each provider by mk12 is asked once what it published, in two parts, and not for each deal.
        asked = [name for _, name in self.node.calls[before:]].count("Filecoin.GetActorEventsRaw")
        by_mk20 = sum(deal.protocol == "mk20" for _, deal in self.provider_deals())
        self.assertLessEqual(asked, 3 * 2 + by_mk20 * 2 * 2)
        loads = [len(provider.deals) for provider in self.providers.values()]
        self.assertLessEqual(max(loads) - min(loads), 2)

        # Near the end each gets a successor with the same provider, once.
        self.chain.head = 100_000 + deal_case.START_DELAY + deal_case.DURATION - 100_000
        self.assertEqual(self.track()["states"], {"expiring": 50})
        renewed = self.deal_json("renew", "--record")["placements"]
        self.assertEqual((len(renewed), {row["generation"] for row in renewed}), (50, {1}))
        # The old ones end 100,000 epochs from now, the new ones start after the delay.
        self.assertEqual({row["overlap_epochs"] for row in renewed}, {100_000 - deal_case.START_DELAY})
        self.assertEqual(self.deal_json("renew")["placements"], [])
        self.assertEqual(self.deal_json("repair")["placements"], [])
        self.propose()
        self.assertEqual(len(self.provider_deals()), 100)
        self.live_through()
        self.assertEqual(self.track()["states"], {"active": 50, "expiring": 50})
        self.chain.head += 110_000
        self.assertEqual(self.track()["states"], {"active": 50, "expired": 50})
        self.assertEqual(self.track()["states"], {"active": 50})
        for command in ("plan", "renew", "repair"):
            self.assertEqual(self.deal_json(command)["placements"], [])


class Faults(deal_case.Case):
    def setUp(self):
        super().setUp()
        self.pieces = self.make_pieces(1)
        self.piece = self.pieces[0]["piece_cid_v1"]

    def plan(self, *only, copies=1, **options):
        self.write_policy(copies=copies, only=only or None, **options)
        self.deal("plan", "--record")

    def state(self, number=1000):
        return self.attempts()[(self.piece, f"t0{number}")]

    def test_answers_that_do_not_tell(self):
        """What was taken behind a fault is found, what was not is sent again, and never are there two."""
        for number, protocol in ((1000, "mk12"), (1002, "mk20")):
            path = "/market/mk12/store" if protocol == "mk12" else "/market/mk20/deal"
            for kind in ("503", "503_after", "429", "reset", "reset_after", "garbage", "garbage_after", "500", "408",
                         "cut_after", "timeout", "timeout_after"):
                self.timeout_ms = "1000" if kind.startswith("timeout") else None
                with self.subTest(protocol=protocol, kind=kind):
                    self.catalogue.unlink()
                    self.check(harness.run("merge", "--out", self.temp / "out", "--catalogue", self.catalogue), 0)
                    provider = self.providers[number]
                    for each in self.providers.values():
                        each.deals.clear()
                        each.faults.clear()
                    self.plan(number)
                    provider.inject(kind, f"POST {path}")
                    self.propose(code=69)
                    self.assertEqual(self.state(number)[0], "unknown")
                    sent = [digest for method, asked, digest in provider.requests if asked == path]
                    self.reconcile(code=None)
                    self.check_one_deal_each(1)
                    again = [digest for method, asked, digest in provider.requests if asked == path]
                    self.assertEqual(len(set(again[len(sent) - 1:])), 1, "other bytes were sent")
                    self.assertIn(self.state(number)[0], ("accepted", "unknown"))
                    self.live_through()
                    self.track()
                    self.assertEqual(self.state(number), ("accepted", "active"))

    def test_a_provider_whose_clock_is_wrong(self):
        """It refuses the header, and so the proposal: nothing came of it, and another may get the piece."""
        self.plan(1002, 1001)
        self.write_policy(copies=1, only=(1002,))
        self.deal("plan", "--record")
        self.providers[1002].clock = lambda: self.chain.now() + 3600
        outcome = self.propose(code=None).json()["outcomes"][0]
        self.assertEqual((outcome["attempt"], outcome["client_key"] != ""), ("rejected", True))
        self.assertIn("the clock is wrong", outcome["reason"])
        self.write_policy(copies=1, only=(1001, 1002))
        self.assertEqual([row["provider"] for row in self.deal_json("plan")["placements"]], ["t01001"])
        self.check_one_deal_each(0)

    def test_a_provider_that_is_not_there(self):
        self.plan(1000)
        self.policy.write_text(self.policy.read_text().replace(self.providers[1000].url, "http://127.0.0.1:9"))
        self.propose(code=69)
        self.assertEqual(self.state()[0], "prepared")
        self.write_policy(copies=1, only=(1000,))
        self.propose()
        self.assertEqual(self.state(), ("accepted", "accepted"))
        self.check_one_deal_each(1)

    def test_an_intent_for_a_provider_that_left_the_policy(self):
        self.plan(1000)
        self.write_policy(copies=1, only=(1001,))
        self.assertIn("no such provider", self.propose(code=78).json()["outcomes"][0]["reason"])
        placement, = self.deal_json("plan", "--record")["placements"]
        self.assertEqual(placement["provider"], "t01001")
        self.propose()
        self.assertEqual(self.attempts(), {(self.piece, "t01001"): ("accepted", "accepted")})

    def test_a_refusal_goes_to_another_provider(self):
        self.providers[1000].seal_epochs = 100_000
        self.plan(1000, 1001)
        self.assertEqual(self.propose().json()["outcomes"][0]["attempt"], "rejected")
        placement, = self.deal_json("plan", "--record")["placements"]
        self.assertEqual((placement["provider"], placement["slot"], placement["generation"]), ("t01001", 0, 1))
        self.propose()
        self.check_one_deal_each(1)
        self.assertEqual((self.state(1000)[0], self.state(1001)[0]), ("rejected", "accepted"))

    def test_never_published(self):
        self.plan(1000, 1001)
        self.propose()
        self.chain.advance(LATE)
        self.track()
        self.assertEqual(self.state(), ("accepted", "accepted"))
        self.assertEqual(self.deal_json("repair")["placements"], [])
        self.track()
        self.assertEqual(self.state(), ("accepted", "accepted"), "the same tipset twice is one answer")
        self.chain.advance(1)
        self.track()
        self.assertEqual(self.state(), ("accepted", "proposal_expired"))
        placement, = self.deal_json("repair")["placements"]
        self.assertEqual((placement["provider"], placement["generation"]), ("t01001", 1))

    def test_a_node_without_events_cannot_say_so(self):
        self.plan(1000, endpoints=("/gateway",))
        self.propose()
        self.chain.advance(LATE)
        self.track()
        self.assertEqual(self.state(), ("accepted", "lost"))
        self.write_policy(copies=1, only=(1000,))
        for _ in range(2):
            self.chain.advance(1)
            self.track()
        self.assertEqual(self.state(), ("accepted", "proposal_expired"))

    def test_a_gateway_finds_a_deal_by_the_message_that_published_it(self):
        self.plan(1000, endpoints=("/gateway",))
        self.propose()
        self.live_through()
        deal, = self.providers[1000].deals.values()
        deal.deal_id = 0
        self.track()
        self.track()
        self.assertEqual(self.state(), ("accepted", "active"))

    def test_a_claim_about_another_deal_is_no_evidence(self):
        self.plan(1000)
        self.propose()
        self.live_through()
        ours, = self.providers[1000].deals.values()
        other = dict(ours.proposal, EndEpoch=ours.proposal["EndEpoch"] + 1, Client=200, Provider=1000)
        self.chain.deals = {7000: fake_chain.MarketDeal(other, self.chain.head - 2_000, self.chain.head - 1_500, 1)}
        self.chain.events.clear()
        ours.deal_id, ours.publish_cid = 7000, ""
        self.track()
        self.track()
        self.assertEqual(self.state(), ("accepted", "accepted"))

    def active(self, **options):
        self.plan(1000, **options)
        self.propose()
        self.live_through()
        self.track()
        self.assertEqual(self.state(), ("accepted", "active"))

    def test_slashed(self):
        self.active()
        self.chain.terminate(1000, 1)
        self.track()
        self.assertEqual(self.state(), ("accepted", "active"), "not final yet")
        self.finalize()
        self.track()
        self.assertEqual(self.state(), ("accepted", "lost"))
        self.chain.advance(20)
        self.track()
        self.assertEqual(self.state(), ("accepted", "terminated"))

    def test_nodes_that_lag_know_nothing_or_do_not_answer(self):
        self.active()
        for endpoint, code in (("/lag/2000", 69), ("/down", 69), ("/broken", 69)):
            self.write_policy(copies=1, endpoints=(endpoint,))
            for _ in range(2):
                self.chain.advance(30)
                self.deal("track", code=code)
            self.assertEqual(self.state(), ("accepted", "active"), endpoint)
        # One answer of a wrong node is not enough, and a good one after it counts.
        self.write_policy(copies=1, endpoints=("/blank",))
        self.chain.advance(30)
        self.track()
        self.assertEqual(self.state(), ("accepted", "lost"))
        self.write_policy(copies=1, endpoints=("/down", "/lag/5000", "/good"))
        self.chain.advance(30)
        self.track()
        self.assertEqual(self.state(), ("accepted", "active"))

    def test_null_rounds_and_a_reorganisation(self):
        self.plan(1000)
        self.propose()
        deal, = self.providers[1000].deals.values()
        self.chain.advance(100)
        self.publish(deal)
        self.chain.null_rounds |= set(range(self.chain.head - 905, self.chain.head - 895))
        self.track()
        self.assertEqual(self.state(), ("accepted", "accepted"))
        self.chain.reorganise(50)
        self.finalize()
        self.track()
        self.assertEqual(self.state(), ("accepted", "accepted"), "it was published, and then it was not")
        self.publish(deal)
        self.finalize()
        self.track()
        self.assertEqual(self.state(), ("accepted", "published"))

    def test_faulty_and_repaired_beside_it(self):
        self.active()
        sector = self.chain.sectors[(1000, 1)]
        sector.faults.append([self.chain.head, None])
        self.finalize()
        self.track()
        self.assertEqual(self.state(), ("accepted", "faulty"))
        self.write_policy(copies=1)
        self.assertEqual(self.deal_json("repair")["placements"], [])
        self.chain.advance(4_000)
        self.track()
        placement, = self.deal_json("repair")["placements"]
        self.assertEqual((placement["provider"], placement["slot"]), ("t01001", 1))
        sector.faults[0][1] = self.chain.head
        self.finalize()
        self.track()
        self.assertEqual(self.state(), ("accepted", "active"))
        self.assertEqual(self.deal_json("repair")["placements"], [])

    def test_a_wrong_clock_signs_nothing(self):
        self.plan(1000)
        now = self.chain.now()
        for offset in (-3600, 3600):
            finished = harness.run("deal", "propose", "--live", "--network", "devnet", "--catalogue", self.catalogue,
                                   "--policy", self.policy, env={"PIECEWORK_NOW": str(now + offset)})
            self.check(finished, 69)
            self.assertIn(b"nothing was signed", finished.err)
        self.assertEqual(self.exported(), [])

    def test_a_node_of_another_chain(self):
        self.plan(1000)
        self.policy.write_text(self.policy.read_text().replace(f"genesis_s = {fake_chain.GENESIS_S}",
                                                               f"genesis_s = {fake_chain.GENESIS_S + 1}"))
        self.deal("track", code=78)

    def test_a_verified_deal_by_its_allocation_and_claim(self):
        self.plan(1002, extra="verified = true")
        self.write_policy(copies=1, only=(1002,), extra="verified = true")
        self.assertIn("needs --allocation", self.propose(code=78).json()["outcomes"][0]["reason"])
        allocation = {"Client": 200, "Provider": 1002, "Data": {"/": self.piece}, "TermMin": 518_400,
                      "Size": self.pieces[0]["padded_bytes"], "TermMax": 5_256_000,
                      "Expiration": self.chain.head + 170_000}
        self.chain.allocations[(200, 77)] = allocation
        self.deal("propose", "--live", "--network", "devnet", "--allocation", f"t01002=x:{self.piece}", code=64)
        self.deal("propose", "--live", "--network", "devnet", "--allocation", f"t01002=77:{self.piece}")
        self.check_one_deal_each(1)
        self.finalize()
        self.track()
        self.assertEqual(self.state(1002), ("accepted", "published"))
        self.seal_all()
        del self.chain.allocations[(200, 77)]
        self.chain.claims[(1002, 77)] = allocation | {"TermStart": self.chain.head, "Sector": 1}
        self.finalize()
        self.track()
        row, = self.exported()
        self.assertEqual((row["deal"], row["claim_id"], row["sector"], row["is_verified"]), ("active", 77, 1, True))
        # Claims outlive their sectors; an allocation that nobody claimed in time outlives its use.
        self.chain.terminate(1002, 1)
        self.finalize()
        self.track()
        self.chain.advance(10)
        self.track()
        self.assertEqual(self.state(1002), ("accepted", "terminated"))

    def test_an_allocation_that_expires_without_a_claim(self):
        self.plan(1002, extra="verified = true")
        self.chain.allocations[(200, 77)] = {
            "Client": 200, "Provider": 1002, "Data": {"/": self.piece}, "TermMin": 518_400, "TermMax": 5_256_000,
            "Size": self.pieces[0]["padded_bytes"], "Expiration": self.chain.head + deal_case.START_DELAY + 10}
        self.propose("--allocation", f"t01002=77:{self.piece}")
        self.finalize()
        self.track()
        self.assertEqual(self.state(1002), ("accepted", "published"))
        self.chain.advance(LATE)
        for _ in range(2):
            self.chain.advance(1)
            self.track()
        self.assertEqual(self.state(1002), ("accepted", "proposal_expired"))

    def test_money(self):
        pieces = {piece["piece_cid_v1"] for piece in self.make_pieces(6) + self.pieces}
        price = 1_000_000
        cost = -(-price * 2048 // 2**30) * deal_case.DURATION
        self.write_policy(copies=1, only=(1000,), price=price, deal_cap=cost, day_cap=2 * cost, campaign_cap=3 * cost)
        self.assertEqual(int(self.deal_json("plan", "--record")["total_attofil"]), cost * len(pieces))
        self.chain.escrow = cost - 1
        self.assertIn("escrow", self.propose(code=78).json()["outcomes"][0]["reason"])
        self.assertEqual(self.provider_deals(), [])
        self.chain.escrow = 10**18
        self.propose(code=75)
        self.assertEqual(len(self.provider_deals()), 2)
        self.chain.advance(2880)
        self.propose(code=78)
        self.assertEqual(len(self.provider_deals()), 3)
        self.write_policy(copies=1, only=(1000,), price=price, deal_cap=cost - 1)
        outcomes = self.propose(code=78).json()["outcomes"]
        self.assertEqual(len(outcomes), len(pieces) - 3, "one that is too dear does not stop the others")
        self.assertTrue(all("is more than the policy's cap" in row["reason"] for row in outcomes), outcomes)
        self.assertEqual(len(self.provider_deals()), 3)

    def test_adopted_deals_and_outcomes_by_hand(self):
        self.plan(1000)
        self.propose()
        self.live_through()
        other = self.temp / "other.catalogue"
        mine, self.catalogue = self.catalogue, other
        self.check(harness.run("merge", "--out", self.temp / "out", "--catalogue", self.catalogue), 0)
        self.deal("adopt", "4999", code=66)
        self.assertEqual(self.deal_json("adopt", "5000")["state"], "active")
        self.assertIn(b"has deal 5000 of devnet already", self.deal("adopt", "5000").err)
        row, = self.exported()
        self.assertEqual([row[name] for name in ("reason", "deal", "deal_id", "provider", "client_key", "attempt")],
                         ["adopted", "active", 5000, "t01000", None, None])
        self.assertEqual(len(self.deal("export", "--format", "csv", policy=False).out.splitlines()), 2)
        self.assertEqual(self.deal_json("plan")["placements"], [])
        self.assertEqual(self.track()["states"], {"active": 1})
        self.catalogue = mine

        key = self.exported()[0]["client_key"]
        told = self.temp / "told.csv"
        told.write_text(f'client_key,outcome,detail\n{key},accepted,"by mail, ""yes"""\n')
        self.assertEqual(self.deal_json("import", told)["imported"], 1)
        told.write_text(json.dumps([{"client_key": key, "outcome": "published", "deal_id": 5000}]))
        self.assertEqual(self.deal_json("import", told)["imported"], 1)
        self.track()
        self.assertEqual(self.state(), ("accepted", "active"))
        for text in ("client_key,outcome\nnobody,accepted\n", f"client_key,outcome\n{key},sealed\n",
                     f"client_key,result\n{key},accepted\n", f"client_key,outcome\n{key}\n", 'client_key\n"open'):
            told.write_text(text)
            self.deal("import", told, code=64)
        rows = self.deal("export", "--format", "csv", policy=False).out.decode().splitlines()
        self.assertEqual(len(rows), 2)
        self.assertIn("client_key", rows[0])
        self.assertIn(key, rows[1])


if __name__ == "__main__":
    harness.main()
