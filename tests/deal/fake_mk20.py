"""The model's MK20 over HTTP: deals in JSON, the Authorization header, uploads in chunks."""
import base64
import hashlib
import json
import re
import sys
import time
from pathlib import Path

import filecoin
from fake_deal import Deal
from filecoin import Link, Malformed, require

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop/oracles"))

ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
JSON_BODY_MAX = 1 << 20
EPOCHS_MIN = 518_400
CHUNK_MAX = 256 << 20
COMMP_MAX = 2 << 20  # larger uploads are compared by the tests: a commP in Python is slow


class Refused(Exception):
    """A request that is answered with a status and a reason."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status, self.reason = status, reason


def handle(provider, method, path, headers, body):
    try:
        client = _authenticate(provider, method, path, headers)
        status, reply = _route(provider, method, path.removeprefix("/market/mk20"), headers, body, client)
    except Refused as refused:
        return refused.status, "text/plain", refused.reason.encode()
    except (Malformed, ValueError, KeyError, TypeError) as error:
        return 400, "text/plain", f"Reason: {error!r}".encode()
    if isinstance(reply, str):
        return status, "text/plain", reply.encode()
    return status, "application/json", json.dumps(reply).encode()


def _authenticate(provider, method, path, headers):
    """The client's address as bytes, from the Authorization header."""
    match = re.fullmatch(r"CurioAuth (\w+):([^:]+):([^:]+)", headers.get("Authorization") or "")
    if not match or match[1] != "secp256k1":
        raise Refused(401, "Unauthorized")
    address, signature = (base64.b64decode(text, validate=True) for text in match.groups()[1:])
    now = int(provider.clock()) // 60 * 60
    for minute in (now, now - 60, now + 60):
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(minute))
        digest = hashlib.sha256(address + method.encode() + path.encode() + text.encode()).digest()
        try:
            if filecoin.recover(digest, signature) == address:
                return address
        except Malformed:
            break
    raise Refused(401, "Unauthorized")


def _route(provider, method, path, headers, body, client):
    parts = path.strip("/").split("/")
    if (method, path) == ("POST", "/deal"):
        return _deal(provider, headers, body, client)
    if method == "GET" and path in ("/products", "/sources"):
        names = {"/products": ["ddo_v1", "retrieval_v1"], "/sources": ["http", "aggregate", "offline", "put"]}
        return 200, {path[1:]: names[path]}
    if len(parts) < 2:
        raise Refused(404, "404 page not found\n")
    deal = _known_deal(provider, parts[2] if parts[:2] == ["uploads", "finalize"] else parts[1], client)
    if method == "GET" and parts[0] == "status":
        return 200, {"ddo_v1": {"status": deal.stage, "errorMsg": deal.error}}
    if parts[:2] == ["uploads", "finalize"] and method == "POST":
        return _finalize(deal, body)
    if parts[0] == "uploads" and len(parts) == 2:
        return _upload_status(deal) if method == "GET" else _upload_start(provider, deal, headers, body)
    if parts[0] == "uploads" and len(parts) == 3 and method == "PUT":
        return _upload_chunk(deal, headers, int(parts[2]), body)
    raise Refused(404, "404 page not found\n")


def _known_deal(provider, key, client):
    """Whose it is is looked up before anything else, so an unknown deal and a foreign one look the same."""
    deal = provider.deals.get(key)
    if deal is None or deal.protocol != "mk20" or deal.client != client:
        raise Refused(401, "Unauthorized")
    return deal


def _only(item, required, optional=()):
    require(isinstance(item, dict), f"expected an object with {required}")
    require(set(required) <= set(item) <= set(required) | set(optional), f"{sorted(item)} instead of {required}")
    return item


def _deal(provider, headers, body, client):
    if headers.get("Content-Type") != "application/json" or len(body) > JSON_BODY_MAX:
        raise Refused(400, "invalid content type")
    request = _only(json.loads(body), ["identifier", "client", "data", "products"])
    key = request["identifier"]
    require(ULID.fullmatch(key), f"{key!r} is no ULID")
    if request["client"] != filecoin.address_text(client, provider.prefix):
        raise Refused(400, "Reason: client address does not match the one that signed")
    _check_data(request["data"])
    _check_products(provider, request["products"], request["data"])
    if key in provider.deals:
        raise Refused(500, "Reason: duplicate key value violates unique constraint")
    is_put = "source_http_put" in request["data"]
    provider.add(Deal(key, "mk20", client, request, stage="uploading" if is_put else "accepted"))
    return 200, "Reason: "


