#!/usr/bin/env python3
"""Full, read-only or limited destinations, and stops on request: nothing wrong is published, and it can go on."""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

LARGE_BYTES = 40 << 20


class Output(harness.TestCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.temp, 0o755)
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source, {"large": harness.noise("output", LARGE_BYTES), "small": b"x"})

    def assert_nothing_published(self, out):
        names = harness.files_below(out) if out.exists() else []
        self.assertEqual([n for n in names if n.endswith(
            (".car", ".tree", ".nodes", ".zst")) or n.startswith("receipts")], [])

    def assert_complete(self, out):
        expected = self.pack_one(self.source, "--out", self.temp / "expected")
        piece = self.pack_one(self.source, "--out", out)
        self.assertEqual(piece["piece_cid_v2"], expected["piece_cid_v2"])
        self.assertEqual([n for n in harness.files_below(out) if n.endswith(".tmp")], [])
        self.check(harness.run("verify", out), 0)

    def test_not_writable(self):
        self.out.mkdir(mode=0o555)
        if os.geteuid() == 0:
            os.chmod(self.temp, 0o755)
        finished = harness.run("pack", self.source, "--out", self.out, wrapper=harness.unprivileged(self))
        self.check(finished, 73)
        self.assert_nothing_published(self.out)

    def test_out_is_a_file(self):
        self.out.write_bytes(b"mine")
        self.check(harness.run("pack", self.source, "--out", self.out), 73)
        self.assertEqual(self.out.read_bytes(), b"mine")

    def test_full_from_the_start(self):
        with harness.small_file_system(self, self.out, 8) as out:
            self.check(harness.run("pack", self.source, "--out", out), 73)
            self.assert_nothing_published(out)

    def test_becomes_full_on_the_way(self):
        with harness.small_file_system(self, self.out, 64) as out:
            subprocess.run(["fallocate", "-l", "30M", str(out / "other")], check=True)
            self.check(harness.run("pack", self.source, "--out", out), 73)
            self.assert_nothing_published(out)
            (out / "other").unlink()
            self.assert_complete(out)

    def test_file_size_limit(self):
        # in units of 512 bytes or 1 KiB: below LARGE_BYTES either way
        limited = ("sh", "-c", 'ulimit -f 4096 && exec "$@"', "sh")
        for backend in ("uring", "posix"):
            with self.subTest(backend=backend):
                finished = harness.run("pack", self.source, "--out", self.out, "--io", backend, wrapper=limited)
                self.check(finished, 73)
                self.assert_nothing_published(self.out)
        self.assert_complete(self.out)

    def test_existing_file_of_another_content_is_never_replaced(self):
        piece = self.pack_one(self.source, "--out", self.temp / "expected")
        self.out.mkdir()
        car = self.out / f"{piece['piece_cid_v1']}.car"
        car.write_bytes(b"something else")
        self.check(harness.run("pack", self.source, "--out", self.out), 70)
        self.assertEqual(car.read_bytes(), b"something else")


class Stops(harness.TestCase):
    """SIGTERM and SIGKILL in the middle: 75 or death, nothing half-published, the same command then goes on.

    Kills between any two steps: test_resume.py.
    """

    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source, {f"part-{i}": harness.noise(f"stop-{i}", 20 << 20) for i in range(10)})
        self.expected = self.pack_one(self.source, "--out", self.temp / "expected")

    def start_slowly(self):
        return harness.start("pack", self.source, "--out", self.out, "--threads", "1",
                             env={**os.environ, "PIECEWORK_FORCE_VARIANT": "scalar"})

    def is_stored(self):
        """A part of the CAR stands in its temporary file."""
        for path in self.out.glob(".piecework-*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # the job ends, and takes it along
                if path.stat().st_size > 1 << 20:
                    return True
        return False

    def stopped_in_the_middle(self, number):
        """Sends the signal while a job writes its CAR; returns its exit code and message.

        Where this program got no turn until the job was over, it is done again, at most a few times.
        """
        for _ in range(5):
            process = self.start_slowly()
            deadline = time.monotonic() + harness.TIMEOUT_S
            while time.monotonic() < deadline and process.poll() is None and not self.is_stored():
                time.sleep(0.002)
            code, message = self.end(process, number)
            if code != 0:
                return code, message.decode(errors="replace")
            shutil.rmtree(self.out)
        self.fail("the job was over each time before it could be stopped")

    def end(self, process, number):
        process.send_signal(number)
        _, message = process.communicate(timeout=harness.TIMEOUT_S)
        return process.returncode, message

    def assert_finishes(self):
        """Packs to the end; returns how much of it was there already."""
        piece = self.pack_one(self.source, "--out", self.out)
        self.assertEqual(piece["piece_cid_v2"], self.expected["piece_cid_v2"])
        self.assertEqual([n for n in harness.files_below(self.out) if n.endswith(".tmp")], [])
        self.check(harness.run("verify", self.out), 0)
        return piece["resumed_bytes"]

    def assert_published_is_complete(self):
        for name in harness.files_below(self.out) if self.out.exists() else []:
            if name.endswith(".car"):
                self.assertEqual(harness.sha256_of(self.out / name), harness.sha256_of(self.temp / "expected" / name))

    def test_stop_on_request(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                code, message = self.stopped_in_the_middle(number)
                self.assertEqual(code, 75, message)
                self.assertFalse(any(n.endswith(".car") for n in harness.files_below(self.out)))
                self.assertTrue(list(self.out.glob(".piecework-*.checkpoint.tmp")))
                self.assertGreater(self.assert_finishes(), 0)
                shutil.rmtree(self.out)

    def test_kills_at_many_moments(self):
        for delay_ms in (5, 50, 150, 300, 600, 900):
            with self.subTest(delay_ms=delay_ms):
                process = self.start_slowly()
                time.sleep(delay_ms / 1000)
                self.end(process, signal.SIGKILL)
                self.assert_published_is_complete()
        self.assert_finishes()

    def test_two_at_once(self):
        processes = [harness.start("pack", self.source, "--out", self.out) for _ in range(2)]
        for process in processes:
            _, message = process.communicate(timeout=harness.TIMEOUT_S)
            self.assertEqual(process.returncode, 0, message.decode(errors="replace"))
        self.assert_finishes()


if __name__ == "__main__":
    harness.main()
