#!/usr/bin/env python3
"""Compares with a real kubo: `ipfs add`, `ipfs dag export`, `ipfs dag import`, `ipfs get`, into real repositories.

usage: kubo.py [--large]      --large: only a file of more than 1 GiB, in both profiles
The program is $PIECEWORK_IPFS, or what tools/dev/install-kubo built, or `ipfs` on PATH; without one exit code 77.
Its repositories are temporary; no daemon runs, every command is offline, and the profile `test` names no peers.
"""
import filecmp
import json
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

LARGE = "--large" in sys.argv
LARGE_BYTES = (1 << 30) + 4321
PROFILES = ("unixfs-v1-2025", "unixfs-v0-2015")
OLDEST = (0, 40)  # the first with both profiles
REAL_TREES = ("docs", "engine", "io", "kernels", "tools")
TIMEOUT_S = 300  # of one kubo command


def find_ipfs():
    """The path of the program, or None."""
    built = harness.ROOT / "build/kubo/bin/ipfs"
    return os.environ.get("PIECEWORK_IPFS") or (str(built) if built.exists() else shutil.which("ipfs"))


def why_not_runnable():
    """A reason, or None; prints which kubo it is."""
    if find_ipfs() is None:
        return "no ipfs: see tools/dev/install-kubo"
    version = subprocess.run([find_ipfs(), "version", "--number"], capture_output=True, text=True, check=True).stdout
    print(f"kubo {version.strip()}: {find_ipfs()}", flush=True)
    return f"kubo is older than {OLDEST}" if tuple(map(int, version.split(".")[:2])) < OLDEST else None


def tree_entries():
    """A tree with all that UnixFS distinguishes, as harness.make_tree takes it."""
    several_mib = harness.payload("kubo", (5 << 20) + 7)
    entries = {f"many/{i:05d}-of-many-names": b"%d\n" % (i % 97) for i in range(6000)}
    return entries | {
        "many/inside/file": b"in a directory of a shard", "many/link": ("symlink", "00000-of-many-names"),
        "several-mib": several_mib, "copies/a": several_mib, "copies/b": b"equal", "copies/c/d": b"equal",
        "empty-file": b"", "empty-directory": None, "a/b/c/empty-directory": None, "a/b/empty-file": b"",
        ".hidden": b"hidden", ".well-known/.also/hidden": b"hidden too", "zeros": bytes(3 << 20),
        "link": ("symlink", "../outside"), "broken": ("symlink", "nowhere/at/all"), "a/absolute": ("symlink", "/etc"),
        "zażółć/gęślą/jaźń": b"pl", "日本語/ファイル": b"ja", "😀 & 'quoted' \"twice\"": b"emoji", "a\u0301 é": b"both forms",
        "one-chunk": harness.payload("chunk", 1 << 20), "small-chunk": harness.payload("small", 1 << 18),
        "one-more": harness.payload("more", (1 << 20) + 1),
    }