def _check_data(data):
    sources = [name for name in data if name.startswith("source_")]
    _only(data, ["piece_cid", "format", *sources])
    if len(sources) != 1 or sources[0] not in ("source_http", "source_offline", "source_http_put"):
        raise Refused(422, f"Reason: sources {sources}")
    _only(data["piece_cid"], ["/"])
    filecoin.read_piece_cid_v2(Link.parse(data["piece_cid"]["/"]))
    require(data["format"] in ({"car": {}}, {"raw": {}}), "format")
    if sources[0] != "source_http":
        require(data[sources[0]] == {}, sources[0])
        return
    for url in _only(data["source_http"], ["urls"])["urls"]:
        _only(url, ["url", "headers", "priority", "fallback"])
        # http.Header of Go: every value is a list.
        require(all(isinstance(values, list) for values in url["headers"].values()), "headers")
        require(isinstance(url["priority"], int) and isinstance(url["fallback"], bool), "priority or fallback")


def _check_products(provider, products, data):
    _only(products, ["ddo_v1", "retrieval_v1"])
    ddo = _only(products["ddo_v1"], ["provider", "start_epoch", "duration", "market_address", "market_deal_id",
                                     "notification_address"], ["allocation_id"])
    if ddo["provider"] != f"{provider.prefix}0{provider.provider_id}":
        raise Refused(425, "Reason: the deal is for another provider")
    if ddo.get("allocation_id") is None and ddo["duration"] < EPOCHS_MIN:
        raise Refused(441, "Reason: duration must be at least 518400")
    if ddo["start_epoch"] < provider.head() + provider.seal_epochs:
        raise Refused(425, "Reason: the start epoch is too soon")
    require(ddo["market_address"] == "" and ddo["market_deal_id"] is None, "a market is not known here")
    require(ddo["notification_address"] == "<empty>", "notification_address")
    retrieval = _only(products["retrieval_v1"], ["indexing", "announce_payload", "announce_piece"])
    if retrieval["announce_piece"] or (retrieval["indexing"] and "raw" in data["format"]):
        raise Refused(425, "Reason: retrieval_v1")


def _awaits_upload(deal):
    return deal.stage == "uploading"


def _upload_status(deal):
    if not _awaits_upload(deal):
        raise Refused(404, "deal not found")
    if not deal.chunk_sizes:
        raise Refused(425, "upload not initiated")
    uploaded = sorted(deal.chunks)
    missing = [number for number in range(1, len(deal.chunk_sizes) + 1) if number not in deal.chunks]
    # Go's nil slices are null.
    return 200, {"total_chunks": len(deal.chunk_sizes), "uploaded": len(uploaded), "missing": len(missing),
                 "uploaded_chunks": uploaded or None, "missing_chunks": missing or None}


def _upload_start(provider, deal, headers, body):
    if headers.get("Content-Type") != "application/json":
        raise Refused(400, "invalid content type")
    start = _only(json.loads(body), ["raw_size", "chunk_size"])
    raw_size, chunk_size = start["raw_size"], start["chunk_size"]
    _, payload_size, _ = filecoin.read_piece_cid_v2(Link.parse(deal.request["data"]["piece_cid"]["/"]))
    if not _awaits_upload(deal) or deal.chunk_sizes:
        raise Refused(404, "deal not found")
    if chunk_size & (chunk_size - 1) or not provider.chunk_min <= chunk_size <= CHUNK_MAX or raw_size != payload_size:
        raise Refused(400, "chunk size or raw size")
    deal.chunk_sizes = [min(chunk_size, raw_size - at) for at in range(0, raw_size, chunk_size)]
    return 200, ""


def _upload_chunk(deal, headers, number, body):
    if headers.get("Content-Type") != "application/octet-stream":
        raise Refused(400, "invalid content type")
    if not 1 <= number <= len(deal.chunk_sizes):  # chunks count from 1
        raise Refused(404, "chunk not found")
    if number in deal.chunks:
        raise Refused(409, "chunk already uploaded")
    if len(body) != deal.chunk_sizes[number - 1]:
        raise Refused(500, "")
    deal.chunks[number] = body
    return 200, ""


def _finalize(deal, body):
    require(not body, "the deal has its data source already")
    if not _awaits_upload(deal) or len(deal.chunks) != len(deal.chunk_sizes) or not deal.chunks:
        raise Refused(400, "deal upload has not finished")
    data = b"".join(deal.chunks[number] for number in sorted(deal.chunks))
    root, payload_size, padded_size = filecoin.read_piece_cid_v2(Link.parse(deal.request["data"]["piece_cid"]["/"]))
    require(len(data) == payload_size, "another size")
    if len(data) <= COMMP_MAX:
        import commp_ref
        require(commp_ref.commp_stream([data])[0] == root, "the bytes are not those of the piece")
    deal.data, deal.stage, deal.chunks = data, "processing", {}
    return 200, ""
