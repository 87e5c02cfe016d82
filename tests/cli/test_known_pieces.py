#!/usr/bin/env python3
"""--known DIR: what an output directory can say, whole and damaged, for tasks and stores, and runs that were killed."""
import json
import os
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import dag  # noqa: E402
import harness  # noqa: E402
from incremental import Case  # noqa: E402

PUBLIC = harness.VECTORS / "public"
REPOSITORY = PUBLIC / "flatfs-repo-basic"
READS = "read,readv,pread64,preadv,preadv2"
CARS = [PUBLIC / name for name in ("basic.unixfs-v1-2025.car", "basic.tiny.car", "basic.tiny-pb.car")]


class Tasks(Case):
    def test_pieces_of_tasks_are_known(self):
        """A plan that was packed by tasks is kept in DIR/plans, so that the next plan knows of it."""
        harness.make_tree(self.source, {f"{i:02d}": harness.noise(f"task-{i}", 20000) for i in range(20)})
        plan, path = self.plan_of(self.source, "--piece-size", "128KiB")
        self.assertGreater(plan["batch_count"], 2)
        for batch in (0, 1):
            self.check(harness.run("pack", "--plan", path, "--out", self.out, "--task", batch), 0)
        os.remove(path)
        done = sum(len(json.loads(name.read_text())["sources"]) for name in self.out.glob("receipts/*/*.json"))
        self.assertEqual(done, 2)
        held = plan["batches"][0]["file_count"] + plan["batches"][1]["file_count"]
        rest, _ = self.plan_of(self.source, "--piece-size", "128KiB", "--known", self.out)
        self.assertEqual((rest["known_count"], rest["file_count"]), (held, 20 - held))


