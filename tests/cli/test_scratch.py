#!/usr/bin/env python3
"""--scratch and `plan --memory`: what does not fit memory goes there, decides nothing, and leaves nothing behind."""
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

FILES = 40_000  # an inventory page and more


def make_files(source):
    """Many small files, equal ones among them, in one directory that is a HAMT and many that are not."""
    for number in range(FILES):
        folder = source / ("large" if number % 2 else f"small/{number % 500:03d}")
        if number < 1000:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(b"%d" % (number % 3000))


class Scratch(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="piecework-")
        cls.addClassCleanup(cls.shared.cleanup)
        cls.source = Path(cls.shared.name) / "source"
        make_files(cls.source)

    def setUp(self):
        super().setUp()
        self.scratch = self.temp / "scratch"
        self.scratch.mkdir()

    def plan(self, *arguments, code=0, **options):
        finished = harness.run("plan", *arguments, "--json", **options)
        self.check(finished, code)
        return finished

    def assert_scratch_is_empty(self):
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_memory_decides_nothing(self):
        source = self.source
        for dedup in ("none", "files", "blocks"):
            for size in ("32GiB", "1MiB"):
                flags = [source, "--dedup", dedup, "--piece-size", size, "--out"]
                with self.subTest(dedup=dedup, size=size):
                    usual = self.plan(*flags, self.temp / f"{dedup}-{size}").json()
                    small = self.plan(*flags, self.temp / f"{dedup}-{size}-small", "--memory", "1MiB", "--scratch",
                                      self.scratch).json()
                    self.assertEqual(small["plan_digest"], usual["plan_digest"])
                    self.assertEqual(small, usual)
                    self.assert_scratch_is_empty()

    def test_memory_decides_nothing_about_what_is_known(self):
        source = self.source
        first = self.temp / "first"
        self.pack(source, "--out", first, "--dedup", "none")
        new = source / "large/new"
        new.write_bytes(b"new")
        self.addCleanup(new.unlink)
        flags = [source, "--known", first, "--out"]
        usual = self.plan(*flags, self.temp / "usual").json()
        small = self.plan(*flags, self.temp / "small", "--memory", "1MiB", "--scratch", self.scratch).json()
        self.assertEqual((small, small["known_count"]), (usual, FILES))

    def test_memory_decides_nothing_about_stores(self):
        cars = sorted((harness.VECTORS / "public").rglob("*.car"))[:20]
        self.assertTrue(cars)
        sources = [f"s{i}={car}" for i, car in enumerate(cars)]
        for flags in ([], ["--all-blocks"], ["--one-item-per-piece"]):
            with self.subTest(flags=flags):
                name = "-".join(["stores", *flags])
                usual = self.plan(*sources, *flags, "--out", self.temp / name).json()
                small = self.plan(*sources, *flags, "--out", self.temp / f"{name}-small", "--memory", "64KiB",
                                  "--scratch", self.scratch).json()
                self.assertEqual(small, usual)
        self.assert_scratch_is_empty()

    def test_scratch_is_where_it_goes(self):
        if shutil.which("prlimit") is None:
            self.skipTest("needs prlimit")
        source = self.source
        # No file may grow to the first mebibyte, which is reserved for what does not fit; the plan is far below.
        finished = self.plan(source, "--dedup", "none", "--memory", "1MiB", "--scratch", self.scratch, "--out",
                             self.temp / "plan", code=73, wrapper=("prlimit", "--fsize=1000000"))
        self.assertIn(str(self.scratch).encode(), finished.err)
        self.assertIn(b"--scratch", finished.err)
        self.assert_scratch_is_empty()
        self.assertEqual([path for path in self.temp.iterdir() if "plan" in path.name], [])
        self.plan(source, "--dedup", "none", "--scratch", self.scratch, "--out", self.temp / "plan",
                  wrapper=("prlimit", "--fsize=1000000"))

    def test_directories_that_cannot_be_used(self):
        source = self.temp / "source"
        harness.make_tree(source, {"file": b"data"})
        (self.temp / "a file").write_bytes(b"")
        for name in ("missing", "a file"):
            for command in ("plan", "pack"):
                with self.subTest(name=name, command=command):
                    flags = ["--out", self.temp / f"{command}-out", "--scratch", self.temp / name]
                    finished = self.check(harness.run(command, source, *flags), 73)
                    self.assertIn(name.encode(), finished.err)
                    self.assertIn(b"--scratch", finished.err)

    def test_a_directory_that_cannot_be_written(self):
        source = self.temp / "source"
        harness.make_tree(source, {"file": b"data"})
        self.temp.chmod(0o777)
        self.scratch.chmod(0o555)
        finished = harness.run("plan", source, "--out", self.temp / "plan", "--scratch", self.scratch,
                               wrapper=harness.unprivileged(self))
        self.assertIn(b"--scratch", self.check(finished, 73).err)

    def test_standard_input_is_kept_there(self):
        car = next((harness.VECTORS / "public").rglob("*.car"))
        out = self.temp / "out"
        usual = self.pack(car, "--out", self.temp / "usual")
        packed = self.pack("-", "--out", out, "--scratch", self.scratch, stdin=car.read_bytes())
        self.assertEqual(packed["pieces"][0]["piece_cid_v1"], usual["pieces"][0]["piece_cid_v1"])
        self.assert_scratch_is_empty()

    def test_nothing_has_a_name_when_it_is_killed(self):
        for sent in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(signal=sent):
                process = harness.start("pack", "-", "--out", self.temp / "out", "--scratch", self.scratch,
                                        stdin=-1)
                process.stdin.write(os.urandom(1 << 20))
                process.stdin.flush()
                deadline = time.monotonic() + 60
                spool = None
                while spool is None and time.monotonic() < deadline:
                    spool = self.open_in_scratch(process.pid)
                self.assertIsNotNone(spool, "the spool is in the scratch directory")
                self.assert_scratch_is_empty()
                process.send_signal(sent)
                process.communicate()
                self.assertEqual(process.returncode, 75 if sent == signal.SIGTERM else -sent)
                self.assert_scratch_is_empty()

    def open_in_scratch(self, pid):
        """What a descriptor of the process names in the scratch directory, or None."""
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.readlink(link).startswith(f"{self.scratch}/"):
                    return link
            except OSError:
                continue
        return None


if __name__ == "__main__":
    harness.main()
