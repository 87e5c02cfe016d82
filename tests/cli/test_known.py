#!/usr/bin/env python3
"""--known for files: what earlier pieces hold is left out of a plan, and nothing else is."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402
from incremental import Case  # noqa: E402


class Files(Case):
    ENTRIES = {"a/one": b"1", "a/two": b"22", "b/deep/three": b"333", "top": b"4444", "link": ("symlink", "top"),
               "hollow": None}

    def setUp(self):
        super().setUp()
        harness.make_tree(self.source, self.ENTRIES)
        self.first = self.run_known()

    def test_the_first_run_packs_everything(self):
        self.assertEqual(self.paths(self.first), ["a/one", "a/two", "b/deep/three", "link", "top"])
        self.assertEqual((self.first["known_count"], self.first["known_bytes"]), (0, 0))
        self.assertEqual(self.first["plan_digest"], self.pack(self.source, "--out", self.temp / "plain")["plan_digest"])

    def test_new_files_alone(self):
        harness.make_tree(self.source, {"a/new": b"n", "new/x": b"x", "new-hollow": None})
        report = self.run_known()
        self.assertEqual(self.paths(report), ["a/new", "new/x"])
        self.assertEqual((report["known_count"], report["known_bytes"]), (6, 10))
        # The piece is that of a tree that holds just these, under the same paths.
        harness.make_tree(self.temp / "new/source", {"a/new": b"n", "new/x": b"x", "new-hollow": None})
        alone = self.pack_one(self.temp / "new/source", "--out", self.temp / "alone")
        self.assertEqual(report["pieces"][0]["root_cid"], alone["root_cid"])
        self.check(harness.run("verify", self.out), 0)
        self.assertEqual(self.run_known()["pieces"], [])

    def test_nothing_new(self):
        before = harness.snapshot(self.out)
        finished = self.check(harness.run("pack", self.source, "--out", self.out, "--known", self.out), 0)
        self.assertIn("nothing new", finished.out.decode())
        self.assertIn("6 items", finished.err.decode())
        report = self.run_known()
        self.assertEqual((report["pieces"], report["known_count"], report["known_bytes"]), ([], 6, 10))
        self.assertEqual(harness.snapshot(self.out), before)

    def test_a_plan_of_nothing_new(self):
        plan, path = self.plan_of(self.source, "--known", self.out)
        self.assertEqual((plan["batch_count"], plan["batches"], plan["fill"]), (0, [], 0))
        self.assertEqual((plan["known_count"], plan["known_bytes"]), (6, 10))
        before = harness.snapshot(self.out)
        self.assertEqual(self.check(harness.run("todo", "--plan", path, "--out", self.out), 0).out, b"")
        report = self.check(harness.run("pack", "--plan", path, "--out", self.out, "--all", "--json"), 0).json()
        self.assertEqual((report["pieces"], report["known_count"]), ([], 6))
        self.assertIn("no batch 0", self.check(harness.run("pack", "--plan", path, "--out", self.out, "--task", 0),
                                               64).err.decode())
        self.assertEqual(harness.snapshot(self.out), before)

    def test_what_a_plan_leaves_out_is_no_part_of_its_digest(self):
        harness.make_tree(self.source, {"new": b"n"})
        plan, _ = self.plan_of(self.source, "--known", self.out)
        os.remove(self.source / "top")
        again, _ = self.plan_of(self.source, "--known", self.out)
        self.assertEqual(again["plan_digest"], plan["plan_digest"])
        self.assertEqual((plan["known_count"], again["known_count"]), (6, 5))

    def test_another_mtime_size_or_target(self):
        self.touch(self.source / "a/one")
        (self.source / "a/two").write_bytes(b"longer")
        os.remove(self.source / "link")
        os.symlink("a/one", self.source / "link")
        report = self.run_known()
        self.assertEqual(self.paths(report), ["a/one", "a/two", "link"])
        # Every version that is in some piece is known.
        os.remove(self.source / "link")
        os.symlink("top", self.source / "link")
        self.assertEqual(self.run_known()["pieces"], [])

    def test_the_mtime_of_a_symlink_is_not_looked_at(self):
        self.touch(self.source / "link")
        self.assertEqual(self.run_known()["pieces"], [])

    def test_content_that_changed_under_an_equal_mtime(self):
        path = self.source / "top"
        before = path.stat()
        path.write_bytes(b"5555")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.run_known()["pieces"], [])
        self.assertEqual(self.paths(self.run_known(flags=["--known-check"])), ["top"])
        self.assertEqual(self.run_known(flags=["--known-check"])["pieces"], [])

    def test_what_is_gone_and_what_became_empty(self):
        os.remove(self.source / "top")
        shutil.rmtree(self.source / "hollow")
        self.assertEqual(self.run_known()["pieces"], [])
        shutil.rmtree(self.source / "b/deep")  # b was not empty before
        report = self.run_known()
        self.assertEqual((self.paths(report), [piece["block_count"] for piece in report["pieces"]]), ([], [2]))
        self.assertEqual(self.run_known()["pieces"], [])

    def test_an_equal_file_elsewhere_is_new(self):
        shutil.copy2(self.source / "top", self.source / "a/top")
        self.assertEqual(self.paths(self.run_known()), ["a/top"])

    def test_hidden_ones(self):
        harness.make_tree(self.source, {".hidden": b"h", "a/.x/y": b"y"})
        self.assertEqual(self.run_known(flags=["--hidden", "exclude"])["pieces"], [])
        self.assertEqual(self.paths(self.run_known()), [".hidden", "a/.x/y"])

    def test_several_directories_and_options(self):
        harness.make_tree(self.source, {"new": b"n"})
        second = self.temp / "second"
        self.run_known(out=second, known=self.out)
        harness.make_tree(self.source, {"newer": b"n"})
        flags = ["--known", second, "--profile", "unixfs-v0-2015", "--dedup", "none"]
        self.assertEqual(self.paths(self.run_known(out=self.temp / "third", known=self.out, flags=flags),
                                    self.temp / "third"), ["newer"])

    def test_known_directories_inside_the_source_are_left_out(self):
        inner = self.source / "pieces"
        shutil.copytree(self.out, inner)
        plan, _ = self.plan_of(self.source, "--known", inner)
        self.assertEqual((plan["batch_count"], plan["known_count"]), (0, 6))
        self.assertEqual(plan["skipped"], [{"path": "pieces", "reason": "output directory"}])

    def test_what_cannot_be_packed_is_still_said(self):
        os.mkfifo(self.source / "a/pipe")
        report = self.run_known()
        self.assertEqual((report["pieces"], report["skipped"]), ([], [{"path": "a/pipe", "reason": "fifo"}]))

    def test_an_empty_source_is_not_nothing_new(self):
        (self.temp / "empty").mkdir()
        report = self.run_known(self.temp / "empty")
        self.assertEqual([piece["block_count"] for piece in report["pieces"]], [1])
        self.assertEqual(self.run_known(self.temp / "empty")["pieces"], [])


class Sources(Case):
    def setUp(self):
        super().setUp()
        harness.make_tree(self.temp, {"red/x": b"x", "red/y/z": b"z", "blue/x": b"x", "green": b"file"})
        self.red, self.blue, self.green = self.temp / "red", self.temp / "blue", self.temp / "green"

    def test_joined_or_alone_is_the_same(self):
        self.run_known(self.red, self.green)
        self.assertEqual(self.run_known(self.red)["pieces"], [])
        self.assertEqual(self.run_known(self.green)["pieces"], [])
        self.assertEqual(self.paths(self.run_known(self.blue, self.red, self.green)), ["blue/x"])

    def test_alone_first(self):
        self.run_known(self.red)
        self.run_known(self.green)
        self.assertEqual(self.paths(self.run_known(self.blue, self.red, self.green)), ["blue/x"])

    def test_a_source_is_known_by_its_name(self):
        self.run_known(self.red)
        self.assertEqual(self.run_known(f"red={self.red}")["pieces"], [])
        self.assertEqual(self.paths(self.run_known(f"crimson={self.red}")), ["x", "y/z"])
        shutil.copytree(self.red, self.temp / "elsewhere")
        self.assertEqual(self.run_known(f"red={self.temp / 'elsewhere'}")["pieces"], [])


class Layouts(Case):
    """What is read back is what was packed, however it was laid out."""

    def both_ways(self, entries, *flags):
        harness.make_tree(self.source, entries)
        self.pack(self.source, "--out", self.out, *flags)
        for check in ([], ["--known-check"]):
            with self.subTest(flags=flags, check=check):
                plan, _ = self.plan_of(self.source, "--known", self.out, *flags, *check)
                self.assertEqual((plan["batch_count"], plan["known_count"]), (0, len(entries)))
        for path in self.source.rglob("*"):
            if not path.is_symlink():
                self.touch(path)
        plan, _ = self.plan_of(self.source, "--known", self.out, *flags, "--known-check")
        self.assertEqual(plan["batch_count"], 0)

    def test_shards(self):
        self.both_ways({f"d/{i:03d}": b"%d" % i for i in range(300)}, "--hamt-threshold", "links-bytes:512")

    def test_equal_directories_and_files(self):
        """References, and what is listed below them."""
        tree = {f"{top}/{name}": content for top in ("a", "b", "c/d")
                for name, content in (("x", b"same"), ("y/z", b"also"), ("y/l", ("symlink", "z")), ("y/hollow", None))}
        self.both_ways({**tree, "e": b"same", "f": ("symlink", "z")}, "--hamt-threshold", "links-bytes:40")

    def test_several_batches(self):
        self.both_ways({f"d{i % 5}/{i:02d}": harness.noise(f"known-{i}", 20000) for i in range(40)},
                       "--piece-size", "128KiB")

    def test_names_of_any_bytes(self):
        self.both_ways({b"n\xff\xfe/\xe9": b"1", "\u00e9 \"\\\n": b"2", b"l\xff": ("symlink", "x")})

    def test_files_with_inner_nodes(self):
        chunk = ("--chunk-size", "1000", "--max-links", "3")
        for i, profile in enumerate((("--profile", "unixfs-v1-2025"), ("--profile", "unixfs-v0-2015"),
                                     ("--cid-version", "0", "--raw-leaves", "true"))):
            self.source, self.out = self.temp / f"source-{i}", self.temp / f"out-{i}"
            sizes = (0, 1, 999, 1000, 1001, 2999, 3000, 3001, 9000, 9001, 10000, 27001)
            self.both_ways({f"{n}": harness.noise(f"inner-{n}", n) for n in sizes}, *chunk, *profile)

    def test_a_flipped_byte_anywhere_is_new(self):
        content = harness.noise("flip", 5000)
        harness.make_tree(self.source, {"f": content, "g": content[:400]})
        flags = ["--chunk-size", "1000", "--max-links", "2", "--known-check"]
        self.run_known(flags=flags)
        for at in (0, 999, 1000, 4999):
            (self.source / "f").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
            plan, _ = self.plan_of(self.source, "--known", self.out, *flags)
            self.assertEqual((plan["batch_count"], plan["known_count"], plan["file_count"]), (1, 1, 1))

    def test_another_profile_cannot_be_compared(self):
        harness.make_tree(self.source, {"f": b"1"})
        self.run_known()
        finished = harness.run("plan", self.source, "--known", self.out, "--known-check", "--chunk-size", "1000",
                               "--out", self.temp / "plan", "--json")
        self.assertEqual(self.check(finished, 0).json()["file_count"], 1)
        self.assertIn("another profile", finished.err.decode())


if __name__ == "__main__":
    harness.main()
