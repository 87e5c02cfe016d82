#!/usr/bin/env python3
"""Stopping is normal: a pack that was killed anywhere goes on where it was, and what comes out is the same.

Needs a test build (PIECEWORK_KILL_POINTS): it dies where PIECEWORK_KILL says, and takes checkpoints as often as
PIECEWORK_CHECKPOINT says.
"""
import os
import random
import re
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import checkpoint_log  # noqa: E402
import harness  # noqa: E402

# Milliseconds between checkpoints, bytes of CAR between marks, dead bytes of a log that is written anew, events in a
# run: a checkpoint after every small run, each with a mark; and the same with no marks.
MARKED = "0:0:6000:6"
UNMARKED = "0:1000000000:1000000:6"
KILLED = -signal.SIGKILL


def kill_point_names():
    names = set()
    for folder in ("engine", "io"):
        for path in (harness.ROOT / folder).rglob("*.cc"):
            names.update(re.findall(r'kill_point\("([\w.]+)"\)', path.read_text()))
    return sorted(names)


class Case(harness.TestCase):
    def setUp(self):
        super().setUp()
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("not a test build")
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source, self.entries())
        self.expected = self.pack_one(*self.command(self.temp / "expected"))

    def entries(self):
        large = harness.noise("resume", 18 << 20)  # more than a run holds: it is cut
        small = {f"d{i % 3}/{i}": large[i % 25 << 12:(i % 25 + 1) << 12] for i in range(40)}
        return {"a-large": large, **small}

    def command(self, out, *flags):
        return (self.source, "--dedup", "blocks", "--out", out, *flags)

    def run_pack(self, *flags, kill=None, checkpoint=MARKED, out=None):
        environment = {"PIECEWORK_KILL": kill, "PIECEWORK_CHECKPOINT": checkpoint}
        return harness.run("pack", *self.command(out or self.out, *flags), "--json", env=environment)

    def kill_at(self, point, *flags, **options):
        finished = self.run_pack(*flags, kill=point, **options)
        self.assertEqual(finished.code, KILLED, f"not killed at {point}\n{finished}")

    def finish(self, *flags, out=None):
        """Packs to the end; compares every file; returns the piece."""
        finished = self.check(self.run_pack(*flags, out=out), 0)
        self.assert_same(out or self.out)
        return finished.json()["pieces"][0]

    def assert_same(self, out):
        self.assertEqual(harness.snapshot(out), harness.snapshot(self.temp / "expected"))

    def log(self, out=None):
        logs = list((out or self.out).glob(".piecework-*.checkpoint.tmp"))
        self.assertEqual(len(logs), 1, logs)
        return logs[0]


class KillPoints(Case):
    def test_every_point(self):
        # Those of extract and repair: test_extract.py, test_repair.py.
        names = [name for name in kill_point_names() if not name.startswith(("restore.", "repair."))]
        self.assertGreater(len(names), 8)
        killed_count = 0
        for name in names:
            for number in range(1, (6 if name.startswith("publish") else 3) + 1):
                with self.subTest(point=name, number=number):
                    finished = self.run_pack(kill=f"{name}:{number}")
                    if finished.code == 0:  # passed less often
                        self.assertGreater(number, 1, f"{name} is never passed")
                        shutil.rmtree(self.out)
                        break
                    self.assertEqual(finished.code, KILLED, str(finished))
                    killed_count += 1
                    for car in self.out.glob("*.car"):
                        self.assertEqual(car.stat().st_size, self.expected["payload_bytes"])
                    self.finish()
                    shutil.rmtree(self.out)
        self.assertGreater(killed_count, 2 * len(names))


class Kills(Case):
    def entries(self):
        return {f"part-{i}": harness.noise(f"kills-{i}", 16 << 20) for i in range(8)}

    def log_bytes(self):
        return sum(log.stat().st_size for log in self.out.glob(".piecework-*.checkpoint.tmp"))

    def wait_for_more(self, process):
        """Returns once the attempt has added to the checkpoint, or is over."""
        before = self.log_bytes()
        deadline = time.monotonic() + harness.TIMEOUT_S
        while process.poll() is None and self.log_bytes() <= before:
            self.assertLess(time.monotonic(), deadline, "no checkpoint was taken")
            time.sleep(0.002)

    def test_attempts_that_are_all_killed_get_there(self):
        """Each attempt is killed soon after it has added to the checkpoint: only together they come to the end."""
        plan = self.temp / "plan"
        self.check(harness.run("plan", self.source, "--dedup", "blocks", "--out", plan), 0)
        command = ("pack", "--plan", plan, "--all", "--threads", "1", "--json")
        chance = random.Random(1)
        environment = {**os.environ, "PIECEWORK_CHECKPOINT": "20:30000000:4000000:4"}
        for kill_count in range(200):
            process = harness.start(*command, "--out", self.out, env=environment)
            self.wait_for_more(process)
            try:
                out, message = process.communicate(timeout=chance.uniform(0, 0.1))
                self.assertEqual(process.returncode, 0, message)
                break
            except harness.subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        else:
            self.fail("it never ended")
        self.assertGreater(kill_count, 1)
        piece = harness.Finished(command, 0, out, message).json()["pieces"][0]
        self.assertEqual(piece["piece_cid_v2"], self.expected["piece_cid_v2"])
        self.assertEqual([n for n in harness.files_below(self.out) if n.endswith(".tmp")], [])
        self.check(harness.run("verify", self.out), 0)


