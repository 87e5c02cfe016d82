#!/usr/bin/env python3
"""What schedulers need: todo, --task auto, tasks that are asked again, limits of control groups."""
import contextlib
import json
import os
import shutil
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402
from control_group import group, memory_group  # noqa: E402
from planned import INDEX_VARIABLES, NO_INDEX, Planned  # noqa: E402


class Todo(Planned):
    def test_everything_is_missing_where_nothing_is(self):
        self.assertEqual(self.todo().out, f"0-{self.count - 1}\n".encode())
        self.assertFalse(self.out.exists())
        self.out.mkdir()
        self.assertEqual(self.todo().out, f"0-{self.count - 1}\n".encode())
        self.assertEqual(list(self.out.iterdir()), [])

    def test_formats(self):
        for batch in (1, 3, 4):
            self.task(batch)
        missing = [batch for batch in range(self.count) if batch not in (1, 3, 4)]
        ranges = f"0,2,5-{self.count - 1}"
        self.assertEqual(self.todo().out.decode(), ranges + "\n")
        self.assertEqual(self.todo("--format", "slurm").out.decode(), ranges + "\n")
        self.assertEqual(self.todo("--format", "lines").out.decode(), "".join(f"{batch}\n" for batch in missing))
        self.assertEqual(self.todo("--format", "lines", "--task-offset", 1).out.decode(),
                         "".join(f"{batch + 1}\n" for batch in missing))
        self.assertEqual(self.todo("--json").json(), {
            "plan_digest": self.report["plan_digest"], "batch_count": self.count, "done_count": 3, "waiting_count": 0,
            "missing_count": len(missing),
            "missing_car_bytes": sum(self.report["batches"][batch]["car_bytes"] for batch in missing),
            "missing": missing, "missing_ranges": ranges})
        self.todo("--format", "pbs", code=64)

    def test_nothing_missing_is_no_output(self):
        self.pack("--plan", self.plan, "--all", "--out", self.out)
        for flags in ([], ["--format", "lines"]):
            self.assertEqual(self.todo(*flags).out, b"")
        self.assertEqual(self.todo("--json").json()["missing"], [])

    def test_what_is_missing_is_what_pack_packs(self):
        self.pack("--plan", self.plan, "--all", "--out", self.out)
        pieces = [json.loads(self.receipt(batch).read_text())["piece_cid_v1"] for batch in range(6)]
        (self.out / f"{pieces[0]}.car").unlink()
        os.truncate(self.out / f"{pieces[1]}.car", 100)
        (self.out / f"{pieces[2]}.tree").unlink()
        (self.out / f"{pieces[3]}.nodes").unlink()
        (self.out / f"{pieces[4]}.files.ndjson.zst").unlink()
        self.receipt(5).unlink()
        self.assertEqual(self.todo().out, b"0-5\n")
        self.assertEqual(self.todo("--no-car").out, b"2-5\n")
        for batch, flags in ((0, ["--no-car"]), (6, [])):
            self.assertIn(b"was done already", self.task(batch, *flags).out)
        (self.out / f"{pieces[1]}.car").unlink()  # a file of another length is never replaced
        for batch in range(6):
            self.task(batch)
        self.assertEqual(self.todo().out, b"")
        self.check(harness.run("verify", self.out), 0)

    def test_without_a_plan(self):
        self.check(harness.run("todo", "--plan", self.temp / "none", "--out", self.out), 66)
        self.check(harness.run("todo", "--out", self.out), 64)
        self.check(harness.run("todo", "--plan", self.plan), 64)

    def test_out_that_is_no_directory(self):
        self.out.write_bytes(b"mine")
        self.todo(code=73)


class AutomaticTask(Planned):
    def auto(self, variables, *flags, code=0):
        return self.task("auto", "--no-car", *flags, code=code, env={**NO_INDEX, **variables})

    def batch_of(self, variables, *flags):
        return self.auto(variables, *flags, "--json").json()["pieces"][0]["batch"]

    def test_each_variable(self):
        for name in INDEX_VARIABLES:
            with self.subTest(name=name):
                self.assertEqual(self.batch_of({name: "3"}), 2 if name in ("LSB_JOBINDEX", "SGE_TASK_ID") else 3)

    def test_offsets(self):
        self.assertEqual(self.batch_of({"SLURM_ARRAY_TASK_ID": "5"}, "--task-offset", 4), 1)
        self.assertEqual(self.batch_of({"SGE_TASK_ID": "5"}, "--task-offset", 0), 5)
        self.assertEqual(self.batch_of({"SLURM_ARRAY_TASK_ID": "1"}, "--task-offset", -2), 3)
        self.assertIn(b"batch -1", self.auto({"SLURM_ARRAY_TASK_ID": "3"}, "--task-offset", 4, code=64).err)

    def test_values_that_mean_unset(self):
        finished = self.auto({"LSB_JOBINDEX": "0", "SGE_TASK_ID": "undefined"}, code=64)
        for name in INDEX_VARIABLES:
            self.assertIn(name.encode(), finished.err)
        self.assertEqual(self.batch_of({"LSB_JOBINDEX": "0", "SGE_TASK_ID": "undefined", "PBS_ARRAY_INDEX": "2"}), 2)

    def test_two_that_disagree(self):
        self.auto({"SLURM_ARRAY_TASK_ID": "1", "JOB_COMPLETION_INDEX": "2"}, code=64)
        self.assertEqual(self.batch_of({"SLURM_ARRAY_TASK_ID": "1", "JOB_COMPLETION_INDEX": "1"}), 1)

    def test_what_is_no_batch(self):
        for value in ("-1", "one", "1.5", str(self.count), "99999999999999999999"):
            with self.subTest(value=value):
                self.auto({"SLURM_ARRAY_TASK_ID": value}, code=64)
        self.assertFalse((self.out / "receipts").exists() and list((self.out / "receipts").rglob("*.json")))

    def test_offset_without_auto(self):
        self.task(1, "--task-offset", 1, code=64)
        self.task("some", code=64)


