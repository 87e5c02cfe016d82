#!/usr/bin/env python3
"""Every exit code of the table, by faults that a scheduler would meet: a test for each code, named after it."""
import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import call_jobs  # noqa: E402
import campaign  # noqa: E402
import fail_call  # noqa: E402
import harness  # noqa: E402

EIO, ENOSPC, EMFILE, ENOMEM = 5, 28, 24, 12


class ExitCodes(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source, self.plan, self.out = self.temp / "source", self.temp / "plans/plan", self.temp / "out"
        self.plan.parent.mkdir()
        self.spoiled = 0
        harness.make_tree(self.source, {f"d/f{i}": harness.noise(f"codes-{i}", 30_000) for i in range(6)})
        self.expect(0, "plan", self.source, "--out", self.plan, "--piece-size", "128KiB")
        self.pack_plan = ("pack", "--plan", self.plan, "--all", "--out", self.out)

    def expect(self, code, *arguments, says="", **options):
        finished = self.check(harness.run(*arguments, **options), code)
        self.assertIn(says, finished.err.decode(errors="replace"))
        return finished

    def packed(self):
        """The output directory, and its first CAR and receipt."""
        self.expect(0, *self.pack_plan)
        return self.out, sorted(self.out.glob("*.car"))[0], sorted(self.out.glob("receipts/*/*.json"))[0]

    def spoil(self, path):
        """Changes a byte, another one each time."""
        self.spoiled += 1
        content = bytearray(path.read_bytes())
        content[len(content) // 2 + self.spoiled] ^= 1
        path.write_bytes(content)

    def failing(self, roots, *faults):
        """The variables for each of `faults`."""
        if not fail_call.LIBRARY.exists():
            self.skipTest("built without the library that lets calls fail")
        for fault in faults:
            yield fault, fail_call.environment(roots, fault)

    def sweep(self, roots, kind, code, *arguments, says="", ready=lambda: None):
        """Each call of a kind fails: the exit code is `code`, or 0 where the call did not matter."""
        log, met = self.temp / "calls", 0
        for number in range(1000):
            ready()
            log.unlink(missing_ok=True)
            (_, env), = self.failing(roots, f"{kind[0]}.{kind[1]}.{number}.{kind[2]}")
            finished = harness.run(*arguments, env={**env, "FAIL_CALL_LOG": str(log)})
            if not fail_call.failed(fail_call.lines(log)):
                break
            self.assertIn(finished.code, (0, code), f"{kind}, the {number}th\n{finished}")
            met += finished.code == code
            if finished.code == code:
                self.assertIn(says, finished.err.decode())
        self.assertGreater(met, 0, f"no {kind} mattered")

    def test_0_done_and_done_already(self):
        for _ in range(2):
            self.expect(0, *self.pack_plan)

    def test_64_usage(self):
        self.expect(64, "pack", self.source, "--out", self.out, "--no-such-flag")
        self.expect(64, *self.pack_plan[:3], "--task", "auto", "--out", self.out,
                    env={"SLURM_ARRAY_TASK_ID": "0", "JOB_COMPLETION_INDEX": "1"})
        self.expect(64, "pack", f"a={self.source}", f"a={self.source}", "--out", self.out)
        self.expect(64, *self.pack_plan[:3], "--task", "99", "--out", self.out)

    def test_65_corrupt_or_unreadable(self):
        out, car, _ = self.packed()
        self.expect(0, "prove", "d/f0", "--pieces", out, "--out", self.temp / "proof")
        (self.temp / "data").write_bytes(b"something else")
        self.expect(65, "check-proof", self.temp / "proof", "--data", self.temp / "data")
        self.spoil(car)
        self.expect(65, "verify", out)
        self.expect(65, "repair", out)
        self.expect(65, "pack", car, "--out", self.temp / "from-car", "--piece-size", "256KiB")
        for fault, env in self.failing({"source": self.source}, "source.read.0.5", "source.open.1.5",
                                       "source.stat.2.5"):
            with self.subTest(fault=fault):
                shutil.rmtree(out)
                self.expect(65, *self.pack_plan, "--io", "posix", env=env, says="Input/output error")

    def test_66_missing_changed_not_found(self):
        out, _, _ = self.packed()
        self.expect(66, "pack", self.temp / "nothing", "--out", out)
        self.expect(66, "ls", out, "no/such/path")
        self.expect(66, "verify", self.temp / "nothing")
        shutil.rmtree(out)
        (self.source / "d/f3").write_bytes(b"shorter")
        self.expect(66, *self.pack_plan, says="f3")
        (self.source / "d/f3").unlink()
        self.expect(66, *self.pack_plan, says="f3")

    def test_69_nobody_answers(self):
        self.packed()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.expect(69, "serve", "--dir", self.out, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        world = call_jobs.World()
        world.setUp()
        try:
            world.make_pieces(1)
            world.write_policy(endpoints=("/down",))
            world.deal("plan", "--record", code=None)
            world.propose(code=69)
        finally:
            world.doCleanups()

    def test_70_contradictions(self):
        out, car, receipt = self.packed()
        catalogue = self.temp / "catalogue"
        self.expect(0, "merge", "--out", out, "--catalogue", catalogue)
        content = json.loads(receipt.read_text())
        receipt.write_text(json.dumps({**content, "skipped": [{"path": "x", "reason": "fifo"}]}))
        self.expect(70, "merge", "--out", out, "--catalogue", catalogue, says="contradict")
        receipt.unlink()
        tree = Path(f"{out}/{content['piece_cid_v1']}.tree")
        self.spoil(tree)
        self.expect(70, *self.pack_plan, says=tree.name)

    def test_71_too_little_memory_or_descriptors(self):
        self.expect(71, *self.pack_plan, wrapper=("prlimit", "--nofile=14:14"))
        for fault, env in self.failing({"source": self.source, "out": self.out}, f"source.open.1.{EMFILE}",
                                       f"source.read.0.{ENOMEM}", f"out.create.1.{EMFILE}", f"out.write.0.{ENOMEM}"):
            with self.subTest(fault=fault):
                shutil.rmtree(self.out, ignore_errors=True)
                self.expect(71, *self.pack_plan, "--io", "posix", env=env)

    def test_73_destination_full_or_not_writable(self):
        (self.temp / "file").write_bytes(b"")
        self.expect(73, *self.pack_plan[:4], "--out", self.temp / "file/out")
        self.expect(73, *self.pack_plan, wrapper=("prlimit", "--fsize=50000:50000"))
        for fault in ("create.2", "write.1", "sync.1", "link.0", "resize.1", "mkdir.1"):
            for code, env in self.failing({"out": self.out}, f"out.{fault}.{ENOSPC}"):
                with self.subTest(fault=code):
                    shutil.rmtree(self.out, ignore_errors=True)
                    self.expect(73, *self.pack_plan, "--io", "posix", env=env)

    def test_73_room_for_a_repair_and_a_catalogue(self):
        out, car, _ = self.packed()
        good = harness.snapshot(out)
        self.sweep({"out": self.temp / "new"}, ("out", "write", ENOSPC), 73, "merge", "--out", out, "--catalogue",
                   self.temp / "new/catalogue", ready=self.new_directory)
        for fault, env in self.failing({"out": out}, f"out.write.1.{ENOSPC}", f"out.sync.3.{ENOSPC}"):
            with self.subTest(fault=fault):
                self.spoil(car)
                self.expect(73, "repair", out, "--yes", env=env)
        self.expect(0, "repair", out, "--yes")
        self.remove_set_aside(out)
        self.assertEqual(harness.snapshot(out), good)

    def remove_set_aside(self, out):
        """What repair keeps where it fails after a file was made again."""
        for path in out.glob("*.damaged*"):
            path.unlink()

    def new_directory(self):
        shutil.rmtree(self.temp / "new", ignore_errors=True)
        (self.temp / "new").mkdir()

    def test_74_io_error_of_the_destination(self):
        for fault in ("create.2", "write.1", "sync.1", "link.0", "resize.1", "mkdir.1", "stat.0"):
            for code, env in self.failing({"out": self.out}, f"out.{fault}.{EIO}"):
                with self.subTest(fault=code):
                    shutil.rmtree(self.out, ignore_errors=True)
                    self.expect(74, *self.pack_plan, "--io", "posix", env=env, says="Input/output error")

    def test_74_a_plan_or_catalogue_that_cannot_be_read_is_not_called_damaged(self):
        """SQLite calls what it could not read malformed; another machine may read it."""
        self.sweep({"plan": self.plan.parent}, ("plan", "read", EIO), 74, *self.pack_plan, says="Input/output error",
                   ready=lambda: shutil.rmtree(self.out, ignore_errors=True))
        out, _, _ = self.packed()
        self.new_directory()
        merge = ("merge", "--out", out, "--catalogue", self.temp / "new/catalogue")
        self.expect(0, *merge)
        self.sweep({"new": self.temp / "new"}, ("new", "read", EIO), 74, *merge, says="Input/output error")
        self.expect(0, *merge)

    def test_74_a_repair_that_cannot_write(self):
        out, car, receipt = self.packed()
        good = harness.snapshot(out)
        for fault, env in self.failing({"out": out}, f"out.write.1.{EIO}", f"out.sync.3.{EIO}"):
            with self.subTest(fault=fault):
                self.spoil(car)
                self.expect(74, "repair", out, "--yes", env=env)
        # The CAR is there again, its receipt's directory is not to be written: what was set aside is named.
        self.remove_set_aside(out)
        self.spoil(car)
        for fault, env in self.failing({"receipts": receipt.parent}, f"receipts.create.0.{EIO}"):
            done = self.expect(74, "repair", out, "--yes", "--json", env=env).json()["batches"][0]
            self.assertEqual((done["outcome"], done["set_aside"]), ("failed", [f"{car}.damaged"]))
        self.expect(0, "repair", out, "--yes")
        self.remove_set_aside(out)
        self.assertEqual(harness.snapshot(out), good)

    def test_75_stopped_and_waiting(self):
        out, _, _ = self.packed()
        catalogue = self.temp / "catalogue"
        self.expect(0, "merge", "--out", out, "--catalogue", catalogue)
        writer = sqlite3.connect(catalogue, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        self.expect(75, "merge", "--out", out, "--catalogue", catalogue, "--wait", 0, says="another process")
        writer.close()
        (self.temp / "large").write_bytes(harness.noise("large", 300_000))
        parts = self.temp / "parts"
        made = self.expect(0, "plan", self.temp / "large", "--out", parts, "--piece-size", "128KiB", "--chunk-size",
                           "16KiB", "--json").json()
        self.expect(75, "pack", "--plan", parts, "--out", self.temp / "joined", "--task", made["batch_count"] - 1,
                    says="waits for batch 0")
        log = self.temp / "events"
        harness.make_tree(self.temp / "more", {f"f{i}": bytes([i]) * (8 << 20) for i in range(8)})
        process = harness.start("pack", self.temp / "more", "--out", self.temp / "stopped", "--events", log,
                                env={**os.environ, "PIECEWORK_FORCE_VARIANT": "scalar"})
        deadline = time.monotonic() + harness.TIMEOUT_S
        while not (log.exists() and b"batch_started" in log.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=harness.TIMEOUT_S)
        self.assertEqual(process.returncode, 75)

    def test_77_no_permission_on_a_source(self):
        wrapper = harness.unprivileged(self)
        (self.source / "d/f1").chmod(0)
        self.temp.chmod(0o777)
        self.expect(77, *self.pack_plan, wrapper=wrapper, says="f1")
        (self.source / "d").chmod(0)
        self.expect(77, "plan", self.source, "--out", self.temp / "other", wrapper=wrapper)

    def test_78_what_does_not_fit(self):
        out, _, receipt = self.packed()
        catalogue = self.temp / "catalogue"
        self.expect(0, "merge", "--out", out, "--catalogue", catalogue)
        receipt.write_text("{}")
        self.expect(78, "merge", "--out", out, "--catalogue", catalogue)
        with sqlite3.connect(catalogue) as newer:
            newer.execute("PRAGMA user_version = 99")
        newer.close()
        self.expect(78, "find", "d/f1", "--catalogue", catalogue)
        with sqlite3.connect(self.plan) as plan:
            plan.execute("UPDATE batches SET digest = zeroblob(32) WHERE batch = 0")
        plan.close()
        shutil.rmtree(out)
        self.expect(78, *self.pack_plan)


if __name__ == "__main__":
    tempfile.tempdir = campaign.in_memory()  # many syncs
    harness.main()