class Checkpoints(Case):
    """What is believed of a checkpoint, and what is not."""

    def setUp(self):
        super().setUp()
        # Both times in the middle of the large file.
        self.kill_at("checkpoint.after_sync:1")
        self.kill_at("checkpoint.after_append:2", checkpoint=UNMARKED)
        self.whole_log = self.log().read_bytes()
        self.car_bytes = checkpoint_log.states(self.whole_log)[-1][1]
        shutil.copytree(self.out, self.temp / "killed")

    def with_log(self, content):
        """A copy of the killed attempt with another log. Hard links keep the inodes that the log names."""
        shutil.rmtree(self.out)
        shutil.copytree(self.temp / "killed", self.out)
        log = self.log()
        parts = checkpoint_log.records(content)
        if content[:4] == self.whole_log[:4] and parts:
            header = bytearray(parts[0][1])
            for i, extension in enumerate(("car", "spool", "lines")):
                inode = log.with_name(log.name.replace("checkpoint", extension)).stat().st_ino
                header[77 + 8 * i:85 + 8 * i] = inode.to_bytes(8, "little")
            valid = checkpoint_log.encode(parts)
            content = checkpoint_log.encode([(1, bytes(header)), *parts[1:]]) + content[len(valid):]
        log.write_bytes(content)

    def test_goes_on_at_the_last_state(self):
        self.assertGreater(self.car_bytes, 0)
        self.with_log(self.whole_log)
        self.assertEqual(self.finish()["resumed_bytes"], self.car_bytes)

    def test_torn_and_damaged_tails(self):
        known = {0} | {car_bytes for _, car_bytes, _ in checkpoint_log.states(self.whole_log)}
        chance = random.Random(2)
        for _ in range(8):
            at = chance.randrange(len(self.whole_log))
            flipped = bytearray(self.whole_log)
            flipped[at] ^= 1 << chance.randrange(8)
            for name, content in (("torn", self.whole_log[:at]), ("damaged", bytes(flipped))):
                with self.subTest(name=name, at=at):
                    self.with_log(content)
                    self.assertIn(self.finish()["resumed_bytes"], known)

    def test_other_files_than_the_logs(self):
        for extension in ("car", "spool"):
            with self.subTest(extension=extension):
                self.with_log(self.whole_log)
                file = self.log().with_name(self.log().name.replace("checkpoint", extension))
                file.unlink()
                self.assertEqual(self.finish()["resumed_bytes"], 0)

    def test_after_another_boot_only_marks_count(self):
        boot_id, host = checkpoint_log.boot_of(self.whole_log)
        states = {number: car_bytes for number, car_bytes, _ in checkpoint_log.states(self.whole_log)}
        marked = states[checkpoint_log.marks(self.whole_log)[-1]]
        self.assertLess(marked, self.car_bytes)
        parts = checkpoint_log.records(self.whole_log)
        rebooted = [checkpoint_log.boot(b"another boot", host) if kind == checkpoint_log.BOOT else (kind, payload)
                    for kind, payload in parts]
        self.with_log(checkpoint_log.encode(rebooted))
        self.assertEqual(self.finish()["resumed_bytes"], marked)
        unmarked = [part for part in rebooted if part[0] != checkpoint_log.MARK]
        self.with_log(checkpoint_log.encode(unmarked))
        self.assertEqual(self.finish()["resumed_bytes"], 0)

    def test_another_host_is_left_alone(self):
        parts = [checkpoint_log.boot(b"another boot", b"elsewhere") if kind == checkpoint_log.BOOT else (kind, payload)
                 for kind, payload in checkpoint_log.records(self.whole_log)]
        self.with_log(checkpoint_log.encode(parts))
        log = self.log().read_bytes()
        finished = self.check(self.run_pack(), 0)
        self.assertEqual(finished.json()["pieces"][0]["resumed_bytes"], 0)
        self.assertEqual(self.log().read_bytes(), log)
        for temporary in self.out.glob(".piecework-*.tmp"):
            temporary.unlink()
        self.assert_same(self.out)

    def test_of_another_plan_or_version(self):
        parts = checkpoint_log.records(self.whole_log)
        for name, at in (("version", 8), ("plan", 12), ("batch", 44)):
            with self.subTest(name=name):
                header = bytearray(parts[0][1])
                header[at] ^= 1
                self.with_log(checkpoint_log.encode([(1, bytes(header)), *parts[1:]]))
                before = harness.snapshot(self.out)
                self.check(self.run_pack(), 78)
                self.assertEqual(harness.snapshot(self.out), before)

    def test_a_cut_file_that_was_replaced(self):
        """Size and mtime are the plan's, the inode is not: what is packed of it cannot be trusted."""
        large = self.source / "a-large"
        stat = large.stat()
        copy = self.source / "copy"
        shutil.copyfile(large, copy)
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.replace(copy, large)
        self.with_log(self.whole_log)
        self.assertEqual(self.finish()["resumed_bytes"], 0)

    def test_without_car(self):
        self.with_log(self.whole_log)
        finished = self.check(self.run_pack("--no-car"), 0)  # the log is of one with a CAR
        piece = finished.json()["pieces"][0]
        self.assertEqual((piece["resumed_bytes"], piece["piece_cid_v1"]), (0, self.expected["piece_cid_v1"]))
        shutil.rmtree(self.out)
        self.kill_at("checkpoint.after_append:6", "--no-car", checkpoint=UNMARKED)
        piece = self.check(self.run_pack("--no-car"), 0).json()["pieces"][0]
        self.assertGreater(piece["resumed_bytes"], 0)
        self.assertEqual(piece["piece_cid_v1"], self.expected["piece_cid_v1"])
        self.assertEqual([n for n in harness.files_below(self.out) if n.endswith((".tmp", ".car"))], [])


