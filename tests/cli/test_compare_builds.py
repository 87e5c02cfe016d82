#!/usr/bin/env python3
"""bench/compare_builds.py on invented builds: scripts that report the speeds they are told to."""
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

SCRIPT = harness.ROOT / "bench/compare_builds.py"
# One line a call goes to `calls`. The machine gets slower with every call of either build, by a quarter.
BUILD = """#!{python}
import json, os, sys
calls = "{calls}"
with open(calls, "a") as file:
    file.write("{name}" + " " + " ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] != "bench":
    os.mkdir(sys.argv[-1])
    sys.exit(0)
runs = sum("--rounds" in line for line in open(calls)) - ("--rounds" in sys.argv)
machine = 0.75 ** runs
figures = [{{"name": name, "bytes_per_second": speed * machine, "bytes_per_cpu_second": 2 * speed * machine}}
           for name, speed in {speeds}.items()]
print(json.dumps({{"corpora": [{{"name": "memory", "figures": figures}}]}}))
"""


class CompareBuilds(harness.TestCase):
    def build(self, name, speeds=None):
        path = self.temp / name
        path.write_text(BUILD.format(python=sys.executable, calls=self.temp / "calls", name=name, speeds=speeds or
                                     {"node_kernel": 1e9}))
        path.chmod(0o755)
        return path

    def compare(self, old, new, *flags):
        done = subprocess.run([sys.executable, SCRIPT, old, new, "--dir", self.temp, *flags], capture_output=True,
                              text=True, timeout=120)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done

    def test_ratios_to_the_kernel_pair_by_pair(self):
        old = self.build("old", {"node_kernel": 1e9, "commp": 1e9, "only_old": 1, "copy": 8e9})
        new = self.build("new", {"node_kernel": 2e9, "commp": 0.9e9, "only_new": 1, "copy": 1e9})
        done = self.compare(old, new, "--rounds", "3", "--threshold", "0.2", "--json")
        report = json.loads(done.stdout)
        rows = {row["row"]: row for row in report["rows"]}
        self.assertEqual(set(rows), {"memory/node_kernel", "memory/commp", "memory/copy"})
        for key in ("ratio", "least", "most"):  # though the machine was slower in every second half
            self.assertAlmostEqual(rows["memory/commp"][key], 0.9)
            self.assertAlmostEqual(rows["memory/node_kernel"][key], 2)
            self.assertAlmostEqual(rows["memory/copy"][key], 1 / 8)
        self.assertEqual([row["slower"] for row in report["rows"]], [False] * 3)
        self.assertEqual(done.returncode, 0)

    def test_beyond_the_threshold_is_1(self):
        old, new = self.build("old", {"node_kernel": 1e9, "commp": 1e9}), self.build("new", {"node_kernel": 1e9,
                                                                                             "commp": 0.9e9})
        self.assertEqual(self.compare(old, new, "--rounds", "1", "--threshold", "0.11").returncode, 0)
        done = self.compare(old, new, "--rounds", "1", "--threshold", "0.09")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"0\.900 .* memory/commp +SLOWER")

    def test_the_first_of_a_pair_changes(self):
        self.compare(self.build("old"), self.build("new"), "--rounds", "2")
        runs = [line.split()[0] for line in (self.temp / "calls").read_text().splitlines() if "--rounds" in line]
        self.assertEqual(runs, ["old", "new", "new", "old"])

    def test_commands(self):
        command = ("--rounds", "1", "--command", "pack tree --out {out}")
        never = self.compare(self.build("old"), self.build("new"), *command, "--threshold", "1")
        always = self.compare(self.build("old"), self.build("new"), *command, "--threshold", "-1000")
        self.assertEqual((never.returncode, always.returncode), (0, 1))
        self.assertRegex(always.stdout, r"pack tree --out \{out\} +SLOWER")
        self.assertEqual(sorted(path.name for path in self.temp.iterdir()), ["calls", "new", "old"])


if __name__ == "__main__":
    harness.main()
