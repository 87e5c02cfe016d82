#!/usr/bin/env python3
"""piecework repair: makes damaged files again, and never loses what is good."""
import os
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


class Repair(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        harness.make_tree(self.source, {f"f{i}": harness.noise(f"repair{i}", 90_000) for i in range(12)})
        self.pieces = self.pack(self.source, "--out", self.out, "--piece-size", "512KiB")["pieces"]
        self.good = harness.snapshot(self.out)

    def repair(self, *flags, code):
        return self.check(harness.run("repair", self.out, "--json", *flags), code).json()

    def damage(self, path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 16
        path.write_bytes(content)
        return bytes(content)

    def files_of_a_piece(self):
        piece = self.pieces[1]["piece_cid_v1"]
        return [self.out / f"{piece}{suffix}" for suffix in (".car", ".tree", ".nodes", ".files.ndjson.zst")] + [
            Path(self.pieces[1]["receipt"])]

    def test_nothing_to_do(self):
        self.assertEqual(self.repair(code=0)["batches"], [])
        self.assertEqual(self.repair("--yes", code=0)["batches"], [])
        self.assertEqual(harness.snapshot(self.out), self.good)

    def test_every_file_of_a_batch(self):
        for path in self.files_of_a_piece():
            for name, spoil in (("damaged", self.damage), ("missing", os.unlink)):
                if path.suffix == ".json" and name == "missing":
                    continue  # then nothing says that there is such a batch but the plan: pack's to do
                with self.subTest(file=path.name, how=name):
                    spoil(path)
                    before = harness.snapshot(self.out)
                    told = self.repair(code=65)
                    self.assertEqual(harness.snapshot(self.out), before)
                    self.assertEqual([(b["action"], b["outcome"]) for b in told["batches"]], [("rebuild", "none")])
                    self.assertEqual(told["batches"][0][name], [str(path)])
                    done = self.repair("--yes", code=0)
                    self.assertEqual([b["outcome"] for b in done["batches"]], ["rebuilt"])
                    self.assertEqual(harness.snapshot(self.out), self.good)
        self.check(harness.run("verify", self.out), 0)

    def test_several_at_once(self):
        for path in self.files_of_a_piece()[:-1]:
            self.damage(path)
        Path(self.pieces[0]["car"]).unlink()
        self.damage(Path(self.pieces[2]["car"]))
        self.assertEqual([b["outcome"] for b in self.repair("--yes", code=0)["batches"]], ["rebuilt"] * 3)
        self.assertEqual(harness.snapshot(self.out), self.good)

    def test_where_sources_are_gone_nothing_is_lost(self):
        car = Path(self.pieces[1]["car"])
        content = self.damage(car)
        moved = self.temp / "moved"
        shutil.move(self.source, moved)
        told = self.repair(code=65)["batches"][0]
        self.assertEqual(told["action"], "set-aside")
        self.assertIn("source", told["why_not_rebuild"])
        self.assertEqual(car.read_bytes(), content)
        done = self.repair("--yes", code=65)["batches"][0]
        self.assertEqual((done["outcome"], done["set_aside"]), ("set-aside", [f"{car}.damaged"]))
        self.assertEqual(Path(f"{car}.damaged").read_bytes(), content)
        self.assertFalse(car.exists())
        todo = self.check(harness.run("todo", "--plan", next(self.out.glob("plans/*")), "--out", self.out), 0)
        self.assertEqual(todo.out.split(), [b"1"])
        # What is good in it still comes out of it.
        self.check(harness.run("extract", f"{car}.damaged", "--out", self.temp / "rest"), 65)
        self.assertTrue(harness.files_below(self.temp / "rest"))
        # Sources at another place are as good.
        done = self.repair("--yes", "--source", f"source={moved}", code=0)
        self.assertEqual([b["outcome"] for b in done["batches"]], ["rebuilt"])
        self.assertEqual(harness.snapshot(self.out), self.good)

    def test_a_changed_source_is_no_source(self):
        car = Path(self.pieces[1]["car"])
        content = self.damage(car)
        for path in self.source.iterdir():
            path.write_bytes(b"something else")
        told = self.repair(code=65)["batches"][0]
        self.assertEqual((told["action"], told["damaged"]), ("set-aside", [str(car)]))
        self.assertEqual(car.read_bytes(), content)

    def test_a_failure_gives_names_back(self):
        """A source that cannot be read although it looks as it did: the damaged file keeps its name."""
        car = Path(self.pieces[1]["car"])
        content = self.damage(car)
        victim = self.source / "f5"
        status = victim.stat()
        for path in self.source.iterdir():
            state = path.stat()
            path.write_bytes(bytes(state.st_size))
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        self.assertEqual(victim.stat().st_mtime_ns, status.st_mtime_ns)
        done = self.repair("--yes", code=65)["batches"][0]
        self.assertEqual(done["outcome"], "failed")
        self.assertTrue(done["error"])
        self.assertEqual(car.read_bytes(), content)
        self.assertEqual([p.name for p in self.out.iterdir() if "damaged" in p.name], [])

    def test_a_killed_repair_goes_on(self):
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("no test build: kill points are off")
        car = Path(self.pieces[1]["car"])
        content = self.damage(car)
        killed = harness.run("repair", self.out, "--yes", env={"PIECEWORK_KILL": "repair.after_set_aside:1"})
        self.assertEqual(killed.code, -signal.SIGKILL, killed)
        self.assertEqual((car.exists(), Path(f"{car}.damaged").read_bytes()), (False, content))
        self.assertEqual([b["outcome"] for b in self.repair("--yes", code=0)["batches"]], ["rebuilt"])
        self.assertEqual(harness.snapshot(self.out), self.good)

    def test_a_thousand_damaged_ones(self):
        """The last name that is free is taken; then there is none, and nothing is touched."""
        car = Path(self.pieces[1]["car"])
        content = self.damage(car)
        taken = [Path(f"{car}.damaged")] + [Path(f"{car}.damaged-{i}") for i in range(2, 1000)]
        for path in taken:
            path.touch()
        moved = self.temp / "moved"
        shutil.move(self.source, moved)
        last = Path(f"{car}.damaged-1000")
        self.assertEqual(self.repair("--yes", code=65)["batches"][0]["set_aside"], [str(last)])
        last.rename(car)
        last.touch()
        for flags in ((), ("--source", f"source={moved}")):
            done = self.repair("--yes", *flags, code=65)["batches"][0]
            self.assertEqual(done["outcome"], "failed")
            self.assertIn(f"{car}.damaged' and 999 more exist; remove what is not needed", done["error"])
            self.assertEqual(car.read_bytes(), content)
        taken[500].unlink()
        done = self.repair("--yes", "--source", f"source={moved}", code=0)["batches"][0]
        self.assertEqual(done["outcome"], "rebuilt")
        self.assertEqual([path for path in taken + [last] if not path.exists()], [taken[500]])

    def test_where_a_rename_cannot_keep_from_replacing(self):
        """Old kernels, and file systems without RENAME_NOREPLACE."""
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        car = Path(self.pieces[1]["car"])
        other = Path(f"{car}.damaged")
        for error in ("ENOSYS", "EINVAL"):
            with self.subTest(error=error):
                self.damage(car)
                other.write_bytes(b"of another day")
                strace = ["strace", "-f", "-o", self.temp / "log", "-e", "trace=renameat2,linkat", "-e",
                          f"inject=renameat2:error={error}"]
                self.check(harness.run("repair", self.out, "--yes", wrapper=strace,
                                       env={"ASAN_OPTIONS": "detect_leaks=0"}), 0)
                calls = (self.temp / "log").read_text()
                self.assertIn(f"= -1 {error}", calls)
                self.assertIn(f"{other}-2", calls)
                self.assertEqual(other.read_bytes(), b"of another day")
                other.unlink()
                self.assertEqual(harness.snapshot(self.out), self.good)

    def test_without_a_plan(self):
        tree = self.out / f"{self.pieces[1]['piece_cid_v1']}.tree"
        self.damage(tree)
        shutil.rmtree(self.out / "plans")
        self.assertEqual(self.repair(code=65)["batches"][0]["action"], "set-aside")
        # A damaged tree is no evidence against the CAR.
        self.assertEqual(self.repair(code=65)["batches"][0]["damaged"], [str(tree)])

    def test_a_receipt_that_lies(self):
        """The CAR is what its name says, so the receipt is what is wrong."""
        receipt = Path(self.pieces[1]["receipt"])
        receipt.write_text(receipt.read_text().replace(self.pieces[1]["root_cid"], self.pieces[0]["root_cid"]))
        told = self.repair(code=65)["batches"]
        self.assertEqual([b["damaged"] for b in told], [[str(receipt)]])
        self.assertEqual([b["outcome"] for b in self.repair("--yes", code=0)["batches"]], ["rebuilt"])
        self.assertEqual(harness.snapshot(self.out), self.good)

    def test_files_in_parts(self):
        shutil.rmtree(self.out)
        harness.make_tree(self.source, {"large": harness.noise("large", 700_000)})
        flags = ("--piece-size", "256KiB", "--chunk-size", "4096", "--max-links", "8")
        pieces = self.pack(self.source, "--out", self.out, *flags)["pieces"]
        good = harness.snapshot(self.out)
        for piece in (pieces[-1], pieces[0]):
            self.damage(Path(piece["car"]))
            self.assertEqual([b["outcome"] for b in self.repair("--yes", code=0)["batches"]], ["rebuilt"])
            self.assertEqual(harness.snapshot(self.out), good)

    def test_no_cars(self):
        out = self.temp / "no cars"
        piece = self.pack(self.source, "--out", out, "--no-car", "--piece-size", "512KiB")["pieces"][0]
        good = harness.snapshot(out)
        self.damage(out / f"{piece['piece_cid_v1']}.nodes")
        self.check(harness.run("repair", out, "--no-car", "--yes"), 0)
        self.assertEqual(harness.snapshot(out), good)


if __name__ == "__main__":
    harness.main()
