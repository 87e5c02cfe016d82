#!/usr/bin/env python3
"""Same sources, same bytes, whatever the threads, kernels, IO backend, memory, environment or order of creation."""
import os
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


def sample():
    """Small and large files, several segments, a sharded directory, repeated content, symlinks, names of every kind."""
    entries = {"large.bin": harness.payload("bytes-large",
    5_300_000),
    "again/large.bin": harness.payload("bytes-large",
    5_300_000),
    "empty": b"",
    "empty-directory": None,
    "link": ("symlink",
    "large.bin"),
    ".hidden/file": b"hidden",
    "name with space/ąę 日本 😀.txt": b"utf-8",
     "deep/" + "d/" * 40 + "file": b"deep"}
    entries |= {f"many/{index:04d}-{'x' * 60}": b"%d" % (index % 300) for index in range(3000)}
    return entries


class SameBytes(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        harness.make_tree(self.source, sample())
        self.pack(self.source, "--out", self.temp / "expected")
        self.expected = self.published(self.temp / "expected")
        self.assertTrue(any(name.endswith(".car") for name in self.expected), self.expected)

    def published(self, out):
        """Everything that does not depend on when and where it was made: all but the plan file."""
        return {name: harness.sha256_of(out / name)
                                        for name in harness.files_below(out) if not name.startswith("plans/")}

    def check_same(self, *flags, source=None, **options):
        out = self.temp / "out"
        self.pack(source or self.source, "--out", out, *flags, **options)
        self.assertEqual(self.published(out), self.expected)
        shutil.rmtree(out)

    def test_threads(self):
        for threads in (1, 2, 7):
            with self.subTest(threads=threads):
                self.check_same("--threads", threads)

    def test_io_backends(self):
        for backend in ("uring", "posix"):
            with self.subTest(backend=backend):
                self.check_same("--io", backend)

    def test_memory(self):
        for memory in ("128MiB", "512MiB"):
            with self.subTest(memory=memory):
                self.check_same("--memory", memory)

    def test_variants(self):
        for variant in harness.supported_variants():
            with self.subTest(variant=variant):
                self.check_same(env={"PIECEWORK_FORCE_VARIANT": variant})

    def test_environment(self):
        for environment in ({"LC_ALL": "C"},
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "tr_TR.UTF-8"},
     {"TZ": "Pacific/Kiritimati"}):
            with self.subTest(environment=environment):
                self.check_same(env=environment)

    def test_umask(self):
        for umask in (0o000, 0o077):
            with self.subTest(umask=oct(umask)):
                self.check_same(wrapper=("sh", "-c", f'umask {umask:03o} && exec "$@"', "sh"))

    def test_relative_path(self):
        out = self.temp / "out"
        self.pack("source", "--out", "out", cwd=self.temp)
        self.assertEqual(self.published(out), self.expected)

    def test_order_of_creation_and_times_of_directories(self):
        entries = list(sample().items())
        random.Random(1).shuffle(entries)
        other = self.temp / "elsewhere" / "source"
        harness.make_tree(other, dict(entries))
        for path, content in entries:
            if isinstance(content, bytes):
                times = os.stat(self.source / path)
                os.utime(other / path, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.check_same(source=other)

    def test_again_is_already_done(self):
        out = self.temp / "expected"
        cars = [out / name for name in self.expected if name.endswith(".car")]
        before = [(car.stat().st_ino, car.stat().st_mtime_ns) for car in cars]
        self.pack(self.source, "--out", out)
        self.assertEqual([(car.stat().st_ino, car.stat().st_mtime_ns) for car in cars], before)
        self.assertEqual(self.published(out), self.expected)

    def test_a_lost_car_is_made_again(self):
        out = self.temp / "expected"
        car = next(out / name for name in self.expected if name.endswith(".car"))
        car.unlink()
        self.pack(self.source, "--out", out)
        self.assertEqual(self.published(out), self.expected)


class NoUring(harness.TestCase):
    """Where the system refuses io_uring the other backend does the same."""

    def test_io_uring_refused(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        source = self.temp / "source"
        harness.make_tree(source, {"a": harness.payload("refused", 3_000_000), "b/c": b"small"})
        expected = self.pack_one(source, "--out", self.temp / "expected")
        for error in ("ENOSYS", "EPERM"):
            with self.subTest(error=error):
                strace = ("strace", "-f", "-o", self.temp / "log", "-e", "trace=io_uring_setup",
                          "-e", f"inject=io_uring_setup:error={error}")
                # A leak checker cannot work under ptrace.
                piece = self.pack_one(source, "--out", self.temp /
     error, wrapper=strace, env={"ASAN_OPTIONS": "detect_leaks=0"})
                self.assertIn("INJECTED", (self.temp / "log").read_text())
                self.assertEqual(piece["piece_cid_v2"], expected["piece_cid_v2"])
                self.check(harness.run("verify", self.temp / error), 0)


if __name__ == "__main__":
    harness.main()
