"""Small jobs of every kind, for tests that let their calls fail: what they touch, how they end, what is there then.

A job has a name, `roots` {side: directory} of the files whose calls count, and `codes` {side: {errno: exit codes}}.
"""
import errno
import shutil
import sys

import campaign
import harness
from campaign import require, succeeded

sys.path.insert(0, str(harness.ROOT / "tests/deal"))
import deal_case  # noqa: E402

SOURCE = {errno.EIO: (65,)}
# SQLite opens what it cannot make once more, for reading, and then says that it is not there or cannot be written.
OUTPUT = {errno.EIO: (74,), errno.ENOSPC: (73,), ("create", errno.EIO): (73, 74)}
# What is read and written in the same directory.
BOTH = {errno.EIO: (65, 74), errno.ENOSPC: (73,), ("create", errno.EIO): (65, 73, 74)}
# Readers too keep an index of the catalogue's log beside it.
READ_CATALOGUE = {errno.EIO: (65,), errno.ENOSPC: (73,)}

TREE = {"d/a": harness.noise("calls-a", 70_000), "d/b": b"b" * 3_000, "d/e/c": harness.noise("calls-c", 60_000),
        "d/link": ("symlink", "b"), "empty": b"", "same": b"b" * 3_000}
PIECE_FLAGS = ("--piece-size", "128KiB")


class Job:
    """Runs in `folder`; `self.kept` [paths] are brought back before each run."""

    name = ""
    codes = {}

    def __init__(self, folder):
        self.folder = folder
        self.source = folder / "source"
        self.work = folder / "work"
        self.first = folder / "first"  # what `work` holds before a run
        self.first.mkdir()
        harness.make_tree(self.source, TREE)
        self.prepare()
        self.reset()
        succeeded(self.run())
        self.remember()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def prepare(self):
        """Fills `self.first`."""

    def reset(self):
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.first, self.work, symlinks=True)

    def arguments(self):
        raise NotImplementedError

    def run(self, env=None):
        return harness.run(*self.arguments(), env=env)

    def state(self):
        """What counts of `work`; the same after every run that is done."""
        return harness.snapshot(self.work)

    def remember(self):
        self.expected = self.state()
        self.before = harness.snapshot(self.first)

    def check_done(self, _finished, kind=None):
        """After a name that could not be removed (kind "unlink") temporaries may be left; not after the next run."""
        found = self.state()
        if kind == "unlink" and isinstance(found, dict):
            found = {name: value for name, value in found.items() if b".piecework-" not in name}
        require(found == self.expected, f"there is {sorted(found)}\ninstead of {sorted(self.expected)}")

    def check_failed(self):
        """Whatever has a name of its own is what it was, or what it is to be."""
        for name, value in self.state().items():
            if value[0] == "directory" or b".piecework-" in name:
                continue
            require(value in (self.expected.get(name), self.before.get(name)), f"{name!r} is there, and wrong")

    def finish(self):
        finished = succeeded(self.run())
        self.check_done(finished)


class Packed(Job):
    """Begins with a directory of two pieces, made by `self.pack`."""

    def prepare(self):
        # Made under the name that it will have: receipts and plans may name it.
        self.work.mkdir()
        succeeded(harness.run("pack", self.source, "--out", self.work / "out", *PIECE_FLAGS))
        shutil.copytree(self.work / "out", self.first / "out")

    def make_catalogue(self):
        (self.first / "catalogue").mkdir()
        succeeded(harness.run("merge", "--out", self.first / "out", "--catalogue", self.first / "catalogue/a"))


class Plan(Job):
    name = "plan"
    codes = {"source": SOURCE, "out": OUTPUT}

    def prepare(self):
        (self.first / "plans").mkdir()
        self.roots = {"source": self.source, "out": self.work / "plans"}

    def arguments(self):
        return "plan", self.source, "--out", self.work / "plans/plan", *PIECE_FLAGS


class PackPlan(Job):
    name = "pack-plan"
    codes = {"source": SOURCE, "plan": {errno.EIO: (74,)}, "out": OUTPUT}

    def prepare(self):
        self.plans = self.folder / "plans"
        self.plans.mkdir()
        succeeded(harness.run("plan", self.source, "--out", self.plans / "plan", *PIECE_FLAGS))
        self.roots = {"source": self.source, "plan": self.plans, "out": self.work / "out"}

    def arguments(self):
        return ("pack", "--plan", self.plans / "plan", "--all", "--out", self.work / "out", "--io", "posix",
                "--threads", "1")


class PackSources(Job):
    name = "pack"
    codes = {"source": SOURCE, "out": OUTPUT}

    def prepare(self):
        self.roots = {"source": self.source, "out": self.work / "out"}

    def arguments(self):
        return "pack", self.source, "--out", self.work / "out", "--io", "posix", "--threads", "1", *PIECE_FLAGS


class WithCatalogue(Packed):
    """Makes a catalogue; two that say the same need not have the same bytes."""

    codes = {"pieces": SOURCE, "catalogue": OUTPUT}

    def prepare(self):
        super().prepare()
        (self.first / "catalogue").mkdir()
        self.roots = {"pieces": self.work / "out", "catalogue": self.work / "catalogue"}

    def state(self):
        return succeeded(harness.run("catalogue", "dump", self.work / "catalogue/a", "--json")).out

    def check_failed(self):
        """It is sound, or there is nothing in it yet."""
        if (self.work / "catalogue/a").exists():
            checked = harness.run("catalogue", "check", self.work / "catalogue/a")
            require(checked.code == 0 or b"is empty" in checked.err, checked)


