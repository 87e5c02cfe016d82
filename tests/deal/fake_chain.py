"""A model of Filecoin's chain, and of nodes that answer for it over JSON-RPC on loopback; written from the protocols.

It is a model, not Lotus. It has epochs, null rounds, a finality of 900 epochs, a market that takes proposals, sectors
that hold them, claims, events, messages, and reorganisations of what is not final. Nodes are paths of one server:
/good is up to date, /lag/N is N epochs behind, /blank has a fresh head and knows of no deal, /gateway has neither
events nor faults, /broken answers with no sense, /down does not answer.
"""
import base64
import http.server
import json
import re
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import filecoin  # noqa: E402

GENESIS_S = 1_700_000_000
EPOCH_S = 30
FINALITY = 900
EVENT_EPOCHS_MAX = 2880
MARKET = "t05"


class NotFound(Exception):
    """What a node says in words."""


@dataclass
class MarketDeal:
    proposal: dict          # as the actor stores it: both parties as ids
    published: int
    activated: int | None = None
    sector: int | None = None
    slashed: int | None = None

    def is_there(self, epoch):
        """A deal that no sector took by its start goes; one that was slashed, or has ended, goes."""
        if epoch < self.published or (self.slashed is not None and epoch >= self.slashed):
            return False
        if self.activated is None or epoch < self.activated:
            return epoch <= self.proposal["StartEpoch"]
        return epoch < self.proposal["EndEpoch"]


@dataclass
class Sector:
    activation: int
    expiration: int
    terminated: int | None = None
    faults: list = field(default_factory=list)  # [from, to), to may be None

    def is_there(self, epoch):
        return self.activation <= epoch and (self.terminated is None or epoch < self.terminated)

    def is_faulty(self, epoch):
        return any(begin <= epoch and (end is None or epoch < end) for begin, end in self.faults)


class FakeChain:
    """The chain itself. Thread-safe by its lock, which callers of several steps hold."""

    def __init__(self, head=100_000, prefix="t", network_name="model"):
        self.head, self.prefix, self.network_name = head, prefix, network_name
        self.ids = {}          # f1 address (bytes) -> actor id
        self.deals = {}        # deal id -> MarketDeal
        self.sectors = {}      # (provider id, number) -> Sector
        self.claims = {}       # (provider id, claim id) -> dict with "epoch"
        self.allocations = {}  # (client id, allocation id) -> dict
        self.events = []       # (epoch, emitter, [(key, CBOR)])
        self.messages = {}     # CID text -> (message, epoch, return value)
        self.null_rounds = set()
        self.fork = 0
        self.fork_from = head + 1
        self.tipsets = {}      # CID text -> epoch
        self.escrow = 10**21
        self.data_cap = None   # of every client, in bytes
        self.multiaddresses = {}  # provider id -> [base64]
        self.owners = {}       # provider id -> owner's actor id, where it is not its own
        self.collateral_min = 0
        self.sector_bytes = 32 << 30
        self.unanswered = set()  # methods, without "Filecoin.", that nodes do not answer
        self.lock = threading.RLock()

    def now(self):
        return GENESIS_S + EPOCH_S * self.head

    def advance(self, epochs):
        with self.lock:
            self.head += epochs

    # ---- what happens

    def actor_id(self, address):
        with self.lock:
            if address[0] == 0:
                return filecoin.read_varint(address, 1)[0]
            return self.ids.setdefault(address, 200 + len(self.ids))

    def publish(self, signed_proposals):
        """PublishStorageDeals at the head: [deal ids], the message's CID. Each is a CBOR list [proposal, signature]."""
        with self.lock:
            ids = []
            for signed in signed_proposals:
                proposal = dict(filecoin.read_proposal(signed[0]))
                filecoin.require(proposal["StartEpoch"] > self.head, "too late to be published")
                proposal["Client"] = self.actor_id(proposal["Client"])
                proposal["Provider"] = self.actor_id(proposal["Provider"])
                deal_id = 5000 + len(self.deals)
                self.deals[deal_id] = MarketDeal(proposal, self.head)
                ids.append(deal_id)
                self._event(5, "deal-published", ("id", deal_id), ("client", proposal["Client"]),
                            ("provider", proposal["Provider"]))
            parameters = filecoin.cbor([list(signed_proposals)])
            # One run of as many set bits as there are proposals, in RLE+.
            bits = "00" + "1" + self._run(len(ids))
            padded = bits + "0" * (-len(bits) % 8)
            field_bytes = bytes(int(padded[at:at + 8][::-1], 2) for at in range(0, len(padded), 8))
            result = filecoin.cbor([ids, field_bytes])
            message = {"From": f"{self.prefix}01001", "To": MARKET, "Method": 4, "Params": _b64(parameters)}
            cid = str(filecoin.dag_cbor_cid(filecoin.cbor([self.head, len(self.messages)]) + parameters))
            self.messages[cid] = (message, self.head, result)
            return ids, cid

    @staticmethod
    def _run(length):
        """The length of a run of RLE+: "1" for one, "01" and four bits, else "00" and a varint; bits low first."""
        if length == 1:
            return "1"
        if length < 16:
            return "01" + "".join(str(length >> bit & 1) for bit in range(4))
        return "00" + "".join(str(byte >> bit & 1) for byte in filecoin.varint(length) for bit in range(8))

    def seal(self, provider, number, expiration, deal_ids=(), pieces=()):
        """A sector is proven at the head: market deals in it are active, unverified pieces have an event."""
        with self.lock:
            self.sectors[(provider, number)] = Sector(self.head, expiration)
            for deal_id in deal_ids:
                deal = self.deals[deal_id]
                filecoin.require(deal.is_there(self.head), "that deal is not there any more")
                deal.activated, deal.sector = self.head, number
            for piece in pieces:
                self._event(provider, "sector-activated", ("sector", number), ("piece-cid", piece))

    def terminate(self, provider, number):
        """The sector goes, and with it the market deals in it."""
        with self.lock:
            self.sectors[(provider, number)].terminated = self.head
            for deal in self.deals.values():
                if deal.proposal["Provider"] == provider and deal.sector == number:
                    deal.slashed = self.head

    def reorganise(self, depth):
        """What happened in the last `depth` epochs did not happen. Messages and events with it."""
        with self.lock:
            begin = self.head - depth
            filecoin.require(depth < FINALITY, "that is final")
            self.fork, self.fork_from = self.fork + 1, begin
            self.deals = {key: deal for key, deal in self.deals.items() if deal.published < begin}
            for deal in self.deals.values():
                if deal.activated is not None and deal.activated >= begin:
                    deal.activated = deal.sector = None
            self.sectors = {key: sector for key, sector in self.sectors.items() if sector.activation < begin}
            self.events = [event for event in self.events if event[0] < begin]
            self.messages = {key: value for key, value in self.messages.items() if value[1] < begin}

    def _event(self, emitter, kind, *entries):
        self.events.append((self.head, emitter, [("$type", filecoin.cbor(kind)),
                                                 *((key, filecoin.cbor(value)) for key, value in entries)]))

    # ---- tipsets

    def tipset(self, epoch):
        with self.lock:
            while epoch in self.null_rounds:
                epoch -= 1
            fork = self.fork if epoch >= self.fork_from else 0
            cid = str(filecoin.dag_cbor_cid(b"tipset %d %d" % (epoch, fork)))
            self.tipsets[cid] = epoch
            return {"Cids": [{"/": cid}], "Height": epoch, "Blocks": [{"Timestamp": GENESIS_S + EPOCH_S * epoch}]}

    def epoch_of(self, key, head):
        """The epoch that is read at: that of a tipset's key, or the head."""
        if not key:
            return head
        epoch = self.tipsets.get(key[0]["/"])
        if epoch is None or epoch > head:
            raise ValueError("tipset is not there")
        return epoch

    def address(self, actor):
        return f"{self.prefix}0{actor}"


