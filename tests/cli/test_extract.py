#!/usr/bin/env python3
"""piecework ls, cat and extract: what went into pieces comes back byte for byte."""
import os
import random
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop/oracles"))
import dag  # noqa: E402
import harness  # noqa: E402

PROFILES = ("unixfs-v1-2025", "unixfs-v0-2015")


def random_tree(seed, wide_count=0):
    source = random.Random(seed)
    entries = {"empty folder": None, ".hidden/.file": b"hidden", "a/empty": b"", "name with \n and \x1b": b"x",
               b"not utf-8 \xff\xfe": b"bytes", "large": source.randbytes(3_000_001), "a/mid": source.randbytes(70_000),
               "copy of mid": None, "zeros": bytes(2_500_000), "inside": ("symlink", "a/./mid"),
               "a/b/up": ("symlink", "../mid"), "n" * 255: b"longest"}
    entries["copy of mid"] = entries["a/mid"]
    entries |= {f"wide/{index:05d}-{'long name ' * 24}": b"%d" % (index % 50) for index in range(wide_count)}
    entries |= {"/".join(f"{level}" for level in range(80)) + "/bottom": b"deep"}
    return entries


class Extract(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        self.target = self.temp / "target"

    def extract(self, *arguments, code=0):
        return self.check(harness.run("extract", *arguments, "--json"), code).json()

    def check_same(self, source, target):
        self.assertEqual(harness.snapshot(target), harness.snapshot(source))

    def test_golden_cars(self):
        trees = {}
        for car in sorted((harness.VECTORS / "public").glob("*.car")):
            spec = f"{car.name.split('.')[0]}.spec.json"
            if spec not in trees:
                trees[spec] = self.temp / spec
                harness.materialise(spec, trees[spec])
            with self.subTest(car=car.name):
                target = self.temp / car.name
                self.assertTrue(self.extract(car, "--out", target, "--allow-symlinks", "any")["ok"])
                self.check_same(trees[spec], target)

    def test_own_pieces(self):
        harness.make_tree(self.source, random_tree(1, 950))  # a HAMT
        for profile in PROFILES:
            for size in ((), ("--piece-size", "2MiB")):
                with self.subTest(profile=profile, size=size):
                    out = self.temp / f"{profile}{len(size)}"
                    target = self.temp / f"restored {profile}{len(size)}"
                    self.pack(self.source, "--out", out, "--profile", profile, *size)
                    report = self.extract(f"{out}/", "--out", target)
                    self.check_same(self.source, target)
                    files = [p for p in self.source.rglob("*") if p.is_file() and not p.is_symlink()]
                    self.assertEqual((report["file_count"], report["symlink_count"]), (len(files), 2))
                    self.assertEqual(report["content_bytes"], sum(p.stat().st_size for p in files))
                    checked = self.extract(f"{out}/", "--verify-only")
                    self.assertEqual([checked[k] for k in ("file_count", "content_bytes", "directory_count")],
                                     [report[k] for k in ("file_count", "content_bytes", "directory_count")])

    def test_threads_and_a_small_index_change_nothing(self):
        harness.make_tree(self.source, random_tree(2))
        self.pack(self.source, "--out", self.out)
        for threads in ("1", "5"):
            self.extract(f"{self.out}/", "--out", self.temp / threads, "--threads", threads)
            self.check_same(self.source, self.temp / threads)

    def test_without_openat2(self):
        harness.make_tree(self.source, random_tree(3))
        self.pack(self.source, "--out", self.out)
        strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=openat2:error=ENOSYS", "-e", "trace=openat2")
        try:
            done = harness.run("extract", f"{self.out}/", "--out", self.target, wrapper=strace)
        except FileNotFoundError:
            self.skipTest("strace is missing")
        if b"ptrace" in done.err:
            self.skipTest("ptrace is not allowed")
        self.check(done, 0)
        self.check_same(self.source, self.target)

    def test_files_in_parts(self):
        harness.make_tree(self.source, {"a/large": harness.noise("parts", 700_000), "small": b"s", "a/b": b"b",
                                        "other": harness.noise("other", 400_000)})
        flags = ("--piece-size", "256KiB", "--chunk-size", "4096", "--max-links", "8")
        pieces = self.pack(self.source, "--out", self.out, *flags)["pieces"]
        self.assertGreater(len(pieces), 4)
        for name, cars in (("directory", [f"{self.out}/"]), ("backwards", [p["car"] for p in reversed(pieces)])):
            with self.subTest(cars=name):
                self.assertTrue(self.extract(*cars, "--out", self.temp / name)["ok"])
                self.check_same(self.source, self.temp / name)
        content = self.check(harness.run("cat", f"{self.out}/", "a/large"), 0).out
        self.assertEqual(content, (self.source / "a/large").read_bytes())
        # A part by itself is what it is: subtrees of the file, named by where they begin.
        alone = self.temp / "alone"
        self.extract(pieces[0]["car"], "--out", alone)
        parts = sorted(p for p in alone.rglob("*") if p.is_file() and len(p.name) == 20)
        self.assertTrue(parts)
        whole = (self.source / parts[0].parent.relative_to(alone)).read_bytes()
        self.assertEqual(b"".join(p.read_bytes() for p in parts), whole[int(parts[0].name):][:sum(
            p.stat().st_size for p in parts)])
        # The join without its parts says which blocks are missing, and where; nothing half is left.
        join = self.temp / "join"
        report = self.extract(pieces[-1]["car"], "--out", join, code=65)
        self.assertEqual({p["kind"] for p in report["problems"]}, {"missing-block"})
        self.assertTrue(all(p["path"] and p["cid"] for p in report["problems"]))
        self.assertEqual([p for p in join.rglob("*") if p.is_file()], [])

    def test_a_file_alone_in_parts(self):
        harness.make_tree(self.temp, {"movie": harness.noise("alone", 600_000)})
        flags = ("--piece-size", "256KiB", "--chunk-size", "4096", "--max-links", "8")
        pieces = self.pack(self.temp / "movie", "--out", self.out, *flags)["pieces"]
        self.extract(f"{self.out}/", "--out", self.target)
        restored = [p for p in self.target.rglob("*") if p.is_file()]
        self.assertEqual([p.read_bytes() for p in restored], [(self.temp / "movie").read_bytes()])
        self.assertIn(pieces[-1]["root_cid"], [p.name for p in restored] + [pieces[-1]["root_cid"]])

    def test_stores_in_parts(self):
        source = random.Random(6)
        harness.make_tree(self.source, {f"d{i % 7}/f{i}": source.randbytes(9000) for i in range(120)})
        first = self.pack_one(self.source, "--out", self.temp / "first")
        self.pack(first["car"], "--out", self.out, "--piece-size", "256KiB")
        self.extract(f"{self.out}/", "--out", self.target, "--root", first["root_cid"])
        self.check_same(self.source, self.target)

    def test_paths_and_arguments(self):
        harness.make_tree(self.source, {"a/b/c": b"cc", "a/d": b"d", "a/link": ("symlink", "d"), "x.car": b"not a CAR"})
        piece = self.pack_one(self.source, "--out", self.out)
        car = piece["car"]
        self.extract(car, "a", "--out", self.temp / "1")
        self.check_same(self.source / "a", self.temp / "1")
        self.extract(car, "--path", "/a/b/c", "--out", self.temp / "2")
        self.assertEqual(harness.files_below(self.temp / "2"), ["c"])
        self.extract(car, "a/link", "--out", self.temp / "3", code=0)
        self.assertEqual(self.check(harness.run("cat", car, "--path", "x.car"), 0).out, b"not a CAR")
        self.check(harness.run("cat", car, "a"), 64)
        for command in (("cat", car, "no/such"), ("ls", car, "no/such"),
                        ("extract", car, "no/such", "--out", self.target),
                        ("cat", self.temp / "no-such.car", "a"), ("ls", f"{self.source}/a/")):
            self.check(harness.run(*command), 66)
        self.check(harness.run("extract", car), 64)
        self.check(harness.run("extract", car, "--verify-only", "--out", self.target), 64)
        self.check(harness.run("ls", car, "--root", "nonsense"), 64)
        inner = self.check(harness.run("ls", car, "--root", piece["root_cid"], "a", "--json"), 0).json()["entries"]
        self.assertEqual([e["path"] for e in inner], ["a/b", "a/d", "a/link"])
        self.extract(car, "--root", inner[0]["cid"], "--out", self.temp / "4")
        self.assertEqual(harness.files_below(self.temp / "4"), ["c"])

    def test_ls(self):
        harness.make_tree(self.source, random_tree(4))
        piece = self.pack_one(self.source, "--out", self.out)
        report = self.check(harness.run("ls", "-r", piece["car"], "--json"), 0).json()
        import base64
        listed = {base64.b64decode(e["path_base64"]) if "path_base64" in e else e["path"].encode(): e
                  for e in report["entries"]}
        there = harness.snapshot(self.source)
        self.assertEqual(set(listed), set(there))
        for path, (kind, _) in there.items():
            self.assertEqual(listed[path]["kind"], kind)
            if kind == "file":
                self.assertEqual(listed[path]["size_bytes"], os.path.getsize(os.fsencode(self.source) + b"/" + path))
        rows = {row["path"]: row["cid"] for row in harness.file_rows(self.out, piece) if "path" in row}
        for path, cid in rows.items():
            self.assertEqual(listed[path.encode()]["cid"], cid)
        text = self.check(harness.run("ls", piece["car"]), 0).out
        self.assertIn(b"a/\n", text)
        self.assertNotIn(b"\x1b", text)
        long = self.check(harness.run("ls", "-l", piece["car"], "a/b"), 0).out.decode()
        self.assertRegex(long, r"^symlink +6 \S+ up -> \.\./mid\n$")

    def test_ranges(self):
        data = harness.noise("ranges", 50_000)
        harness.make_tree(self.source, {"file": data, "empty": b""})
        for flags in (("--chunk-size", "1000", "--max-links", "3"),
                      ("--profile", "unixfs-v0-2015", "--chunk-size", "777", "--max-links", "4")):
            out = self.temp / f"out{flags[-1]}"
            car = self.pack_one(self.source, "--out", out, *flags)["car"]
            places = random.Random(5)
            ranges = [(0, 0), (0, 49_999), (49_999, 49_999), (999, 1000), (1000, 1999)]
            ranges += [sorted(places.choices(range(50_000), k=2)) for _ in range(12)]
            for begin, end in ranges:
                got = self.check(harness.run("cat", car, "file", "--range", f"{begin}-{end}"), 0).out
                self.assertEqual(got, data[begin:end + 1], (begin, end))
            self.assertEqual(harness.run("cat", car, "file", "--range", "49000-").out, data[49000:])
            self.assertEqual(harness.run("cat", car, "file", "--range", "-7").out, data[-7:])
            self.assertEqual(harness.run("cat", car, "file", "--range", "49990-99999999").out, data[49990:])
            self.assertEqual(self.check(harness.run("cat", car, "empty"), 0).out, b"")
            for bad in ("5-4", "x", "-", "50000-", "1-2-3", "18446744073709551616-"):
                self.check(harness.run("cat", car, "file", f"--range={bad}"), 64)
            # A range reads its own blocks only: damage elsewhere is not seen, damage in it is.
            content = bytearray(Path(car).read_bytes())
            content[content.index(data[20_300:20_316])] ^= 1
            damaged = out / "damaged.car"
            damaged.write_bytes(content)
            self.assertEqual(self.check(harness.run("cat", damaged, "file", "--range", "30000-40000"), 0).out,
                             data[30000:40001])
            failed = self.check(harness.run("cat", damaged, "file"), 65)
            self.assertEqual(failed.out, data[:len(failed.out)])
            self.assertIn(b"'file': b" if flags[0] == "--chunk-size" else b"'file': Q", failed.err)

    def test_a_damaged_block_costs_its_file_only(self):
        harness.make_tree(self.source, {f"f{i}": harness.noise(f"f{i}", 5000) for i in range(9)} |
                          {"big": harness.noise("big", 4_000_000)})
        car = Path(self.pack_one(self.source, "--out", self.out)["car"])
        content = bytearray(car.read_bytes())
        for name, at in (("f4", 100), ("big", 3_500_000)):
            place = content.index((self.source / name).read_bytes()[at:at + 32])
            content[place] ^= 4
        car.write_bytes(content)
        report = self.extract(car, "--out", self.target, code=65)
        self.assertEqual(sorted(p["path"] for p in report["problems"]), ["big", "f4"])
        for problem in report["problems"]:
            self.assertEqual((problem["kind"], problem["piece"]), ("digest", str(car)))
            self.assertTrue(problem["cid"] and problem["offset_bytes"])
        self.assertEqual(harness.files_below(self.target), [f"f{i}" for i in range(9) if i != 4])
        for name in harness.files_below(self.target):
            self.assertEqual((self.target / name).read_bytes(), (self.source / name).read_bytes())

    def test_what_is_there_is_kept_or_left_alone(self):
        harness.make_tree(self.source, {"a/one": b"1" * 3000, "a/two": b"2", "big": harness.noise("kept", 2_500_000),
                                        "link": ("symlink", "a"), "d/e": b"e"})
        car = self.pack_one(self.source, "--out", self.out)["car"]
        self.extract(car, "--out", self.target)
        again = self.extract(car, "--out", self.target)
        self.assertEqual((again["kept_count"], again["file_count"]), (5, 4))
        (self.target / "big").unlink()
        self.assertEqual(self.extract(car, "--out", self.target)["kept_count"], 4)
        self.check_same(self.source, self.target)
        changed = {"a/one": b"0" * 3000, "a/two": b"longer", "big": b"", "foreign": b"stays"}
        for name, content in changed.items():
            (self.target / name).write_bytes(content)
        (self.target / "link").unlink()
        (self.target / "link").symlink_to("elsewhere")
        (self.target / "d/e").unlink()
        (self.target / "d/e").mkdir()
        report = self.extract(car, "--out", self.target, code=73)
        self.assertEqual(sorted(c["path"] for c in report["conflicts"]), ["a/one", "a/two", "big", "d/e", "link"])
        for name, content in changed.items():
            self.assertEqual((self.target / name).read_bytes(), content)
        self.assertEqual(os.readlink(self.target / "link"), "elsewhere")

    def test_a_killed_extract_goes_on(self):
        if harness.run("info", env={"PIECEWORK_KILL": "x"}).code != 64:
            self.skipTest("no test build: kill points are off")
        source = random.Random(7)
        harness.make_tree(self.source, {f"{i % 10}/f{i}": source.randbytes(20_000) for i in range(120)})
        car = self.pack_one(self.source, "--out", self.out)["car"]
        killed = harness.run("extract", car, "--out", self.target, env={"PIECEWORK_KILL": "restore.before_publish:60"})
        self.assertEqual(killed.code, -signal.SIGKILL, killed)
        self.assertTrue([p for p in self.target.iterdir() if p.name.startswith(".piecework-restore-")])
        for path in harness.files_below(self.target):
            if not path.startswith(".piecework-restore-"):
                self.assertEqual((self.target / path).read_bytes(), (self.source / path).read_bytes())
        self.extract(car, "--out", self.target)
        self.check_same(self.source, self.target)

    def test_export_of_a_dag(self):
        harness.make_tree(self.source, {"a/b": harness.noise("dag", 3_000_000), "c": bytes(2 << 20), "d/c": b"x"})
        piece = self.pack_one(self.source, "--out", self.out, "--dedup", "none")
        exact = self.pack_one(self.source, "--out", self.temp / "exact", "--dedup", "blocks")
        copy = self.temp / "copy.car"
        self.check(harness.run("extract", piece["car"], "--car", piece["root_cid"], "--out", copy, "--json"), 0)
        self.assertEqual(copy.read_bytes(), Path(exact["car"]).read_bytes())
        self.check(harness.run("extract", piece["car"], "--car", piece["root_cid"], "--out", copy), 73)
        inner = self.check(harness.run("ls", copy, "--json"), 0).json()["entries"][0]["cid"]
        self.check(harness.run("extract", copy, "--car", inner, "--out", self.temp / "inner.car"), 0)
        blocks, root = dag.read_car(self.temp / "inner.car")
        self.assertEqual(root, dag.cid_bytes(inner))
        self.assertEqual(dag.reach(blocks, root), (list(blocks), []))
        missing = dict(list(blocks.items())[:-1])
        dag.write_car(self.temp / "partial.car", root, missing)
        failed = self.check(harness.run("extract", self.temp / "partial.car", "--car", inner, "--out",
                                        self.temp / "none.car"), 65)
        self.assertIn(dag.cid_text(list(blocks)[-1]), failed.err.decode())
        self.assertFalse((self.temp / "none.car").exists())
        self.assertEqual([p.name for p in self.temp.iterdir() if p.name.startswith(".piecework")], [])


if __name__ == "__main__":
    harness.main()
