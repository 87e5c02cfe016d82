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
import harness  # noqa: E402
import proofs  # noqa: E402
from proof_case import CHUNK, ProofCase  # noqa: E402


class Hostile(ProofCase):
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

    def test_a_proof_that_is_too_large_is_not_read(self):
        self.put_data(self.content["b"])
        path = self.temp / "proof"
        path.touch()
        for size, reason in ((256 << 20, "PWPROOF1"), ((256 << 20) + 1, "at most 268435456 bytes")):
            os.truncate(path, size)
            finished = self.check(harness.run("check-proof", path, "--data", self.data), 65)
            self.assertIn(reason, finished.err.decode())

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
