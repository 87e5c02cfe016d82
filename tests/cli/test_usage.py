#!/usr/bin/env python3
"""Wrong usage is refused with exit code 64 before anything is touched, and every help text lists the exit codes."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

COMMANDS = ("pack", "plan", "todo", "commp", "fr32", "verify", "merge", "find", "catalogue", "ls", "cat", "extract",
            "drill", "repair", "prove", "check-proof", "bench", "info")
EXIT_CODES = (64, 65, 66, 69, 70, 71, 73, 74, 75, 77, 78)


class Usage(harness.TestCase):
    def test_help_lists_every_exit_code(self):
        for arguments in (["--help"], *([command, "--help"] for command in COMMANDS)):
            with self.subTest(arguments=arguments):
                text = self.check(harness.run(*arguments), 0).out.decode()
                words = text.split()
                self.assertEqual([code for code in EXIT_CODES if str(code) not in words], [], text)

    def test_no_or_unknown_command(self):
        for arguments in ([], ["pakc"], ["--frobnicate"]):
            with self.subTest(arguments=arguments):
                self.check(harness.run(*arguments), 64)

    def test_unknown_flag_and_missing_argument(self):
        for arguments in (["pack"], ["commp"], ["verify"], ["commp", "x", "--no-such-flag"],
                          ["pack", self.temp, "--out", self.temp / "out", "--no-such-flag"],
                          ["pack", self.temp]):
            with self.subTest(arguments=arguments):
                self.check(harness.run(*arguments), 64)
        self.assertEqual(harness.files_below(self.temp), [])

    def test_values_that_cannot_be(self):
        source = self.temp / "source"
        harness.make_tree(source, {"file": b"content"})
        for flags in (["--piece-size", "1000"], ["--piece-size", "64"], ["--piece-size", "128GiB"],
                      ["--piece-size", "-1"],
                      ["--piece-size", "big"], ["--profile", "unixfs-v9"], ["--dedup", "some"], ["--items", "all"],
                      ["--hidden", "maybe"], ["--threads", "-1"], ["--threads", "many"], ["--memory", "12parsecs"]):
            with self.subTest(flags=flags):
                finished = self.check(harness.run("pack", source, "--out", self.temp / "out", *flags), 64)
                self.assertIn(flags[1], finished.err.decode())
        self.assertFalse((self.temp / "out").exists())

    def test_what_decides_a_plan_comes_too_late_with_one(self):
        for flags in (["--piece-size", "1MiB"], ["--dedup", "none"], ["--roots", "r"], ["--partial"]):
            with self.subTest(flags=flags):
                finished = harness.run("pack", "--plan", "plan", "--all", "--out", self.temp / "out", *flags)
                self.assertIn(f"{flags[0]} decides a plan", self.check(finished, 64).err.decode())

    def test_equal_source_names(self):
        for side in ("a", "b"):
            harness.make_tree(self.temp / side / "same", {"file": side.encode()})
        finished = harness.run("pack", self.temp / "a/same", self.temp / "b/same", "--out", self.temp / "out")
        self.assertIn("same", self.check(finished, 64).err.decode())

    def test_unknown_variant_is_refused(self):
        file = self.temp / "file"
        file.write_bytes(b"x" * 200)
        for value in ("mmx", "sha256_nodes=mmx", "no_such_kernel=scalar"):
            with self.subTest(value=value):
                finished = harness.run("commp", file, env={"PIECEWORK_FORCE_VARIANT": value})
                self.assertIn("PIECEWORK_FORCE_VARIANT", self.check(finished, 64).err.decode())

    def test_control_bytes_never_reach_the_terminal(self):
        finished = self.check(harness.run("commp", self.temp / "no\x1b[31m\nsuch"), 66)
        self.assertNotIn(b"\x1b", finished.err)


if __name__ == "__main__":
    harness.main()