class Damage(Case):
    def setUp(self):
        super().setUp()
        harness.make_tree(self.source, {"a": b"1", "b": b"2"})
        self.piece = self.run_known()["pieces"][0]
        self.digest = Path(self.piece["receipt"]).parent.name

    def plan_known(self, *flags, code=0, known=None):
        return self.plan_of(self.source, "--known", known or self.out, *flags, code=code)[0]

    def test_no_such_directory(self):
        for path in (self.temp / "nowhere", self.source / "a"):
            finished = self.plan_known(known=path, code=64)
            self.assertIn(str(path), finished.err.decode())
            self.check(harness.run("pack", self.source, "--out", self.temp / "o", "--known", path), 64)

    def test_a_directory_that_is_none_of_ours(self):
        finished = self.check(harness.run("plan", self.source, "--known", self.source, "--out", self.temp / "p"), 64)
        self.assertIn("output directory itself", finished.err.decode())
        (self.temp / "other").mkdir()
        finished = self.check(harness.run("plan", self.source, "--known", self.temp / "other", "--out",
                                          self.temp / "p"), 0)
        self.assertIn("no receipts", finished.err.decode())

    def test_flags_that_do_not_go_together(self):
        _, path = self.plan_of(self.source)
        self.check(harness.run("pack", "--plan", path, "--all", "--out", self.out, "--known", self.out), 64)
        self.check(harness.run("pack", self.source, "--out", self.out, "--known-check"), 64)

    def test_a_receipt_that_is_none(self):
        receipt = Path(self.piece["receipt"])
        whole = receipt.read_bytes()
        for content in (b"{", b"", whole.replace(b'"batch": 0', b'"batch": 1')):
            receipt.write_bytes(content)
            self.assertIn(receipt.name, self.plan_known(code=78).err.decode())

    def test_a_plan_that_is_damaged_or_anothers(self):
        plan = self.out / "plans" / self.digest
        whole = plan.read_bytes()
        harness.make_tree(self.source, {"c": b"3"})
        _, other = self.plan_of(self.source)
        for content in (b"something else" * 100, whole[:len(whole) // 2], other.read_bytes()):
            plan.write_bytes(content)
            self.assertIn(self.digest, self.plan_known(code=78).err.decode())

    def test_a_plan_that_is_missing(self):
        (self.out / "plans" / self.digest).unlink()
        finished = harness.run("plan", self.source, "--known", self.out, "--out", self.temp / "p", "--json")
        self.assertEqual(self.check(finished, 0).json()["file_count"], 2)
        self.assertIn(self.digest, finished.err.decode())
        self.assertEqual(self.run_known()["known_count"], 0)  # and is packed again

    def test_what_a_done_batch_needs(self):
        os.remove(self.piece["car"])
        self.assertEqual(self.plan_known()["batch_count"], 0)
        (self.out / f"{self.piece['piece_cid_v1']}.tree").unlink()
        self.assertEqual(self.plan_known()["file_count"], 2)

    def test_a_damaged_table_of_files(self):
        table = self.out / f"{self.piece['piece_cid_v1']}.files.ndjson.zst"
        whole = table.read_bytes()
        rows = harness.subprocess.run(["zstd", "-dc", str(table)], capture_output=True, check=True).stdout
        swapped = b"".join(reversed(rows.splitlines(keepends=True)))
        other = rows.replace(b"bafkrei", b"bafkreJ", 1)
        frames = [harness.subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout
                  for text in (swapped, other, rows[:-1] + b" \n", rows + rows)]
        for content in (whole[:-5], b"", *frames):
            with self.subTest(content=content):
                table.write_bytes(content)
                self.assertIn(table.name, self.plan_known("--known-check", code=78).err.decode())
                self.assertEqual(self.plan_known()["batch_count"], 0)  # not looked at
        table.write_bytes(whole)
        self.assertEqual(self.plan_known("--known-check")["batch_count"], 0)


class Stores(Case):
    def roots(self, *roots):
        path = self.temp / f"roots-{len(list(self.temp.glob('roots-*')))}"
        path.write_text("\n".join(roots) + "\n")
        return path

    def root_and_file(self):
        rows = json.loads((PUBLIC / "unixfs-trees.json").read_text())
        row = next(r for r in rows if r["tree"] == "basic.spec.json" and r["profile"].startswith("unixfs-v1-2025"))
        piece = self.pack_one(REPOSITORY, "--roots", self.roots(row["root"]), "--out", self.temp / "tree")
        return row["root"], harness.file_rows(self.temp / "tree", piece)[0]["cid"], piece

    def test_roots_of_a_repository(self):
        root, inner, piece = self.root_and_file()
        self.run_known(REPOSITORY, flags=["--roots", self.roots(root)])
        report = self.run_known(REPOSITORY, flags=["--roots", self.roots(root)])
        self.assertEqual((report["pieces"], report["known_count"]), ([], 1))
        self.assertGreaterEqual(report["known_bytes"], piece["payload_bytes"] // 2)
        # A block of a known DAG is not known itself; roots may be given twice.
        report = self.run_known(REPOSITORY, flags=["--roots", self.roots(root, inner, root, inner)])
        self.assertEqual([(p["root_cid"], p["file_count"]) for p in report["pieces"]], [(inner, 1)])
        self.assertEqual(report["known_count"], 1)
        self.check(harness.run("verify", self.out), 0)
        self.assertEqual(self.run_known(REPOSITORY, flags=["--roots", self.roots(inner, root)])["known_count"], 2)

    def test_roots_of_cars(self):
        for flags in ([], ["--one-item-per-piece"]):
            out = self.temp / f"out{len(flags)}"
            self.run_known(CARS[0], CARS[1], out=out, flags=flags)
            plan, path = self.plan_of(*CARS, "--known", out, *flags)
            self.assertEqual((plan["batch_count"], plan["known_count"]), (1, 2))
            report = self.run_known(*CARS, out=out, flags=flags)
            self.assertEqual((len(report["pieces"]), report["known_count"]), (1, 2))
            self.assertEqual(self.run_known(*CARS, out=out, flags=flags)["pieces"], [])
            self.assertEqual(self.run_known(*reversed(CARS), out=out, flags=flags)["pieces"], [])

    def test_a_car_on_standard_input(self):
        car = CARS[0].read_bytes()
        for count in (1, 0):
            finished = harness.run("pack", "-", "--out", self.out, "--known", self.out, "--json", stdin=car)
            self.assertEqual(len(self.check(finished, 0).json()["pieces"]), count)

    def test_an_incomplete_dag_is_not_known(self):
        """What a store missed may come later: a DAG of which a block is missing is packed again, its neighbour not."""
        blocks, root = dag.read_car(CARS[1])
        whole = CARS[0]
        missing = next(cid for cid in blocks if cid not in dag.read_car(whole)[0] and cid != root)
        cut = dag.write_car(self.temp / "cut.car", root, {cid: blocks[cid] for cid in blocks if cid != missing})
        roots = self.temp / "roots"
        roots.write_text("".join(f"{dag.cid_text(dag.read_car(car)[1])}\n" for car in (cut, whole)))
        report = self.run_known(cut, whole, flags=("--partial", "--roots", roots))
        self.assertEqual(len(report["pieces"]), 1)
        plan, _ = self.plan_of(CARS[1], whole, "--known", self.out)
        self.assertEqual(plan["known_count"], 1)
        self.assertEqual(plan["batch_count"], 1)

    def test_a_join_alone_makes_nothing_known(self):
        """The upper nodes of a DAG in parts are done, a part is not: the DAG is planned again, its done parts not."""
        car = PUBLIC / "many-small-dirs.unixfs-v1-2025.car"
        flags = ("--piece-size", "16KiB")
        plan, path = self.plan_of(car, *flags)
        self.assertGreater(plan["batch_count"], 2)
        batches = list(range(plan["batch_count"]))
        for missing in (0, None):
            for batch in batches[::-1]:
                if batch != missing:
                    self.check(harness.run("pack", "--plan", path, "--out", self.out, "--task", batch), 0)
            rest, _ = self.plan_of(car, "--known", self.out, *flags)
            self.assertEqual(rest["known_count"], 1 if missing is None else 0)
            self.assertEqual(rest["batch_count"] > 0, missing is not None)

    def test_nothing_at_all_is_not_nothing_new(self):
        self.run_known(CARS[0])
        empty = self.temp / "roots-empty"
        empty.write_text("# none\n")
        finished = harness.run("pack", REPOSITORY, "--roots", empty, "--out", self.out, "--known", self.out)
        self.check(finished, 66)


class Killed(Case):
    """Killed and run again, an incremental pack goes on: nothing is lost, packed twice or left behind."""

    OLD = {f"old/{i}": harness.hashlib.sha256(b"%d" % i).digest() * 300 for i in range(20)}
    FLAGS = ("--piece-size", "128KiB")

    def setUp(self):
        super().setUp()
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("not a test build")
        harness.make_tree(self.source, self.OLD)
        self.run_known(flags=self.FLAGS)
        harness.make_tree(self.source, {f"new/{i:02d}": harness.noise(f"new-{i}", 20000) for i in range(16)})
        shutil.copytree(self.out, self.temp / "expected")
        self.expected = self.run_known(out=self.temp / "expected", flags=self.FLAGS)
        self.assertEqual(len(self.expected["pieces"]), 3)

    def kill_at(self, point):
        environment = {"PIECEWORK_KILL": point, "PIECEWORK_CHECKPOINT": "0:1000000000:1000000:6"}
        return harness.run("pack", self.source, "--out", self.out, "--known", self.out, *self.FLAGS, env=environment)

    def kill_in_the_second_batch(self):
        finished = self.kill_at("receipt.after:1")
        self.assertEqual(finished.code, -signal.SIGKILL, finished)
        finished = self.kill_at("checkpoint.after_append:3")
        self.assertEqual(finished.code, -signal.SIGKILL, finished)
        self.assertTrue(list(self.out.glob(".piecework-*-1.checkpoint.tmp")))
        self.assertEqual(len(list(self.out.glob("plans/*.open"))), 1)

    def all_paths(self):
        """What all pieces hold, by the receipts; everything once."""
        receipts = [json.loads(path.read_text()) for path in self.out.glob("receipts/*/*.json")]
        return self.paths({"pieces": receipts})

    def assert_tidy(self):
        left = [name for name in harness.files_below(self.out) if name.endswith((".tmp", ".open"))]
        self.assertEqual(left, [])

    def test_goes_on_with_the_same_plan(self):
        self.kill_in_the_second_batch()
        report = self.run_known(flags=self.FLAGS)
        self.assertGreater(report["pieces"][1]["resumed_bytes"], 0)
        for key in ("plan_digest", "known_count", "known_bytes"):
            self.assertEqual(report[key], self.expected[key])
        self.assertEqual([p["piece_cid_v1"] for p in report["pieces"]],
                         [p["piece_cid_v1"] for p in self.expected["pieces"]])
        self.assertEqual(harness.snapshot(self.out), harness.snapshot(self.temp / "expected"))

    def test_killed_anywhere(self):
        publishing = [f"publish.{step}:{n}" for step in ("before_sync", "after_link", "after_unlink")
                      for n in range(1, 18)]
        points = publishing + [f"receipt.{step}:{n}" for step in ("before", "after") for n in (1, 2, 3)]
        shutil.copytree(self.out, self.temp / "start")
        killed_count = 0
        for point in points:
            killed = self.kill_at(point).code == -signal.SIGKILL
            killed_count += killed
            self.run_known(flags=self.FLAGS)
            self.assertEqual(harness.snapshot(self.out), harness.snapshot(self.temp / "expected"), point)
            shutil.rmtree(self.out)
            shutil.copytree(self.temp / "start", self.out)
        self.assertGreater(killed_count, 50)

    def test_more_files_meanwhile(self):
        self.kill_in_the_second_batch()
        harness.make_tree(self.source, {"new/00-more": b"more", "newer": b"newer"})
        report = self.run_known(flags=self.FLAGS)
        self.assertEqual(len(report["pieces"]), 4)
        self.assertGreater(report["pieces"][1]["resumed_bytes"], 0)
        self.assertEqual(self.all_paths(), sorted(p for p in harness.files_below(self.source)))
        self.assert_tidy()

    def test_files_that_changed_meanwhile(self):
        self.kill_in_the_second_batch()
        first_batch = self.paths({"pieces": self.expected["pieces"][:1]}, self.temp / "expected")
        for change in ("new/15", "new/14"):
            self.assertNotIn(change, first_batch)
        (self.source / "new/15").write_bytes(b"changed")
        (self.source / "new/14").unlink()
        finished = harness.run("pack", self.source, "--out", self.out, "--known", self.out, *self.FLAGS, "--json")
        report = self.check(finished, 0).json()
        self.assertIn("planned anew", finished.err.decode())
        self.assertNotEqual(report["plan_digest"], self.expected["plan_digest"])
        self.check(harness.run("verify", self.out), 0)
        held = self.all_paths()
        self.assertLessEqual(set(harness.files_below(self.source)), set(held))
        self.assertEqual([p for p in first_batch if held.count(p) != 1], [])
        self.assert_tidy()
        self.assertEqual(self.run_known(flags=self.FLAGS)["pieces"], [])

    def test_another_job_leaves_an_open_plan_alone(self):
        self.kill_in_the_second_batch()
        temporaries = sorted(self.out.glob(".piecework-*.tmp"))
        harness.make_tree(self.temp / "other", {"x": b"x"})
        self.assertEqual(self.paths(self.run_known(self.temp / "other")), ["x"])
        self.assertEqual(sorted(self.out.glob(".piecework-*.tmp")), temporaries)
        self.assertEqual(self.run_known(flags=self.FLAGS)["plan_digest"], self.expected["plan_digest"])
        self.assert_tidy()

    def test_an_open_plan_that_is_missing(self):
        self.kill_in_the_second_batch()
        (self.out / "plans" / self.expected["plan_digest"]).unlink()
        self.run_known(flags=self.FLAGS)
        self.assertLessEqual(set(harness.files_below(self.source)), set(self.all_paths()))
        self.assertEqual(list(self.out.glob("plans/*.open")), [])

    def test_copies_at_the_same_time(self):
        command = ("pack", self.source, "--out", self.out, "--known", self.out, *self.FLAGS, "--json")
        copies = [harness.start(*command) for _ in range(4)]
        for copy in copies:
            out, message = copy.communicate(timeout=harness.TIMEOUT_S)
            self.assertEqual(copy.returncode, 0, message + out)
        self.assertEqual(self.all_paths(), sorted(harness.files_below(self.source)))
        self.assertEqual(harness.snapshot(self.out), harness.snapshot(self.temp / "expected"))

    def test_an_item_that_is_skipped(self):
        """What was done before it failed is known to the plan without it."""
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        wrapper = ["strace", "-f", "-o", self.temp / "log", "-P", self.source / "new/15", "-e", f"trace={READS}", "-e",
                   f"inject={READS}:error=EIO"]
        command = ("pack", self.source, "--out", self.out, "--known", self.out, *self.FLAGS, "--dedup", "none",
                   "--json")
        finished = harness.run(*command, "--on-source-error", "skip", "--io", "posix", wrapper=wrapper,
                               env={"ASAN_OPTIONS": "detect_leaks=0"})
        report = self.check(finished, 0).json()
        self.assertEqual([item["path"] for item in report["skipped"]], ["new/15"])
        self.assertEqual([piece["batch"] for piece in report["pieces"]], [0, 1, 0])
        self.assertEqual(self.all_paths(), [p for p in sorted(harness.files_below(self.source)) if p != "new/15"])
        self.assert_tidy()
        self.assertEqual(self.paths(self.check(harness.run(*command), 0).json()), ["new/15"])


if __name__ == "__main__":
    harness.main()
