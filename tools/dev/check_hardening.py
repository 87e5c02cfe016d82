#!/usr/bin/env python3
"""Fails where a program or its objects lack the hardening of tools/dev/cmake/piecework_hardening.cmake.

usage: check_hardening.py [--probe OBJECT] [--fortify 2|3] FILE...

A program must be position-independent, with relocations that are resolved at its start and read-only from then on, and
with a stack that is not executable. Every object of an archive must be built for branch tracking and shadow stacks.
OBJECT is tests/tools/hardening_probe.cc, which shows what cannot be seen from outside. A release build is checked by
its program and archives alone: check_hardening.py build/release/tools/piecework build/release/*/*.a
Exit code: 0 all there, 1 something is missing.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

# What the code of a function of the probe must contain, its relocations included.
STACK_PROTECTOR = ("hardening_probe_local", r"__stack_chk_fail", "-fstack-protector-strong")
STACK_CLASH = ("hardening_probe_large_frame", r"\bor[bwlq]?\s+\$0x0,.*\(%rsp", "-fstack-clash-protection")
BRANCH_TRACKING = ("hardening_probe_local", r"\bendbr64\b", "-fcf-protection")
FORTIFY_3 = ("hardening_probe_copy", r"__memcpy_chk", "-D_FORTIFY_SOURCE=3")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C"}).stdout


def program_problems(path):
    """Yields what the headers of the program at `path` lack."""
    header, segments = output_of("readelf", "-hW", path), output_of("readelf", "-lW", path)
    dynamic = output_of("readelf", "-dW", path)
    if not re.search(r"Type:\s+DYN", header) or not re.search(r"FLAGS_1\).*\bPIE\b", dynamic):
        yield "not position-independent (-pie)"
    if "GNU_RELRO" not in segments:
        yield "relocations stay writable (-z relro)"
    if not re.search(r"FLAGS(_1)?\).*\b(BIND_NOW|NOW)\b", dynamic):
        yield "functions are bound late (-z now)"
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+([RWE ]+?)\s+0x", segments)
    if not stack or "E" in stack.group(1):
        yield "the stack is executable (-z noexecstack)"
    if "TEXTREL" in dynamic:
        yield "relocations in the code"
    symbols = output_of("nm", "-D", path)
    for symbol, flag in (("__stack_chk_fail", "-fstack-protector-strong"), ("__memcpy_chk", "-D_FORTIFY_SOURCE")):
        if symbol not in symbols:
            yield f"never calls {symbol} ({flag})"


def archive_problems(path):
    """Yields how many objects of the archive at `path` are not built for branch tracking and shadow stacks."""
    members = re.split(r"^File: ", output_of("readelf", "-nW", path), flags=re.MULTILINE)[1:]
    bare = [member.splitlines()[0] for member in members if "x86 feature: IBT, SHSTK" not in member]
    if bare or not members:
        yield f"{len(bare)} of {len(members)} objects without -fcf-protection=full: {', '.join(bare[:3])}"


def probe_problems(path, expectations):
    """Yields what the functions of the probe at `path` lack."""
    functions = re.split(r"^[0-9a-f]+ <(\w+)>:$", output_of("objdump", "-dr", "--no-show-raw-insn", path),
                         flags=re.MULTILINE)
    code = dict(zip(functions[1::2], functions[2::2]))
    for function, pattern, flag in expectations:
        if not re.search(pattern, code.get(function, "")):
            yield f"{function} is built without {flag}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--probe", type=Path)
    parser.add_argument("--fortify", type=int, choices=(2, 3), default=3, help="the level that the compiler offers")
    arguments = parser.parse_args()
    found = []
    for path in arguments.files:
        problems = archive_problems(path) if path.suffix == ".a" else program_problems(path)
        found += [f"{path}: {problem}" for problem in problems]
    if arguments.probe:
        expectations = [STACK_PROTECTOR, STACK_CLASH, BRANCH_TRACKING] + [FORTIFY_3] * (arguments.fortify == 3)
        found += [f"{arguments.probe}: {problem}" for problem in probe_problems(arguments.probe, expectations)]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    print(f"{len(arguments.files)} files, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