class Node:
    """One node's view: its head, and what it knows."""

    def __init__(self, chain, lag=0, knows_deals=True, is_gateway=False):
        self.chain, self.lag, self.knows_deals, self.is_gateway = chain, lag, knows_deals, is_gateway

    def head(self):
        return self.chain.head - self.lag

    def call(self, method, parameters):
        name = method.removeprefix("Filecoin.")
        handler = getattr(self, "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), None)
        if handler is None or (self.is_gateway and name in ("StateMinerFaults", "GetActorEventsRaw")):
            raise ValueError(f"method '{method}' not found")
        if name in self.chain.unanswered:
            raise ValueError("context deadline exceeded")
        return handler(*parameters)

    def _chain_head(self):
        return self.chain.tipset(self.head())

    def _chain_get_finalized_tip_set(self):
        return self.chain.tipset(self.head() - FINALITY)

    def _state_network_name(self):
        return self.chain.network_name

    def _state_lookup_i_d(self, address, _key):
        actor = self.chain.ids.get(filecoin.address_bytes(address, self.chain.prefix))
        if actor is None:
            raise NotFound("resolution lookup failed: actor not found")
        return self.chain.address(actor)

    def _state_miner_info(self, address, _key):
        provider = int(address[2:])
        owner = self.chain.owners.get(provider, 900_000 + provider)
        return {"Owner": self.chain.address(owner), "Worker": f"{self.chain.prefix}0901",
                "SectorSize": self.chain.sector_bytes, "Multiaddrs": self.chain.multiaddresses.get(provider)}

    def _state_deal_provider_collateral_bounds(self, _size, _verified, _key):
        return {"Min": str(self.chain.collateral_min), "Max": str(10**24)}

    def _state_market_balance(self, _address, _key):
        return {"Escrow": str(self.chain.escrow), "Locked": "0"}

    def _state_verified_client_status(self, _address, _key):
        return None if self.chain.data_cap is None else str(self.chain.data_cap)

    def _state_market_storage_deal(self, deal_id, key):
        deal = self.chain.deals.get(deal_id)
        epoch = self.chain.epoch_of(key, self.head())
        if deal is None or not self.knows_deals or not deal.is_there(epoch):
            raise NotFound(f"deal {deal_id} not found - deal may not have completed sealing before deal proposal start "
                           "epoch, or deal may have been slashed")
        is_active = deal.activated is not None and epoch >= deal.activated
        proposal = {**deal.proposal, "PieceCID": {"/": str(deal.proposal["PieceCID"])},
                    "Client": self.chain.address(deal.proposal["Client"]),
                    "Provider": self.chain.address(deal.proposal["Provider"])}
        for name in ("StoragePricePerEpoch", "ProviderCollateral", "ClientCollateral"):
            proposal[name] = str(proposal[name])
        return {"Proposal": proposal, "State": {"SectorNumber": deal.sector if is_active else 0,
                                                "SectorStartEpoch": deal.activated if is_active else -1,
                                                "LastUpdatedEpoch": -1, "SlashEpoch": -1}}

    def _state_sector_get_info(self, provider, number, key):
        sector = self.chain.sectors.get((int(provider[2:]), number))
        if sector is None or not self.knows_deals or not sector.is_there(self.chain.epoch_of(key, self.head())):
            return None
        return {"SectorNumber": number, "Activation": sector.activation, "Expiration": sector.expiration,
                "DealWeight": "0"}

    def _state_miner_faults(self, provider, key):
        epoch = self.chain.epoch_of(key, self.head())
        faulty = sorted(number for (owner, number), sector in self.chain.sectors.items()
                        if owner == int(provider[2:]) and sector.is_faulty(epoch))
        runs, at = [], 0
        for number in faulty:
            if number == at and runs:
                runs[-1] += 1
            else:
                runs += [number - at, 1]
            at = number + 1
        return runs or [0]

    def _state_get_claim(self, provider, number, key):
        claim = self.chain.claims.get((int(provider[2:]), number))
        if claim is None or self.chain.epoch_of(key, self.head()) < claim["TermStart"]:
            return None
        return claim

    def _state_get_allocation(self, client, number, _key):
        return self.chain.allocations.get((int(client[2:]), number))

    def _state_search_msg(self, key, cid, _lookback, _replaced):
        found = self.chain.messages.get(cid["/"])
        if found is None or found[1] > self.chain.epoch_of(key, self.head()):
            return None
        return {"Message": cid, "Receipt": {"ExitCode": 0, "Return": _b64(found[2]), "GasUsed": 1},
                "TipSet": self.chain.tipset(found[1] + 1)["Cids"], "Height": found[1] + 1}

    def _chain_get_message(self, cid):
        if cid["/"] not in self.chain.messages:
            raise ValueError("ipld: could not find " + cid["/"])
        return self.chain.messages[cid["/"]][0]

    def _get_actor_events_raw(self, wanted):
        if wanted["toHeight"] - wanted["fromHeight"] > EVENT_EPOCHS_MAX:
            raise ValueError("invalid epoch range: too large")
        found = []
        for epoch, emitter, entries in self.chain.events:
            is_in = wanted["fromHeight"] <= epoch <= min(wanted["toHeight"], self.head())
            if not is_in or self.chain.address(emitter) not in wanted["addresses"]:
                continue
            values = {key: {"codec": 0x51, "value": _b64(value)} for key, value in entries}
            if self.knows_deals and all(values.get(key) in choices for key, choices in wanted["fields"].items()):
                found.append({"emitter": self.chain.address(emitter), "reverted": False, "height": epoch,
                              "entries": [{"Flags": 3, "Key": key, "Codec": 0x51, "Value": _b64(value)}
                                          for key, value in entries],
                              "tipsetKey": self.chain.tipset(epoch)["Cids"],
                              "msgCid": {"/": str(filecoin.dag_cbor_cid(b"message"))}})
        return found or None


def _b64(data):
    return base64.b64encode(data).decode()


class ChainServer:
    """Serves the nodes of a chain while a `with` block lasts."""

    def __init__(self, chain):
        self.chain = chain
        self.calls = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def node(self, path):
        if path.startswith("/lag/"):
            return Node(self.chain, lag=int(path[5:]))
        kinds = {"/good": {}, "/blank": {"knows_deals": False}, "/gateway": {"is_gateway": True}}
        return Node(self.chain, **kinds[path]) if path in kinds else None

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        """Clients that are killed are part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        server = self.server.owner
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        node = server.node(self.path)
        if self.path == "/down" or node is None and self.path != "/broken":
            return self._reply(503, b"")
        if self.path == "/broken":
            return self._reply(200, b"<html>welcome</html>")
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        with server.chain.lock:
            server.calls.append((self.path, request["method"]))
            try:
                reply["result"] = node.call(request["method"], request["params"])
            except NotFound as error:
                reply["error"] = {"code": 1, "message": str(error)}
            except (ValueError, TypeError, KeyError) as error:
                reply["error"] = {"code": -32601, "message": f"{error}"}
        self._reply(200, json.dumps(reply).encode())

    def _reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
