#!/usr/bin/env python3
"""piecework plan: what it says is what pack then does; batches; the digest."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


class Plan(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source,
    {f"d{i % 7}/file-{i:03d}": harness.noise(f"plan-{i}",
     3000 * (i % 11)) for i in range(120)})

    def plan(self, *flags, out=None, source=None):
        path = out or self.temp / "plan"
        return self.check(harness.run("plan", source or self.source, "--out", path, *flags, "--json"), 0).json(), path

    def test_totals(self):
        report, _ = self.plan()
        sizes = [3000 * (i % 11) for i in range(120)]
        self.assertEqual((report["batch_count"], report["file_count"], report["source_bytes"]), (1, 120, sum(sizes)))
        self.assertEqual(report["padded_bytes"] & (report["padded_bytes"] - 1), 0)
        self.assertGreater(report["car_bytes"], 0)

    def test_predicted_is_packed(self):
        for size in ("256KiB", "1MiB", "32GiB"):
            for dedup in ("none", "files", "blocks"):
                with self.subTest(size=size, dedup=dedup):
                    report, path = self.plan("--piece-size", size, "--dedup", dedup,
                                             out=self.temp / f"plan-{size}-{dedup}")
                    packed = self.check(
    harness.run(
        "pack",
        "--plan",
        path,
        "--out",
        self.out,
        "--all",
        "--json"),
         0).json()
                    self.assertEqual(packed["plan_digest"], report["plan_digest"])
                    self.assertEqual(len(packed["pieces"]), report["batch_count"])
                    self.assertEqual(sum(p["payload_bytes"] for p in packed["pieces"]), report["car_bytes"])
                    self.assertEqual(sum(p["padded_bytes"] for p in packed["pieces"]), report["padded_bytes"])
                    self.assertEqual(sum(p["file_count"] for p in packed["pieces"]), 120)
                    self.check(harness.run("verify", self.out), 0)
                    harness.shutil.rmtree(self.out)

    def test_pieces_fit_their_capacity(self):
        report = self.pack(self.source, "--out", self.out, "--piece-size", "256KiB")
        self.assertGreater(len(report["pieces"]), 2)
        for piece in report["pieces"]:
            self.assertLessEqual(piece["padded_bytes"], 256 << 10)
            self.assertLessEqual(piece["payload_bytes"], piece["padded_bytes"] // 128 * 127)
        self.assertEqual(sorted(piece["batch"] for piece in report["pieces"]), list(range(len(report["pieces"]))))

    def test_single_tasks_make_the_same_pieces(self):
        report, path = self.plan("--piece-size", "512KiB")
        whole = self.pack(self.source, "--out", self.temp / "whole", "--piece-size", "512KiB")
        for batch in reversed(range(report["batch_count"])):
            self.check(harness.run("pack", "--plan", path, "--out", self.out, "--task", batch), 0)
        for piece in whole["pieces"]:
            name = f"{piece['piece_cid_v1']}.car"
            self.assertEqual(harness.sha256_of(self.out / name), harness.sha256_of(self.temp / "whole" / name))

    def test_digest_is_of_what_decides_the_bytes(self):
        digest = self.plan()[0]["plan_digest"]
        self.assertEqual(self.plan(out=self.temp / "plan-2")[0]["plan_digest"], digest)
        self.assertNotEqual(
    self.plan(
        "--profile",
        "unixfs-v0-2015",
        out=self.temp /
        "plan-3")[0]["plan_digest"],
         digest)
        os.utime(self.source / "d1/file-001", ns=(1, 1))
        self.assertNotEqual(self.plan(out=self.temp / "plan-4")[0]["plan_digest"], digest)

    def test_task_out_of_range_and_damaged_plan(self):
        _, path = self.plan()
        self.check(harness.run("pack", "--plan", path, "--out", self.out, "--task", 1), 64)
        (self.temp / "not-a-plan").write_bytes(b"something else" * 100)
        self.check(harness.run("pack", "--plan", self.temp / "not-a-plan", "--out", self.out, "--all"), 78)
        self.check(harness.run("pack", "--plan", self.temp / "no-plan", "--out", self.out, "--all"), 66)


if __name__ == "__main__":
    harness.main()
