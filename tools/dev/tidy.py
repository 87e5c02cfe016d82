#!/usr/bin/env python3
"""The style rules that a machine can hold: a test (ctest: tidy), and a report with --report.

usage: tidy.py [--report]

Each rule is a function that yields (path, line, text) for what breaks it. Exit code 1 where a rule is broken. Ignored
files are not read. Symbols in objects of one instruction set are check_isa_symbols.py's.
"""
import argparse
import fnmatch
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMN_MAX = 120
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

# Who may include whom; the first matching prefix of the including file decides.
INCLUDE_DIRECTIONS = [
    ("kernels/base/", ("kernels/base/",)),
    ("kernels/", ("kernels/",)),
    ("io/", ("io/", "kernels/base/")),
    ("engine/codec/", ("engine/codec/", "kernels/")),
    ("engine/", ("engine/", "io/", "kernels/")),
    ("tools/", ("tools/", "engine/", "io/", "kernels/")),
    ("bench/", ("bench/", "tools/", "engine/", "io/", "kernels/", "tests/support/")),
    ("tests/", ("tests/", "tools/", "engine/", "io/", "kernels/")),
]
OWN_FOLDERS = ("kernels/", "io/", "engine/", "tools/", "tests/", "bench/")

# Each third-party library is named in few files, so that it can be
# replaced in one sitting. Tests and benches may name any.
CONFINED_INCLUDES = [
    ("oneTBB", re.compile(r"<(tbb|oneapi/tbb)[/.]"),
     ("engine/piece/piece_pipeline.cc", "engine/pack_batch.cc", "engine/pack_job.cc", "engine/plan/file_pass.cc",
      "engine/restore/verify.cc", "engine/restore/restore_tree.cc", "engine/piece/commp.cc", "engine/task_order.h")),
    ("liburing", re.compile(r"<liburing"), ("io/uring_backend.cc",)),
    ("libmicrohttpd", re.compile(r"<microhttpd"), ("io/http_server.cc",)),
    ("SQLite", re.compile(r"<sqlite3"), ("engine/record/sqlite.h", "engine/record/sqlite.cc")),
    ("leveldb", re.compile(r"<leveldb/"), ("engine/store/leveldb_reader.h", "engine/store/leveldb_reader.cc")),
    ("toml++", re.compile(r"<toml\+\+/"), ("engine/deal/deal_policy.cc",)),
    ("ISA-L", re.compile(r"<isa-l|<isal"), ("kernels/isal.cc",)),
    ("libsodium", re.compile(r"<sodium"), ("engine/deal/sodium.cc",)),
    ("libsecp256k1", re.compile(r"<secp256k1"), ("engine/deal/secp256k1.cc",)),
    ("libcurl", re.compile(r"<curl/"), ("io/http_client.cc",)),
    ("CLI11", re.compile(r"<CLI/"), ("tools/",)),
    ("intrinsics", re.compile(r"<(immintrin|x86intrin|simde)"), ("kernels/",)),
]

# A file of one instruction set must not instantiate library templates:
# the linker could give their code to the whole program.
ISA_FILE = re.compile(r"_(shani|avx2|avx512|sse42)\.cc$")
ISA_INCLUDES = re.compile(r'^(<immintrin\.h>|<cstddef>|<cstdint>|<cstring>|"kernels/[\w/]+(\.inl)?\.h")$')

BANNED_WORDS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"), "open end: finish it, or document it"),
    (re.compile(r"/wo" r"rk/"), "path of one machine"),
]
# Side effects that belong to the command line alone.
TOOLS_ONLY = [
    (re.compile(r"\b(getenv|secure_getenv)\s*\("), "reads the environment"),
    (re.compile(r"\bstd::(cout|cerr)\b|\b(printf|puts)\s*\("), "prints"),
    (re.compile(r"(\bstd|[^\w]):: *_?exit\s*\(|\b_exit\s*\("), "ends the program"),
    (re.compile(r"\bthrow\b"), "throws; return a Result"),
]
TOOLS_ONLY_EXCEPTIONS = {
    "kernels/base/check.cc",     # a failed check says so, then aborts
    "engine/record/receipt.cc",  # throws to where it catches what nlohmann-json throws
    "engine/record/json_text.cc",  # the same
}


