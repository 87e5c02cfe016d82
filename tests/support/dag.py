"""A small, slow reader of CARs and DAGs for tests, written from the specifications and sharing nothing with Piecework.

Sources: formats.md 1-3 and 7 (CARv1, CIDs, dag-pb, UnixFS). sha2-256 only.
"""
import base64
import hashlib

RAW, DAG_PB = 0x55, 0x70


def read_varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def cid_at(data, at):
    """(CID, codec, end) of the CID that begins at `at`."""
    if data[at:at + 2] == b"\x12\x20":
        return data[at:at + 34], DAG_PB, at + 34
    _, codec_at = read_varint(data, at)
    codec, hash_at = read_varint(data, codec_at)
    _, length_at = read_varint(data, hash_at)
    length, digest_at = read_varint(data, length_at)
    return data[at:digest_at + length], codec, digest_at + length


def cid_bytes(text):
    if text.startswith("b"):
        return base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
    number = 0
    for character in text:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(character)
    return number.to_bytes(34, "big")


def raw_cid(block):
    """The CIDv1 of a raw block."""
    return bytes.fromhex("01551220") + hashlib.sha256(block).digest()


def cid_text(cid):
    if cid[0] == 0x12:
        number, text = int.from_bytes(cid, "big"), ""
        while number:
            number, digit = divmod(number, 58)
            text = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + text
        return text
    return "b" + base64.b32encode(cid).decode().lower().rstrip("=")


def read_car(path):
    """({CID: block}, root CID) of a CARv1 with one root; every digest is checked, no CID may come twice."""
    data = path.read_bytes()
    header_bytes, at = read_varint(data, 0)
    header = data[at:at + header_bytes]
    root = cid_at(header, header.index(b"\xd8\x2a\x58") + 5)[0]
    at += header_bytes
    blocks = {}
    while at < len(data):
        length, at = read_varint(data, at)
        cid, _, block_at = cid_at(data, at)
        block = data[block_at:at + length]
        assert hashlib.sha256(block).digest() == cid[-32:], f"wrong digest at {at}"
        assert cid not in blocks, f"{cid_text(cid)} comes twice"
        blocks[cid] = block
        at += length
    return blocks, root


def varint(number):
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded + bytes([number]))


def write_car(path, root, blocks):
    """A CARv1 of {CID: block}, in the order of the dictionary; returns `path`."""
    header = b"\xa2\x65roots\x81\xd8\x2a\x58" + bytes([len(root) + 1]) + b"\x00" + root + b"\x67version\x01"
    with open(path, "wb") as file:
        file.write(varint(len(header)) + header)
        for cid, block in blocks.items():
            file.write(varint(len(cid) + len(block)) + cid + block)
    return path


def fields(data):
    """(number, value) of every field of a protobuf message."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = ({1: 8, 5: 4}[tag & 7], at) if tag & 7 in (1, 5) else read_varint(data, at)
        if tag & 7 != 0:
            value, at = data[at:at + value], at + value
        yield tag >> 3, value


def links(cid, block):
    """(name, CID) of every link of a block."""
    if cid_at(cid, 0)[1] != DAG_PB:
        return []
    found = []
    for number, value in fields(block):
        if number == 2:
            link = dict(fields(value))
            found.append((link[2], link[1]))
    return found


def reach(blocks, root):
    """The CIDs below `root`; those that `blocks` does not hold are missing. (reached, missing), both in DFS order."""
    reached, missing, stack = {}, {}, [root]
    while stack:
        cid = stack.pop()
        if cid in reached or cid in missing:
            continue
        if cid not in blocks:
            missing[cid] = True
            continue
        reached[cid] = True
        stack += reversed([child for _, child in links(cid, blocks[cid])])
    return list(reached), list(missing)


def content(blocks, cid):
    """The bytes of a UnixFS file."""
    parts, stack = [], [cid]
    while stack:
        cid = stack.pop()
        block = blocks[cid]
        if cid_at(cid, 0)[1] == RAW:
            parts.append(block)
            continue
        message = dict((number, value) for number, value in fields(block) if number == 1)
        parts.append(dict(fields(message[1])).get(2, b""))
        stack += reversed([child for _, child in links(cid, block)])
    return b"".join(parts)


def pb_bytes(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def pb_number(number, value):
    return varint(number << 3) + varint(value)


class Builder:
    """Blocks that are made by hand."""

    def __init__(self):
        self.blocks = {}

    def put(self, block, codec=DAG_PB):
        cid = bytes([1, codec, 0x12, 0x20]) + hashlib.sha256(block).digest()
        self.blocks[cid] = block
        return cid

    def raw(self, data):
        return self.put(data, RAW)

    def node(self, message, links=()):
        body = b"".join(pb_bytes(2, pb_bytes(1, cid) + pb_bytes(2, name) + pb_number(3, 0)) for name, cid in links)
        return self.put(body + pb_bytes(1, message))

    def directory(self, links, more=b""):
        return self.node(pb_number(1, 1) + more, links)

    def symlink(self, target):
        return self.node(pb_number(1, 4) + pb_bytes(2, target))

    def file(self, children, more=b""):
        sizes = b"".join(pb_number(4, size) for _, size in children)
        total = sum(size for _, size in children)
        return self.node(pb_number(1, 2) + pb_number(3, total) + sizes + more, [(b"", cid) for cid, _ in children])

    def write(self, path, root):
        """The root first, then the rest."""
        return write_car(path, root, {root: self.blocks[root], **self.blocks})
