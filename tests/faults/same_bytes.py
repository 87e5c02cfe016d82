#!/usr/bin/env python3
"""Packs the same sources under other clocks, zones, locales, umasks, hosts, backends and thread counts: same bytes.

usage: same_bytes.py [--threads-max N] [--seed N] [--temp DIR]

Each run changes one thing and makes its own plan; the last ones change everything at random. Every file of the output
(plans apart, which are databases) must be that of the first run. What this host has no tool for (unshare, setarch,
faketime, strace) is left out and said.
"""
import os
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import harness  # noqa: E402
from campaign import require, succeeded  # noqa: E402

ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns", "No/Where")
LOCALES = ("C", "C.UTF-8", "tr_TR.UTF-8", "xx_YY")
UMASKS = ("000", "022", "077", "027")
STRACE = ("strace", "-f", "-o", "/dev/null")
# What to put before the command, by name.
WRAPPERS = {
    "hostname": ("unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"),
    "boot_clock": ("unshare", "--time", "--fork", "--boottime", "100000000", "--monotonic", "100000000"),
    "no_randomised_addresses": ("setarch", "-R"),
    "clock_of_1971": ("env", "NO_FAKE_STAT=1", "faketime", "1971-01-01 00:00:00"),
    "clock_of_2100": ("env", "NO_FAKE_STAT=1", "faketime", "2100-02-28 23:59:59"),
    "no_io_uring": (*STRACE, "-e", "trace=io_uring_setup", "-e", "inject=io_uring_setup:error=ENOSYS"),
    "io_uring_denied": (*STRACE, "-e", "trace=io_uring_setup", "-e", "inject=io_uring_setup:error=EPERM"),
    "io_uring_full": (*STRACE, "-e", "trace=io_uring_enter", "-e", "inject=io_uring_enter:error=EAGAIN:when=2+5"),
    "io_uring_interrupted": (*STRACE, "-e", "trace=io_uring_enter", "-e", "inject=io_uring_enter:error=EINTR:when=1+3"),
}


class Matrix:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.chance = random.Random(options.seed)
        entries = campaign.tree(options.seed, 6, 500, large_bytes=4 << 20)
        entries.update({"caf\u00e9": b"utf-8", b"caf\xe9": b"latin-1", "Iı": b"letters", "link": ("symlink", "Iı"),
                        "empty": b"", "none": None})
        self.source = folder / "source"
        harness.make_tree(self.source, entries)
        self.run_count = 0
        self.left_out = []
        self.expected = self.packed((), {}, ())
        require(self.expected, "nothing was packed")

    def packed(self, wrapper, environment, flags):
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        succeeded(harness.run("pack", self.source, "--out", out, "--piece-size", "16MiB", *flags, wrapper=wrapper,
                              env={"ASAN_OPTIONS": "detect_leaks=0", **environment}))
        self.run_count += 1
        found = harness.snapshot(out)
        return {name: value for name, value in found.items() if not name.startswith(b"plans/") and value[0] == "file"}

    def same(self, what, wrapper=(), environment=None, flags=()):
        found = self.packed(wrapper, environment or {}, flags)
        require(found == self.expected, f"{what}: {sorted(found.items())}, expected {sorted(self.expected.items())}")

    def works(self, name):
        """Whether the wrapper can run anything here."""
        wrapper = WRAPPERS[name]
        is_there = shutil.which(wrapper[0]) is not None and harness.run("--version", wrapper=wrapper).code == 0
        if not is_there:
            self.left_out.append(name)
        return is_there

    @staticmethod
    def with_umask(umask):
        return ("sh", "-c", f'umask {umask} && exec "$@"', "sh")

    def one_at_a_time(self):
        for threads in range(1, self.options.threads_max + 1):
            self.same(f"{threads} threads", flags=("--threads", threads))
        for zone in ZONES:
            self.same(zone, environment={"TZ": zone})
        for locale in LOCALES:
            self.same(locale, environment={"LC_ALL": locale, "LANG": locale})
        for umask in UMASKS:
            self.same(f"umask {umask}", wrapper=self.with_umask(umask))
        for backend in ("uring", "posix"):
            self.same(backend, flags=("--io", backend))
        for memory in ("160MiB", "1GiB"):
            self.same(memory, flags=("--memory", memory))
        for variant in harness.supported_variants():
            self.same(variant, environment={"PIECEWORK_FORCE_VARIANT": variant})
        for name, wrapper in WRAPPERS.items():
            if self.works(name):
                self.same(name, wrapper=wrapper)

    def all_at_once(self, count):
        usable = [name for name in WRAPPERS if name not in self.left_out]
        for _ in range(count):
            choice = self.chance.choice
            name = choice(usable) if usable else None
            self.same("a mixture", wrapper=(*self.with_umask(choice(UMASKS)), *(WRAPPERS[name] if name else ())),
                      environment={"TZ": choice(ZONES), "LC_ALL": choice(LOCALES)},
                      flags=("--threads", self.chance.randint(1, self.options.threads_max)))


def run(options, folder):
    matrix = Matrix(folder, options)
    matrix.one_at_a_time()
    matrix.all_at_once(20)
    return {"runs": matrix.run_count, "hashes": 1, "left_out": matrix.left_out, "differing_bytes": 0}


def add_options(add):
    add("--threads-max", type=int, default=64)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
