#!/usr/bin/env python3
"""Checks a proof that data lies in Filecoin pieces; written from engine/FORMATS.md ("Proofs"), standard library only.
usage: check_proof.py PROOF --data FILE     exit codes: 0 yes, 65 no, 64 wrong usage, 66 proof or data missing"""
import base64
import hashlib
import io
import os
import sys

HASHES, BLOCK_BYTES_MAX, PROOF_BYTES_MAX = {0x11: "sha1", 0x12: "sha256", 0x13: "sha512"}, 32 << 20, 256 << 20
DIRECTORY, FILE, OTHER, SYMLINK, SHARD = 1, 2, 3, 4, 5  # as in UnixFS; OTHER: the block itself is the content


def _need(condition, reason):  # what has to hold for a yes
    if not condition:
        raise ValueError(reason)


def _take(stream, count=None):  # the next `count` bytes, or as many as the number in front of them says
    count = _number(stream) if count is None else count
    found = stream.read(count)
    _need(len(found) == count, "it ends too early")
    return found


def _number(stream, is_minimal=True):  # a varint; those of protobuf need not be minimal, and have 64 bits
    byte = _take(stream, 1)[0]
    value = byte & 0x7F | (_number(stream, is_minimal) << 7 if byte >= 0x80 else 0)
    _need(value >> (63 if is_minimal else 64) == 0 and (byte < 0x80 or value >= 0x80 or not is_minimal), "a bad varint")
    return value


def _varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


def _fields(message):  # {number: [(value, its end), ...]} of protobuf's numbers, and bytes behind a length
    found, stream = {}, io.BytesIO(message)
    while stream.tell() < len(message):
        tag, value = _number(stream, False), _number(stream, False)
        value = _take(stream, value) if {0: False, 2: True}[tag & 7] else value
        found.setdefault(tag >> 3, []).append((value, stream.tell()))
    return found


def _decode(codec, block):  # (kind, place of the content, its length, [(name of an entry, CID, length of a part)])
    outer = _fields(block) if codec == 0x70 else {}
    [(data, data_end)] = outer.get(1, [(b"\x08\x03", 0)])
    [(kind, _)] = (inner := _fields(data))[1]
    if codec == 0x55 or kind == OTHER:
        return FILE if codec == 0x55 else OTHER, 0, len(block), []
    links = [{field: value for field, [(value, _)] in _fields(link).items()} for link, _ in outer.get(2, [])]
    names, is_directory = [link.get(2, b"") for link in links], kind in (DIRECTORY, SHARD)
    prefix = len(f"{inner[6][0][0] - 1:X}") if kind == SHARD else 0
    sizes = io.BytesIO(b"".join(_varint(size) if isinstance(size, int) else size for size, _ in inner.get(4, [])))
    links = [(name[prefix:], link[1], 0 if is_directory else _number(sizes, False)) for name, link in zip(names, links)]
    once = {name[prefix:] or (name,) for name in names}  # a further shard has no name but its prefix
    _need(len(once) == len(names) if is_directory else not any(names), "a name that cannot be there")
    _need(outer.keys() <= {1, 2} and kind <= SHARD and not sizes.read(), "no UnixFS")
    [(content, end)] = [(b"", 0)] if is_directory else inner.get(2, [(b"", 0)])
    return kind or FILE, data_end - len(data) + end - len(content), len(content), links


def _node(pair):  # of a piece's tree
    digest = hashlib.sha256(pair).digest()
    return digest[:31] + bytes([digest[31] & 0x3F])


