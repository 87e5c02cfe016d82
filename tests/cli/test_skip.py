#!/usr/bin/env python3
"""`pack --plan --on-source-error skip`: a batch whose files fail is laid out anew without them, and says so."""
import base64
import json
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

READS = "read,readv,pread64,preadv,preadv2"
SKIP = ("--on-source-error", "skip")


class Skip(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.plan = self.temp / "plan"
        self.out = self.temp / "out"
        tree = {f"many/{i:04d} {'x' * 200}": b"%d" % (i % 700) for i in range(1500)}  # a HAMT
        tree |= {f"files/{i:02d}": harness.noise(f"skip {i % 40}", 30_000) for i in range(60)}  # equal ones
        tree |= {b"files/not utf-8 \xff": b"bytes", "files/link": ("symlink", "00"), "empty": None}
        harness.make_tree(self.source, tree)

    def make_plan(self, *flags):
        return self.check(harness.run("plan", self.source, "--out", self.plan, *flags, "--json"), 0).json()

    def command(self, *flags):
        return ("pack", "--plan", self.plan, "--all", "--out", self.out, *flags)

    def skip(self, *flags, **options):
        return self.check(harness.run(*self.command(*SKIP, "--json", *flags), **options), 0).json()

    def receipts(self):
        return [json.loads(path.read_text()) for path in self.out.glob("receipts/*/*.json")]

    def lose(self, *names):
        for name in names:
            (self.source / name).unlink()

    def test_a_batch_is_that_of_a_tree_without_the_files(self):
        for dedup in ("files", "blocks", "none"):
            with self.subTest(dedup=dedup):
                plan = self.make_plan("--dedup", dedup)
                moved = self.temp / "moved"
                lost = ["files/00", f"many/0003 {'x' * 200}", "files/59"]  # of equal ones the first, the last
                lost += [str(path.relative_to(self.source)) for path in sorted(self.source.glob("many/1[1-4]*"))]
                for name in lost:
                    (moved / name).parent.mkdir(parents=True, exist_ok=True)
                    (self.source / name).rename(moved / name)
                packed = self.skip()
                expected = self.pack_one(self.source, "--out", self.temp / "expected", "--dedup", dedup)
                piece = packed["pieces"][0]
                self.assertEqual(packed["plan_digest"], plan["plan_digest"])
                self.assertEqual([item["path"] for item in packed["skipped"]], sorted(lost))
                for key in ("piece_cid_v2", "root_cid", "payload_bytes", "block_count", "file_count"):
                    self.assertEqual(piece[key], expected[key], key)
                receipt, = self.receipts()
                self.assertEqual([item["path"] for item in receipt["skipped"]], sorted(lost))
                self.assertIn("files/00", receipt["skipped"][0]["reason"])
                self.assertEqual(list(self.out.glob("receipts/*/*.skipped")), [])
                self.check(harness.run("verify", self.out), 0)
                for name in lost:
                    (moved / name).rename(self.source / name)
                self.assert_stays_done(packed)
                for folder in (self.out, self.temp / "expected"):
                    shutil.rmtree(folder)
                self.plan.unlink()

    def assert_stays_done(self, packed):
        """With all files there again the receipt still says what the piece is, also where the CAR is made again."""
        before = harness.snapshot(self.out)
        self.assertEqual(self.skip()["pieces"][0]["piece_cid_v2"], packed["pieces"][0]["piece_cid_v2"])
        for car in self.out.glob("*.car"):
            car.unlink()
        self.check(harness.run(*self.command()), 0)
        self.assertEqual(harness.snapshot(self.out), before)

    def test_other_batches_stay_as_planned(self):
        self.make_plan("--piece-size", "256KiB", "--dedup", "none")
        self.check(harness.run("pack", "--plan", self.plan, "--all", "--out", self.temp / "whole"), 0)
        (self.source / "files/30").write_bytes(b"changed")
        failed = self.check(harness.run(*self.command()), 66)
        self.assertIn(b"files/30", failed.err)
        packed = self.skip()
        whole = {path.name: json.loads(path.read_text()) for path in self.temp.glob("whole/receipts/*/*.json")}
        self.assertEqual(len(whole), len(packed["pieces"]))
        changed = [piece["batch"] for piece in packed["pieces"]
                   if piece["piece_cid_v2"] != whole[f"{piece['batch']}.json"]["piece_cid_v2"]]
        self.assertEqual(changed, [r["batch"] for r in self.receipts() if r["skipped"]])
        self.assertEqual(len(changed), 1)
        self.assertEqual(self.paths(packed), [path for path in self.all_files() if path != b"files/30"])
        self.check(harness.run("verify", self.out), 0)

    def all_files(self):
        return sorted(path for path, (kind, _) in harness.snapshot(self.source).items() if kind == "file")

    def paths(self, packed):
        rows = [row for piece in packed["pieces"] for row in harness.file_rows(self.out, piece)]
        return sorted(row["path"].encode() if "path" in row else base64.b64decode(row["path_base64"]) for row in rows
                      if row["kind"] == "file")

    def test_names_that_are_not_utf_8(self):
        self.make_plan()
        (self.source / "files" / b"not utf-8 \xff".decode(errors="surrogateescape")).unlink()
        packed = self.skip()
        self.assertEqual([set(item) for item in packed["skipped"]], [{"path_base64", "reason"}])
        for car in self.out.glob("*.car"):
            car.unlink()
        self.skip()
        self.check(harness.run("verify", self.out), 0)

    def test_a_file_that_fails_while_it_is_packed(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        shutil.rmtree(self.source / "many")  # every call is traced
        self.make_plan("--dedup", "none")
        wrapper = ["strace", "-f", "-o", self.temp / "log", "-P", self.source / "files/33", "-e", f"trace={READS}",
                   "-e", f"inject={READS}:error=EIO"]
        env = {"ASAN_OPTIONS": "detect_leaks=0"}
        self.check(harness.run(*self.command("--io", "posix"), wrapper=wrapper, env=env), 65)
        packed = self.skip("--io", "posix", wrapper=wrapper, env=env)
        self.assertEqual([item["path"] for item in packed["skipped"]], ["files/33"])
        self.assertEqual([path for path in self.all_files() if path not in self.paths(packed)], [b"files/33"])

    def test_a_killed_attempt_is_gone_on_with(self):
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("no kill points in this build")
        self.make_plan("--dedup", "none")
        self.lose("files/07")
        killing = {"PIECEWORK_KILL": "checkpoint.after_append:3", "PIECEWORK_CHECKPOINT": "0:1000000000:1000000:50"}
        self.assertEqual(harness.run(*self.command(*SKIP), env=killing).code, -signal.SIGKILL)
        self.assertTrue(list(self.out.glob("receipts/*/0.skipped")))
        packed = self.skip()
        self.assertGreater(packed["pieces"][0]["resumed_bytes"], 0)
        self.assertEqual([item["path"] for item in packed["skipped"]], ["files/07"])
        self.check(harness.run("verify", self.out), 0)
        self.assertEqual([path for path in self.out.iterdir() if path.name.startswith(".")], [])

    def test_an_attempt_that_may_not_skip_does_not(self):
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("no kill points in this build")
        self.make_plan("--dedup", "none")
        lost = self.source / "files/07"
        kept = self.temp / "kept"
        lost.rename(kept)
        killing = {"PIECEWORK_KILL": "checkpoint.after_append:3", "PIECEWORK_CHECKPOINT": "0:1000000000:1000000:50"}
        self.assertEqual(harness.run(*self.command(*SKIP), env=killing).code, -signal.SIGKILL)
        kept.rename(lost)
        packed = self.check(harness.run(*self.command("--json")), 0).json()
        self.assertEqual((packed["skipped"], self.paths(packed)), ([], self.all_files()))

    def test_nothing_is_left(self):
        for path in self.source.rglob("*"):
            if not path.is_dir() and path.parent.name == "files":
                continue
            if path.is_file():
                path.unlink()
        shutil.rmtree(self.source / "many")
        self.make_plan()
        shutil.rmtree(self.source / "files")
        (self.source / "files").mkdir()
        (self.source / "files/link").symlink_to("00")
        packed = self.skip()
        self.assertEqual([row["kind"] for row in harness.file_rows(self.out, packed["pieces"][0])], ["symlink"])
        only = self.temp / "only"
        harness.make_tree(only, {"file": b"1"})
        plan = self.temp / "plan of one"
        self.check(harness.run("plan", only, "--out", plan), 0)
        (only / "file").unlink()
        failed = harness.run("pack", "--plan", plan, "--all", "--out", self.temp / "none", *SKIP)
        self.assertIn(b"nothing is left", self.check(failed, 66).err)

    def test_a_file_in_parts_is_not_skipped(self):
        (self.source / "large").write_bytes(harness.noise("large", 700_000))
        self.make_plan("--piece-size", "256KiB", "--chunk-size", "16384")
        self.lose("large", "files/05")
        failed = self.check(harness.run(*self.command(*SKIP)), 66)
        self.assertIn(b"large", failed.err)

    def test_what_was_skipped_is_not_known(self):
        self.make_plan("--dedup", "none")
        lost = self.source / "files/07"
        kept = self.temp / "kept"
        lost.rename(kept)
        self.skip()
        kept.rename(lost)
        for flags in ((), ("--known-check",)):
            with self.subTest(flags=flags):
                known = self.check(harness.run("plan", self.source, "--known", self.out, *flags, "--out",
                                               self.temp / f"next{len(flags)}", "--json"), 0).json()
                self.assertEqual(known["file_count"], len(self.all_files()) if flags else 1)


if __name__ == "__main__":
    harness.main()
