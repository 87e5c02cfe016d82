#!/usr/bin/env python3
"""Sources that are missing, unreadable, changed, hostile or of a kind that cannot be packed."""
import contextlib
import os
import socket
import stat
import sqlite3
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

HANG_S = 60  # far longer than the command needs: it would hang on what it must not open or read


class Sources(harness.TestCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.temp, 0o777)
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source, {"one": b"1" * 1000, "two/three": b"3" * 2000, "two/four": b"4"})

    def assert_nothing_published(self):
        left = [name for name in harness.files_below(
            self.out) if not name.startswith("plans/")] if self.out.exists() else []
        self.assertEqual(left, [])

    def test_missing_source(self):
        finished = self.check(harness.run("pack", self.source / "gone", "--out", self.out), 66)
        self.assertIn("gone", finished.err.decode())
        self.assert_nothing_published()

    def test_unreadable_file(self):
        (self.source / "two/three").chmod(0)
        finished = harness.run("pack", self.source, "--out", self.out, wrapper=harness.unprivileged(self))
        self.assertIn("two/three", self.check(finished, 77).err.decode())
        self.assert_nothing_published()

    def test_unreadable_directory(self):
        (self.source / "two").chmod(0)
        finished = harness.run("pack", self.source, "--out", self.out, wrapper=harness.unprivileged(self))
        self.assertIn("two", self.check(finished, 77).err.decode())
        self.assert_nothing_published()

    def test_skip_leaves_out_what_cannot_be_read(self):
        (self.source / "two/three").chmod(0)
        report = self.pack(
    self.source,
    "--out",
    self.out,
    "--on-source-error",
    "skip",
     wrapper=harness.unprivileged(self))
        self.assertEqual([Path(item["path"]).name for item in report["skipped"]], ["three"])
        harness.make_tree(self.temp / "rest", {"one": b"1" * 1000, "two/four": b"4"})
        rest = self.pack_one(self.temp / "rest", "--out", self.temp / "out-rest")
        self.assertEqual(report["pieces"][0]["root_cid"], rest["root_cid"])

    def test_special_files_are_said_and_never_opened(self):
        os.mkfifo(self.source / "a-fifo")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.source / "a-socket"))
        special = ["a-fifo", "a-socket"]
        if os.geteuid() == 0:
            os.mknod(self.source / "a-device", stat.S_IFCHR | 0o600,
                     os.makedev(1, 7))  # /dev/full: a read is visible as zeros
            special.append("a-device")
        report = self.pack(self.source, "--out", self.out, timeout=HANG_S)
        self.assertEqual(sorted(Path(item["path"]).name for item in report["skipped"]), sorted(special))
        for item in report["skipped"]:
            self.assertTrue(item["reason"])
        for name in special:
            (self.source / name).unlink()
        clean = self.pack_one(self.source, "--out", self.temp / "out-clean")
        self.assertEqual(report["pieces"][0]["root_cid"], clean["root_cid"])

    def test_source_that_is_a_fifo(self):
        os.mkfifo(self.temp / "fifo")
        finished = harness.run("pack", self.temp / "fifo", "--out", self.out, timeout=HANG_S)
        self.assertIn(finished.code, (64, 65, 66), finished)
        self.assert_nothing_published()

    def test_symlinks_are_kept_not_followed(self):
        harness.make_tree(
    self.source, {
        "loop": (
            "symlink", "loop"), "up": (
                "symlink", ".."), "dangling": (
                    "symlink", "/no/where")})
        self.pack(self.source, "--out", self.out)
        self.check(harness.run("verify", self.out), 0)

    def test_file_over_what_can_be_packed(self):
        with open(self.source / "huge", "wb") as sparse:
            try:
                sparse.truncate((1 << 46) + 1)
            except OSError:
                self.skipTest("the file system has no files of 64 TiB")
        finished = self.check(harness.run("pack", self.source, "--out", self.out, timeout=HANG_S), 64)
        self.assertIn("huge", finished.err.decode())
        self.assert_nothing_published()

    def test_hidden_entries(self):
        harness.make_tree(self.source, {".well-known/x": b"x", ".hidden": b"h"})
        with_hidden = self.pack_one(self.source, "--out", self.out)
        without = self.pack_one(self.source, "--out", self.temp / "out-2", "--hidden", "exclude")
        self.assertEqual((with_hidden["file_count"], without["file_count"]), (5, 3))

    def test_output_inside_a_source_is_left_out(self):
        plain = self.pack_one(self.source, "--out", self.out)
        report = self.pack(self.source, "--out", self.source / "pieces")
        self.assertEqual(report["pieces"][0]["root_cid"], plain["root_cid"])
        again = self.pack(self.source, "--out", self.source / "pieces")
        self.assertEqual(again["pieces"][0]["piece_cid_v2"], report["pieces"][0]["piece_cid_v2"])

    def test_names_that_are_not_utf8(self):
        harness.make_tree(self.source, {b"caf\xe9": b"latin-1", b"\xff\xfe/\x01": b"odd"})
        piece = self.pack_one(self.source, "--out", self.out)
        self.assertEqual(piece["file_count"], 5)
        self.check(harness.run("verify", self.out), 0)

    def test_several_sources_are_entries_of_one_root(self):
        harness.make_tree(self.temp / "joined", {"source/one": b"1" * 1000, "source/two/three": b"3" * 2000,
                                                 "source/two/four": b"4", "other": b"a file"})
        (self.temp / "other").write_bytes(b"a file")
        joined = self.pack_one(self.temp / "joined", "--out", self.out)
        parts = self.pack_one(self.source, self.temp / "other", "--out", self.temp / "out-2")
        self.assertEqual(parts["root_cid"], joined["root_cid"])

    def test_one_file_is_its_own_root(self):
        piece = self.pack_one(self.source / "one", "--out", self.out)
        self.assertEqual((piece["block_count"], piece["file_count"]), (1, 1))

    def test_empty_directory(self):
        (self.temp / "nothing").mkdir()
        piece = self.pack_one(self.temp / "nothing", "--out", self.out)
        self.assertEqual(piece["root_cid"], "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354")


