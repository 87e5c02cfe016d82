#!/usr/bin/env python3
"""Proofs that items lie in pieces: what `prove` makes, `check-proof` and tools/check_proof.py accept; nothing else.

The second checker is imported and runs in this process. `--campaign N` checks N right and N wrong proofs with it.
"""
import hashlib
import json
import os
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402
from proofs import says_yes  # noqa: E402

PUBLIC = harness.VECTORS / "public"
CHUNK = 1000
V1 = ("--chunk-size", str(CHUNK), "--max-links", "4")
V0 = ("--profile", "unixfs-v0-2015", *V1)


class Prove(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source, self.out, self.proof = self.temp / "source", self.temp / "out", self.temp / "proof"

    def prove(self, item, *flags, out=None, code=0):
        return self.check(harness.run("prove", item, "--pieces", out or self.out, "--out", self.proof, *flags), code)

    def check_both(self, data, code=0, proof=None):
        proof = proof or self.proof
        self.check(harness.run("check-proof", proof, "--data", data), code)
        self.assertEqual(says_yes(Path(proof).read_bytes(), data), code == 0, "the second checker")

    def prove_and_check(self, item, data, *flags, out=None):
        self.prove(item, *flags, out=out)
        self.check_both(data)
        return self.proof.stat().st_size

    def tree(self):
        """Files around the borders of chunks and nodes, equal ones, empty ones, links."""
        sizes = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1, 17 * CHUNK + 5)
        entries = {f"sizes/{size}": harness.noise(f"file {size}", size) for size in sizes}
        chunk = harness.noise("repeated", CHUNK)
        entries |= {"repeated": chunk * 7 + b"end", "again/equal": entries["sizes/4001"],
                    "again/sub/equal": entries["sizes/4001"], "zeros": bytes(9 * CHUNK), "empty": b"", "none": None,
                    "link": ("symlink", "sizes/1"), "dangling": ("symlink", "nowhere"), b"n\xffme": b"not UTF-8",
                    "copy/equal": entries["sizes/4001"], "copy/sub/equal": entries["sizes/4001"]}
        harness.make_tree(self.source, entries)
        return [entry for entry, content in entries.items() if content is not None]

    def test_every_kind_of_entry_in_both_profiles(self):
        entries = self.tree()
        for flags in (V1, V0):
            out = self.temp / ("out" + flags[1])
            self.pack_one(self.source, "--out", out, *flags)
            for entry in [*entries, "sizes", "again", "copy", "none", "."]:
                with self.subTest(entry=entry, flags=flags):
                    data = os.path.join(os.fsencode(self.source), os.fsencode(entry))
                    self.prove_and_check(entry, os.fsdecode(data), out=out)

    def test_ranges(self):
        self.tree()
        content = (self.source / f"sizes/{17 * CHUNK + 5}").read_bytes()
        chance = random.Random(1)
        borders = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 16 * CHUNK, len(content) - 1, len(content)]
        ranges = [(a, b) for a in borders for b in borders if a < b][::4]
        ranges += [sorted(chance.sample(range(len(content) + 1), 2)) for _ in range(5)]
        data = self.temp / "range"
        for flags in (V1, V0):
            out = self.temp / ("out" + flags[1])
            self.pack_one(self.source, "--out", out, *flags)
            for begin, end in ranges:
                with self.subTest(begin=begin, end=end, flags=flags):
                    data.write_bytes(content[begin:end])
                    self.prove_and_check(f"sizes/{len(content)}", data, "--range", f"{begin}-{end}", out=out)
            data.write_bytes((self.source / "repeated").read_bytes()[1500:5200])
            self.prove_and_check("repeated", data, "--range", "1500-5200", out=out)
        name = f"sizes/{len(content)}"
        for text, code in ((f"0-{len(content) + 1}", 64), ("5-5", 64), ("5", 64), ("-5", 64), ("9-5", 64)):
            self.prove(name, "--range=" + text, out=out, code=code)
        self.prove("sizes", "--range", "0-1", out=out, code=64)
        self.prove("link", "--range", "0-1", out=out, code=64)

    def test_refuses_other_data(self):
        self.tree()
        self.pack_one(self.source, "--out", self.out, *V1)
        self.prove("sizes/4001")
        content = (self.source / "sizes/4001").read_bytes()
        data = self.temp / "data"
        for wrong in (content[:-1], content + b"\0", b"", content[:2000] + b"x" + content[2001:]):
            data.write_bytes(wrong)
            self.check_both(data, 65)
        self.check_both(self.source / "sizes", 65)
        self.check_both(self.source / "link", 65)
        data.unlink()
        os.symlink(self.source / "sizes/4001", data)
        self.check_both(data, 65)
        self.prove("sizes/4000")
        self.check_both(self.source / "sizes/4001", 65)
        self.check(harness.run("check-proof", self.proof, "--data", self.temp / "missing"), 66)
        self.check(harness.run("check-proof", self.temp / "missing", "--data", self.source), 66)

    def test_refuses_a_tree_with_more_or_less(self):
        self.tree()
        self.pack_one(self.source, "--out", self.out, *V1)
        self.prove("again")
        data = self.temp / "data"
        shutil.copytree(self.source / "again", data)
        self.check_both(data)
        (data / "sub/more").write_bytes(b"")
        self.check_both(data, 65)
        (data / "sub/more").unlink()
        (data / "sub/equal").rename(data / "sub/other")
        self.check_both(data, 65)

    def test_a_sharded_directory(self):
        harness.make_tree(self.source, {f"d/file number {i} with a long name {i * i}": b"%d" % i for i in range(4000)})
        piece = self.pack_one(self.source, "--out", self.out)
        for i in (0, 1234, 3999):
            name = f"d/file number {i} with a long name {i * i}"
            self.prove_and_check(name, self.source / name)
        self.prove("d/file number 4000", code=66)
        self.prove_and_check(piece["root_cid"], self.source)

    def test_a_small_file_of_a_large_tree_has_a_small_proof(self):
        harness.make_tree(self.source, {f"{i:05}": harness.noise(str(i), 100) for i in range(3)})
        (self.source / "large").write_bytes(harness.noise("large", 3 << 20))
        self.pack_one(self.source, "--out", self.out)
        self.assertLess(self.prove_and_check("00001", self.source / "00001"), 10 << 10)
        self.assertLess(self.prove_and_check("large", self.source / "large"), 10 << 10)

    def test_by_cid(self):
        self.tree()
        piece = self.pack_one(self.source, "--out", self.out, "--dedup", "blocks", *V1)
        rows = {row.get("path"): row for row in harness.file_rows(self.out, piece)}
        report = self.prove(rows["sizes/4001"]["cid"], "--json").json()
        self.assertEqual(report["items"][0]["cid"], rows["sizes/4001"]["cid"])
        self.check_both(self.source / "sizes/4001")
        blocks, _ = dag.read_car(Path(piece["car"]))
        inner = next(cid for cid in blocks if dag.links(cid, blocks[cid]) and b"" in dict(dag.links(cid, blocks[cid])))
        (self.temp / "part").write_bytes(dag.content(blocks, inner))
        report = self.prove(dag.cid_text(inner), "--json").json()
        self.check_both(self.temp / "part")
        self.check(harness.run("check-proof", self.proof, "--data", self.temp / "part", "--cid", dag.cid_text(inner),
                               "--piece", piece["piece_cid_v2"]), 0)
        self.check(harness.run("check-proof", self.proof, "--data", self.temp / "part", "--cid", piece["root_cid"]), 65)
        self.check(harness.run("check-proof", self.proof, "--data", self.temp / "part", "--piece", "bafkzcib"), 65)
        self.prove("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", code=66)
        self.prove("no/such/path", code=66)

    def test_a_file_in_parts_and_directories_in_several_pieces(self):
        harness.make_tree(self.source, {"d/movie": harness.noise("movie", 200000), "d/small": b"small",
                                        **{f"d/e/{i:02}": harness.noise(str(i), 9000) for i in range(20)}})
        report = self.pack(self.source, "--out", self.out, "--piece-size", "64KiB", *V1)
        self.assertGreater(len(report["pieces"]), 5)
        for item in ("d/movie", "d/small", "d/e", "d", "."):
            with self.subTest(item=item):
                self.prove_and_check(item, self.source / item)
        (self.temp / "range").write_bytes((self.source / "d/movie").read_bytes()[55555:155555])
        self.prove_and_check("d/movie", self.temp / "range", "--range", "55555-155555")
        self.prove("d")
        (self.source / "d/e/03").unlink()
        self.check_both(self.source / "d", 65)

    def test_stores_with_chunking_of_their_own(self):
        for name, profile in (("flatfs-repo-basic", "unixfs-v1-2025"), ("flatfs-repo-basic-v0-ntl3", "unixfs-v0-2015")):
            rows = json.loads((PUBLIC / "unixfs-trees.json").read_text())
            root = next(row["root"] for row in rows
                        if row["tree"] == "basic.spec.json" and row["profile"].startswith(profile))
            (self.temp / "roots").write_text(root)
            self.check_store(self.temp / name, PUBLIC / name, "--roots", self.temp / "roots")
        for car in sorted(PUBLIC.glob("basic.*.car")):
            self.check_store(self.temp / car.name, car)

    def check_store(self, out, *source):
        tree = self.temp / "tree"
        if not tree.exists():
            harness.materialise("basic.spec.json", tree)
        piece = self.pack_one(*source, "--out", out)
        for row in harness.file_rows(out, piece)[::5]:
            with self.subTest(source=source[0], path=row.get("path")):
                if "path" in row:
                    self.prove_and_check(row["path"], tree / row["path"], out=out)
        self.prove_and_check(".", tree, out=out)

    def test_blocks_of_other_codecs_and_inline_ones(self):
        inline = bytes.fromhex("01550005") + b"hello"
        cbor = b"\xa1\x61a\xd8\x2a" + bytes([0x58, 37, 0]) + dag.raw_cid(b"leaf")
        cbor_cid = b"\x01\x71\x12\x20" + hashlib.sha256(cbor).digest()

        def link(cid, name, size):
            body = b"\x0a" + dag.varint(len(cid)) + cid + b"\x12" + bytes([len(name)]) + name + b"\x18" + bytes([size])
            return b"\x12" + dag.varint(len(body)) + body
        root = link(inline, b"inline", 5) + link(cbor_cid, b"record", 40) + b"\x0a\x02\x08\x01"
        root_cid = b"\x01\x70\x12\x20" + hashlib.sha256(root).digest()
        car = dag.write_car(self.temp / "in.car", root_cid, {root_cid: root, inline: b"hello", cbor_cid: cbor,
                                                            dag.raw_cid(b"leaf"): b"leaf"})
        self.pack_one(car, "--out", self.out)
        harness.make_tree(self.source, {"inline": b"hello", "record": cbor})
        for item in ("inline", "record", "."):
            self.prove_and_check(item, self.source / item)
        self.prove_and_check(dag.cid_text(cbor_cid), self.source / "record")
        self.prove("inline")
        (self.source / "inline").write_bytes(b"hallo")
        self.check_both(self.source / "inline", 65)

    def test_without_cars(self):
        harness.make_tree(self.source, {"a": b"some bytes", "b": harness.noise("b", 5000)})
        self.pack_one(self.source, "--out", self.out, "--no-car")
        finished = self.prove("a", code=66)
        self.assertIn(b"--no-car", finished.err)

    def test_damaged_sidecars(self):
        self.tree()
        piece = self.pack_one(self.source, "--out", self.out, *V1)
        for suffix in ("tree", "nodes", "car"):
            path = self.out / f"{piece['piece_cid_v1']}.{suffix}"
            good = path.read_bytes()
            path.write_bytes(good[:len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1:])
            self.prove("sizes/4001", code=65)
            path.write_bytes(good)

    def test_flips_with_the_second_checker(self):
        self.campaign(30)

    def campaign(self, count):
        """`count` right proofs of random trees, items and ranges, and as many with a bit of proof or data changed."""
        chance = random.Random(count)
        for case in range(count):
            if case % 50 == 0:
                shutil.rmtree(self.source, ignore_errors=True)
                out = self.temp / f"out-{case}"
                names = [f"{chance.choice('abc')}/{i}" for i in range(6)]
                harness.make_tree(self.source, {name: chance.randbytes(chance.choice((0, 1, 127, 1000, 1001, 4321)))
                                                for name in names})
                self.pack_one(self.source, "--out", out, *chance.choice((V1, V0)))
            name = chance.choice(names)
            content = (self.source / name).read_bytes()
            data, flags = self.temp / "data", ()
            if len(content) > 1 and chance.random() < 0.4:
                begin, end = sorted(chance.sample(range(len(content) + 1), 2))
                flags, content = ("--range", f"{begin}-{end}"), content[begin:end]
            data.write_bytes(content)
            self.prove(name, *flags, out=out)
            proof = bytearray(self.proof.read_bytes())
            self.assertTrue(says_yes(bytes(proof), data), (case, name, flags))
            if content and chance.random() < 0.2:
                place = chance.randrange(len(content))
                changed = bytearray(content)
                changed[place] ^= 1 << chance.randrange(8)
                data.write_bytes(changed)
            else:
                place = chance.randrange(len(proof) - 8)
                proof[place] ^= 1 << chance.randrange(8)
                self.assertFalse(says_yes(bytes(proof), data), (case, name, flags, place))
                proof[-8:] = hashlib.sha256(proof[:-8]).digest()[:8]
            self.assertFalse(says_yes(bytes(proof), data), (case, name, flags, place))


if __name__ == "__main__":
    if "--campaign" in sys.argv:
        number = int(sys.argv.pop())
        sys.argv.pop()
        Prove.test_flips_with_the_second_checker = lambda self: self.campaign(number)
        sys.argv.append("Prove.test_flips_with_the_second_checker")
        harness.unittest.main(module="__main__", verbosity=2)
    harness.main()
