"""An archive, providers and a chain, for tests of the deal driver: a world that lives as fast as a test wants."""
import base64
import contextlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import fake_chain  # noqa: E402
import filecoin  # noqa: E402
import harness  # noqa: E402
from fake_provider import FakeProvider  # noqa: E402

KEY = b"\1" * 32
CLIENT = "t1ksu3ktw4xhyaoltwr546b3epfs5wxxqfyyxipwi"  # of that key, by tests/vectors/deals
DURATION = 1_468_800
START_DELAY = 8_640
KILLED = -9

POLICY = """name = "sites"
network = "devnet"
client = "{client}"
copies = {copies}
owners = {owners}
regions = {regions}
duration_epochs = {duration}
start_delay_epochs = {delay}
renew_before_epochs = 120960
repair_after_epochs = 2880
{extra}
[signer]
key_file = "{key}"

[caps]
price_per_gib_epoch = "1000000"
deal = "{deal_cap}"
day = "{day_cap}"
campaign = "{campaign_cap}"

[chain]
endpoints = [{endpoints}]
genesis_s = {genesis}
"""
PROVIDER = """
[[provider]]
id = "t0{id}"
owner = "{owner}"
region = "{region}"
protocol = "{protocol}"
url = "{url}"
price_per_gib_epoch = "{price}"
{more}
"""


class Case(harness.TestCase):
    """`self.chain`, `self.providers` {id: FakeProvider}, and the commands of piecework deal."""

    protocols = {1000: "mk12", 1001: "mk12", 1002: "mk20"}
    timeout_ms = None  # of a provider's answer

    def setUp(self):
        super().setUp()
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("not a test build: it has no clock that can be set")
        self.chain = fake_chain.FakeChain()
        self.chain.actor_id(filecoin.address_bytes(CLIENT, "t"))
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.node = stack.enter_context(fake_chain.ChainServer(self.chain))
        self.providers = {}
        for number in self.protocols:
            self.providers[number] = stack.enter_context(
                FakeProvider(number, "t", lambda: self.chain.head, clock=self.chain.now))
        self.key = self.temp / "wallet.key"
        exported = {"Type": "secp256k1", "PrivateKey": base64.b64encode(KEY).decode()}
        self.key.write_text(json.dumps(exported).encode().hex())
        os.chmod(self.key, 0o600)
        self.catalogue = self.temp / "site.catalogue"
        self.sealed = 0
        self.write_policy()

    def write_policy(self, copies=2, owners=1, regions=1, endpoints=("/good",), price=0, extra="", only=None, more=None,
                     **caps):
        """`extra` goes to the head of the policy, `more` {provider: text} to its providers."""
        caps = {"deal_cap": 10**15, "day_cap": 10**18, "campaign_cap": 10**18} | caps
        text = POLICY.format(client=CLIENT, copies=copies, owners=owners, regions=regions, duration=DURATION,
                             delay=START_DELAY, key=self.key, genesis=fake_chain.GENESIS_S, extra=extra,
                             endpoints=", ".join(f'"{self.node.url}{path}"' for path in endpoints), **caps)
        for number, protocol in self.protocols.items():
            if only is None or number in only:
                text += PROVIDER.format(id=number, owner=f"owner-{number % 4}", region=("eu", "us", "asia")[number % 3],
                                        protocol=protocol, url=self.url_of(number),
                                        price=price if protocol == "mk12" else 0,
                                        more=(more or {}).get(number, ""))
        self.policy = self.temp / "policy.toml"
        self.policy.write_text(text)

    def url_of(self, number):
        return self.providers[number].url

    def make_pieces(self, count):
        """Packs `count` files into as many pieces and merges them into the catalogue."""
        harness.make_tree(self.temp / "source", {f"f{i:02}": b"%03d " % i * 300 for i in range(count)})
        report = self.pack(self.temp / "source", "--out", self.temp / "out", "--piece-size", "2KiB")
        self.check(harness.run("merge", "--out", self.temp / "out", "--catalogue", self.catalogue), 0)
        return report["pieces"]

    # ---- commands

    def deal(self, command, *arguments, code=0, kill=None, policy=True):
        flags = ["--policy", self.policy] if policy else []
        environment = {"PIECEWORK_NOW": str(self.chain.now()), "PIECEWORK_KILL": kill,
                       "PIECEWORK_DEAL_TIMEOUT": self.timeout_ms}
        finished = harness.run("deal", command, *arguments, "--catalogue", self.catalogue, *flags, env=environment)
        if code is not None:
            self.check(finished, code)
        return finished

    def deal_json(self, command, *arguments, **options):
        return self.deal(command, *arguments, "--json", **options).json()

    def propose(self, *arguments, **options):
        return self.deal("propose", "--live", "--network", "devnet", "--json", *arguments, **options)

    def reconcile(self, **options):
        return self.deal("reconcile", "--network", "devnet", "--json", **options)

    def track(self, code=0):
        return self.deal("track", "--json", code=code).json()

    def exported(self):
        return self.deal("export", policy=False).json()["deals"]

    def attempts(self):
        """{(piece, provider): [attempt, deal]} of the newest attempts."""
        return {(row["piece_cid_v1"], row["provider"]): (row["attempt"], row["deal"]) for row in self.exported()}

    # ---- the world

    def publish(self, deal):
        """A provider publishes an f05 deal; it tells when it is asked."""
        ids, cid = self.chain.publish([deal.request["ClientDealProposal"]])
        deal.deal_id, deal.publish_cid = ids[0], cid

    def publish_all(self):
        for provider in self.providers.values():
            for deal in provider.deals.values():
                if deal.protocol == "mk12" and not deal.deal_id:
                    self.publish(deal)

    def seal(self, deal, provider):
        self.sealed += 1
        expiration = self.chain.head + DURATION + 50_000
        if deal.protocol == "mk12":
            self.chain.seal(provider, self.sealed, expiration, deal_ids=[deal.deal_id])
        else:
            root, _, _ = filecoin.read_piece_cid_v2(filecoin.Link.parse(deal.request["data"]["piece_cid"]["/"]))
            self.chain.seal(provider, self.sealed, expiration, pieces=[filecoin.piece_cid_v1(root)])
        deal.stage = "sealed" if deal.protocol == "mk12" else "complete"
        deal.sector = self.sealed

    def seal_all(self):
        for number, provider in self.providers.items():
            for deal in provider.deals.values():
                if not hasattr(deal, "sector"):
                    self.seal(deal, number)

    def finalize(self):
        self.chain.advance(fake_chain.FINALITY + 10)

    def live_through(self):
        """Everything that was accepted is published, sealed and final."""
        self.chain.advance(100)
        self.publish_all()
        self.chain.advance(2_000)
        self.seal_all()
        self.finalize()

    def provider_deals(self):
        return [(number, deal) for number, provider in self.providers.items() for deal in provider.deals.values()]

    def check_one_deal_each(self, count):
        """The providers have just one deal for each intent: no two of a piece with the same provider."""
        found = []
        for number, deal in self.provider_deals():
            if deal.protocol == "mk12":
                found.append((number, str(deal.proposal["PieceCID"])))
            else:
                root, _, _ = filecoin.read_piece_cid_v2(filecoin.Link.parse(deal.request["data"]["piece_cid"]["/"]))
                found.append((number, str(filecoin.piece_cid_v1(root))))
        self.assertEqual(len(found), len(set(found)), "a piece was proposed twice to a provider")
        self.assertEqual(len(found), count)
