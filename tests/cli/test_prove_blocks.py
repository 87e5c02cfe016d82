#!/usr/bin/env python3
"""Proofs over blocks that are made by hand to deceive: what nodes, names and CIDs say, and both checkers say no."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402
import proofs  # noqa: E402
from proof_case import ProofCase  # noqa: E402


class Blocks(ProofCase):
    def test_a_part_of_a_directory_for_the_whole(self):
        shard = dag.pb_number(1, 5) + dag.pb_bytes(2, b"\x03") + dag.pb_number(5, 0x22) + dag.pb_number(6, 256)
        inner = self.make.node(shard, [(b"00x", self.b), (b"01y", self.b)])
        outer = self.make.node(shard, [(b"00", inner), (b"01z", self.b)])
        above = self.make.directory([(b"d", outer)])
        piece = self.pack(above)
        names = {name: self.content["b"] for name in "xyz"}
        self.put_data(names)
        self.ask(self.proof(0, root=above, piece=piece), True, "all")
        self.put_data({"x": names["x"], "y": names["y"]})
        for depth in (1, 2):
            self.ask(self.proof(0, 0, root=above, piece=piece, depth=depth), False, f"the inner shard, {depth}")
        part = self.make.directory([(b"x", self.b), (b"y", self.b)])
        for inside, is_right in ((inner, True), (part, False)):
            root = self.make.node(shard, [(b"00", inside), (b"01z", self.b)])
            self.put_data(names)
            self.ask(self.proof(root=root, piece=self.pack(root)), is_right, "a directory in the place of a shard")
        shutil.rmtree(self.data)
        self.put_data(names["y"])
        self.ask(self.proof(0, 0, 1, root=above, piece=piece, depth=2), True, "an entry of it")

    def test_a_name_twice_in_a_shard(self):
        shard = dag.pb_number(1, 5) + dag.pb_bytes(2, b"\x07") + dag.pb_number(5, 0x22) + dag.pb_number(6, 256)
        inner = self.make.node(shard, [(b"00x", self.b), (b"01y", self.b), (b"02z", self.b)])
        for what, links, names in (("further shards", [(b"00", inner), (b"01", inner), (b"02a", self.b)], "axyz"),
                                   ("a name like a prefix", [(b"00", inner), (b"0100", self.b), (b"02a", self.b)],
                                    ["00", *"axyz"])):
            root = self.make.node(shard, links)
            self.put_data({name: self.content["b"] for name in names})
            self.ask(self.proof(root=root, piece=self.pack(root)), True, what)
        shutil.rmtree(self.data)
        for what, links, names in (("in two buckets", [(b"00a", self.b), (b"01b", self.b), (b"02a", self.b)], "ab"),
                                   ("in one bucket", [(b"00b", self.b), (b"02a", self.b), (b"02a", self.b)], "ab"),
                                   ("a further shard", [(b"00", inner), (b"00", inner), (b"02a", self.b)], "axyz")):
            root = self.make.node(shard, links)
            piece = self.pack(root)
            self.put_data({name: self.content["b"] for name in names})
            self.ask(self.proof(root=root, piece=piece), False, what + ", the directory")
            shutil.rmtree(self.data)
            self.put_data(self.content["b"])
            self.ask(self.proof(2, root=root, piece=piece), False, what + ", an entry of it")
            self.data.unlink()

    def ask_file(self, file, is_right, what):
        root = self.make.directory([(b"f", file)])
        self.ask(self.proof(0, root=root, piece=self.pack(root)), is_right, what)

    def test_parts_that_lie(self):
        size, empty = len(self.content["b"]), self.make.directory([])
        for what, more, *parts in (("a longer part", b"", (self.b, size - 1)),
                                   ("a shorter one", b"x", (self.b, size + 1)),
                                   ("an empty one with content", b"", (self.b, size), (self.c, 0)),
                                   ("one that is a directory", b"", (self.b, size), (empty, 0))):
            self.put_data(self.content["b"] + more)
            self.ask_file(self.make.file(parts), False, what)
        self.put_data(self.content["b"])
        self.ask_file(self.make.file([(self.b, size), (self.make.raw(b""), 0)]), True, "an empty part")

    def test_an_inline_block_is_in_no_piece(self):
        cid = b"\x01\x55\0" + bytes([len(self.content["b"])]) + self.content["b"]
        self.put_data(self.content["b"])
        proof = proofs.Proof({cid: self.content["b"]})
        proof.add_item(cid, [])
        self.ask(proof, False)

    def test_an_inline_block_has_128_bytes(self):
        for size, is_right in ((128, True), (129, False)):
            content = harness.payload("inline", size)
            cid = b"\x01\x55\0" + dag.varint(size) + content
            root = self.make.directory([(b"f", cid)])
            piece = self.pack(root)
            self.make.blocks[cid] = content
            self.put_data(content)
            self.ask(self.proof(0, root=root, piece=piece), is_right, size)
            del self.make.blocks[cid]

    def test_a_varint_has_63_bits(self):
        block = self.make.directory([])
        self.put_data(self.make.blocks[block])
        for codec, is_right in ((1 << 62, True), ((1 << 63) - 1, True), (1 << 63, False)):
            cid = b"\1" + dag.varint(codec) + block[2:]
            self.make.blocks[cid] = self.make.blocks[block]
            root = self.make.directory([(b"f", cid)])
            proof = self.proof(0, root=root, piece=self.pack(root))
            proof.records[1] = (b"", len(self.make.blocks[block]), b"")
            self.ask(proof, is_right, codec)

    def test_blocks_that_lie(self):
        self.put_data(self.content["b"])
        size = len(self.content["b"])
        content = dag.pb_bytes(2, self.content["b"]) + dag.pb_number(3, size)
        for what, message in (("another type", dag.pb_number(1, 6)), ("two types", dag.pb_number(1, 2) * 2),
                              ("no type", b""), ("a size of no part", dag.pb_number(1, 2) + dag.pb_number(4, 0)),
                              ("two contents", dag.pb_number(1, 2) + dag.pb_bytes(2, b"x"))):
            block = self.make.node(message + content)
            root = self.make.directory([(b"f", block)])
            proof = self.proof(0, root=root, piece=self.pack(root))
            self.ask(proof, False, what + ", as a block")
            at = self.make.blocks[block].index(self.content["b"])
            proof.records[1] = (self.make.blocks[block][:at], size, self.make.blocks[block][at + size:])
            self.ask(proof, False, what)
        cid = b"\2" + self.b[1:]
        self.make.blocks[cid] = self.content["b"]
        self.ask_file(cid, False, "a CID of version 2")
        whole = self.make.node(dag.pb_number(1, 2) + content)
        more = self.make.put(self.make.blocks[whole] + dag.pb_number(3, 0))
        for block, is_right in ((whole, True), (more, False)):
            root = self.make.directory([(b"f", block)])
            proof = self.proof(0, root=root, piece=self.pack(root))
            at = self.make.blocks[block].index(self.content["b"])
            proof.records[1] = (self.make.blocks[block][:at], size, self.make.blocks[block][at + size:])
            self.ask(proof, is_right, "a field behind Data")
        link = self.make.symlink(b"b")
        more = self.make.node(dag.pb_number(1, 4) + dag.pb_bytes(2, b"a") + dag.pb_number(4, 1), [(b"", link)])
        root = self.make.directory([(b"l", more)])
        self.data.unlink()
        os.symlink("a", self.data)
        self.ask(self.proof(0, root=root, piece=self.pack(root)), False, "a symlink with a part")
        self.data.unlink()
        self.put_data(self.content["b"])
        for what, links in (("a name twice", [(b"a", self.b), (b"a", self.b)]), ("no name", [(b"", self.b)]),
                            ("a name above", [(b"..", self.b)]), ("a slash", [(b"x/y", self.b)])):
            root = self.make.directory(links)
            self.ask(self.proof(0, root=root, piece=self.pack(root)), False, what)

    def test_fields_that_no_message_has(self):
        size = len(self.content["b"])
        content = dag.pb_bytes(2, self.content["b"]) + dag.pb_number(3, size)
        for what, field, is_right in (("a number", dag.pb_number(9, 1), True), ("bytes", dag.pb_bytes(9, b"x"), True),
                                      ("64 bits", dag.varint(9 << 3 | 1) + bytes(8), False),
                                      ("32 bits", dag.varint(9 << 3 | 5) + bytes(4), False)):
            self.put_data(self.content["b"])
            file = self.make.node(dag.pb_number(1, 2) + content + field)
            root = self.make.directory([(b"f", file)])
            proof = self.proof(0, root=root, piece=self.pack(root))
            block = self.make.blocks[file]
            at = block.index(self.content["b"])
            proof.records[1] = (block[:at], size, block[at + size:])
            self.ask(proof, is_right, what + " more in a file")
            self.data.unlink()
            root = self.make.directory([(b"b", self.b)], field)
            self.put_data({"b": self.content["b"]})
            self.ask(self.proof(root=root, piece=self.pack(root)), is_right, what + " more in a directory")
            shutil.rmtree(self.data)
        for field, is_right in ((b"", True), (dag.pb_number(4, 0), False), (dag.pb_bytes(4, b"\0"), False)):
            root = self.make.directory([(b"b", self.b), (b"l", self.make.symlink(b"b"))], field)
            self.put_data({"b": self.content["b"], "l": ("symlink", "b")})
            self.ask(self.proof(root=root, piece=self.pack(root)), is_right, "a block size in a directory")
            link = self.make.node(dag.pb_number(1, 4) + dag.pb_bytes(2, b"b") + field)
            root = self.make.directory([(b"b", self.b), (b"l", link)])
            self.ask(self.proof(root=root, piece=self.pack(root)), is_right, "a block size in a symlink")
            shutil.rmtree(self.data)

    def test_what_does_not_end(self):
        cid = self.b
        for _ in range(3000):
            cid = self.make.file([(cid, len(self.content["b"]))])
        self.put_data(self.content["b"])
        proof = proofs.Proof(self.make.blocks)
        proof.claims = [(cid, [])]
        while cid != self.b:
            proof.records.append((self.make.blocks[cid], 0, b""))
            cid = dag.links(cid, self.make.blocks[cid])[0][1]
        proof.records.append((b"", len(self.content["b"]), b""))
        self.ask(proof, False, "too deep")
        cid = self.make.file([])
        for _ in range(60):
            cid = self.make.file([(cid, 0), (cid, 0)])
        proof = proofs.Proof(self.make.blocks)
        proof.claims, proof.records = [(cid, [])], [(self.make.blocks[cid], 0, b"")] * 100
        self.put_data(b"")
        self.ask(proof, False, "2^60 parts")


if __name__ == "__main__":
    harness.main()