def tracked_files():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


class Sources:
    """The files of the repository, read once."""

    def __init__(self):
        self.names = tracked_files()
        self.cpp = [n for n in self.names if n.endswith((".cc", ".h"))]
        self._lines = {}

    def lines(self, name):
        if name not in self._lines:
            self._lines[name] = (ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines()
        return self._lines[name]

    def text_files(self):
        for name in self.names:
            is_ours = not name.startswith(("tests/vectors/", "tests/interop/oracles/", "LICENSE", "bench/results/"))
            if is_ours and b"\0" not in (ROOT / name).read_bytes()[:4096]:
                yield name


def code_of(line):
    """The line without its // comment and without the contents of string literals."""
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return line.split("//", 1)[0]


def includes(sources, name):
    for number, line in enumerate(sources.lines(name), 1):
        match = re.match(r'\s*#\s*include\s*([<"][^>"]+[>"])', line)
        if match:
            yield number, match.group(1)


def rule_include_directions(sources):
    for name in sources.cpp:
        allowed = next((targets for prefix, targets in INCLUDE_DIRECTIONS if name.startswith(prefix)), None)
        for number, target in includes(sources, name):
            if target[0] == "<" or allowed is None:
                continue
            path = target[1:-1]
            if not path.startswith(OWN_FOLDERS):
                yield name, number, f"include of {path} is not from the root"
            elif not path.startswith(allowed):
                yield name, number, f"{name.split('/')[0]} must not include {path}"


def rule_confined_libraries(sources):
    for name in sources.cpp:
        if name.startswith(("tests/", "bench/")):
            continue
        for number, target in includes(sources, name):
            for library, pattern, homes in CONFINED_INCLUDES:
                if pattern.match(target) and not name.startswith(homes):
                    yield name, number, f"{library} belongs to {', '.join(homes)}"


def rule_isa_files(sources):
    for name in sources.cpp:
        if not ISA_FILE.search(name):
            continue
        for number, target in includes(sources, name):
            if not ISA_INCLUDES.match(target):
                yield name, number, f"a file of one instruction set must not include {target}"


def rule_layout(sources):
    for name in sources.text_files():
        lines = sources.lines(name)
        is_code = name.endswith((".cc", ".h", ".py")) or name in (".ci/run",)
        if is_code and len(lines) > FILE_LINES_MAX:
            yield name, 1, f"{len(lines)} lines; at most {FILE_LINES_MAX}"
        for number, line in enumerate(lines, 1):
            if line != line.rstrip() and not name.endswith(".md"):
                yield name, number, "spaces at the end of the line"
            if is_code and len(line) > COLUMN_MAX:
                yield name, number, f"{len(line)} columns; at most {COLUMN_MAX}"
            if "\t" in line and is_code:
                yield name, number, "tab"


def rule_file_heads(sources):
    for name in sources.cpp:
        lines = sources.lines(name)
        is_described_by_header = name.endswith(".cc") and name[:-3] + ".h" in sources.names
        if not is_described_by_header and (not lines or not lines[0].startswith("//")):
            yield name, 1, "a file starts with a comment that says what it is"
        if name.endswith(".h") and not name.endswith(".inl.h") and "#pragma once" not in lines:
            yield name, 1, "no #pragma once"


def rule_words(sources):
    for name in sources.text_files():
        for number, line in enumerate(sources.lines(name), 1):
            for pattern, why in BANNED_WORDS:
                if pattern.search(line):
                    yield name, number, why


def rule_side_effects(sources):
    for name in sources.cpp:
        if not name.startswith(("kernels/", "io/", "engine/")) or name in TOOLS_ONLY_EXCEPTIONS:
            continue
        for number, line in enumerate(sources.lines(name), 1):
            for pattern, what in TOOLS_ONLY:
                if pattern.search(code_of(line)):
                    yield name, number, f"{what}: only tools/ may"


def functions(sources, name):
    """Yields (first line, length) of every body at the outermost level of a namespace or class.

    A heuristic that follows the layout of clang-format, where such a body ends with '}' in column 0 (or 2 for members).
    """
    lines = sources.lines(name)
    opened = {}
    for number, line in enumerate(lines, 1):
        for indent in ("", "  "):
            if line == indent + "}" and indent in opened:
                yield opened[indent], number - opened[indent] + 1
                del opened[indent]
            starts = line.startswith(indent) and line[len(indent):len(indent) + 1] not in ("", " ", "}", "#", "/")
            if starts and line.endswith("{") and "(" in line and not line.lstrip().startswith("namespace"):
                opened[indent] = number
            elif starts and line.endswith("{"):
                opened.pop(indent, None)


def rule_function_length(sources):
    for name in sources.cpp:
        if name.startswith("tests/"):
            continue
        for number, length in functions(sources, name):
            if length > FUNCTION_LINES_MAX:
                yield name, number, f"function of {length} lines; at most {FUNCTION_LINES_MAX}"


def rule_coverage(sources):
    """Every source has a test of its name, or a line (path or pattern) in tests/COVERAGE.md on what covers it."""
    tests = [name for name in sources.names if name.startswith("tests/")]
    patterns = re.findall(r"^\| `([^`]+)` \|", (ROOT / "tests/COVERAGE.md").read_text(encoding="utf-8"), re.MULTILINE)
    own = [n for n in sources.cpp if n.endswith(".cc") and n.startswith(("kernels/", "io/", "engine/", "tools/"))]
    for name in own:
        module, base = name.split("/")[0], Path(name).stem
        has_test = any(test.startswith(f"tests/{module}/") and test.endswith(f"/{base}_test.cc") for test in tests)
        if not has_test and not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            yield name, 1, f"no {base}_test.cc and no line in tests/COVERAGE.md"
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in own):
            yield "tests/COVERAGE.md", 1, f"{pattern} names no source"


