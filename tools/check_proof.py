#!/usr/bin/env python3
"""Checks a proof that data lies in Filecoin pieces; written from engine/FORMATS.md ("Proofs"), standard library only.

usage: check_proof.py PROOF --data FILE         exit codes: 0 yes, 65 no, 64 wrong usage, 66 proof or data missing
"""
import base64
import bisect
import hashlib
import os
import sys

HASHES, BLOCK_MAX = {0x11: "sha1", 0x12: "sha256", 0x13: "sha512"}, 32 << 20


class No(Exception):
    """The answer, with its reason."""


def need(condition, reason):
    if not condition:
        raise No(reason)


def node(pair):
    digest = hashlib.sha256(pair).digest()
    return digest[:31] + bytes([digest[31] & 0x3F])


ZEROS = [bytes(32)]
while len(ZEROS) < 64:
    ZEROS.append(node(ZEROS[-1] * 2))


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, count):
        need(count <= len(self.data) - self.at, "it ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, bytes_max=9):  # protobuf's varints have up to 10 bytes, and are taken as they come
        value = 0
        for i in range(bytes_max):
            byte = self.raw(1)[0]
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                need(byte or not i or bytes_max > 9, "a varint is not minimal")
                return value
        raise No("a varint is too long")

    def counted(self):
        return self.raw(self.number())

    def list_of(self, read, minimum=0):
        count = self.number()
        need(minimum <= count <= len(self.data) - self.at, "bad count")
        return [read() for _ in range(count)]

    def names(self):
        found = tuple(self.list_of(self.counted))
        need(all(map(is_safe, found)), "unsafe name")
        return found


def is_safe(name):
    return name not in (b"", b".", b"..") and not {0, 0x2F} & set(name) and len(name) <= 255


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def split_cid(cid):
    """(version, codec, hash function, digest) of a CID that fills `cid`."""
    if cid[:2] == b"\x12\x20":
        need(len(cid) == 34, "bad CIDv0")
        return 0, 0x70, 0x12, cid[2:]
    reader = Reader(cid)
    version, codec, function, digest = reader.number(), reader.number(), reader.number(), reader.counted()
    size = hashlib.new(HASHES[function]).digest_size if function in HASHES else len(digest)
    need(version == 1 and reader.at == len(cid) and len(digest) == size <= 128, "bad CID")
    return 1, codec, function, digest


def murmur(key):
    """The first half of MurmurHash3 x64-128."""
    c1, c2, mask, h1, h2 = 0x87C37B91114253D5, 0x4CF5AD432745937F, 2**64 - 1, 0, 0

    def scramble(value, a, bits, b):
        value = value * a & mask
        return (value << bits | value >> 64 - bits) * b & mask

    def mix(value):
        value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & mask
        value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & mask
        return value ^ value >> 33
    for at in range(0, len(key), 16):
        k1, k2 = (int.from_bytes(key[i:i + 8], "little") for i in (at, at + 8))
        is_whole, h1 = len(key) - at >= 16, h1 ^ scramble(k1, c1, 31, c2)
        h1 = (scramble(h1, 1, 27, 1) + h2) * 5 + 0x52DCE729 & mask if is_whole else h1
        h2 ^= scramble(k2, c2, 33, c1)
        h2 = (scramble(h2, 1, 31, 1) + h1) * 5 + 0x38495AB5 & mask if is_whole else h2
    h1 = (h1 ^ len(key)) + (h2 ^ len(key)) & mask
    return mix(h1) + mix(h1 + (h2 ^ len(key)) & mask) & mask


def fields(message):
    """(number, value, end of the value) of each protobuf field that is a number or has a length."""
    reader = Reader(message)
    while reader.at < len(message):
        tag = reader.number(10)
        need(tag & 7 in (0, 2), "bad wire type")
        yield tag >> 3, reader.number(10) if tag & 7 == 0 else reader.raw(reader.number(10)), reader.at


def decode(codec, block):
    """(kind, place of the content, its length, length with children, [(name, CID, length)], bits of a shard's level)"""
    data, links, one, sizes, whole = None, [], {}, [], ("other", 0, len(block), len(block), [], 0)
    if codec != 0x70:
        return ("file" if codec == 0x55 else "other", *whole[1:])
    for number, value, end in fields(block):
        need(number == 2 or number == 1 and data is None, "bad dag-pb")
        if number == 1:
            data, place = value, end - len(value)
        else:
            link = {name: content for name, content, _ in fields(value)}
            links.append((link.get(2, b""), link[1]))
    for number, value, end in fields(data or b""):
        need(number == 4 or number not in one, "a field comes twice")
        one[number] = value, end
        packed = Reader(value if isinstance(value, bytes) and number == 4 else b"")
        while packed.at < len(packed.data):
            sizes.append(packed.number(10))
        sizes += [value] if number == 4 and isinstance(value, int) else []
    kind = {0: "file", 1: "directory", 2: "file", 4: "symlink", 5: "shard"}.get(one[1][0]) if data is not None else None
    if kind is None:
        return whole
    content, end = one.get(2, (b"", 0)) if kind in ("file", "symlink") else (b"", 0)
    bits = one[6][0].bit_length() - 1 if kind == "shard" else 0
    need(kind != "file" or len(sizes) == len(links) and not any(name for name, _ in links), "bad node of a file")
    need(kind != "shard" or one[5][0] == 0x22 and one[6][0] == 1 << bits and 3 <= bits <= 10, "bad shard")
    links = [(*link, size) for link, size in zip(links, sizes if kind == "file" else [0] * len(links))]
    return kind, place + end - len(content) if content else 0, len(content), len(content) + sum(sizes), links, bits


class Check:
    """A proof and the data; run() raises No, or returns the piece CIDs."""

    def __init__(self, proof, root):
        reader = self.reader = Reader(proof[:-8])
        self.root, self.file = os.fsencode(root), (None, None)
        need(reader.raw(8) == b"PWPROOF1", "no proof")
        self.has_range = self.flag()
        self.begin, self.end = (reader.number(), reader.number()) if self.has_range else (0, 1 << 64)
        self.base, self.pieces = reader.names(), reader.list_of(self.read_piece, 1)
        self.claims, self.records = reader.list_of(self.read_claim, 1), reader.list_of(self.read_record)
        self.rests = [(reader.counted(), reader.raw(32 * reader.number())) for _ in self.pieces]
        keys = [(names, cid) for _, cid, names in self.claims]
        need(reader.at == len(proof) - 8 and self.begin < self.end, "bytes behind its end, or an empty range")
        need(proof[-8:] == hashlib.sha256(proof[:-8]).digest()[:8], "its seal is broken: it was damaged")
        need(all(a < b for a, b in zip(keys, keys[1:])), "claims out of order")
        need(all(claim[0] is not None for claim in self.claims) or len(keys) == 1 and not self.base, "bad claims")
        need(not self.has_range or len(keys) == 1 and not keys[0][0], "a range of several items")
        self.sections, self.known, self.all_paths, self.used, self.empty = [], {}, set(), 0, set()

    def flag(self):
        need(self.reader.data[self.reader.at] < 2, "neither 0 nor 1")
        return self.reader.raw(1)[0] == 1

    def read_piece(self):
        cid = self.reader.counted()
        version, codec, function, digest = split_cid(cid)
        reader = Reader(digest)
        padding, height, root = reader.number(), reader.raw(1)[0], reader.raw(32)
        payload = (1 << height - 2) * 127 - padding if 2 <= height <= 57 else -1
        need((version, codec, function, len(digest)) == (1, 0x55, 0x1011, reader.at) and root[31] < 64 and payload >= 0
             and (max(-(-payload // 127), 1) - 1).bit_length() + 2 == height, "bad piece CID v2")
        return cid, root, payload, height

    def read_claim(self):
        piece, cid = self.reader.number() if self.flag() else None, self.reader.counted()
        need(split_cid(cid) and (piece or 0) < len(self.pieces), "a claim of no piece")
        return piece, cid, self.reader.names() if piece is not None else ()

    def read_record(self):
        piece, offset, before = self.reader.number(), self.reader.number(), self.reader.counted()
        data = self.reader.number()
        need(piece < len(self.pieces), "a section of no piece")
        return piece, offset, before, data, self.reader.counted() if data else b""

    def read(self, path, at, count):
        if self.file[0] != path:
            self.close()
            self.file = path, open(os.path.join(self.root, path) if path else self.root, "rb")
        self.file[1].seek(at)
        found = self.file[1].read(count)
        need(len(found) == count, "the data is too short")
        return found

    def close(self):
        if self.file[1]:
            self.file[1].close()

    def use(self, piece):
        need(piece <= self.used, "pieces out of order")
        self.used = max(self.used, piece + 1)

    def block(self, cid, path, at):
        """(the block, its record where the walk comes to it for the first time)"""
        _, _, function, digest = split_cid(cid)
        if function == 0:
            return digest, None
        is_new = cid not in self.known
        if is_new:
            need(len(self.sections) < len(self.records), "a section is missing")
            self.known[cid] = cid, self.records[len(self.sections)], path, max(at, self.begin) - self.begin
            self.sections.append(self.known[cid])
            self.use(self.sections[-1][1][0])
        _, record, path, at = self.known[cid]
        need(max(len(record[2]), record[3], len(record[4])) <= BLOCK_MAX, "a block is too large")
        block = record[2] + self.read(path, at, record[3]) + record[4] if record[3] else record[2]
        if is_new:
            need(function in HASHES and hashlib.new(HASHES[function], block).digest() == digest, "wrong digest")
        return block, record if is_new else None

    def walk(self, names, cid, item_path):
        """From `cid` down `names`, then the item's DAG. On the stack: role, CID, path, place in file, length, level."""
        stack, paths, names = [("route", cid, item_path, 0, 0, 0)], set(), list(names)
        while stack:
            role, cid, path, at, size, level = stack.pop()
            role = "entry" if role == "route" and not names else role
            block, record = self.block(cid, path, at)
            kind, place, count, total, links, bits = decode(split_cid(cid)[1], block)
            begin, end = max(at, self.begin), min(at + count, self.end)
            is_content = kind in ("file", "other") and role != "route" and begin < end
            before, taken = (place + begin - at, end - begin) if is_content else (len(block), 0)
            need(not record or (len(record[2]), record[3]) == (before, taken), "other bytes than the content")
            need(record or not taken or self.read(path, begin - self.begin, taken) == block[before:before + taken],
                 "other bytes than those of a block that was seen")
            need(not level or kind == "shard" and links and (level + 1) * bits <= 64, "expected a shard")
            need(role != "part" or kind == "file" and total == size, "expected a part of a file")
            skip = 0 if kind != "shard" else len(f"{(1 << bits) - 1:X}")
            if role == "route":
                need(kind in ("directory", "shard"), "no directory")
                want, found = names[0], None
                bucket = murmur(want) >> 64 - (level + 1) * bits & (1 << bits) - 1
                for name, child, _ in links:
                    is_here = not skip or int(name[:skip], 16) == bucket
                    if found is None and is_here and name[skip:] in ((want, b"") if skip else (want,)):
                        found = child, name[skip:] == b""
                need(found, "no such entry")
                names = names if found[1] else names[1:]
                stack.append(("route", found[0], path, 0, 0, level + 1 if found[1] else 0))
                continue
            if role == "entry":
                need(path not in paths, "a path comes twice")
                paths.add(path)
                self.check_entry(path, kind, total, block[place:place + count])
            next_at = at + count
            children = []
            for name, child, length in links if kind != "other" else []:
                if kind == "file":
                    is_inside = not self.has_range or next_at < self.end and next_at + length > self.begin
                    if is_inside and (length or child not in self.empty):
                        children.append(("part", child, path, next_at, length, 0))
                        self.empty |= set() if length else {child}
                    next_at += length
                elif skip and len(name) == skip:
                    children.append(("shard", child, path, 0, 0, level + 1))
                else:
                    need(is_safe(name[skip:]), "unsafe name")
                    children.append(("entry", child, os.path.join(path, name[skip:]), 0, 0, 0))
            stack += reversed(children)

    def check_entry(self, path, kind, total, content):
        full = os.path.join(self.root, path) if path else self.root
        if kind == "symlink":
            need(os.path.islink(full) and os.readlink(full) == content, "expected a symlink with another target")
        elif kind in ("directory", "shard"):
            need(os.path.isdir(full) and not os.path.islink(full), "expected a directory")
        else:
            expected = self.end - self.begin if self.has_range else total
            is_file = os.path.isfile(full) and not os.path.islink(full)
            need(is_file and os.path.getsize(full) == expected, "expected a file of another length")
            need(not self.has_range or self.end <= total, "the range passes the file's end")
        need(not self.has_range or kind in ("file", "other"), "a range of what is no file")
        while path and path not in self.all_paths:
            self.all_paths.add(path)
            path = os.path.dirname(path)
            around = os.path.join(self.root, path) if path else self.root
            need(os.path.isdir(around) and not os.path.islink(around), "expected a directory")

    def check_piece(self, number):
        _, root, payload, height = self.pieces[number]
        spans = []  # [begin, end, bytes or (path, place)]
        for cid in {cid for piece, cid, _ in self.claims if piece == number}:
            head = b"\xa2\x65roots\x81\xd8\x2a" + (bytes([0x41 + len(cid)]) if len(cid) < 23 else
                                                    bytes([0x58, len(cid) + 1])) + b"\0" + cid + b"\x67version\x01"
            spans.append((0, varint(len(head)) + head))
        for cid, (piece, at, before, data, after), path, place in self.sections:
            if piece == number:
                head = varint(len(cid) + len(before) + data + len(after)) + cid + before
                spans.append((at, head))
                spans += [(at + len(head), (path, place, data)), (at + len(head) + data, after)] if data else []
        spans = [(at, at + (len(what) if isinstance(what, bytes) else what[2]), what) for at, what in spans if what]
        spans.sort(key=lambda span: span[:2])
        need(all(a[1] <= b[0] for a, b in zip(spans, spans[1:])) and (not spans or spans[-1][1] <= payload), "overlap")
        touched, last = [], max(-(-payload // 127), 1)
        for begin, end in [(a // 127, -(-b // 127)) for a, b, _ in spans] + [(last - 1, last)]:
            if touched and begin <= touched[-1][1]:
                touched[-1][1] = max(touched[-1][1], end)
            else:
                touched.append([begin, end])
        edge, hashes = map(Reader, self.rests[number])
        ends, span_ends = [end for _, end in touched], [end for _, end, _ in spans]

        def quad(index):
            at, found = 127 * index, b""
            end = min(at + 127, payload)
            i = bisect.bisect_right(span_ends, at)
            while at < end:
                here = i < len(spans) and spans[i][0] <= at
                count = min(end, spans[i][1] if here else spans[i][0] if i < len(spans) else end) - at
                what, skip = (spans[i][2], at - spans[i][0]) if here else (None, 0)
                found += edge.raw(count) if not here else (
                    what[skip:skip + count] if isinstance(what, bytes) else self.read(what[0], what[1] + skip, count))
                at, i = at + count, i + here
            bits = int.from_bytes(found, "little")
            leaves = b"".join((bits >> 254 * i & (1 << 254) - 1).to_bytes(32, "little") for i in range(4))
            return node(node(leaves[:64]) + node(leaves[64:]))

        def tree(level, index):
            first = index << level - 2
            if first >= last:
                return ZEROS[level]
            i = bisect.bisect_right(ends, first)
            if i == len(ends) or touched[i][0] >= min(first + (1 << level - 2), last):
                return hashes.raw(32)
            return quad(index) if level == 2 else node(tree(level - 1, 2 * index) + tree(level - 1, 2 * index + 1))
        need(tree(height, 0) == root, "the bytes lead to another piece")
        need(edge.at == len(edge.data) and hashes.at == len(hashes.data), "more bytes or hashes than needed")

    def run(self):
        try:
            return self.check()
        finally:
            self.close()

    def check(self):
        for piece, cid, names in self.claims:
            if piece is not None:
                self.use(piece)
            self.walk(self.base + names if piece is not None else (), cid, b"/".join(names))
        need(len(self.sections) == len(self.records) and self.used == len(self.pieces), "more than is needed")
        for folder, folders, files in os.walk(self.root):
            for name in folders + files:
                path = os.path.relpath(os.path.join(folder, name), self.root)
                need(path in self.all_paths, "the data has more than the proof")
        for number in range(len(self.pieces)):
            self.check_piece(number)
        return ["b" + base64.b32encode(cid).decode().lower().rstrip("=") for cid, *_ in self.pieces]


def main(arguments):
    if len(arguments) != 3 or arguments[1] != "--data":
        print(__doc__, file=sys.stderr)
        return 64
    if not os.path.isfile(arguments[0]) or not os.path.lexists(arguments[2]):
        print("the proof or the data does not exist", file=sys.stderr)
        return 66
    try:
        with open(arguments[0], "rb") as file:
            pieces = Check(file.read(), arguments[2]).run()
    except (No, OSError, LookupError, TypeError, ValueError) as error:
        print(f"no: {error}", file=sys.stderr)
        return 65
    print(*pieces, "ok", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
