#!/usr/bin/env python3
"""Makes a kubo repository of many blocks, for measurements: flatfs, CIDv0, files of CHUNKS chunks under one root each.

usage: make_flatfs.py REPO ROOTS [--files N] [--chunks N] [--chunk-bytes N] [--seed N]

The same arguments give the same blocks. ROOTS receives the files' CIDs, one a line, for --roots (there are no pins). A
second call with another --seed adds files to the repository. 5,747 files of 174 chunks of 16 KiB are 1,005,725 blocks
and take 20 GB on disk.
"""
import argparse
import base64
import hashlib
import json
import random
from pathlib import Path

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SHARDING = "/repo/flatfs/shard/v1/next-to-last/2"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(tag, content):
    return bytes([tag]) + varint(len(content)) + content


def leaf_node(chunk):
    """A dag-pb File node that holds `chunk`."""
    return field(0x0A, b"\x08\x02" + field(0x12, chunk) + b"\x18" + varint(len(chunk)))


def root_node(children):
    """The dag-pb node above (multihash, block bytes, file bytes) of each leaf."""
    links = b"".join(field(0x12, field(0x0A, cid) + b"\x12\x00\x18" + varint(size)) for cid, size, _ in children)
    total = sum(length for _, _, length in children)
    sizes = b"".join(b"\x20" + varint(length) for _, _, length in children)
    return links + field(0x0A, b"\x08\x02\x18" + varint(total) + sizes)


def base58(data):
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


class Repository:
    """Blocks as go-ds-flatfs lays them out."""

    def __init__(self, path):
        self.blocks = path / "blocks"
        self.blocks.mkdir(parents=True, exist_ok=True)
        (path / "version").write_text("18\n")
        mounts = [{"mountpoint": "/blocks", "path": "blocks", "shardFunc": SHARDING, "type": "flatfs"},
                  {"mountpoint": "/", "path": "datastore", "type": "levelds"}]
        (path / "datastore_spec").write_text(json.dumps({"mounts": mounts, "type": "mount"}))
        (self.blocks / "SHARDING").write_text(SHARDING + "\n")
        self.folders = set()

    def add(self, block):
        multihash = b"\x12\x20" + hashlib.sha256(block).digest()
        key = base64.b32encode(multihash).decode().rstrip("=")
        folder = self.blocks / key[-3:-1]
        if folder not in self.folders:
            folder.mkdir(exist_ok=True)
            self.folders.add(folder)
        with open(f"{folder}/{key}.data", "wb") as file:
            file.write(block)
        return multihash


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("repository", type=Path)
    parser.add_argument("roots", type=Path)
    parser.add_argument("--files", type=int, default=5747)
    parser.add_argument("--chunks", type=int, default=174)
    parser.add_argument("--chunk-bytes", type=int, default=16384)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    repository = Repository(options.repository)
    numbers = random.Random(options.seed)
    with open(options.roots, "w", encoding="ascii") as roots:
        for _ in range(options.files):
            children = []
            for _ in range(options.chunks):
                block = leaf_node(numbers.randbytes(options.chunk_bytes))
                children.append((repository.add(block), len(block), options.chunk_bytes))
            # A file of one chunk is its leaf.
            root = children[0][0] if len(children) == 1 else repository.add(root_node(children))
            roots.write(base58(root) + "\n")
    print(options.files * (options.chunks + (options.chunks > 1)), "blocks")


if __name__ == "__main__":
    main()