class EveryState(Case):
    """Stopped behind every few events, in every batch."""

    def stop_everywhere(self, *command, passes_min):
        expected = self.temp / "uninterrupted"
        self.check(harness.run("pack", *command, "--out", expected), 0)
        passes, resumed = 0, 0
        while True:
            passes += 1
            kill = {"PIECEWORK_KILL": f"checkpoint.after_append:{passes}",
                    "PIECEWORK_CHECKPOINT": UNMARKED.rsplit(":", 1)[0] + ":5"}
            finished = harness.run("pack", *command, "--out", self.out, env=kill)
            if finished.code == 0:
                break
            self.assertEqual(finished.code, KILLED, finished)
            pieces = self.pack(*command, "--out", self.out)["pieces"]
            resumed += any(piece["resumed_bytes"] for piece in pieces)
            self.assertEqual(harness.snapshot(self.out), harness.snapshot(expected))
            shutil.rmtree(self.out)
        self.assertGreater(passes, passes_min)
        self.assertGreater(resumed, passes // 2)

    def test_stored_dags(self):
        """Blocks that keep their CIDs, of two CARs under a directory."""
        self.stop_everywhere(*(harness.VECTORS / "public" / name for name in
                               ("basic.unixfs-v1-2025.car", "basic.tiny.car")), passes_min=10)

    def test_a_file_in_parts(self):
        source = self.temp / "tree"
        harness.make_tree(source, {"d/large": harness.noise("parts", 200_000), "small": b"small"})
        self.stop_everywhere(source, "--piece-size", "64KiB", "--chunk-size", "2048", "--max-links", "3",
                             passes_min=20)


class Twins(Case):
    """Copies of one task at the same time: one piece, and every one of them succeeds."""

    def start(self, **environment):
        return harness.start("pack", *map(str, self.command(self.out)), "--json", env={**os.environ, **environment})

    def wait(self, process):
        out, message = process.communicate(timeout=harness.TIMEOUT_S)
        return harness.Finished(["twin"], process.returncode, out, message)

    def wait_for_checkpoint(self, process):
        deadline = time.monotonic() + harness.TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            for log in self.out.glob(".piecework-*.checkpoint.tmp"):
                if checkpoint_log.states(log.read_bytes()):
                    return
            time.sleep(0.002)
        self.fail("it was over too soon")

    def test_eight_at_once(self):
        for twin in [self.start() for _ in range(8)]:
            self.check(self.wait(twin), 0)
        self.assert_same(self.out)

    def test_one_stands_still(self):
        slow = self.start(PIECEWORK_FORCE_VARIANT="scalar", PIECEWORK_CHECKPOINT=UNMARKED)
        self.wait_for_checkpoint(slow)
        slow.send_signal(signal.SIGSTOP)
        try:
            # Asked to stop while it waits for the other: at once.
            waiting = self.start()
            time.sleep(0.3)
            waiting.send_signal(signal.SIGTERM)
            self.check(self.wait(waiting), 75)
            # Left alone it works under a name of its own.
            self.check(self.wait(self.start()), 0)
            self.assertTrue(list(self.out.glob("receipts/*/0.json")))
        finally:
            slow.send_signal(signal.SIGCONT)
        self.check(self.wait(slow), 0)
        self.assert_same(self.out)


if __name__ == "__main__":
    harness.main()
