#!/usr/bin/env python3
"""A catalogue that is damaged, locked, full or of another version: every command says so, with the right exit code."""
import concurrent.futures
import random
import shutil
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import catalogue  # noqa: E402
import harness  # noqa: E402

WRITERS = ("merge", "rebuild")
READERS = ("find", "ls", "cat", "extract", "prove", "dump", "check")


class Case(catalogue.Case):
    def setUp(self):
        super().setUp()
        harness.make_tree(self.source, {f"f{i}": b"%d" % i for i in range(2000)})
        self.pack_one(self.source, "--out", self.out)
        self.merge()

    def run_on(self, command, path, **options):
        """A command on the catalogue at `path`; what it writes lies beside the one of the test."""
        pieces = ("--catalogue", path, "--pieces", self.out)
        arguments = {
            "merge": ("merge", "--out", self.out, "--catalogue", path, "--wait", "0"),
            "rebuild": ("catalogue", "rebuild", self.out, "--catalogue", path, "--wait", "0"),
            "find": ("find", "f1", "--catalogue", path, "--json"),
            "ls": ("ls", "f1", *pieces),
            "cat": ("cat", "f1", *pieces),
            "extract": ("extract", "f1", *pieces, "--out", self.temp / "target"),
            "prove": ("prove", "f1", *pieces, "--out", self.temp / "proof"),
            "dump": ("catalogue", "dump", path, "--json"),
            "check": ("catalogue", "check", path)}[command]
        (self.temp / "proof").unlink(missing_ok=True)
        return harness.run(*arguments, **options)

    def check_all(self, path, code, said=b"", commands=WRITERS + READERS):
        for command in commands:
            with self.subTest(command=command):
                self.assertIn(said, self.check(self.run_on(command, path), code).err)


