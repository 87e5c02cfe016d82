"""What a provider and a chain know of Filecoin, for the models of the tests: addresses, CBOR, CIDs, signatures.

Written from the formats (shared with no code of the engine) and strict: what is not canonical raises Malformed. Only
the standard library; secp256k1 is the textbook's affine arithmetic, good for tests and nothing else.
"""
import base64
import hashlib


class Malformed(Exception):
    """Bytes or text that are not what they should be."""


def require(condition, what):
    if not condition:
        raise Malformed(what)


# ---- varints, base32, CIDs

def varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def read_varint(data, at=0):
    """(value, index behind it)."""
    value = 0
    for index in range(10):
        require(at + index < len(data), "truncated varint")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            require(byte or not index, "varint that is not minimal")
            return value, at + index + 1
    raise Malformed("varint of more than ten bytes")


def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def base32_bytes(text):
    require(text == text.lower(), "base32 in upper case")
    try:
        data = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError as error:
        raise Malformed(f"not base32: {text!r}") from error
    require(base32(data) == text, "base32 with bits that carry nothing")
    return data


class Link:
    """A CID."""

    def __init__(self, cid):
        self.cid = bytes(cid)
        if self.cid[:2] != b"\x12\x20":
            require(read_varint(self.cid)[0] == 1, "a CID of an unknown version")

    def __eq__(self, other):
        return isinstance(other, Link) and self.cid == other.cid

    def __hash__(self):
        return hash(self.cid)

    def __str__(self):
        return "b" + base32(self.cid)

    @classmethod
    def parse(cls, text):
        require(text.startswith("b"), f"not a base32 CID: {text!r}")
        return cls(base32_bytes(text[1:]))


def dag_cbor_cid(data, sha256=False):
    if sha256:
        return Link(b"\x01\x71\x12\x20" + hashlib.sha256(data).digest())
    return Link(b"\x01\x71\xa0\xe4\x02\x20" + blake2b(data, 32))


PIECE_V1_PREFIX = bytes.fromhex("0181e203922020")


def piece_cid_v1(root):
    return Link(PIECE_V1_PREFIX + root)


