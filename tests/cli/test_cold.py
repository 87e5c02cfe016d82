#!/usr/bin/env python3
"""Sources that are not in memory: read in two passes with the disk at work between them, to the same bytes."""
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


def drop_pages(path):
    os.sync()
    for name in harness.files_below(path):
        descriptor = os.open(path / name, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def is_in_memory(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT) > 0
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


class Cold(harness.TestCase):
    def setUp(self):
        super().setUp()
        # Not in memory like /tmp may be.
        folder = tempfile.TemporaryDirectory(dir=Path(harness.BINARY).parent, prefix="cold-")
        self.addCleanup(folder.cleanup)
        self.source = Path(folder.name) / "source"
        files = {f"small/{i:03}": harness.noise(f"cold {i}", 100 + 137 * i) for i in range(300)}
        files |= {f"tiny/{i}": bytes([i]) * i for i in range(40)}
        files |= {"large": harness.noise("large", 21_000_000), "middle": harness.noise("middle", 3_000_001)}
        harness.make_tree(self.source, files)
        self.expected = self.pack_one(self.source, "--out", self.temp / "expected")
        drop_pages(self.source)
        try:
            is_warm = is_in_memory(self.source / "large")
        except OSError as error:
            self.skipTest(f"this file system cannot read without waiting: {error}")
        if is_warm:
            self.skipTest("this file system keeps files in memory")

    def pack_cold(self, name, *arguments, **options):
        drop_pages(self.source)
        return harness.run("pack", self.source, "--out", self.temp / name, "--json", *arguments, **options)

    def test_the_same_bytes_on_either_backend(self):
        for backend in ("auto", "posix"):
            for threads in ("1", "4"):
                with self.subTest(backend=backend, threads=threads):
                    name = f"out-{backend}-{threads}"
                    finished = self.check(self.pack_cold(name, "--io", backend, "--threads", threads), 0)
                    piece = finished.json()["pieces"][0]
                    self.assertEqual(piece["piece_cid_v2"], self.expected["piece_cid_v2"])

    def test_few_descriptors(self):
        finished = self.check(self.pack_cold("few", wrapper=("prlimit", "--nofile=320:320")), 0)
        self.assertEqual(finished.json()["pieces"][0]["piece_cid_v2"], self.expected["piece_cid_v2"])

    def test_changed_files_are_named_the_first_first(self):
        plan = self.temp / "plan"
        self.check(harness.run("plan", self.source, "--out", plan), 0)
        for name in ("small/020", "small/200", "tiny/7"):
            os.utime(self.source / name, ns=(1, 1))
        drop_pages(self.source)
        finished = self.check(harness.run("pack", "--plan", plan, "--all", "--out", self.temp / "changed"), 66)
        self.assertIn("small/020", finished.err.decode())
        self.assertNotIn("small/200", finished.err.decode())


if __name__ == "__main__":
    harness.main()