class Faults(Case):
    def test_check_finds_damage(self):
        self.check(harness.run("catalogue", "check", self.catalogue), 0)
        with sqlite3.connect(self.catalogue) as database:
            database.execute("UPDATE contents SET car_offset_bytes = 1 << 50 WHERE content = 7")
        self.check(harness.run("catalogue", "check", self.catalogue), 65)
        with sqlite3.connect(self.catalogue) as database:
            database.execute("UPDATE contents SET car_offset_bytes = 60, "
                             "cid = CAST(x'01551220' || zeroblob(32) AS BLOB) WHERE content = 7")
        self.check(harness.run("catalogue", "check", self.catalogue), 0)
        problems = self.check(harness.run("catalogue", "check", self.catalogue, "--pieces", self.out, "--json"), 65)
        self.assertIn("other things", problems.json()["problems"][0])
        self.assertEqual(list(self.temp.glob(".piecework-check*")), [])

    def test_numbers_of_rows_beyond_any_count(self):
        """What comes twice in a piece is found again by the number of its first row; a cut one leads elsewhere."""
        with sqlite3.connect(self.catalogue) as database:
            database.execute("UPDATE contents SET content = (1 << 61) + 1 WHERE content = 7")
            database.execute("UPDATE entries SET content = (1 << 61) + 1 WHERE content = 7")
        twice = self.temp / "twice"
        harness.make_tree(twice, {"first": b"twice", "second": b"twice"})
        self.pack_one(twice, "--out", self.out)
        self.check_all(self.catalogue, 65, b"damaged", WRITERS[:1])
        self.find("second", code=66)

    def test_corrupt(self):
        content = bytearray(self.catalogue.read_bytes())
        content[100:2000] = bytes(1900)
        self.catalogue.write_bytes(content)
        self.check_all(self.catalogue, 65, b"catalogue rebuild", WRITERS + READERS[:-1])
        self.check_all(self.catalogue, 65, b"", ("check",))
        self.catalogue.write_bytes(b"no database at all" * 100)
        self.check_all(self.catalogue, 65, b"not a database")

    def test_newer_version_and_other_databases(self):
        with sqlite3.connect(self.catalogue) as database:
            database.execute("PRAGMA user_version=99")
        self.check_all(self.catalogue, 78, b"version 99")
        other = self.temp / "other.sqlite"
        with sqlite3.connect(other) as database:
            database.execute("CREATE TABLE x(y)")
        self.check_all(other, 78, b"no catalogue")
        self.check_all(self.temp / "nowhere", 66, commands=READERS)
        self.assertFalse((self.temp / "nowhere").exists())
        self.check_all(self.temp, 73, commands=WRITERS)

    def test_an_empty_file(self):
        empty = self.temp / "empty"
        empty.touch()
        self.check_all(empty, 78, b"piecework merge fills", READERS)
        self.check_all(empty, 0, commands=WRITERS)

    def test_another_process_writes(self):
        database = sqlite3.connect(self.catalogue, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN IMMEDIATE")
        self.check_all(self.catalogue, 75, b"another process", WRITERS)
        self.check_all(self.catalogue, 0, commands=READERS)  # they do not wait for writers

    def test_another_process_keeps_it_to_itself(self):
        database = sqlite3.connect(self.catalogue, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("BEGIN IMMEDIATE")
        with concurrent.futures.ThreadPoolExecutor() as pool:  # each waits for some seconds
            commands = WRITERS + READERS[:-1]
            for command, done in zip(commands, pool.map(lambda name: self.run_on(name, self.catalogue), commands)):
                with self.subTest(command=command):
                    self.assertIn(b"another process", self.check(done, 75).err)

    def test_read_only_directory(self):
        home = self.temp / "home"
        home.mkdir()
        shutil.copy(self.catalogue, home / "c")
        home.chmod(0o555)
        self.temp.chmod(0o755)
        wrapper = harness.unprivileged(self)
        found = harness.run("find", "f1", "--catalogue", home / "c", wrapper=wrapper)
        self.check(found, 0)
        self.check(harness.run("merge", "--out", self.out, "--catalogue", home / "new", wrapper=wrapper), 73)


class Full(Case):
    def setUp(self):
        super().setUp()
        harness.make_tree(self.source, {f"more{i}": b"%d" % i for i in range(2000)})
        self.pack_one(self.source, "--out", self.out)
        self.before = self.dump()

    def test_writes_that_fail(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        for error, code in (("ENOSPC", 73), ("EFBIG", 73), ("EDQUOT", 73), ("EIO", 74)):
            for when in ("1", "20+"):
                with self.subTest(error=error, when=when):
                    strace = ["strace", "-f", "-o", self.temp / "log", "-e", "trace=pwrite64", "-e",
                              f"inject=pwrite64:error={error}:when={when}"]
                    self.merge(code=code, wrapper=strace, env={"ASAN_OPTIONS": "detect_leaks=0"})
                    self.assertEqual(self.dump(), self.before)
        self.merge()
        self.check_rebuilt()

    def test_a_limit_on_file_sizes(self):
        for limit in (1000, 100_000):
            with self.subTest(limit=limit):
                done = self.run_on("merge", self.catalogue, wrapper=["prlimit", f"--fsize={limit}"])
                self.assertIn(b"make room", self.check(done, 73).err)
                self.assertEqual(self.dump(), self.before)
        self.merge()
        self.check_rebuilt()

    def test_a_full_file_system(self):
        with harness.small_file_system(self, self.temp / "small", 2) as small:
            here = small / "catalogue"
            shutil.copy(self.catalogue, here)
            filler = self.fill(small)
            self.check_all(here, 73, b"make room", WRITERS)
            self.check_all(small / "new", 73, b"make room", WRITERS)
            self.check_all(here, 0, commands=READERS)  # they need nothing beside it
            # Room for a part of it.
            filler.write_bytes(bytes(1 << 19))
            filler.unlink()
            filler.write_bytes(bytes((2 << 20) - here.stat().st_size - (200 << 10)))
            self.check_all(here, 73, b"make room", WRITERS)
            self.assertEqual(self.dump(here), self.before)

    def test_a_log_that_cannot_be_read_without_room(self):
        """A writer was killed behind its last commit: the log counts, and its index has to be made."""
        with harness.small_file_system(self, self.temp / "small", 2) as small:
            database = sqlite3.connect(self.catalogue)
            database.execute("PRAGMA wal_autocheckpoint=0")
            database.execute("INSERT INTO sources VALUES(NULL, x'78')")
            database.commit()
            for suffix in ("", "-wal"):
                shutil.copy(f"{self.catalogue}{suffix}", small / f"catalogue{suffix}")
            database.close()
            filler = self.fill(small)
            self.check_all(small / "catalogue", 73, b"make room", ("find", "cat", "prove"))
            filler.unlink()
            self.check_all(small / "catalogue", 0, commands=READERS)

    def fill(self, directory):
        filler = directory / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return filler


class Flipped(Case):
    """Bits turn over: no command crashes or says anything but that, and what is restored is right."""

    CODES = {"merge": (0, 65, 70, 73, 78), "find": (0, 65, 66, 78), "cat": (0, 64, 65, 66, 78),
             "extract": (0, 64, 65, 66, 78), "prove": (0, 64, 65, 66, 78), "check": (0, 65, 78)}

    def test_damage(self):
        good = self.catalogue.read_bytes()
        target = self.temp / "target"
        detected = 0
        for seed in range(40):
            numbers = random.Random(seed)
            damaged = bytearray(good)
            begin = numbers.randrange(len(good)) & -16384
            for _ in range((1, 8, 64, 512)[seed % 4]):  # in a page
                damaged[begin + numbers.randrange(16384)] ^= 1 << numbers.randrange(8)
            for command, codes in self.CODES.items():
                path = self.temp / "damaged"
                path.write_bytes(damaged)
                for suffix in ("-wal", "-shm"):
                    Path(f"{path}{suffix}").unlink(missing_ok=True)
                with self.subTest(seed=seed, command=command):
                    shutil.rmtree(target, ignore_errors=True)
                    done = self.run_on(command, path)
                    self.assertIn(done.code, codes, done)
                    detected += done.code != 0
                    if done.code == 0 and command == "extract":
                        self.assertEqual([p.read_bytes() for p in target.iterdir()], [b"1"])
        self.assertGreater(detected, 10)


if __name__ == "__main__":
    harness.main()
