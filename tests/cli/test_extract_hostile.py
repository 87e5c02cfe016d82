#!/usr/bin/env python3
"""piecework ls and extract on input that means harm: nothing outside the target, nothing endless, every fault said."""
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402

MALFORMED = harness.VECTORS / "malformed"
# formats.md 11: what is accepted of the rows that are policy.
POLICY = {  # file: (ls, extract)
    "13-zero-padding-tail.car": (65, 65), "28-header-empty-roots.car": (0, 65), "49-cid-identity-huge.car": (65, 65),
    "56-dup-roots.car": (0, 0), "67-name-bad-utf8.car": (0, 0), "71-symlink-escape.car": (0, 0),
    "87-dagpb-no-data.car": (0, 65), "a6-hamt-prefix-lower.car": (0, 65), "a8-hamt-wrong-bucket.car": (0, 65),
    "c6-carv2-bad-index.car": (0, 0)}
# A block that no root leads to is not read; verify looks at every block.
NOT_REACHED = {"51-hash-mismatch-second.car"}
# Faults of a file's content, which ls does not read.
CONTENT = {"82-blocksize-lie.car", "83-filesize-2e63.car", "84-file-links-to-dir.car"}
# Limits hold for listing too.
BOMBS_OF_LS = {"b0-dag-bomb.car", "b2-deep-dirs.car"}


