"""What tests of proofs that are made by hand share: a piece, honest proofs of it to be changed, both checkers."""
import shutil

import dag
import harness
import proofs

CHUNK = 300


class ProofCase(harness.TestCase):
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