def rule_scripts_are_executable(sources):
    for name in sources.names:
        first_line = (sources.lines(name) or [""])[0] if "." not in Path(name).name or name.endswith(".py") else ""
        is_executable = (ROOT / name).stat().st_mode & 0o100 != 0
        if first_line.startswith("#!") and not is_executable:
            yield name, 1, "starts with #! but is not executable"


RULES = [rule_include_directions, rule_confined_libraries, rule_isa_files, rule_layout, rule_file_heads, rule_words,
         rule_side_effects, rule_function_length, rule_coverage, rule_scripts_are_executable]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def print_report(sources):
    for module in ("kernels", "io", "engine", "tools", "tests", "bench"):
        names = [n for n in sources.cpp if n.startswith(module + "/")]
        lengths = [len(sources.lines(n)) for n in names]
        bodies = [length for n in names for _, length in functions(sources, n)]
        if not lengths:
            continue
        print(f"{module}: {len(names)} files, {sum(lengths)} lines; median {statistics.median(lengths):.0f}, "
              f"p90 {percentile(lengths, 0.9)}, max {max(lengths)}")
        if bodies:
            print(f"  functions: {len(bodies)}; median {statistics.median(bodies):.0f}, "
                  f"p90 {percentile(bodies, 0.9)}, max {max(bodies)}")
    own = [n for n in sources.cpp if n.startswith(("engine/", "io/"))]
    checks = sum(len(re.findall(r"PIECEWORK_D?CHECK\(|static_assert\(", "\n".join(sources.lines(n)))) for n in own)
    total = sum(len(sources.lines(n)) for n in own)
    print(f"checks in engine and io: {checks}, one per {total / max(1, checks):.0f} lines")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", action="store_true", help="print sizes of files and functions")
    arguments = parser.parse_args()
    sources = Sources()
    if arguments.report:
        print_report(sources)
    findings = [finding for rule in RULES for finding in rule(sources)]
    for path, line, text in findings:
        print(f"{path}:{line}: {text}")
    print(f"tidy: {len(RULES)} rules, {len(sources.names)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
