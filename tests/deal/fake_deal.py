"""The model's record of a deal."""
from dataclasses import dataclass, field


@dataclass
class Deal:
    """What the provider took. `stage` is its own word; a test moves it."""
    key: str
    protocol: str  # "mk12", "mk20"
    client: bytes
    request: dict  # as parsed: DealParams with the proposal by field names, or the JSON
    signed_cid: str = ""
    proposal: dict = field(default_factory=dict)  # of MK12
    proposal_cbor: list = field(default_factory=list)
    stage: str = "accepted"
    error: str = ""
    deal_id: int = 0
    publish_cid: str = ""
    chunk_sizes: list = field(default_factory=list)  # empty: no upload was begun
    chunks: dict = field(default_factory=dict)
    data: bytes | None = None  # what was uploaded, once it is whole
