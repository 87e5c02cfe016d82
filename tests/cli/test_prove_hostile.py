#!/usr/bin/env python3
"""Proofs that are made by hand to deceive: each field that a liar can change, and both checkers say no.

What makes them here is written from engine/FORMATS.md ("Proofs") too, with all of the piece at hand.
"""
import hashlib
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402
import proofs  # noqa: E402

CHUNK = 300


class Hostile(harness.TestCase):
    """A piece with a directory: file `a` of two equal parts and an end, `b` of one block, `sub` with `c` and a link."""

    def setUp(self):
        super().setUp()
        self.data = self.temp / "data"
        make, chunk = dag.Builder(), harness.payload("chunk", CHUNK)
        self.content = {"a": chunk + chunk + b"end", "b": b"the other file", "c": harness.payload("c", 500)}
        end, part = make.raw(b"end"), make.raw(chunk)
        self.a = make.file([(part, CHUNK), (part, CHUNK), (end, 3)])
        self.b, self.c = make.raw(self.content["b"]), make.raw(self.content["c"])
        self.sub = make.directory([(b"c", self.c), (b"link", make.symlink(b"../a"))])
        self.root = make.directory([(b"a", self.a), (b"b", self.b), (b"sub", self.sub)])
        self.make = make
        self.piece = self.pack(self.root)

    def pack(self, root):
        """The CAR with `root` and all blocks so far."""
        return proofs.Piece(self.make.write(self.temp / "car", root))

    def proof(self, *route, root=None, depth=None, begin=0, length=0, piece=None):
        """An honest proof of the item at the end of the route; to be changed."""
        proof = proofs.Proof(self.make.blocks, depth=len(route) if depth is None else depth, begin=begin, length=length)
        proof.add_item(root or self.root, route)
        proof.pieces = [proof.place(piece or self.piece)]
        return proof

    def put_data(self, content):
        if isinstance(content, bytes):
            self.data.write_bytes(content)
        else:
            shutil.rmtree(self.data, ignore_errors=True)
            harness.make_tree(self.data, content)

    def ask(self, proof, is_right, what=None):
        with self.subTest(what=what):
            encoded = proof if isinstance(proof, bytes) else proof.encode()
            path = self.temp / "proof"
            path.write_bytes(encoded)
            self.check(harness.run("check-proof", path, "--data", self.data), 0 if is_right else 65)
            self.assertEqual(proofs.says_yes(encoded, self.data), is_right, "the second checker")

    def refuse(self, change, *route, **options):
        """A proof that is right without `change`."""
        proof = self.proof(*route, **options)
        self.ask(proof, True, "unchanged")
        change(proof)
        self.ask(proof, False, change.__name__)

    def test_says_yes_to_what_is_right(self):
        for name, link in (("a", 0), ("b", 1)):
            self.put_data(self.content[name])
            self.ask(self.proof(link), True, name)
        self.data.unlink()
        self.put_data({"c": self.content["c"], "link": ("symlink", "../a")})
        self.ask(self.proof(2), True, "sub")
        self.put_data({"sub/c": self.content["c"]})
        self.ask(self.proof(2, 0, depth=0), True, "a file below the data's base")
        self.put_data({"a": self.content["a"], "b": self.content["b"], "sub/c": self.content["c"],
                       "sub/link": ("symlink", "../a")})
        self.ask(self.proof(), True, "all")

    def test_another_link_or_name(self):
        self.put_data(self.content["a"])

        def takes_the_other_link(proof):
            proof.claims[0] = (self.root, [1])

        def takes_a_link_that_is_not_there(proof):
            proof.claims[0] = (self.root, [3])

        def goes_on_behind_a_file(proof):
            proof.claims[0] = (self.root, [0, 0])

        def stands_elsewhere(proof):
            proof.depth = 0

        def stands_deeper(proof):
            proof.depth = 2

        def begins_at_the_file(proof):
            proof.claims[0] = (self.a, [])
        for change in (takes_the_other_link, takes_a_link_that_is_not_there, goes_on_behind_a_file, stands_elsewhere,
                       stands_deeper, begins_at_the_file):
            self.refuse(change, 0)
        self.ask(self.proof(1), False, "the data of another file")
        os.unlink(self.data)
        self.put_data({"sub/d": self.content["c"]})
        self.ask(self.proof(2, 0, depth=0), False, "another name")

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

    def test_other_records(self):
        self.put_data(self.content["a"])

        def leaves_a_part_out(proof):
            del proof.records[3]

        def has_one_more(proof):
            proof.records.append(proof.records[-1])

        def has_the_content_itself(proof):
            proof.records[2] = (self.content["a"][:CHUNK], 0, b"")

        def splits_the_content(proof):
            proof.records[2] = (self.content["a"][:1], CHUNK - 1, b"")

        def has_its_end(proof):
            proof.records[2] = (b"", CHUNK - 1, self.content["a"][CHUNK - 1:CHUNK])

        def takes_framing_behind_no_data(proof):
            block = proof.records[0][0]
            proof.records[0] = (block[:-1], 0, block[-1:])

        def is_another_block(proof):
            proof.records[1] = (self.make.blocks[self.sub], 0, b"")

        def swaps_two(proof):
            proof.records[3:5] = proof.records[4], proof.records[3]
        for change in (leaves_a_part_out, has_one_more, has_the_content_itself, splits_the_content, has_its_end,
                       takes_framing_behind_no_data, is_another_block, swaps_two):
            self.refuse(change, 0)

    def test_a_block_that_is_too_large_is_not_read(self):
        self.data.touch()
        os.truncate(self.data, 1 << 40)
        proof = self.proof(1)
        too_large = ("a block of over", "a bad block")
        for size, reason in ((32 << 20, ("digest", "another block")), ((32 << 20) + 1, too_large),
                             ((1 << 63) - 1, too_large)):
            proof.records[1] = (b"", size, b"")
            (self.temp / "proof").write_bytes(proof.encode())
            finished = self.check(harness.run("check-proof", self.temp / "proof", "--data", self.data), 65)
            self.assertIn(reason[0], finished.err.decode())
            with self.assertRaisesRegex(ValueError, reason[1]):
                proofs.check_proof.Check(proof.encode(), self.data)

    def test_other_places_in_the_piece(self):
        self.put_data(self.content["a"])

        def change_piece(**changes):
            def change(proof):
                proof.pieces[0].update(changes)
            change.__name__ = "changes " + ", ".join(changes)
            return change
        places = self.proof(0).pieces[0]["places"]
        first = places[0]
        for change in (change_piece(places=places[1:]), change_piece(places=[*places, places[-1]]),
                       change_piece(places=[(first[0], first[1], 9), *places[1:]]),
                       change_piece(places=[(*first[:2], places[1][2]), (*places[1][:2], first[2]), *places[2:]]),
                       change_piece(places=[(first[0] + 1, first[1], first[2]), *places[1:]]),
                       change_piece(places=[*places[:-1], (len(self.piece.payload) - 3, places[-1][1], places[-1][2])]),
                       change_piece(root=bytes(32)), change_piece(payload=len(self.piece.payload) + 1),
                       change_piece(payload=len(self.piece.payload) - 1), change_piece(payload=0),
                       change_piece(payload=2 * len(self.piece.payload)), change_piece(payload=(1 << 63) - 1),
                       change_piece(car_root=b""), change_piece(car_root=self.a), change_piece(rest_flip=0),
                       change_piece(rest_flip=-1), change_piece(rest_more=b"\0"), change_piece(rest_more=bytes(32))):
            self.refuse(change, 0)

    def test_other_pieces(self):
        self.put_data(self.content["b"])
        other = self.pack(self.b)

        def proves_nothing(proof):
            proof.pieces = []

        def names_one_more(proof):
            more = proof.place(other)
            proof.pieces.append({**more, "places": [], "car_root": b""})
            proof.pieces.sort(key=proofs.cid_of)

        def names_one_more_with_its_root(proof):
            more = proof.place(other)
            proof.pieces.append({**more, "places": []})
            proof.pieces.sort(key=proofs.cid_of)

        def names_it_twice(proof):
            proof.pieces *= 2

        def splits_it(proof):
            whole = proof.pieces[0]
            proof.pieces = [{**whole, "places": whole["places"][:1]},
                            {**whole, "places": whole["places"][1:], "car_root": b""}]
        for change in (proves_nothing, names_one_more, names_one_more_with_its_root, names_it_twice, splits_it):
            self.refuse(change, 1)
        proof = self.proof(1)
        root, leaf = proof.place(self.piece), proof.place(other)
        root["places"] = [place for place in root["places"] if place[2] == 0]
        leaf.update(places=[place for place in leaf["places"] if place[2] == 1], car_root=b"")
        proof.pieces = sorted([root, leaf], key=proofs.cid_of)
        self.ask(proof, True, "over two pieces")
        proof.pieces.reverse()
        self.ask(proof, False, "in another order")

    def test_several_items(self):
        self.put_data({"a": self.content["a"], "b": self.content["b"]})

        def both(routes, depth=0):
            proof = proofs.Proof(self.make.blocks, depth=depth)
            for route in routes:
                proof.add_item(self.root, route)
            proof.pieces = [proof.place(self.piece)]
            return proof
        self.ask(both([[0], [1]]), True, "both")
        self.ask(both([[1], [0]]), False, "in another order")
        self.ask(both([[0], [0], [1]]), False, "one twice")
        self.ask(both([[0]]), False, "one alone")
        self.ask(both([[0], [1], [2, 0]]), False, "one more")
        self.ask(both([]), False, "none")
        shutil.rmtree(self.data)
        self.put_data({"c": self.content["c"]})
        self.ask(both([[2, 0]], depth=1), True, "below sub")
        self.ask(both([[0], [2, 0]], depth=1), False, "at two bases")

    def test_ranges(self):
        begin, length = CHUNK // 2, CHUNK
        self.put_data(self.content["a"][begin:begin + length])

        def begins_elsewhere(proof):  # where the parts are the same
            proof.begin += CHUNK // 2

        def is_longer(proof):
            proof.length += 1

        def is_all_of_it(proof):
            proof.length = 0

        def leaves_content_out(proof):
            proof.records[2] = (proof.records[2][0][1:], *proof.records[2][1:])
        for change in (begins_elsewhere, is_longer, is_all_of_it, leaves_content_out):
            self.refuse(change, 0, begin=begin, length=length)
        self.put_data(b"end" + bytes(4))
        self.ask(self.proof(0, begin=2 * CHUNK, length=7), False, "behind the end")
        self.data.unlink()
        self.put_data({"c": b""})
        self.ask(self.proof(2, length=1), False, "of a directory")

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

    def test_longer_encodings(self):
        self.put_data(self.content["b"])
        proof = self.proof(1).encode()[:-8]
        self.assertEqual(proof[8:11], b"\1\0\1")  # depth, length, number of claims
        for at in range(8, 11):
            for longer in (b"\x80\x00", b"\x80\x80\x00"):
                changed = proof[:at] + bytes([proof[at] | 0x80]) + longer[1:] + proof[at + 1:]
                self.ask(changed + hashlib.sha256(changed).digest()[:8], False, (at, longer))

    def test_every_byte_counts(self):
        self.data.mkdir()
        self.put_data({"c": self.content["c"], "link": ("symlink", "../a")})
        proof = self.proof(2).encode()
        for at in range(len(proof)):
            changed = proof[:at] + bytes([proof[at] ^ 1 << at % 8]) + proof[at + 1:]
            self.assertFalse(proofs.says_yes(changed, self.data), at)
            changed = changed[:-8] + hashlib.sha256(changed[:-8]).digest()[:8]
            self.assertEqual(proofs.says_yes(changed, self.data), at >= len(proof) - 8, at)
        for end in range(len(proof)):
            cut = proof[:end] + hashlib.sha256(proof[:end]).digest()[:8]
            self.assertEqual(proofs.says_yes(cut, self.data), end == len(proof) - 8, end)

    def test_the_checker_is_small(self):
        lines = (harness.ROOT / "tools/check_proof.py").read_text().splitlines()
        self.assertLessEqual(len(lines), 200)
        self.assertLessEqual(max(map(len, lines)), 120)
        imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
        self.assertLessEqual(imported, set(sys.stdlib_module_names))


if __name__ == "__main__":
    harness.main()