class AskedAgain(Planned):
    def test_done_needs_no_source(self):
        first = self.task(2, "--json").json()["pieces"][0]
        self.source.rename(self.temp / "elsewhere")
        self.assertEqual(self.task(2, "--json").json()["pieces"][0], first)
        self.task(3, code=66)

    def test_car_that_is_missing_is_made_again(self):
        first = self.task(2, "--no-car", "--json").json()["pieces"][0]
        second = self.task(2, "--json").json()["pieces"][0]
        self.assertEqual(second["piece_cid_v2"], first["piece_cid_v2"])
        self.assertEqual(Path(second["car"]).stat().st_size, second["payload_bytes"])


class Mismatch(Planned):
    """Exit code 78: a plan that does not match its own digest, a receipt that names another."""

    def edited(self, *statements):
        path = self.temp / "edited"
        shutil.copyfile(self.plan, path)
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            for statement in statements:
                database.execute(statement)
        return path

    def test_edited_plan(self):
        for statement in (
                "UPDATE meta SET value = substr(value, 2) || substr(value, 1, 1) WHERE key = 'digest'",
                "UPDATE meta SET value = '999' WHERE key = 'format'",
                "DELETE FROM meta WHERE key = 'options'",
                "UPDATE meta SET value = replace(value, '\"files\"', '\"some\"') WHERE key = 'options'",
                "UPDATE meta SET value = replace(value, '1048576', '262144') WHERE key = 'options'",
                "UPDATE sources SET name = CAST('other' AS BLOB)",
                "UPDATE sources SET path = CAST('/etc' AS BLOB)",
                "INSERT INTO skipped VALUES(0, CAST('x' AS BLOB), 'never was', 2)",
                "UPDATE batches SET digest = zeroblob(32) WHERE batch = 4",
                "UPDATE batches SET car_bytes = 0 WHERE batch = 2",
                "UPDATE batches SET car_bytes = 1 << 62 WHERE batch = 2",
                "UPDATE batches SET file_count = file_count + 1 WHERE batch = 2",
                "UPDATE batches SET class_count = class_count + 1 WHERE batch = 2",
                "DELETE FROM batches WHERE batch = (SELECT max(batch) FROM batches)",
                "DELETE FROM batches WHERE batch = 1"):
            with self.subTest(statement=statement):
                plan = self.edited(statement)
                self.check(harness.run("pack", "--plan", plan, "--out", self.out, "--task", 2), 78)
                self.todo(plan=plan, code=78)

    def test_edited_records(self):
        for statement in ("DELETE FROM records WHERE batch = 2",
                          "UPDATE records SET data = zeroblob(50) WHERE batch = 2",
                          "UPDATE records SET data = (SELECT r.data FROM records r WHERE r.batch = 1) WHERE batch = 2"):
            with self.subTest(statement=statement):
                plan = self.edited(statement)
                self.check(harness.run("pack", "--plan", plan, "--out", self.out, "--task", 2), 78)
                self.check(harness.run("pack", "--plan", plan, "--out", self.out, "--task", 3), 0)
        self.assertFalse(self.receipt(2).exists())

    def test_damaged_file(self):
        whole = self.plan.read_bytes()
        damaged = self.temp / "damaged"
        for content in (b"", whole[:len(whole) // 2], whole[:20000] + bytes(len(whole) - 20000), b"no plan" * 1000):
            damaged.write_bytes(content)
            self.check(harness.run("pack", "--plan", damaged, "--out", self.out, "--all"), 78)
            self.todo(plan=damaged, code=78)

    def test_receipt_of_another(self):
        self.task(1)
        self.task(2)
        receipt = json.loads(self.receipt(2).read_text())
        for change in ({"plan_digest": "0" * 64}, {"batch": 1}, {"format": 2}, {"payload_bytes": "many"}):
            with self.subTest(change=change):
                self.receipt(2).write_text(json.dumps({**receipt, **change}))
                self.assertIn(b"2.json", self.task(2, code=78).err)
                self.todo(code=78)
        for text in ("", "{}", "[" * 100_000, "null"):
            with self.subTest(text=text[:4]):
                self.receipt(2).write_text(text)
                self.task(2, code=78)
        self.task(1)


class ContradictingReceipt(Planned):
    def test_is_70_and_stays(self):
        self.task(2)
        text = self.receipt(2).read_text()
        piece = json.loads(text)["piece_cid_v1"]
        (self.out / f"{piece}.tree").unlink()
        other = text.replace('"file_count": ', '"file_count": 1')
        self.receipt(2).write_text(other)
        self.task(2, code=70)
        self.assertEqual(self.receipt(2).read_text(), other)


class Limits(harness.TestCase):
    """Affinity, and memory and processor limits of a control group made for the test."""

    def test_affinity(self):
        cpu = min(os.sched_getaffinity(0))
        if shutil.which("taskset") is None:
            self.skipTest("taskset is missing")
        info = harness.run("info", "--json", wrapper=("taskset", "-c", str(cpu)))
        self.assertEqual(self.check(info, 0).json()["thread_count"], 1)

    def test_processor_quota(self):
        with group("cpu", v1={"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"},
                   v2={"cpu.max": "50000 100000"}) as (wrapper, _):
            info = self.check(harness.run("info", "--json", wrapper=wrapper), 0).json()
        self.assertEqual((info["thread_count"], info["limits"]["cgroup_cpu_count"]), (1, 1))

    def test_memory(self):
        source = self.temp / "source"
        harness.make_tree(source, {"file": harness.payload("limits", 3_000_000)})
        with memory_group(160 << 20) as (wrapper, _):
            limits = self.check(harness.run("info", "--json", wrapper=wrapper), 0).json()["limits"]
            self.assertEqual((limits["cgroup_memory_bytes_max"], limits["memory_budget_bytes"]), (160 << 20, 140 << 20))
            finished = harness.run("pack", source, "--out", self.temp / "out", wrapper=wrapper)
            self.assertIn(b"140.0 MiB", self.check(finished, 0).err)
            finished = harness.run("pack", source, "--out", self.temp / "out", "--memory", "1GiB", wrapper=wrapper)
            self.assertIn(b"warning: --memory", self.check(finished, 0).err)
        if harness.has_undefined_sanitizer():
            return  # the sanitizers' own memory is more than the smaller group has
        with memory_group(48 << 20) as (wrapper, _):
            finished = harness.run("pack", source, "--out", self.temp / "other", wrapper=wrapper)
            self.assertIn(b"control group", self.check(finished, 71).err)
        self.assertFalse((self.temp / "other").exists())

    def test_address_space_that_runs_out(self):
        source = self.temp / "source"
        harness.make_tree(source, {"file": b"content" * 100})
        for limit_kib in (24000, 40000, 60000, 80000):
            limited = ("sh", "-c", f'ulimit -v {limit_kib} && exec "$@"', "sh")
            if harness.run("--version", wrapper=limited).code != 0:
                self.skipTest("the program does not start in so little: sanitizers reserve much more")
            with self.subTest(limit_kib=limit_kib):
                finished = harness.run("pack", source, "--out", self.temp / "out", "--io", "posix", wrapper=limited)
                self.check(finished, 71)

    def test_more_files_than_descriptors(self):
        """Where a lookup is cached and a read is not, as in memory's file systems: no file stays open for long."""
        with harness.small_file_system(self, self.temp / "memory", 64) as memory:
            harness.make_tree(memory / "source", {f"{i % 7}/{i}": b"%d" % i for i in range(6000)})
            limited = ("sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh")
            for backend in ("uring", "posix"):
                with self.subTest(backend=backend):
                    out = self.temp / backend
                    packed = harness.run("pack", memory / "source", "--out", out, "--io", backend, wrapper=limited)
                    self.check(packed, 0)
                    self.check(harness.run("verify", out), 0)

    def test_descriptors_that_run_out(self):
        if harness.has_undefined_sanitizer():
            self.skipTest("the sanitizer looks at objects through a pipe, and calls them invalid where it gets none")
        source = self.temp / "source"
        harness.make_tree(source, {"file": b"content" * 100})
        limited = ("sh", "-c", 'ulimit -n 8 && exec "$@"', "sh")
        for backend in ("uring", "posix"):
            with self.subTest(backend=backend):
                finished = harness.run("pack", source, "--out", self.temp / "out", "--io", backend, wrapper=limited)
                self.check(finished, 71)


if __name__ == "__main__":
    harness.main()
