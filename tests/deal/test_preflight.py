#!/usr/bin/env python3
"""What is looked up on chain before a deal is signed: what does not hold there is not proposed, and says why."""
import base64
import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import unittest.mock
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import deal_case  # noqa: E402
import fake_chain  # noqa: E402
import harness  # noqa: E402

GIB = 2**30


class Preflight(deal_case.Case):
    def setUp(self):
        super().setUp()
        self.pieces = self.make_pieces(1)
        self.piece = self.pieces[0]["piece_cid_v1"]

    def plan(self, *only, copies=1, **options):
        self.write_policy(copies=copies, only=only, **options)
        self.deal("plan", "--record")

    def refusal(self, *arguments):
        """Why the only deal is not proposed."""
        outcome, = self.propose(*arguments, code=78).json()["outcomes"]
        self.assertEqual((outcome["attempt"], self.provider_deals()), ("planned", []))
        return outcome["reason"]

    def test_data_cap_of_a_verified_f05_deal(self):
        self.plan(1000, extra="verified = true")
        size = self.pieces[0]["padded_bytes"]
        self.assertIn(f"DataCap for 0 bytes left, a verified deal takes {size}", self.refusal())
        self.chain.data_cap = size - 1
        self.assertIn(f"DataCap for {size - 1} bytes", self.refusal())
        self.chain.data_cap = size
        self.propose()
        self.assertTrue(self.provider_deals()[0][1].proposal["VerifiedDeal"])

    def test_data_cap_is_used_up_by_a_run(self):
        self.pieces += self.make_pieces(3)[-2:]
        self.plan(1000, extra="verified = true")
        self.chain.data_cap = sum(piece["padded_bytes"] for piece in self.pieces) - 1
        reasons = [row["reason"] for row in self.propose(code=78).json()["outcomes"] if row["attempt"] == "planned"]
        self.assertEqual(len(reasons), 1, reasons)
        self.assertIn("DataCap", reasons[0])

    def test_an_allocation_is_that_of_the_deal(self):
        self.plan(1002, extra="verified = true")
        right = {"Client": 200, "Provider": 1002, "Data": {"/": self.piece}, "Size": self.pieces[0]["padded_bytes"],
                 "TermMin": 518_400, "TermMax": 5_256_000, "Expiration": self.chain.head + 170_000}
        name = f"t01002=77:{self.piece}"
        self.assertIn("has no allocation 77", self.refusal("--allocation", name))
        other = "baga6ea4seaqao7s73y24kcutaosvacpdjgfe5pw76ooefnyqw4ynr3d2y6x2mpq"
        for change, why in (({"Data": {"/": other}}, "is for another piece"), ({"Size": 2 * right["Size"]}, "piece"),
                            ({"Provider": 1003}, "is for another provider"),
                            ({"TermMax": deal_case.DURATION - 1}, "the deal is for 1468800"),
                            ({"TermMin": deal_case.DURATION + 1}, "the deal is for 1468800"),
                            ({"Expiration": self.chain.head + deal_case.START_DELAY - 1}, "before the deal starts")):
            self.chain.allocations[(200, 77)] = right | change
            self.assertIn(why, self.refusal("--allocation", name))
        self.chain.allocations[(200, 77)] = right
        self.propose("--allocation", name)
        self.assertEqual(self.provider_deals()[0][1].request["products"]["ddo_v1"]["allocation_id"], 77)

    def test_a_client_that_nobody_has_sent_anything(self):
        self.chain.ids.clear()
        self.plan(1000)
        self.assertIn("no account on chain", self.refusal())
        # A deal by mk20 costs the client nothing on chain.
        self.plan(1002)
        self.assertEqual([row["attempt"] for row in self.propose().json()["outcomes"]], ["accepted"])

    def test_escrow_that_earlier_proposals_will_take(self):
        self.make_pieces(3)
        price = 1_000_000
        self.plan(1000, price=price)
        cost = -(-price * 2048 // GIB) * deal_case.DURATION
        self.chain.escrow = 2 * cost
        self.assertIn(f"escrow has 0 attoFIL left, the deal costs {cost}",
                      self.propose(code=78).json()["outcomes"][2]["reason"])
        # Another run knows of what the first one sent, though the chain does not show it yet.
        outcome, = self.propose(code=78).json()["outcomes"]
        self.assertIn("escrow has 0 attoFIL left", outcome["reason"])
        self.assertEqual(len(self.provider_deals()), 2)

    def test_one_owner_under_two_names(self):
        self.plan(1000, 1001, copies=2, owners=2)
        self.chain.owners = {1000: 900, 1001: 900}
        # Planned are both; the first is made, and keeps the second from being made, in every run.
        first, second = self.propose(code=78).json()["outcomes"]
        self.assertEqual((first["attempt"], second["attempt"]), ("accepted", "planned"))
        self.assertIn(f"the owner of {first['provider']}", second["reason"])
        again, = self.propose(code=78).json()["outcomes"]
        self.assertEqual(again, second)
        self.check_one_deal_each(1)
        self.chain.owners = {}
        self.propose()
        self.check_one_deal_each(2)

    def test_sectors_that_are_too_small(self):
        self.plan(1000)
        self.chain.sector_bytes = self.pieces[0]["padded_bytes"] // 2
        self.assertIn("its sectors hold", self.refusal())

    def test_collateral_is_a_fifth_above_the_least(self):
        self.chain.collateral_min = 1001
        self.plan(1000)
        self.providers[1000].collateral_min = 1201
        self.propose()
        self.assertEqual(self.provider_deals()[0][1].proposal["ProviderCollateral"], 1202)

    def test_a_token_for_the_pieces_goes_with_the_deal(self):
        token = self.temp / "acme.token"
        token.write_text("s3cret-word\n")
        more = {number: f'piece_token_file = "{token}"' for number in (1000, 1002)}
        self.plan(1000, 1002, copies=2, extra='piece_url = "https://archive.example/piece/"', more=more)
        os.chmod(token, 0o644)
        self.assertIn(b"can be read by others", self.propose(code=77).err)
        os.chmod(token, 0o600)
        for mode in (0o640, 0o604):
            os.chmod(self.catalogue, mode)
            said = self.propose(code=77).err
            self.assertIn(b"nothing was signed: chmod 600 it", said)
            self.assertEqual((self.exported(), self.provider_deals()), ([], []))
        os.chmod(self.catalogue, 0o600)
        finished = self.propose()
        for _, deal in self.provider_deals():
            if deal.protocol == "mk20":
                headers = deal.request["data"]["source_http"]["urls"][0]["headers"]
                self.assertEqual(headers, {"Authorization": ["Bearer s3cret-word"]})
            else:
                headers = json.loads(deal.request["Transfer"]["Params"])["Headers"]
                self.assertEqual(headers, {"Authorization": "Bearer s3cret-word"})
        shown = self.deal("show", self.piece, "--json", policy=False)
        exported = self.deal("export", policy=False)
        for said in (finished, shown, exported):
            self.assertNotIn(b"s3cret", said.out + said.err)

    def test_providers_fetch_the_piece_from_serve(self):
        """With the URL and headers of the deal alone, as a provider would."""
        token, tokens = self.temp / "acme.token", self.temp / "tokens"
        token.write_text("s3cret-word-of-acme")
        tokens.write_text("acme s3cret-word-of-acme\n")
        for path in (token, tokens, self.catalogue):
            os.chmod(path, 0o600)
        server = subprocess.Popen([harness.BINARY, "serve", "--dir", self.temp / "out", "--listen", "127.0.0.1:0",
                                   "--tokens", tokens], stdout=subprocess.PIPE)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        url = re.search(rb"http://\S+/piece/", server.stdout.readline())[0].decode()
        more = {number: f'piece_token_file = "{token}"' for number in (1000, 1002)}
        self.plan(1000, 1002, copies=2, extra=f'piece_url = "{url}"', more=more)
        self.propose()
        car = (self.temp / "out" / f"{self.piece}.car").read_bytes()
        for _, deal in self.provider_deals():
            if deal.protocol == "mk20":
                where = deal.request["data"]["source_http"]["urls"][0]
                headers = {name: values[0] for name, values in where["headers"].items()}
            else:
                where = {"url": json.loads(deal.request["Transfer"]["Params"])["URL"]}
                headers = json.loads(deal.request["Transfer"]["Params"])["Headers"]
                self.assertEqual(deal.request["Transfer"]["Size"], len(car))
            with urllib.request.urlopen(urllib.request.Request(where["url"], headers=headers)) as reply:
                self.assertEqual(reply.read(), car)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(where["url"])
            self.assertEqual(refused.exception.code, 401)
            refused.exception.close()

    def test_the_address_that_a_provider_names_on_chain(self):
        """/ip4/127.0.0.1/tcp/PORT/http, after one by which nobody may be spoken to."""
        self.write_policy(copies=1, only=(1000,))
        url = self.providers[1000].url
        self.policy.write_text(self.policy.read_text().replace(f'url = "{url}"\n', ""))
        self.deal("plan", "--record")
        self.assertIn("names no address for HTTPS on chain", self.refusal())
        port = int(url.rpartition(":")[2]).to_bytes(2, "big")
        self.chain.multiaddresses[1000] = [base64.b64encode(b"\x04" + host + b"\x06" + port + b"\xe0\x03").decode()
                                           for host in (bytes((192, 0, 2, 1)), bytes((127, 0, 0, 1)))]
        self.propose()
        self.check_one_deal_each(1)

    def test_this_machine_is_no_address_on_chain(self):
        """But on a devnet: else a stranger would choose whom it speaks to here. What the policy says goes."""
        network = {"genesis_s": 1_667_326_380, "name": "calibnet", "node": "calibrationnet"}
        self.chain.network_name = network["node"]
        patch = unittest.mock.patch.object(fake_chain, "GENESIS_S", network["genesis_s"])
        patch.start()
        self.addCleanup(patch.stop)
        self.write_policy(copies=1, only=(1000,))
        with_url = self.policy.read_text().replace('network = "devnet"', f'network = "{network["name"]}"')
        with_url = with_url.replace(f"genesis_s = {network['genesis_s']}\n", "")
        url = self.providers[1000].url
        port = int(url.rpartition(":")[2]).to_bytes(2, "big")
        self.chain.multiaddresses[1000] = [base64.b64encode(b"\x04\x7f\0\0\1\x06" + port + b"\xe0\x03").decode()]
        self.policy.write_text(with_url.replace(f'url = "{url}"\n', ""))
        self.deal("plan", "--record")
        send = ("propose", "--live", "--network", network["name"])
        outcome, = self.deal_json(*send, code=78)["outcomes"]
        self.assertIn("names no address for HTTPS on chain", outcome["reason"])
        self.assertEqual(self.providers[1000].requests, [])
        self.policy.write_text(with_url)
        self.deal_json(*send)
        self.check_one_deal_each(1)

    def test_the_key_is_nowhere(self):
        """Neither in the catalogue nor in what is said, in none of its forms."""
        forms = [deal_case.KEY, deal_case.KEY.hex().encode(), base64.b64encode(deal_case.KEY), self.key.read_bytes()]
        self.plan(1000, 1002, copies=2)
        said = [self.propose(), self.deal("track"), self.deal("export", policy=False),
                self.deal("show", self.piece, "--json", policy=False)]
        good = self.key.read_text()
        for bad in (good[:-2], good.replace("7b", "7c", 1), good + good):
            self.key.write_text(bad)
            said.append(self.deal("track", code=64))
        os.chmod(self.key, 0o640)
        said.append(self.deal("track", code=77))
        texts = [finished.out + finished.err for finished in said]
        texts += [path.read_bytes() for path in self.temp.glob("site.catalogue*")]
        for form in forms:
            self.assertFalse(any(form in text for text in texts), form)

    def test_providers_that_do_not_answer_are_asked_once_in_a_run(self):
        self.make_pieces(5)
        self.plan(1000)
        self.propose()
        self.providers[1000].inject("reset", "GET /market/mk12/status", count=9)
        asked = len(self.providers[1000].requests)
        report = self.track()
        self.assertEqual(report["silent_providers"], ["t01000"])
        self.assertEqual(len(self.providers[1000].requests), asked + 1)
        self.assertEqual(report["states"], {"accepted": 5})

    def test_nothing_is_signed_without_an_answer(self):
        self.plan(1000)
        self.write_policy(copies=1, only=(1000,), endpoints=("/down",))
        self.propose(code=69)
        self.assertEqual((self.exported(), self.provider_deals()), ([], []))


class Books(deal_case.Case):
    """Several policies, several wallets, and whose deal it is."""

    def setUp(self):
        super().setUp()
        self.pieces = self.make_pieces(1)
        self.piece = self.pieces[0]["piece_cid_v1"]

    def rename(self, name):
        self.policy.write_text(self.policy.read_text().replace('name = "sites"', f'name = "{name}"'))

    def test_policies_leave_each_others_deals_alone(self):
        self.write_policy(copies=1, only=(1000,))
        self.deal("plan", "--record")
        self.providers[1000].inject("503_after", "POST /market/mk12/store")
        self.propose(code=69)
        mine = self.policy.read_text()
        self.write_policy(copies=2, only=(1001,))
        self.rename("films")
        self.deal("plan", "--record")
        asked = len(self.providers[1000].requests)
        self.assertEqual([row["provider"] for row in self.propose().json()["outcomes"]], ["t01001"])
        self.deal("track")
        self.assertEqual(len(self.providers[1000].requests), asked, "it was asked under another policy")
        self.policy.write_text(mine)
        self.reconcile(code=None)
        self.check_one_deal_each(2)

    def test_a_provider_that_left_before_it_was_sent_anything(self):
        """What was stored and not sent, or withdrawn, or only meant, goes to another."""
        self.make_pieces(3)
        self.write_policy(copies=1, only=(1000,))
        self.deal("plan", "--record")
        self.propose(kill="deal.after_store:1", code=deal_case.KILLED)
        self.chain.advance(deal_case.START_DELAY)
        self.propose(kill="deal.after_store:1", code=deal_case.KILLED)
        self.assertEqual([row["attempt"] for row in self.exported()], ["rejected", "prepared"])
        self.write_policy(copies=1, only=(1001,))
        for row in self.propose(code=78).json()["outcomes"]:
            self.assertRegex(row["reason"], "no longer has its provider|no such provider")
        placements = self.deal_json("plan", "--record")["placements"]
        self.assertEqual([row["provider"] for row in placements], ["t01001"] * 3)
        self.propose()
        self.check_one_deal_each(3)
        self.live_through()
        self.assertEqual(self.track()["states"], {"active": 3})

    def test_a_provider_that_left_with_a_deal_in_the_air(self):
        """The others go on, and the chain tells."""
        self.write_policy(copies=1, only=(1000,))
        self.deal("plan", "--record")
        self.providers[1000].inject("503_after", "POST /market/mk12/store")
        self.propose(code=69)
        self.make_pieces(2)
        self.write_policy(copies=1, only=(1001,))
        self.deal("plan", "--record")
        states = [(row["provider"], row["attempt"]) for row in self.propose(code=69).json()["outcomes"]]
        self.assertEqual(states, [("t01000", "unknown"), ("t01001", "accepted")])
        self.live_through()
        self.assertEqual(self.track()["states"], {"active": 2})

    def test_a_deal_of_our_own_is_not_adopted_as_anothers(self):
        self.write_policy(copies=1, only=(1000,))
        self.deal("plan", "--record")
        self.propose()
        self.live_through()
        adopted = self.deal_json("adopt", "5000")
        self.assertEqual((adopted["state"], adopted["proposed_here"]), ("active", True))
        self.assertEqual(self.attempts(), {(self.piece, "t01000"): ("accepted", "active")})
        self.assertEqual(self.track()["states"], {"active": 1})

    def test_a_client_that_got_its_id_after_it_proposed(self):
        self.write_policy(copies=1, only=(1000,))
        self.deal("plan", "--record")
        self.propose()
        # As a book of before the id was asked for.
        with contextlib.closing(sqlite3.connect(self.catalogue)) as book, book:
            book.execute("UPDATE wallets SET id_address=NULL")
        self.live_through()
        self.track()
        self.assertEqual(self.attempts(), {(self.piece, "t01000"): ("accepted", "active")})

    def check_lost_events(self, number):
        """Without events nobody can say that there is no deal, while its provider says that it has it."""
        events, self.chain.events = self.chain.events, []
        self.chain.advance(deal_case.START_DELAY + fake_chain.FINALITY)
        for _ in range(3):
            self.chain.advance(10)
            self.track()
        self.assertEqual(self.attempts(), {(self.piece, f"t0{number}"): ("accepted", "lost")})
        self.assertEqual(self.deal_json("plan")["placements"], [])
        self.chain.events = events
        self.track()
        self.assertEqual(self.attempts(), {(self.piece, f"t0{number}"): ("accepted", "active")})

    def one_deal_with(self, number):
        """A deal that is active on chain, and of which nobody here has heard yet."""
        self.write_policy(copies=1, only=(number,))
        self.deal("plan", "--record")
        self.propose()
        self.live_through()
        deal, = self.providers[number].deals.values()
        return deal

    def test_lost_events_of_an_unverified_deal(self):
        """Of one by mk20 there is an event alone."""
        self.one_deal_with(1002)
        self.check_lost_events(1002)

    def test_lost_events_of_a_deal_in_the_market(self):
        """The provider says "Sealed", and under which number only where it knows."""
        deal = self.one_deal_with(1000)
        deal.deal_id, deal.publish_cid = 0, ""
        self.check_lost_events(1000)

    def test_a_node_that_does_not_say_what_a_message_published(self):
        deal = self.one_deal_with(1000)
        deal.deal_id = 0
        events, self.chain.events = self.chain.events, []
        self.chain.unanswered = {"ChainGetMessage"}
        self.chain.advance(deal_case.START_DELAY + fake_chain.FINALITY)
        for _ in range(3):
            self.chain.advance(10)
            self.assertEqual(self.track(code=69)["unanswered"], 1)
        self.assertEqual(self.attempts(), {(self.piece, "t01000"): ("accepted", "accepted")})
        # The events tell all the same.
        self.chain.events = events
        self.track()
        self.assertEqual(self.attempts(), {(self.piece, "t01000"): ("accepted", "active")})

    def test_a_renewal_that_is_refused_goes_elsewhere(self):
        self.write_policy(copies=1, only=(1000, 1001))
        self.deal("plan", "--record")
        self.propose()
        self.live_through()
        self.chain.head = 100_000 + deal_case.START_DELAY + deal_case.DURATION - 100_000
        self.track()
        self.providers[1000].seal_epochs = 100_000
        self.assertEqual(self.deal_json("renew", "--record")["placements"][0]["provider"], "t01000")
        self.propose()
        self.assertEqual(self.deal_json("renew", "--record")["placements"][0]["provider"], "t01001")
        self.propose()
        self.assertEqual(self.deal_json("renew")["placements"], [])
        self.assertEqual(len(self.provider_deals()), 2)


if __name__ == "__main__":
    harness.main()
