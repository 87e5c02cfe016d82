"""Proofs by hand, written from engine/FORMATS.md ("Proofs"): right ones, to be changed. The whole piece is at hand."""
import hashlib
import importlib.util

import dag
import harness

_spec = importlib.util.spec_from_file_location("check_proof", harness.ROOT / "tools/check_proof.py")
check_proof = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_proof)


def says_yes(proof, data):
    """What the second checker says; what it fails with otherwise is a failure of the test."""
    try:
        return bool(check_proof.Check(proof, data).lines)
    except (OSError, LookupError, TypeError, ValueError, OverflowError, RecursionError):
        return False


def counted(data):
    return dag.varint(len(data)) + data


def cid_of(piece):
    """The piece CID v2 of a piece in a proof."""
    quads = max(-(-piece["payload"] // 127), 1)
    height = (quads - 1).bit_length() + 2
    digest = dag.varint((127 << height - 2) - piece["payload"]) + bytes([height]) + piece["root"]
    return b"\x01\x55\x91\x20" + counted(digest)


class Piece:
    """A piece with the CAR at `path`, and all of its tree."""

    def __init__(self, path):
        blocks, self.car_root = dag.read_car(path)
        self.payload, self.offsets = path.read_bytes(), {}
        self.header_bytes = at = sum(dag.read_varint(self.payload, 0))
        for cid, block in blocks.items():
            size = len(cid) + len(block)
            self.offsets[cid] = at, len(dag.varint(size)) + size
            at += self.offsets[cid][1]
        quads = 1 << (max(-(-len(self.payload) // 127), 1) - 1).bit_length()
        bits = [int.from_bytes(self.payload[127 * i:127 * i + 127], "little") for i in range(quads)]
        leaves = [(b >> 254 * i & (1 << 254) - 1).to_bytes(32, "little") for b in bits for i in range(4)]
        self.levels = [leaves]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            digests = [hashlib.sha256(below[i] + below[i + 1]).digest() for i in range(0, len(below), 2)]
            self.levels.append([digest[:31] + bytes([digest[31] & 0x3F]) for digest in digests])

    def beside(self, begin, end):
        """What a proof has of a gap."""
        first, last = -(-begin // 127), end // 127
        if last <= first:
            return self.payload[begin:end]
        roots = b""
        while first < last:
            level = max(i for i in range(50) if first % (1 << i) == 0 and first + (1 << i) <= last)
            roots += self.levels[level + 2][first >> level]
            first += 1 << level
        return self.payload[begin:-(-begin // 127) * 127] + roots + self.payload[127 * last:end]


class Proof:
    """Fields of a proof. Blocks are content where they are raw; other content is not made here."""

    def __init__(self, blocks, depth=0, begin=0, length=0):
        self.blocks, self.depth, self.begin, self.length = blocks, depth, begin, length
        self.claims, self.records, self.visited, self.pieces = [], [], {}, []

    def add_item(self, root, route):
        self.claims.append((root, list(route)))
        self._visit(root, list(route), 0)

    def _visit(self, cid, route, at):
        block, end = self.blocks[cid], self.begin + self.length if self.length else 1 << 62
        self.visited.setdefault(cid, len(self.visited))
        if cid[1] == dag.RAW:
            begin, stop = max(at, self.begin), min(at + len(block), end)
            split = (begin - at, stop - at) if begin < stop else (len(block), len(block))
            self.records.append((block[:split[0]], split[1] - split[0], block[split[1]:]))
            return
        self.records.append((block, 0, b""))
        message = list(dag.fields([value for number, value in dag.fields(block) if number == 1][0]))
        sizes = [value for number, value in message if number == 4] if (1, 2) in message else []
        links = [child for _, child in dag.links(cid, block)]
        for i, child in enumerate(links):
            size = sizes[i] if sizes else 0
            is_inside = not sizes or not self.length or at < end and at + size > self.begin
            if is_inside and (not route or route[0] == i):
                self._visit(child, route[1:], at)
            at += size

    def place(self, piece):
        """The piece as it is in the proof: with all blocks of the proof that it has."""
        places = sorted((*piece.offsets[cid], number) for cid, number in self.visited.items() if cid in piece.offsets)
        return {"piece": piece, "root": piece.levels[-1][0], "payload": len(piece.payload), "car_root": piece.car_root,
                "places": places, "rest_flip": None, "rest_more": b""}

    def encode_piece(self, fields):
        piece, root = fields["piece"], fields["car_root"]
        encoded = fields["root"] + dag.varint(fields["payload"]) + counted(root) + dag.varint(len(fields["places"]))
        at = piece.header_bytes if root else 0
        for offset, size, number in fields["places"]:
            encoded += dag.varint(max(offset - at, 0)) + piece.beside(at, offset) + dag.varint(number)
            at = offset + size
        last = max(len(piece.payload) - 1, 0) // 127 * 127
        rest = piece.beside(at, last) if at < last else b""
        rest = bytearray(rest + piece.payload[max(at, last):])
        if fields["rest_flip"] is not None and rest:
            rest[fields["rest_flip"]] ^= 1
        return encoded + bytes(rest) + fields["rest_more"]

    def encode(self):
        encoded = b"PWPROOF1" + dag.varint(self.depth) + dag.varint(self.length)
        encoded += dag.varint(self.begin) if self.length else b""
        encoded += dag.varint(len(self.claims))
        for cid, route in self.claims:
            encoded += counted(cid) + dag.varint(len(route)) + b"".join(map(dag.varint, route))
        for before, data, after in self.records:
            encoded += counted(before) + dag.varint(data) + counted(after)
        encoded += dag.varint(len(self.pieces)) + b"".join(map(self.encode_piece, self.pieces))
        return encoded + hashlib.sha256(encoded).digest()[:8]
