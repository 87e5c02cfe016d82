"""Packing what is new, for tests of --known."""
import os

import harness


class Case(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"

    def run_known(self, *sources, out=None, known=None, flags=()):
        """pack ... --known (the output directory itself unless said); the report."""
        out = out or self.out
        return self.pack(*(sources or (self.source,)), "--out", out, "--known", known or out, *flags)

    def paths(self, report, out=None):
        """What the pieces of `report` hold, sorted; names that are not UTF-8 in base64."""
        rows = [row for piece in report["pieces"] for row in harness.file_rows(out or self.out, piece)]
        return sorted(row.get("path") or row["path_base64"] for row in rows)

    def plan_of(self, *arguments, code=0):
        path = self.temp / f"plan-{len(list(self.temp.glob('plan-*')))}"
        finished = self.check(harness.run("plan", *arguments, "--out", path, "--json"), code)
        return (finished.json() if code == 0 else finished), path

    def touch(self, path, ns=1_600_000_000_000_000_001):
        os.utime(path, ns=(ns, ns), follow_symlinks=False)
