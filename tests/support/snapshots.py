"""Snapshots of trees as CARs, for tests of --known-grain block.

The DAGs come from an independent importer (tests/interop/oracles/unixfs_ref.py); what is packed is read by
tests/support/dag.py.
"""
import json
import subprocess
import warnings
from pathlib import Path

import dag
import harness
import unixfs_ref
from incremental import Case

BLOCK = ("--known-grain", "block")


class BlockCase(Case):
    def setUp(self):
        super().setUp()
        warnings.simplefilter("ignore", ResourceWarning)  # the importer leaves files to the garbage collector
        self.blocks = {}  # of everything that was imported

    def snapshot(self, name, entries, cut=(), **options):
        """A CAR of a tree; (path, root). `cut`: CIDs that it lacks."""
        tree = self.temp / f"tree-{name}"
        harness.make_tree(tree, entries)
        blocks = {}
        importer = unixfs_ref.B(sink=blocks.__setitem__, **{"chunk": 1024, "max_links": 4, **options})
        root, _ = importer.tree(unixfs_ref.walk(str(tree)))
        self.blocks.update(blocks)
        there = {cid: block for cid, block in blocks.items() if cid not in cut}
        return dag.write_car(self.temp / f"{name}.car", root, there), root

    def held(self, *outs):
        """Every block of the CARs in these directories."""
        blocks = {}
        for out in outs or (self.out,):
            for car in out.glob("*.car"):
                blocks.update(dag.read_car(car)[0])
        return blocks

    def assert_whole(self, root, *outs):
        reached, missing = dag.reach(self.held(*outs), root)
        self.assertEqual(missing, [])
        self.assertEqual(set(reached), set(dag.reach(self.blocks, root)[0]))

    def external(self, piece):
        """{CID: line} of the list of blocks that the piece leaves out."""
        path = Path(piece["receipt"]).with_suffix(".external.ndjson.zst")
        if not path.exists():
            return {}
        done = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True)
        return {line["cid"]: line for line in map(json.loads, done.stdout.splitlines())}

    def run_blocks(self, *sources, flags=(), **options):
        return self.run_known(*sources, flags=(*BLOCK, *flags), **options)

    TREE = {f"{top}/{i:02}": harness.hashlib.sha256(b"%s%d" % (top.encode(), i)).digest() * 100
            for top in ("a", "b", "c/d") for i in range(12)}
    CHANGED = {**TREE, "a/03": b"changed" * 900, "a/new": b"new", "c/more": TREE["b/01"]}
