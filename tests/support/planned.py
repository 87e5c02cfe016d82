"""A plan of several batches, for tests of single tasks."""
import harness

INDEX_VARIABLES = ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX", "NOMAD_ALLOC_INDEX",
                   "PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID")
NO_INDEX = dict.fromkeys(INDEX_VARIABLES)


class Planned(harness.TestCase):
    """A plan of several batches."""

    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        self.plan = self.temp / "plan"
        harness.make_tree(self.source, {f"d{i % 5}/file-{i:02d}": harness.noise(f"task-{i}", 20000)
                                        for i in range(40)})
        made = harness.run("plan", self.source, "--out", self.plan, "--piece-size", "128KiB", "--json")
        self.report = self.check(made, 0).json()
        self.count = self.report["batch_count"]
        self.assertGreaterEqual(self.count, 7)

    def task(self, task, *flags, code=0, **options):
        finished = harness.run("pack", "--plan", self.plan, "--out", self.out, "--task", task, *flags, **options)
        return self.check(finished, code)

    def todo(self, *flags, code=0, plan=None):
        return self.check(harness.run("todo", "--plan", plan or self.plan, "--out", self.out, *flags), code)

    def receipt(self, batch):
        return self.out / "receipts" / self.report["plan_digest"] / f"{batch}.json"