class Check:
    """A proof and the data: `lines` says what is proven; where it is not, making one raises an error."""

    def __init__(self, proof, data_path):
        self.proof = stream = io.BytesIO(proof[:-8])
        _need(_take(stream, 8) == b"PWPROOF1" and hashlib.sha256(proof[:-8]).digest()[:8] == proof[-8:], "damaged")
        self.depth, self.length, self.root = _number(stream), _number(stream), os.fsencode(data_path)
        self.begin = _number(stream) if self.length else 0
        self.end, self.sections, self.counts = self.begin + self.length or 1 << 64, {}, {}
        claims = [(_take(stream), [_number(stream) for _ in range(_number(stream))]) for _ in range(_number(stream))]
        items = [self._walk(cid, (), 0, 0, 0, route) for cid, route in claims]
        self.sections = dict(enumerate(self.sections.values()))
        pieces = [self._check_piece() for _ in range(_number(stream))]
        cids, roots = [cid for cid, _ in pieces], [root for _, root in pieces if root]
        _need(sorted(roots) == sorted({cid for cid, _ in claims}) if roots else claims[0][1] == claims[1:], "bad roots")
        _need(cids and all(a < b for many in (claims, cids) for a, b in zip(many, many[1:])), "out of order")
        _need([*map(len, {path[:self.depth] for _, path in items})] == [self.depth], "items at several places")
        _need(not self.sections and not stream.read() and len(self.counts) == 1 + sum(self.counts.values()), "too much")
        place = f", bytes {self.begin} up to {self.end}" if self.length else ""
        named = [(b"\x01\x70" + cid if cid[0] == 0x12 else cid, f"is {b'/'.join(path)!a} below {root.hex()}{place}")
                 for (root, _), (cid, path) in zip(claims, items)]
        self.lines = ["b" + base64.b32encode(cid).decode().lower().rstrip("=") + " " + what
                      for cid, what in named + [(cid, "is a piece") for cid in cids]]

    def _walk(self, cid, path, at, size, above, route):  # on a route by one link, then everywhere; returns the item
        full = os.path.join(self.root, *path[self.depth:])
        kind, content, links = self._take_block(cid, full, at)
        is_directory, total = kind in (DIRECTORY, SHARD), len(content) + sum(length for *_, length in links)
        _need(above in {0, kind} - {DIRECTORY, SYMLINK} and (above != FILE or total == size), "not as above")
        _need(not route or is_directory and (len(route) > 1 or links[route[0]][0]), "no entry of a directory")
        if not above and (not route or len(path) >= self.depth):
            _need(not self.length or kind in (FILE, OTHER) and self.end <= total, "no such range")
            what = content if kind == SYMLINK else None if is_directory else self.length or total
            size = os.path.getsize(full) if os.path.isfile(full) else None
            _need(what == (os.readlink(full) if os.path.islink(full) else size), f"the data's {full}: expected {what}")
            self.counts[full] = len(os.listdir(full)) if what is None else 0
        at += len(content)
        for name, child, length in [links[route[0]]] if route else links:
            _need(name not in (b".", b"..") and not {0, 0x2F} & set(name) and len(name) < 256, "an unsafe name")
            if is_directory or not self.length or at < self.end and at + length > self.begin:
                below = self._walk(child, (*path, name) if name else path, at, length, 0 if name else kind, route[1:])
            at += length
        return below if route else (cid, path)

    def _read(self, path, at, count, before, after):  # `count` bytes of the data between others
        if count:
            with open(path, "rb") as file:
                file.seek(at)
                before += _take(file, count)
        return before + after

    def _take_block(self, cid, path, at):  # (kind, content, links), of a record and the data from `at` on
        stream, begin = io.BytesIO(b"\x01\x70" + cid if cid[:1] == b"\x12" else cid), max(at, self.begin)
        version, codec, function, digest = _number(stream), _number(stream), _number(stream), _take(stream)
        before, count, after = _take(self.proof), _number(self.proof), _take(self.proof)
        _need(len(before) + count + len(after) <= BLOCK_BYTES_MAX and version == 1 and not stream.read(), "a bad block")
        block = self._read(path, begin - self.begin, count, before, after)
        _need(len(digest) <= 128 and digest == (hashlib.new(HASHES[function], block).digest() if function else block),
              "another block")
        if function:
            section = path, begin - self.begin, count, _varint(len(cid + block)) + cid + before, after
            self.sections.setdefault((cid, hashlib.sha256(block).digest()), section)
        kind, start, size, links = _decode(codec, block)
        taken = min(at + size, self.end) - begin if kind in (FILE, OTHER) else 0
        _need((len(before), count) == ((start + begin - at, taken) if taken > 0 else (len(block), 0)), "another split")
        return kind, block[start:start + size], links

    def _check_piece(self):  # its CID and its CAR's root, from the places of sections and what lies beside them
        self.nodes, self.at, self.pending = [], 0, b""
        root, payload, car_root = _take(self.proof, 32), _number(self.proof), _take(self.proof)
        last, size = max(payload - 1, 0) // 127, len(car_root) + 1
        size_code = bytes([0x40 + size]) if size < 24 else bytes([0x58, size])
        header = b"\xa2\x65roots\x81\xd8\x2a" + size_code + b"\0" + car_root + b"\x67version\x01"
        self._add(_varint(len(header)) + header if car_root else b"")
        for _ in range(_number(self.proof)):
            self._skip(self.at + _number(self.proof))
            self._add(self._read(*self.sections.pop(_number(self.proof))))
        _need(self.at, "a piece that nothing needs")
        self._skip(127 * last)
        self._add(_take(self.proof, payload - self.at) + bytes(127 * (last + 1) - payload))
        height, zeros = last.bit_length() + 2, bytes(32)
        for level in range(height):
            if self.nodes[-1][0] == level:
                self._add_node(level, zeros)
            zeros = _node(2 * zeros)
        _need(self.nodes == [(height, root)] and height <= 57, "the bytes lead to another piece")
        digest = _varint((127 << height - 2) - payload) + bytes([height]) + root
        return b"\x01\x55\x91\x20" + _varint(len(digest)) + digest, car_root

    def _skip(self, end):  # takes bytes of groups of 127 that have known ones too, else roots of the largest subtrees
        while self.at < end:
            first, left = self.at // 127, (end - self.at) // 127
            if self.at % 127 or not left:
                self._add(_take(self.proof, min(127 - self.at % 127, end - self.at)))
            else:
                level = min((first & -first or left).bit_length(), left.bit_length()) - 1
                self._add_node(level + 2, _take(self.proof, 32))
                self.at += 127 << level

    def _add(self, data):  # the piece's next bytes: 127 are 4 leaves of 254 bits
        self.at, data = self.at + len(data), self.pending + data
        for i in range(0, len(data) - 126, 127):
            bits = int.from_bytes(data[i:i + 127], "little")
            for leaf in range(4):
                self._add_node(0, (bits >> 254 * leaf & (1 << 254) - 1).to_bytes(32, "little"))
        self.pending = data[len(data) // 127 * 127:]

    def _add_node(self, level, digest):  # the piece's next subtree; two of one level are folded
        while self.nodes and self.nodes[-1][0] == level:
            level, digest = level + 1, _node(self.nodes.pop()[1] + digest)
        self.nodes.append((level, digest))


def main(arguments):
    """The command line."""
    if len(arguments) != 3 or arguments[1] != "--data":
        print(__doc__, file=sys.stderr)
        return 64
    if not os.path.isfile(arguments[0]) or not os.path.lexists(arguments[2]):
        print("the proof or the data does not exist", file=sys.stderr)
        return 66
    try:
        with open(arguments[0], "rb") as file:
            print(*Check(file.read(PROOF_BYTES_MAX), arguments[2]).lines, "ok", sep="\n")
    except Exception as error:  # whatever stops it, this is no proof
        print("no:", error, file=sys.stderr)
        return 65
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
