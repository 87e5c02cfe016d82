#!/usr/bin/env python3
"""pack --events and --metrics-file: what they say, and that they never fail the job."""
import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402
from planned import NO_INDEX, Planned  # noqa: E402


class Events(Planned):
    def events(self, text):
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual(list(line)[:2], ["time", "event"])
        self.assertEqual(sorted(line["time"] for line in lines), [line["time"] for line in lines])
        return [line for line in lines if line["event"] != "progress"]

    def names(self, lines):
        return [line["event"] for line in lines]

    def test_appended_to_a_file(self):
        log = self.temp / "events"
        pieces = self.task(2, "--events", log, "--json").json()["pieces"]
        self.task(2, "--events", log)
        lines = self.events(log.read_text())
        self.assertEqual(self.names(lines),
                         ["plan", "batch_started", "batch_done", "done", "plan", "batch_done", "done"])
        self.assertEqual((lines[0]["plan_digest"], lines[0]["batch_count"], lines[0]["plan_batch_count"]),
                         (self.report["plan_digest"], 1, self.count))
        self.assertEqual(lines[1]["car_bytes"], self.report["batches"][2]["car_bytes"])
        for key in ("batch", "piece_cid_v1", "piece_cid_v2", "root_cid", "payload_bytes", "padded_bytes"):
            self.assertEqual(lines[2][key], pieces[0][key])
        self.assertEqual([lines[2]["was_done"], lines[5]["was_done"]], [False, True])
        self.assertEqual([lines[3]["packed_bytes"], lines[6]["packed_bytes"]], [pieces[0]["payload_bytes"], 0])

    def test_on_standard_output(self):
        finished = self.task(2, "--events", "-")
        self.assertEqual(self.names(self.events(finished.out)), ["plan", "batch_started", "batch_done", "done"])
        self.task(2, "--events", "-", "--json", code=64)

    def test_skipped_items_and_a_plan_of_its_own(self):
        os.mkfifo(self.source / "pipe")
        finished = harness.run("pack", self.source, "--out", self.out, "--on-source-error", "skip", "--events", "-")
        lines = self.events(self.check(finished, 0).out)
        self.assertEqual(self.names(lines), ["plan", "item_skipped", "batch_started", "batch_done", "done"])
        self.assertEqual(lines[1]["path"], "pipe")
        self.assertEqual(lines[0]["file_count"], 40)

    def test_errors(self):
        lines = self.events(self.task("auto", "--events", "-", code=64, env=NO_INDEX).out)
        self.assertEqual(self.names(lines), ["error"])
        self.assertEqual((lines[0]["exit_code"], lines[0]["class"]), (64, "invalid_argument"))
        file = next(path for path in sorted(self.source.rglob("file-*")))
        file.write_bytes(b"changed")
        lines = self.events(self.check(harness.run("pack", "--plan", self.plan, "--out", self.out, "--all", "--events",
                                                   "-"), 66).out)
        self.assertEqual((lines[-1]["event"], lines[-1]["exit_code"], lines[-1]["side"]), ("error", 66, "source"))
        self.assertIn(file.name, lines[-1]["path"])

    def test_stop(self):
        source = self.temp / "large"
        log = self.temp / "events"
        harness.make_tree(source, {f"part-{i}": harness.noise(f"stop-{i}", 20 << 20) for i in range(5)})
        process = harness.start("pack", source, "--out", self.out, "--threads", 1, "--events", log,
                                env={**os.environ, "PIECEWORK_FORCE_VARIANT": "scalar"})
        deadline = time.monotonic() + harness.TIMEOUT_S
        while not (log.exists() and b"batch_started" in log.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.terminate()
        _, message = process.communicate(timeout=harness.TIMEOUT_S)
        self.assertEqual(process.returncode, 75, message.decode(errors="replace"))
        last = self.events(log.read_text())[-1]
        self.assertEqual((last["event"], last["exit_code"], last["batch"]), ("stopped", 75, 0))

    def test_that_cannot_be_written_are_a_warning(self):
        for target in (self.temp / "none/events", "/dev/full", self.temp):
            with self.subTest(target=target):
                self.assertIn(b"warning: events", self.task(2, "--events", target).err)
                shutil.rmtree(self.out)


class Metrics(Planned):
    SAMPLE = re.compile(r'([a-zA-Z_]\w*)\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\S+)')

    def metrics(self, path):
        """{name: (labels, value)}; checks HELP and TYPE before every sample."""
        found = {}
        lines = path.read_text().split("\n")
        self.assertEqual(lines.pop(), "")
        for help_line, type_line, sample in zip(*[iter(lines)] * 3, strict=True):
            match = self.SAMPLE.fullmatch(sample)
            self.assertIsNotNone(match, sample)
            name = match[1]
            self.assertTrue(help_line.startswith(f"# HELP {name} "), help_line)
            self.assertIn(type_line, (f"# TYPE {name} gauge", f"# TYPE {name} counter"))
            self.assertEqual(type_line.endswith("counter"), name.endswith("_total"))
            self.assertNotIn(name, found)
            found[name] = (match[2], float(match[3]))
        return found

    def test_of_a_finished_task(self):
        path = self.temp / "metrics.prom"
        path.write_text("old\n")
        piece = self.task(2, "--metrics-file", path, "--json").json()["pieces"][0]
        metrics = self.metrics(path)
        values = {name: value for name, (_, value) in metrics.items()}
        self.assertEqual(values["piecework_packed_bytes_total"], piece["payload_bytes"])
        self.assertEqual((values["piecework_batches"], values["piecework_batches_packed_total"],
                          values["piecework_batches_done_before_total"]), (1, 1, 0))
        self.assertEqual((values["piecework_running"], values["piecework_exit_code"]), (0, 0))
        self.assertGreater(values["piecework_packing_bytes_per_second"], 0)
        self.assertGreater(values["piecework_resident_memory_bytes"], 1 << 20)
        self.assertGreaterEqual(values["piecework_update_time_seconds"], values["piecework_start_time_seconds"])
        self.assertNotIn("piecework_last_error", values)
        self.assertIn(f'plan_digest="{self.report["plan_digest"]}"', metrics["piecework_plan_info"][0])
        self.assertEqual([name for name in os.listdir(self.temp) if "tmp" in name], [])

    def test_of_an_error(self):
        path = self.temp / "metrics.prom"
        self.source.rename(self.temp / "elsewhere")
        self.task(2, "--metrics-file", path, code=66)
        metrics = self.metrics(path)
        self.assertEqual(metrics["piecework_exit_code"][1], 66)
        self.assertIn('class="not_found",side="source"', metrics["piecework_last_error"][0])

    def test_labels_are_escaped(self):
        self.out = Path(tempfile.mkdtemp(dir=self.temp, prefix='a"b\\c\nd'))
        path = self.temp / "metrics.prom"
        self.task(2, "--metrics-file", path)
        self.assertIn('a\\"b\\\\c\\nd', self.metrics(path)["piecework_running"][0])

    def test_that_cannot_be_written_are_a_warning(self):
        for path in (self.temp / "none/metrics", self.temp, "/dev/full"):
            with self.subTest(path=path):
                self.assertIn(b"warning: metrics", self.task(2, "--metrics-file", path).err)
                shutil.rmtree(self.out)


if __name__ == "__main__":
    harness.main()
