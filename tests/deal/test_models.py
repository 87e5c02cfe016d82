#!/usr/bin/env python3
"""The models of a provider against vectors of other implementations, so that tests with them mean something."""
import contextlib
import http.client
import json
import sys
import unittest
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import fake_mk12  # noqa: E402
import filecoin  # noqa: E402
import harness  # noqa: E402
from fake_provider import FakeProvider  # noqa: E402

GOLDEN_TIME = 1787229240  # 2026-08-20T12:34:00Z
UUID = bytes(range(16))


def golden(name):
    for line in (harness.VECTORS / "deals/vectors.txt").read_text().splitlines():
        if line.startswith(name + " "):
            return line[len(name) + 1:]
    raise KeyError(name)


def request(provider, method, path, headers, body=b""):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(provider.url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()


def deal_params(signed, uuid=UUID):
    return {"DealUUID": uuid, "IsOffline": True, "ClientDealProposal": signed,
            "DealDataRoot": filecoin.Link.parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"),
            "Transfer": {"Type": "", "ClientID": "", "Params": b"", "Size": 0}, "RemoveUnsealedCopy": False,
            "SkipIPNIAnnounce": False}


def store(provider, params):
    status, body = request(provider, "POST", "/market/mk12/store", {"Content-Type": "application/cbor"},
                           params if isinstance(params, bytes) else filecoin.cbor(params))
    return (status, filecoin.read_cbor(body)) if status == 200 else (status, body)


class Models(unittest.TestCase):
    def setUp(self):
        self.signed = filecoin.read_cbor(bytes.fromhex(golden("client_deal_proposal_cbor")))

    def test_formats_of_other_implementations(self):
        proposal = bytes.fromhex(golden("proposal_cbor"))
        self.assertEqual(filecoin.cbor(self.signed[0]), proposal)
        self.assertEqual(str(filecoin.dag_cbor_cid(proposal)), golden("proposal_cid"))
        blake, _, sha = golden("signed_proposal_cid").partition(" sha256 form ")
        encoded = filecoin.cbor(self.signed)
        self.assertEqual([str(filecoin.dag_cbor_cid(encoded, form)) for form in (False, True)], [blake, sha])
        text, hexadecimal = golden("client").split()
        self.assertEqual(filecoin.address_text(bytes.fromhex(hexadecimal), "f"), text)
        self.assertEqual(filecoin.address_bytes(text, "f").hex(), hexadecimal)
        self.assertEqual(filecoin.recover(proposal, self.signed[1]).hex(), hexadecimal)
        on_chain = [*self.signed[0]]
        on_chain[3] = filecoin.address_bytes("f0200", "f")
        self.assertEqual(str(filecoin.dag_cbor_cid(filecoin.cbor(on_chain))),
                         "bafy2bzaceb3dufepizgyvjm74vymy44txpb4oh65wwceerfiokxcwewus4weg")

    def test_mk12_takes_the_golden_deal_once(self):
        for duplicates, words in (("curio", "unique constraint"), ("boost", "identical to deal 00010203")):
            with FakeProvider(1000, "f", duplicates=duplicates) as provider:
                self.assertEqual(store(provider, deal_params(self.signed)), (200, {"Accepted": True, "Message": ""}))
                for uuid in (UUID, bytes(16)):
                    status, reply = store(provider, deal_params(self.signed, uuid))
                    self.assertEqual((status, reply["Accepted"]), (200, False))
                    self.assertIn(words, reply["Message"])
                self.assertEqual(list(provider.deals), ["00010203-0405-0607-0809-0a0b0c0d0e0f"])

    def test_mk12_refuses_what_is_not_right(self):
        def refusal(change, **options):
            signed = [[*self.signed[0]], self.signed[1]]
            change(signed)
            with FakeProvider(1000, "f", **options) as provider:
                status, reply = store(provider, deal_params(signed))
                self.assertEqual(provider.deals, {})
                return reply["Message"] if status == 200 else status

        self.assertIn("signature", refusal(lambda signed: signed[0].__setitem__(5, "another label")))
        self.assertIn("signature", refusal(lambda signed: signed.__setitem__(1, signed[1][:-1] + b"\0")))
        self.assertEqual(refusal(lambda signed: signed[0].pop()), 400)
        self.assertEqual(refusal(lambda signed: signed[0].__setitem__(5, "x" * 257)), 400)
        nothing = (lambda signed: None)
        self.assertIn("too soon", refusal(nothing, head=lambda: 5_000_000))
        self.assertIn("price", refusal(nothing, price_per_gib_epoch=1))
        self.assertIn("collateral", refusal(nothing, collateral_min=5_000_000_000_000_001))
        with FakeProvider(1001, "f") as provider:
            self.assertIn("another provider", store(provider, deal_params(self.signed))[1]["Message"])

    def test_mk12_map_is_that_of_cbor_gen(self):
        encoded = filecoin.cbor(deal_params(self.signed))
        self.assertEqual(encoded[:1], b"\xa7")
        self.assertEqual(list(filecoin.read_cbor(encoded)), fake_mk12.DEAL_PARAMS)

    def test_mk20_knows_the_golden_header(self):
        headers = {"Authorization": golden("Authorization:"), "Content-Type": "application/json"}
        for offset_s, is_known in ((0, True), (59, True), (119, True), (-60, True), (120, False), (-61, False)):
            with FakeProvider(1000, "f", clock=lambda: GOLDEN_TIME + offset_s) as provider:
                status, body = request(provider, "POST", "/market/mk20/deal", headers, json.dumps({}).encode())
                self.assertEqual(status, 400 if is_known else 401, (offset_s, body))
                self.assertEqual(request(provider, "POST", "/market/mk20/other", headers)[0], 401)

    def test_faults_are_behind_the_clients_back(self):
        with FakeProvider(1000, "f", hang_s=0.05) as provider:
            provider.inject("reset", "POST /market/mk12/store")
            with self.assertRaises(OSError):
                store(provider, deal_params(self.signed))
            self.assertEqual(len(provider.deals), 0)
            for number, fault in enumerate(("timeout_after", "reset_after", "cut_after", "503_after", "garbage_after")):
                provider.deals.clear()
                provider.inject(fault, "POST /market/mk12/store")
                with contextlib.suppress(OSError, http.client.HTTPException, filecoin.Malformed):
                    status, reply = store(provider, deal_params(self.signed))
                    self.assertEqual((fault, status), ("503_after", 503), reply)
                self.assertEqual(len(provider.deals), 1, fault)
                self.assertEqual(len(provider.requests), 2 + number)


if __name__ == "__main__":
    harness.main()
