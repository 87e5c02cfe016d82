"""The model's MK12 over HTTP: POST /market/mk12/store, GET /status and /ask, all with CBOR bodies."""
import uuid

import filecoin
from fake_deal import Deal
from filecoin import Link, Malformed, require

STORE_BODY_MAX = 4 << 20
QUERY_BODY_MAX = 1 << 20
DEAL_PARAMS = ["DealUUID", "Transfer", "IsOffline", "DealDataRoot", "SkipIPNIAnnounce", "ClientDealProposal",
               "RemoveUnsealedCopy"]
EPOCHS_MIN, EPOCHS_MAX = 518_400, 3_680_640


def handle(provider, method, path, headers, body):
    what = (method, path.removeprefix("/market/mk12/"))
    handlers = {("POST", "store"): (_store, STORE_BODY_MAX), ("GET", "status"): (_status, QUERY_BODY_MAX),
                ("GET", "ask"): (_ask, QUERY_BODY_MAX)}
    if what not in handlers:
        return 404, "text/plain", b"404 page not found\n"
    handler, body_max = handlers[what]
    if headers.get("Content-Type") != "application/cbor" or len(body) > body_max:
        return 400, "text/plain", b""
    try:
        return 200, "application/cbor", filecoin.cbor(handler(provider, filecoin.read_cbor(body)))
    except Malformed:
        return 400, "text/plain", b""


def _fields(item, names):
    require(isinstance(item, dict) and list(item) == names, f"a map of {names}")
    return item


def _client_key(provider, client):
    return provider.client_keys.get(client, client)


def _store(provider, item):
    params = _fields(item, DEAL_PARAMS)
    require(isinstance(params["DealUUID"], bytes) and len(params["DealUUID"]) == 16, "DealUUID")
    require(isinstance(params["DealDataRoot"], Link), "DealDataRoot")
    for name in ("IsOffline", "SkipIPNIAnnounce", "RemoveUnsealedCopy"):
        require(type(params[name]) is bool, name)
    transfer = _fields(params["Transfer"], ["Size", "Type", "Params", "ClientID"])
    require(type(transfer["Size"]) is int and isinstance(transfer["Params"], bytes), "Transfer")
    signed = params["ClientDealProposal"]
    require(isinstance(signed, list) and len(signed) == 2 and isinstance(signed[1], bytes), "ClientDealProposal")
    proposal = filecoin.read_proposal(signed[0])
    key = str(uuid.UUID(bytes=params["DealUUID"]))
    signed_cid = str(filecoin.dag_cbor_cid(filecoin.cbor(signed), sha256=True))
    reason = (_duplicate(provider, key, signed_cid) or
              _refusal(provider, proposal, signed, transfer, params["IsOffline"]))
    if not reason:
        provider.add(Deal(key, "mk12", proposal["Client"], params, signed_cid, proposal, signed[0]))
    return {"Accepted": not reason, "Message": reason}


def _duplicate(provider, key, signed_cid):
    same = next((deal for deal in provider.deals.values() if signed_cid == deal.signed_cid), None)
    if key in provider.deals or same:
        if provider.duplicates == "boost" and same:
            return f"deal proposal is identical to deal {same.key} (proposed at 2026-01-01 00:00:00 +0000 UTC)"
        return "server error: saving the deal: duplicate key value violates unique constraint (SQLSTATE 23505)"
    return ""


def _refusal(provider, proposal, signed, transfer, is_offline):
    """Why a well-formed proposal is not taken, or an empty text."""
    try:
        signer = filecoin.recover(filecoin.cbor(signed[0]), signed[1])
    except Malformed as error:
        return f"signature: {error}"
    size_gib = proposal["PieceSize"] / 2**30
    duration = proposal["EndEpoch"] - proposal["StartEpoch"]
    checks = [
        (signer == _client_key(provider, proposal["Client"]), "the signature is not the client's"),
        (proposal["Provider"] == b"\0" + filecoin.varint(provider.provider_id), "the deal is for another provider"),
        (proposal["StartEpoch"] > provider.head() + provider.seal_epochs, "the start epoch is too soon"),
        (EPOCHS_MIN <= duration <= EPOCHS_MAX, f"a duration of {duration} epochs"),
        (proposal["StoragePricePerEpoch"] >= int(provider.price_per_gib_epoch * size_gib), "the price is too low"),
        (proposal["ProviderCollateral"] >= provider.collateral_min, "the collateral is too low"),
        (is_offline == (transfer["Type"] == ""), "offline deals have no transfer, others have one"),
        (is_offline or 0 < transfer["Size"] <= proposal["PieceSize"] // 128 * 127, "a transfer of another size"),
    ]
    return next((reason for holds, reason in checks if not holds), "")


def _status(provider, item):
    query = _fields(item, ["DealUUID", "Signature"])
    require(isinstance(query["DealUUID"], bytes) and len(query["DealUUID"]) == 16, "DealUUID")
    reply = {"DealUUID": query["DealUUID"], "Error": "", "DealStatus": None, "IsOffline": False, "TransferSize": 0,
             "NBytesReceived": 0}
    deal = provider.deals.get(str(uuid.UUID(bytes=query["DealUUID"])))
    if deal is None:
        # Curio's words, which say nothing; Boost's say it.
        reply["Error"] = "failed to get sealed deal status" if provider.duplicates == "curio" else \
            f"deal with uuid {uuid.UUID(bytes=query['DealUUID'])} not found"
        return reply
    if filecoin.recover(query["DealUUID"], query["Signature"]) != _client_key(provider, deal.client):
        return reply | {"Error": "invalid signature"}
    is_done = deal.stage in ("sealed", "complete")
    reply["IsOffline"] = deal.request["IsOffline"]
    reply["TransferSize"] = reply["NBytesReceived"] = 1
    # Curio says "Processing" and deal id 0 until a deal leaves its pipeline, then "Sealed" whatever became of it.
    reply["DealStatus"] = {
        "Error": deal.error, "Status": "Sealed" if is_done else "Processing",
        "SealingStatus": "Sealed and Indexed" if is_done else "Not assigned to sector",
        "Proposal": deal.proposal_cbor, "SignedProposalCid": Link.parse(deal.signed_cid),
        "PublishCid": Link.parse(deal.publish_cid) if is_done and deal.publish_cid else None,
        "ChainDealID": deal.deal_id if is_done else 0}
    return reply


def _ask(provider, item):
    miner = _fields(item, ["Miner"])["Miner"]
    require(miner == b"\0" + filecoin.varint(provider.provider_id), "another miner")
    price = filecoin.big_int(provider.price_per_gib_epoch)
    ask = {"Price": price, "VerifiedPrice": price, "MinPieceSize": 128, "MaxPieceSize": 64 << 30, "Miner": miner,
           "Timestamp": provider.head(), "Expiry": provider.head() + 1_000_000, "SeqNo": 1}
    return {"Ask": {"Ask": ask, "Signature": b"\1" + bytes(65)}}