class Merge(WithCatalogue):
    """What it reads is what pack wrote: pack's destination."""

    name = "merge"
    codes = {**WithCatalogue.codes, "pieces": BOTH}

    def arguments(self):
        return "merge", "--out", self.work / "out", "--catalogue", self.work / "catalogue/a"


class Rebuild(WithCatalogue):
    name = "rebuild"

    def arguments(self):
        return "catalogue", "rebuild", self.work / "out", "--catalogue", self.work / "catalogue/a"


class Extract(Packed):
    name = "extract"
    codes = {"pieces": SOURCE, "out": OUTPUT}

    def prepare(self):
        super().prepare()
        self.roots = {"pieces": self.work / "out", "out": self.work / "restored"}

    def arguments(self):
        return "extract", self.work / "out", "--out", self.work / "restored", "--sync", "--threads", "1"


class Verify(Packed):
    name = "verify"
    codes = {"pieces": SOURCE}

    def prepare(self):
        super().prepare()
        self.roots = {"pieces": self.work / "out"}

    def arguments(self):
        return "verify", self.work / "out", "--threads", "1"


class Repair(Packed):
    name = "repair"
    codes = {"source": SOURCE, "out": BOTH}

    def prepare(self):
        super().prepare()
        cars = sorted((self.first / "out").glob("*.car"))
        content = bytearray(cars[0].read_bytes())
        content[len(content) // 2] ^= 16
        cars[0].write_bytes(content)
        cars[1].with_suffix(".tree").unlink()
        self.roots = {"source": self.source, "out": self.work / "out"}

    def arguments(self):
        return "repair", self.work / "out", "--yes", "--threads", "1"

    def state(self):
        """Without what was set aside of a file that is there, which stays where repair failed after making it again,
        and without temporaries: where there is nothing to repair, they are left to pack."""
        found = super().state()
        return {name: value for name, value in found.items() if b".piecework-" not in name
                and (not name.endswith(b".damaged") or name.removesuffix(b".damaged") not in found)}

    def remember(self):
        super().remember()
        self.before |= {name + b".damaged": value for name, value in self.before.items()}


class Prove(Packed):
    name = "prove"
    codes = {"pieces": SOURCE, "catalogue": READ_CATALOGUE, "out": OUTPUT}

    def prepare(self):
        super().prepare()
        self.make_catalogue()
        (self.first / "proofs").mkdir()
        self.roots = {"pieces": self.work / "out", "catalogue": self.work / "catalogue", "out": self.work / "proofs"}

    def state(self):
        """Without the index of the catalogue's log."""
        return {name: value for name, value in super().state().items() if not name.startswith(b"catalogue/a-")}

    def arguments(self):
        return ("prove", "d/a", "--pieces", self.work / "out", "--catalogue", self.work / "catalogue/a", "--out",
                self.work / "proofs/proof")


class World(deal_case.Case):
    """Providers and a chain for deals; used as an object, not as a test."""

    protocols = {1000: "mk12", 1001: "mk20"}

    def runTest(self):
        pass


class Deal(Job):
    """A catalogue with two pieces of which placements are recorded."""

    codes = {"catalogue": BOTH}
    flags = ()

    def __init__(self, folder):
        self.world = World()
        self.world.setUp()
        super().__init__(folder)

    def __exit__(self, *_):
        self.world.doCleanups()

    def prepare(self):
        (self.first / "catalogue").mkdir()
        self.world.catalogue = self.first / "catalogue/a"
        self.world.make_pieces(2)
        self.world.deal("plan", "--record")
        self.roots = {"catalogue": self.work / "catalogue"}

    def reset(self):
        super().reset()
        self.world.catalogue = self.work / "catalogue/a"

    def arguments(self):
        return ("deal", *self.flags, "--catalogue", self.work / "catalogue/a", "--policy", self.world.policy)

    def run(self, env=None):
        return harness.run(*self.arguments(), env={"PIECEWORK_NOW": str(self.world.chain.now()), **(env or {})})

    def state(self):
        return sorted((row["piece_cid_v1"], row["provider"], row["attempt"], row["deal"])
                      for row in self.world.exported())

    def check_failed(self):
        succeeded(harness.run("catalogue", "check", self.work / "catalogue/a"))


class Propose(Deal):
    name = "deal-propose"
    flags = ("propose", "--live", "--network", "devnet")

    def reset(self):
        super().reset()
        for provider in self.world.providers.values():
            provider.deals.clear()

    def check_done(self, finished, kind=None):
        super().check_done(finished, kind)
        self.world.check_one_deal_each(4)

    def finish(self):
        """What may have been sent is asked for first."""
        succeeded(self.run(), 0, 69, 75)
        self.world.reconcile()
        super().finish()


class Track(Deal):
    name = "deal-track"
    flags = ("track",)

    def prepare(self):
        super().prepare()
        self.world.propose()
        self.world.live_through()


JOBS = (Plan, PackPlan, PackSources, Merge, Rebuild, Extract, Verify, Repair, Prove, Propose, Track)
