#!/usr/bin/env python3
"""System calls that fail, fall short or never return, by strace.

The exit code must be right, nothing wrong may be published, and after the fault is gone the same command finishes with
the same bytes. On the posix backend: a ring's operations are no calls.
"""
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

READS = "read,readv,pread64,preadv,preadv2"
WRITES = "pwrite64,pwritev,pwritev2"


class NeverMet(AssertionError):
    """The program made fewer such calls."""


class Faults(harness.TestCase):
    def setUp(self):
        super().setUp()
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source, {"large": harness.payload("faults", 3_000_000), "small": b"x" * 5000})
        self.expected = self.pack_one(self.source, "--out", self.temp / "expected")
        self.plan = self.temp / "plan"
        self.check(harness.run("plan", self.source, "--out", self.plan), 0)

    def pack_with(self, calls, fault, path=None):
        """Packs while `calls` meet `fault` (on `path` alone where given); the fault must have been met."""
        log = self.temp / "strace.log"
        strace = ["strace", "-f", "-o", log, *(["-P", path] if path else []), "-e", f"trace={calls}", "-e",
                  f"inject={calls}:{fault}"]
        # A leak checker cannot work under ptrace.
        finished = harness.run("pack", "--plan", self.plan, "--all", "--out", self.out, "--io", "posix", "--json",
                               wrapper=strace, env={"ASAN_OPTIONS": "detect_leaks=0"})
        text = log.read_text(errors="replace")
        if "INJECTED" not in text and "killed by" not in text:
            raise NeverMet(f"no {calls} met the fault\n{finished}")
        return finished

    def cars(self):
        return [name for name in harness.files_below(self.out) if name.endswith(".car")] if self.out.exists() else []

    def assert_finishes(self):
        for name in self.cars():
            self.assertEqual(harness.sha256_of(self.out / name), harness.sha256_of(self.temp / "expected" / name))
        piece = self.pack_one("--plan", self.plan, "--all", "--out", self.out)
        self.assertEqual(piece["piece_cid_v2"], self.expected["piece_cid_v2"])
        self.assertEqual([n for n in harness.files_below(self.out) if n.endswith(".tmp")], [])
        self.check(harness.run("verify", self.out), 0)

    def test_source_that_cannot_be_read(self):
        for name in ("large", "small"):
            with self.subTest(name=name):
                finished = self.check(self.pack_with(READS, "error=EIO", self.source / name), 65)
                self.assertIn(name, finished.err.decode())
                self.assertEqual(self.cars(), [])
        self.assert_finishes()

    def test_fsync_that_fails_is_not_retried(self):
        self.check(self.pack_with("fsync,fdatasync", "error=EIO:when=1"), 74)
        self.assertEqual(self.cars(), [])
        self.assert_finishes()

    def test_writes_that_fail(self):
        for error, code in (("EIO", 74), ("ENOSPC", 73), ("EDQUOT", 73), ("EROFS", 73)):
            with self.subTest(error=error):
                finished = self.check(self.pack_with(WRITES, f"error={error}:when=2+"), code)
                self.assertNotIn("large", finished.err.decode())
                self.assertEqual(self.cars(), [])
        self.assert_finishes()

    def test_kill_at_every_step_of_publishing(self):
        kills = 0
        for call in ("fsync", "fdatasync", "linkat", "unlinkat"):
            for number in (1, 2, 3):
                with self.subTest(call=call, number=number):
                    shutil.rmtree(self.out, ignore_errors=True)
                    try:
                        self.pack_with(call, f"signal=SIGKILL:when={number}")
                    except NeverMet:
                        break
                    kills += 1
                    self.assert_finishes()
        self.assertGreaterEqual(kills, 4)


if __name__ == "__main__":
    harness.main()