class AfterThePlan(harness.TestCase):
    """What happens to a source between `plan` and `pack --plan`."""

    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        self.plan = self.temp / "plan"
        harness.make_tree(self.source, {"one": b"1" * 100_000, "two": b"2" * 200_000, "three": b"3"})
        self.check(harness.run("plan", self.source, "--out", self.plan), 0)

    def pack_plan(self, code):
        finished = self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--all"), code)
        if code != 0:
            self.assertEqual([n for n in harness.files_below(self.out) if n.endswith(".car")]
                             if self.out.exists() else [], [])
        return finished.err.decode()

    def test_unchanged(self):
        self.pack_plan(0)
        self.check(harness.run("verify", self.out), 0)

    def test_vanished(self):
        (self.source / "two").unlink()
        self.assertIn("two", self.pack_plan(66))

    def test_grown(self):
        with open(self.source / "two", "ab") as file:
            file.write(b"more")
        self.assertIn("two", self.pack_plan(66))

    def test_shrunk(self):
        os.truncate(self.source / "two", 1)
        self.assertIn("two", self.pack_plan(66))

    def test_edited_in_place_at_equal_size(self):
        with open(self.source / "two", "r+b") as file:
            file.write(b"X")
        self.assertIn("two", self.pack_plan(66))

    def test_became_a_directory(self):
        (self.source / "two").unlink()
        (self.source / "two").mkdir()
        self.pack_plan(66)

    def test_became_a_fifo(self):
        (self.source / "two").unlink()
        os.mkfifo(self.source / "two")
        self.pack_plan(66)

    def test_found_before_the_first_byte(self):
        """What a task would meet at its end it meets at its start: no batch begins, no payload is read."""
        harness.make_tree(self.source, {"a-large": b"x" * 3_000_000, "parts/whale": harness.payload("p", 700_000)})
        flags = ("--piece-size", "256KiB", "--chunk-size", "4096", "--dedup", "none")
        self.check(harness.run("plan", self.source, "--out", self.temp / "many", *flags), 0)
        whale = self.source / "parts/whale"
        times = whale.stat()
        os.utime(whale, ns=(1, 1))
        self.check_found_before("parts/whale")
        os.utime(whale, ns=(times.st_atime_ns, times.st_mtime_ns))
        (self.source / "two").unlink()
        self.check_found_before("two")
        self.assertEqual(list(self.out.glob(".piecework-*")), [])

    def check_found_before(self, name):
        events = self.temp / "events"
        finished = harness.run("pack", "--plan", self.temp / "many", "--out", self.out, "--task",
                               self.batch_with(name), "--events", events)
        self.assertIn(name, self.check(finished, 66).err.decode())
        self.assertNotIn("batch_started", events.read_text())

    def batch_with(self, name):
        """The first batch whose records name a file, or its parts."""
        for batch in range(40):
            with contextlib.closing(sqlite3.connect(self.temp / "many")) as plan:
                rows = plan.execute("SELECT data FROM records WHERE batch = ?", (batch,)).fetchall()
            data = b"".join(subprocess.run(["zstd", "-dc"], input=row[0], capture_output=True, check=True).stdout
                            for row in rows)
            if name.rpartition("/")[2].encode() in data:
                return batch
        return self.fail(f"no batch holds {name}")


if __name__ == "__main__":
    harness.main()