def piece_cid_v2(root, payload_size):
    """FRC-0069: the root with the payload's size."""
    quads = max(1, -(-payload_size // 127))
    height = (quads - 1).bit_length() + 2
    digest = varint((127 << height - 2) - payload_size) + bytes([height]) + root
    return Link(b"\x01\x55\x91\x20" + varint(len(digest)) + digest)


def read_piece_cid_v2(link):
    """(root, payload size, padded size)."""
    require(link.cid[:4] == b"\x01\x55\x91\x20", f"{link} is no piece CID of version 2")
    length, at = read_varint(link.cid, 4)
    padding, behind = read_varint(link.cid, at)
    height, root = link.cid[behind], link.cid[behind + 1:]
    require(at + length == len(link.cid) and len(root) == 32, f"{link} has a wrong length")
    padded = 32 << height
    return root, padded // 128 * 127 - padding, padded


# ---- addresses

def blake2b(data, size):
    return hashlib.blake2b(data, digest_size=size).digest()


def secp256k1_address(public_key):
    return b"\x01" + blake2b(public_key, 20)


def address_text(address, prefix):
    if address[0] == 0:
        return f"{prefix}0{read_varint(address, 1)[0]}"
    require(address[0] in (1, 2, 3), "an address that this model does not know")
    return f"{prefix}{address[0]}{base32(address[1:] + blake2b(address, 4))}"


def address_bytes(text, prefix):
    require(text[:1] == prefix, f"{text!r} is of another network than {prefix}")
    if text[1:2] == "0":
        require(text[2:].isdigit() and str(int(text[2:])) == text[2:], f"{text!r} has no actor id")
        return b"\0" + varint(int(text[2:]))
    require(text[1:2] in ("1", "2", "3"), f"{text!r} is no address that this model knows")
    data = base32_bytes(text[2:])
    address = bytes([int(text[1])]) + data[:-4]
    require(data[-4:] == blake2b(address, 4), f"{text!r} has a wrong checksum")
    return address


# ---- CBOR

def _head(major, argument):
    for info, size in ((None, 24), (24, 1), (25, 2), (26, 4), (27, 8)):
        if info is None and argument < size:
            return bytes([major << 5 | argument])
        if info is not None and argument < 1 << 8 * size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise ValueError(argument)


def cbor(value):
    """Canonical CBOR of None, bool, int, bytes, str, list, dict with text keys, and Link."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, Link):
        return _head(6, 42) + cbor(b"\0" + value.cid)
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return _head(5, len(keys)) + b"".join(cbor(key) + cbor(value[key]) for key in keys)


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        require(self.at + count <= len(self.data), "CBOR that ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def item(self, depth=0):
        require(depth < 16, "CBOR nested too deep")
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            require(info in (20, 21, 22), "a simple value other than false, true and null")
            return (False, True, None)[info - 20]
        require(info < 28, "a length that is not definite")
        argument = info if info < 24 else int.from_bytes(self.take(1 << info - 24), "big")
        require(_head(major, argument)[0] == first, "a head that is not in its shortest form")
        if major in (0, 1):
            return argument if major == 0 else -1 - argument
        if major in (2, 3):
            content = self.take(argument)
            return content if major == 2 else content.decode()
        if major == 4:
            return [self.item(depth + 1) for _ in range(argument)]
        if major == 6:
            content = self.item(depth + 1)
            require(argument == 42 and isinstance(content, bytes) and content[:1] == b"\0", "a tag that is no link")
            return Link(content[1:])
        pairs = [(self.item(depth + 1), self.item(depth + 1)) for _ in range(argument)]
        keys = [key for key, _ in pairs]
        require(all(isinstance(key, str) for key in keys), "a map key that is not text")
        require(keys == sorted(set(keys), key=lambda key: (len(key), key)), "map keys out of order, or twice")
        return dict(pairs)


def read_cbor(data):
    reader = _Reader(data)
    try:
        item = reader.item()
    except UnicodeDecodeError as error:
        raise Malformed("text that is not UTF-8") from error
    require(reader.at == len(data), "bytes behind the CBOR item")
    return item


def big_int(value):
    return b"" if value == 0 else b"\0" + value.to_bytes((value.bit_length() + 7) // 8, "big")


def read_big_int(data):
    value = int.from_bytes(data[1:], "big")
    require(isinstance(data, bytes) and big_int(value) == data, "an amount that is not canonical, or negative")
    return value


# ---- proposals

PROPOSAL_FIELDS = ("PieceCID", "PieceSize", "VerifiedDeal", "Client", "Provider", "Label", "StartEpoch", "EndEpoch",
                   "StoragePricePerEpoch", "ProviderCollateral", "ClientCollateral")


def read_proposal(item):
    """The fields by their names, amounts as integers."""
    require(isinstance(item, list) and len(item) == len(PROPOSAL_FIELDS), "a proposal has 11 fields")
    proposal = dict(zip(PROPOSAL_FIELDS, item))
    require(isinstance(proposal["PieceCID"], Link) and proposal["PieceCID"].cid.startswith(PIECE_V1_PREFIX),
            "PieceCID is no piece CID of version 1")
    size = proposal["PieceSize"]
    require(type(size) is int and size >= 128 and size & size - 1 == 0, "PieceSize is no power of two")
    require(type(proposal["VerifiedDeal"]) is bool, "VerifiedDeal is no boolean")
    for name in ("Client", "Provider"):
        require(isinstance(proposal[name], bytes) and len(proposal[name]) > 1, f"{name} is no address")
    label = proposal["Label"]
    require(isinstance(label, (str, bytes)), "Label is neither text nor bytes")
    require(len(label if isinstance(label, bytes) else label.encode()) <= 256, "Label has more than 256 bytes")
    for name in ("StartEpoch", "EndEpoch"):
        require(type(proposal[name]) is int, f"{name} is no integer")
    for name in ("StoragePricePerEpoch", "ProviderCollateral", "ClientCollateral"):
        proposal[name] = read_big_int(proposal[name])
    return proposal


# ---- secp256k1

_P = 2**256 - 2**32 - 977
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
      0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _add(a, b):
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % _P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, _P) % _P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, _P) % _P
    x = (slope * slope - a[0] - b[0]) % _P
    return x, (slope * (a[0] - x) - a[1]) % _P


def _multiply(point, factor):
    total = None
    while factor:
        if factor & 1:
            total = _add(total, point)
        point, factor = _add(point, point), factor >> 1
    return total


def recover(message, signature):
    """The f1 address (bytes) whose key made `signature`, type byte included, over `message`."""
    require(len(signature) == 66 and signature[0] == 1, "not a secp256k1 signature")
    r, s = int.from_bytes(signature[1:33], "big"), int.from_bytes(signature[33:65], "big")
    v = signature[65]
    require(v < 4 and 0 < r < _N and 0 < s <= _N // 2, "a signature out of range")
    x = r + (_N if v & 2 else 0)
    y = pow(x**3 + 7, (_P + 1) // 4, _P)
    require(x < _P and (y * y - x**3 - 7) % _P == 0, "a signature that no key made")
    if y & 1 != v & 1:
        y = _P - y
    digest = int.from_bytes(blake2b(message, 32), "big")
    inverse = pow(r, -1, _N)
    key = _add(_multiply((x, y), s * inverse % _N), _multiply(_G, -digest * inverse % _N))
    require(key is not None, "a signature that no key made")
    return secp256k1_address(b"\4" + key[0].to_bytes(32, "big") + key[1].to_bytes(32, "big"))