class Repository:
    """A new kubo repository whose imports follow `profile`."""

    def __init__(self, path, profile=PROFILES[0]):
        self.path = path
        self.ipfs("init", "--empty-repo", "--profile", f"test,{profile}")

    def ipfs(self, *arguments, stdin=None, stdout=subprocess.PIPE):
        """Runs a command offline; what it prints, as text without the last line's end."""
        command = [find_ipfs(), "--offline", *map(str, arguments)]
        environment = dict(os.environ, IPFS_PATH=str(self.path), IPFS_TELEMETRY="off")
        done = subprocess.run(command, input=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment,
                              timeout=TIMEOUT_S)
        if done.returncode != 0:
            raise AssertionError(f"$ {' '.join(command)}\nexit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
        return done.stdout.decode().strip() if done.stdout is not None else ""

    def add(self, tree, *options):
        """The root CID of a directory."""
        return self.ipfs("add", "--recursive", "--hidden", "--quieter", *options, tree)

    def export(self, root, car):
        with open(car, "wb") as file:
            self.ipfs("dag", "export", "--progress=false", root, stdout=file)
        return car

    def roots(self):
        """The CIDs that are pinned with all that is below them, and the MFS root."""
        return set(self.ipfs("pin", "ls", "--type=recursive", "--quiet").split()) | {self.mfs_root()}

    def mfs_root(self):
        return self.ipfs("files", "stat", "--hash", "/")


class KuboTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.tree = self.temp / "tree"
        self.out = self.temp / "out"

    def assert_same_bytes(self, car, expected):
        if not filecmp.cmp(car, expected, shallow=False):
            self.fail(f"{car} ({os.path.getsize(car)} bytes) is not {expected} ({os.path.getsize(expected)} bytes)")

    def assert_is_export(self, piece, repository):
        """The piece's CAR is what `ipfs dag export` gives for its root."""
        expected = repository.export(piece["root_cid"], self.temp / "export.car")
        self.assert_same_bytes(piece["car"], expected)
        expected.unlink()

    def check_tree_as_kubo_adds_it(self, profile):
        """pack's root and CAR of self.tree are those of `ipfs add` and `ipfs dag export`."""
        repository = Repository(self.temp / f"repository-{profile}", profile)
        out = self.temp / f"out-{profile}"
        root = repository.add(self.tree)
        piece = self.pack_one(self.tree, "--profile", profile, "--dedup", "blocks", "--out", out)
        self.assertEqual(piece["root_cid"], root)
        self.assert_is_export(piece, repository)
        print(f"    {profile}: {root}, {piece['payload_bytes']} bytes", flush=True)
        shutil.rmtree(out)
        return repository, root


@unittest.skipUnless(LARGE, "large")
class LargeFile(KuboTest):
    def test_file_of_more_than_a_gib(self):
        self.tree.mkdir()
        zeros = self.temp / "zeros"
        with open(zeros, "wb") as file:
            file.truncate(LARGE_BYTES)
        key = harness.hashlib.sha256(b"kubo-large").hexdigest()
        subprocess.run(["openssl", "enc", "-chacha20", "-K", key, "-iv", "0" * 32, "-in", zeros, "-out",
                        self.tree / "large"], check=True)
        for profile in PROFILES:
            with self.subTest(profile=profile):
                repository, _ = self.check_tree_as_kubo_adds_it(profile)
                shutil.rmtree(repository.path)


@unittest.skipIf(LARGE, "small")
class Trees(KuboTest):
    def test_tree_of_every_kind(self):
        harness.make_tree(self.tree, tree_entries())
        for profile in PROFILES:
            with self.subTest(profile=profile):
                self.check_tree_as_kubo_adds_it(profile)

    def test_files_deduplicated_by_content_have_the_same_root(self):
        harness.make_tree(self.tree, tree_entries())
        for profile in PROFILES:
            with self.subTest(profile=profile):
                root = Repository(self.temp / profile, profile).add(self.tree, "--only-hash")
                for dedup in ("files", "none"):
                    piece = self.pack_one(self.tree, "--profile", profile, "--dedup", dedup, "--no-car", "--out",
                                          self.temp / f"{profile}-{dedup}")
                    self.assertEqual(piece["root_cid"], root)

    def test_kubo_restores_what_was_packed(self):
        harness.make_tree(self.tree, tree_entries())
        for dedup in ("files", "none"):
            with self.subTest(dedup=dedup):
                piece = self.pack_one(self.tree, "--dedup", dedup, "--out", self.temp / f"out-{dedup}")
                repository = Repository(self.temp / f"empty-{dedup}")
                repository.ipfs("dag", "import", piece["car"])
                restored = self.temp / f"restored-{dedup}"
                repository.ipfs("get", "--progress=false", "--output", restored, piece["root_cid"])
                self.assertEqual(harness.snapshot(restored), harness.snapshot(self.tree))


    def test_files_in_parts_are_restored(self):
        """What fits no piece comes out of a join with the CID that `ipfs add` gives, the rest under its paths."""
        harness.make_tree(self.tree, {name: entry for name, entry in tree_entries().items() if "many/0" not in name})
        for profile in PROFILES:
            with self.subTest(profile=profile):
                pieces = self.pack(self.tree, "--profile", profile, "--piece-size", "4MiB", "--out",
                                   self.temp / f"out-{profile}")["pieces"]
                added = Repository(self.temp / f"added-{profile}", profile)
                empty = Repository(self.temp / f"empty-{profile}")
                empty.ipfs("dag", "import", *[piece["car"] for piece in pieces])
                restored = self.temp / f"restored-{profile}"
                for number, piece in enumerate(pieces):
                    batch = self.temp / f"batch-{profile}-{number}"
                    empty.ipfs("get", "--progress=false", "--output", batch, piece["root_cid"])
                    parts = json.loads(Path(piece["receipt"]).read_text())["parts"]
                    for directory in {part["item_path"] for part in parts}:
                        shutil.rmtree(batch / directory)
                    shutil.copytree(batch, restored, symlinks=True, dirs_exist_ok=True)
                self.assertEqual(harness.snapshot(restored), harness.snapshot(self.tree))
                rows = [row for piece in pieces for row in harness.file_rows(self.temp / f"out-{profile}", piece)]
                cids = {row["path"]: row["cid"] for row in rows if "path" in row}
                self.assertTrue(any(path.startswith("several-mib/0") for path in cids))
                for name in ("several-mib", "copies/a", "zeros", "one-more"):
                    self.assertEqual(cids[name], added.ipfs("add", "--quieter", "--only-hash", self.tree / name))


@unittest.skipIf(LARGE, "small")
class Stores(KuboTest):
    def setUp(self):
        """A repository with both kinds of trees, of both profiles, other codecs, inline blocks, and files in MFS."""
        super().setUp()
        self.real = self.temp / "real"
        for name in REAL_TREES:
            shutil.copytree(harness.ROOT / name, self.real / name, symlinks=True)
        harness.make_tree(self.tree, tree_entries())
        self.repository = Repository(self.temp / "repository")
        self.trees = {}  # root: the tree that it is
        for profile in PROFILES:
            self.repository.ipfs("config", "profile", "apply", profile)
            for tree in (self.real, self.tree):
                self.trees[self.repository.add(tree)] = tree

    def add_more_roots(self):
        """Roots that are no trees of the file system: dag-cbor, dag-json, inline blocks, MFS, and what is no root."""
        ipfs = self.repository.ipfs
        some_tree = next(iter(self.trees))
        node = json.dumps({"tree": {"/": some_tree}, "list": [1, {"again": {"/": some_tree}}]}).encode()
        codecs = {"dag-cbor", "dag-json"}
        self.other = {ipfs("dag", "put", "--pin", "--store-codec", codec, stdin=node) for codec in codecs}
        ipfs("config", "profile", "apply", PROFILES[0])
        self.inline = self.repository.add(self.tree, "--inline", "--inline-limit=64")
        ipfs("files", "mkdir", "--parents", "/some/folder")
        ipfs("files", "cp", f"/ipfs/{some_tree}", "/some/folder/tree")
        ipfs("files", "write", "--create", "/some/file", stdin=b"written through MFS")
        ipfs("files", "flush")
        self.not_a_root = ipfs("add", "--quieter", "--pin=false", stdin=b"neither pinned nor below a root")
        self.direct = ipfs("add", "--quieter", "--pin=false", stdin=b"pinned by itself")
        ipfs("pin", "add", "--recursive=false", self.direct)

    def test_every_root_is_that_of_dag_export(self):
        self.add_more_roots()
        pieces = self.pack(self.repository.path, "--one-item-per-piece", "--out", self.out)["pieces"]
        roots = [piece["root_cid"] for piece in pieces]
        self.assertEqual(sorted(roots), sorted(self.repository.roots()))
        self.assertLessEqual(self.trees.keys() | self.other | {self.inline, self.repository.mfs_root()}, set(roots))
        for piece in pieces:
            with self.subTest(root=piece["root_cid"]):
                self.assert_is_export(piece, self.repository)
        self.check(harness.run("verify", self.out), 0)
        print(f"    {len(pieces)} roots, {sum(piece['payload_bytes'] for piece in pieces)} bytes", flush=True)

    def test_planned_and_packed_apart(self):
        plan = self.temp / "plan"
        self.check(harness.run("plan", self.repository.path, "--one-item-per-piece", "--out", plan), 0)
        pieces = self.pack("--plan", plan, "--all", "--out", self.out)["pieces"]
        self.assertEqual({piece["root_cid"] for piece in pieces}, self.repository.roots())
        for piece in pieces:
            with self.subTest(root=piece["root_cid"]):
                self.assert_is_export(piece, self.repository)

    def test_inline_blocks(self):
        """Identity CIDs, of raw blocks in one profile and of dag-pb in the other."""
        for profile, codec in zip(PROFILES, (0x55, 0x70)):
            with self.subTest(profile=profile):
                self.repository.ipfs("config", "profile", "apply", profile)
                roots = self.temp / "roots"
                roots.write_text(self.repository.add(self.tree, "--inline", "--inline-limit=64") + "\n")
                out = self.temp / f"out-{profile}"
                piece = self.pack_one(self.repository.path, "--roots", roots, "--out", out)
                self.assert_is_export(piece, self.repository)
                sections, _ = harness.car_sections(Path(piece["car"]).read_bytes())
                inline = [section for section in sections if section[1:4] == bytes([1, codec, 0])]
                self.assertNotEqual(inline, [])
                self.assertEqual(harness.run("verify", out, "--json").json()["ok"], True)
                print(f"    {profile}: {len(inline)} of {len(sections)} sections are inline", flush=True)

    def test_shared_batches_are_restored(self):
        report = self.pack(self.repository.path, "--out", self.out)
        self.assertEqual(len(report["pieces"]), 1)
        self.assert_restored_from(report["pieces"])

    def test_shared_batches_of_small_pieces_are_restored(self):
        report = self.pack(self.repository.path, "--piece-size", "16MiB", "--out", self.out)
        self.assertGreater(len(report["pieces"]), 1)
        self.assert_restored_from(report["pieces"])

    def test_items_in_parts_are_restored(self):
        report = self.pack(self.repository.path, "--piece-size", "4MiB", "--out", self.out)
        self.assertTrue(any(json.loads(Path(piece["receipt"]).read_text())["parts"] for piece in report["pieces"]))
        self.assert_restored_from(report["pieces"])

    def assert_restored_from(self, pieces):
        """All trees of self.trees come back from the pieces' CARs through a repository that has nothing else."""
        empty = Repository(self.temp / "empty")
        empty.ipfs("dag", "import", *[piece["car"] for piece in pieces])
        for number, (root, tree) in enumerate(self.trees.items()):
            with self.subTest(root=root):
                restored = self.temp / f"restored-{number}"
                empty.ipfs("get", "--progress=false", "--output", restored, root)
                self.assertEqual(harness.snapshot(restored), harness.snapshot(tree))

    def test_export_through_a_pipe(self):
        root = next(iter(self.trees))
        exported = self.repository.export(root, self.temp / "piped.car")
        piece = self.pack_one("-", "--out", self.out, stdin=exported.read_bytes())
        self.assertEqual(piece["root_cid"], root)
        self.assert_same_bytes(piece["car"], exported)

    def test_exports_as_sources(self):
        cars = [self.repository.export(root, self.temp / f"{root}.car") for root in self.trees]
        report = self.pack(*cars, "--one-item-per-piece", "--out", self.out)
        self.assertEqual({piece["root_cid"] for piece in report["pieces"]}, self.trees.keys())
        for piece in report["pieces"]:
            self.assert_same_bytes(piece["car"], self.temp / f"{piece['root_cid']}.car")


if __name__ == "__main__":
    reason = why_not_runnable()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(harness.SKIPPED)
    if LARGE:
        sys.argv.remove("--large")
    harness.main()