class Hostile(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.target = self.temp / "inner/target"
        self.dag = dag.Builder()

    def write(self, root):
        return self.dag.write(self.temp / "made.car", root)

    def extract(self, root, code, *flags):
        done = harness.run("extract", self.write(root), "--out", self.target, "--json", *flags)
        report = self.check(done, code)
        return report.json() if report.out else report

    def problems(self, report):
        return {(p["kind"], p.get("path")) for p in report["problems"]}

    def test_manifest(self):
        for row in json.loads((MALFORMED / "MANIFEST.json").read_text())["cars"]:
            name, expect = row["file"], row["expect"]
            if not name.endswith(".car"):
                continue
            ls, extract = {"accept": (0, 0), "reject": (65, 65), "reject-on-restore": (0, 65),
                           "policy": POLICY.get(name)}[expect]
            if name in NOT_REACHED:
                ls, extract = 0, 0
            ls = 0 if name in CONTENT else 65 if name in BOMBS_OF_LS else ls
            target = self.temp / name
            with self.subTest(file=name, why=row["why"]):
                self.check(harness.run("ls", "-r", MALFORMED / name, "--json"), ls)
                self.check(harness.run("extract", MALFORMED / name, "--verify-only"), extract)
                done = self.check(harness.run("extract", MALFORMED / name, "--out", target, "--json"), extract)
                if extract == 65:
                    self.assertTrue(done.err)
                if target.exists():
                    self.assertFalse([p for p in target.rglob("*") if p.is_symlink()])
        self.assertFalse((self.temp.parent / "evil.txt").exists())

    def test_a_block_of_9_mib(self):
        car = self.write(self.dag.raw(bytes(9 << 20)))
        self.assertIn(b"warning", self.check(harness.run("extract", car, "--out", self.target), 0).err)
        self.assertEqual([p.stat().st_size for p in self.target.iterdir()], [9 << 20])

    def test_names(self):
        bad = [b"..", b".", b"", b"a/b", b"/abs", b"nul\0", b"n" * 256, b".piecework-restore-0.tmp"]
        good = [b"n" * 255, b"\xff\xfe", b"...", b" ", b"a\\b", b"-rf", b"line\nend"]
        child = self.dag.raw(b"content")
        report = self.extract(self.dag.directory([(name, child) for name in bad + good]), 65)
        self.assertEqual(report["problem_count"], len(bad))
        self.assertEqual({p["kind"] for p in report["problems"]}, {"name"})
        self.assertEqual({os.fsencode(p.name) for p in self.target.iterdir()}, set(good))
        self.assertEqual([p.name for p in self.target.parent.iterdir()], ["target"])

    def test_symlinks(self):
        """Which symlinks stay inside is decided by text alone, and none is there while files are written."""
        link = self.dag.symlink
        inside = {b"s1": b"d/f", b"s2": b"./d//f", b"s3": b".", b"s4": b"d/../d"[:1], b"s5": b"dangling"}
        outside = {b"o1": b"/etc/passwd", b"o2": b"..", b"o3": b"d/../../x", b"o4": b"../x", b"o5": b"d/../f"}
        below = {b"b1": b"../s1", b"b2": b"..", b"b3": b"../../x"}
        file = self.dag.raw(b"f")
        root = self.dag.directory(sorted(
            [(name, link(to)) for name, to in (inside | outside).items()] +
            [(b"d", self.dag.directory([(name, link(to)) for name, to in below.items()] + [(b"f", file)]))]))
        report = self.extract(root, 0)
        made = {str(p.relative_to(self.target)): os.readlink(p) for p in self.target.rglob("*") if p.is_symlink()}
        expected = {k.decode(): v.decode() for k, v in inside.items()} | {"d/b1": "../s1", "d/b2": ".."}
        self.assertEqual(made, expected)
        self.assertEqual({s["path"] for s in report["left_out"]}, {k.decode() for k in outside} | {"d/b3"})
        self.extract(root, 0, "--allow-symlinks", "any")
        self.assertEqual(os.readlink(self.target / "o1"), "/etc/passwd")

    def test_nothing_is_written_through_symlinks_that_are_there(self):
        outside = self.temp / "outside"
        outside.mkdir()
        (outside / "f").write_bytes(b"mine")
        self.target.mkdir(parents=True)
        (self.target / "d").symlink_to(outside)
        (self.target / "f").symlink_to(outside / "f")
        file = self.dag.raw(b"theirs")
        inner = self.dag.directory([(b"f", file), (b"g", file)])
        root = self.dag.directory([(b"d", inner), (b"f", file), (b"ok", file)])
        report = self.extract(root, 73)
        self.assertEqual({c["path"] for c in report["conflicts"]}, {"d", "f"})
        self.assertEqual([(p.name, p.read_bytes()) for p in outside.iterdir()], [("f", b"mine")])
        self.assertEqual((self.target / "ok").read_bytes(), b"theirs")

    def test_special_files_in_the_way(self):
        self.target.mkdir(parents=True)
        os.mkfifo(self.target / "f")
        report = self.extract(self.dag.directory([(b"f", self.dag.raw(b"x"))]), 73)
        self.assertEqual(report["conflict_count"], 1)

    def test_two_at_once_wait(self):
        import fcntl
        self.target.mkdir(parents=True)
        lock = os.open(self.target, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.extract(self.dag.directory([]), 75)
        os.close(lock)

    def test_limits(self):
        file = self.dag.raw(b"0123456789")
        root = self.dag.directory([(b"a", file), (b"b", self.dag.directory([(b"c", file)]))])
        for flags in (("--max-entries", "3"), ("--max-bytes", "19"), ("--max-depth", "1")):
            self.assertIn(flags[0].encode(), self.extract(root, 65, *flags).err)
            self.assertFalse(self.target.exists() and list(self.target.iterdir()))
        self.extract(root, 0, "--max-entries", "4", "--max-bytes", "20", "--max-depth", "2")

    def test_a_file_of_children_without_content(self):
        """Any number of links that add nothing to a file: found out, not followed for ever."""
        cid, size = self.dag.raw(b""), 0
        for _ in range(12):
            cid = self.dag.file([(cid, size)] * 100)
        report = self.extract(self.dag.directory([(b"f", cid)]), 65)
        self.assertEqual(self.problems(report), {("node", "f")})

    def test_lies_about_lengths(self):
        leaf = self.dag.raw(b"abcd")
        liar = self.dag.file([(leaf, 4)])
        cases = {b"short": self.dag.file([(leaf, 3)]), b"long": self.dag.file([(leaf, 5)]),
                 b"deep": self.dag.file([(liar, 5)]), b"empty": self.dag.file([(liar, 0)]),
                 b"dir": self.dag.file([(self.dag.directory([]), 2)]),
                 b"link": self.dag.file([(self.dag.symlink(b"x"), 1)])}
        report = self.extract(self.dag.directory(list(cases.items()) + [(b"good", self.dag.file([(liar, 4)]))]), 65)
        self.assertEqual({p["path"].encode() for p in report["problems"]}, set(cases))
        self.assertEqual(harness.files_below(self.target), ["good"])

    def test_missing_blocks(self):
        gone = self.dag.raw(b"gone")
        lost = self.dag.directory([(b"x", gone)])
        root = self.dag.directory([(b"a", self.dag.raw(b"here")), (b"d", lost),
                                   (b"e", self.dag.directory([(b"y", gone)])),
                                   (b"f", self.dag.file([(self.dag.raw(b"1"), 1), (gone, 4)]))])
        del self.dag.blocks[gone], self.dag.blocks[lost]
        report = self.extract(root, 65)
        self.assertEqual(self.problems(report), {("missing-block", path) for path in ("d", "e/y", "f")})
        self.assertEqual({p["cid"] for p in report["problems"]}, {dag.cid_text(gone), dag.cid_text(lost)})
        self.assertEqual(harness.files_below(self.target), ["a"])
        self.check(harness.run("ls", "-r", self.temp / "made.car"), 65)

    def test_modes_and_times(self):
        """UnixFS 1.5: permission bits and times come back, set-user-ID and the like do not."""
        times = {name: dag.pb_bytes(8, dag.pb_number(1, 1_000_000_000) + b"\x15" + (123_000_000).to_bytes(4, "little"))
                 for name in ("all",)}["all"]
        file = self.dag.file([(self.dag.raw(b"x"), 1)], dag.pb_number(7, 0o4751) + times)
        folder = self.dag.directory([(b"f", file)], dag.pb_number(7, 0o500) + times)
        self.extract(self.dag.directory([(b"d", folder), (b"plain", self.dag.raw(b"p"))]), 0)
        for path, mode in (("d", 0o500), ("d/f", 0o751)):
            status = (self.target / path).stat()
            self.assertEqual((status.st_mode & 0o7777, status.st_mtime_ns), (mode, 1_000_000_000_123_000_000))


if __name__ == "__main__":
    harness.main()
