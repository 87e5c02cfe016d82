"""What the Python tests share: running the piecework binary, trees of files, comparisons.

PIECEWORK_BINARY names the binary (set by ctest). A test program is a unittest module that ends with `harness.main()`;
a test skips where this machine lacks what it needs (root, mount, strace, node).
"""
import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors"
ORACLES = ROOT / "tests/interop/oracles"
BINARY = os.environ.get("PIECEWORK_BINARY", str(ROOT / "build/dev/tools/piecework"))
TIMEOUT_S = 300  # of one command; a sanitized binary on a busy machine is slow
SKIPPED = 77

sys.path.insert(0, str(ORACLES))


class Finished:
    """A finished program: `code` (negative: minus the signal that ended it), `out` and `err` as bytes."""

    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"standard output is not one JSON object ({error})\n{self}") from error

    def __str__(self):
        return (
    f"$ {' '.join(map(str, self.arguments))}\nexit code {self.code}\n"
    f"stdout: {self.out[-2000:].decode(errors='replace')}\nstderr: {self.err[-2000:].decode(errors='replace')}")


def run(*arguments, env=None, cwd=None, stdin=b"", timeout=TIMEOUT_S, wrapper=()):
    """Runs piecework with `arguments`.

    `wrapper` stands before it on the command line (strace, setpriv, ...); `env` changes variables, None removes one.
    """
    environment = dict(os.environ)
    for name, value in (env or {}).items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    command = [*map(str, wrapper), BINARY, *map(os.fspath, map(_text_or_path, arguments))]
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, cwd=cwd, timeout=timeout)
    return Finished(command, done.returncode, done.stdout, done.stderr)


def _text_or_path(argument):
    return argument if isinstance(argument, (str, bytes, os.PathLike)) else str(argument)


def start(*arguments, **options):
    """Starts piecework and returns the Popen object."""
    return subprocess.Popen([BINARY, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def supported_variants(kernel=None):
    """Names of the kernels' variants that this machine runs, of one kernel or of any."""
    names = []
    for variant in run("info", "--json").json()["variants"]:
        if variant["supported"] and kernel in (None, variant["kernel"]) and variant["name"] not in names:
            names.append(variant["name"])
    return names


def has_undefined_sanitizer():
    """Whether the binary was built with UndefinedBehaviorSanitizer."""
    return b"__ubsan_handle" in Path(BINARY).read_bytes()


def unprivileged(test):
    """A wrapper under which file permissions hold; skips the test where there is none."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        test.skipTest("setpriv is missing")
    wrapper = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*wrapper, "test", "-x", BINARY], check=False).returncode == 0:
        return wrapper
    # The build lies where only root may go (a home directory): a copy of the program takes its place.
    os.chmod(test.temp, test.temp.stat().st_mode | 0o055)
    copy = shutil.copy(BINARY, test.temp / "piecework-for-all")
    os.chmod(copy, 0o755)
    return (*wrapper, "sh", "-c", 'shift; exec "$0" "$@"', str(copy))


@contextlib.contextmanager
def small_file_system(test, path, megabytes):
    """A tmpfs of that size at `path`; skips the test where mounting is not allowed."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}M", "tmpfs", str(path)], capture_output=True)
    if done.returncode != 0:
        test.skipTest("mount is not allowed here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def make_tree(root, entries):
    """Creates {path: bytes | None (directory) | ("symlink", target)} below root."""
    root = os.fsencode(root)
    os.makedirs(root, exist_ok=True)
    for name, content in entries.items():
        path = os.path.join(root, os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if content is None:
            os.makedirs(path, exist_ok=True)
        elif isinstance(content, tuple):
            os.symlink(os.fsencode(content[1]), path)
        else:
            with open(path, "wb") as file:
                file.write(content)


def payload(seed, count):
    """The first `count` bytes of the payload of `seed` (tests/vectors/public/PROVENANCE.md)."""
    key = hashlib.sha256(seed.encode()).hexdigest()
    command = ["openssl", "enc", "-chacha20", "-K", key, "-iv", "0" * 32]
    return subprocess.run(command, input=bytes(count), capture_output=True, check=True).stdout


def noise(seed, count):
    """`count` random bytes, the same for the same seed, without a process of their own: where no vector is needed."""
    return random.Random(seed).randbytes(count)


def materialise(spec_name, root):
    """Creates the tree of tests/vectors/public/<spec_name> below root."""
    import unixfs_ref
    entries = {}
    for entry in unixfs_ref.expand(json.loads((VECTORS / "public" / spec_name).read_text())):
        if entry["t"] == "d":
            entries[entry["p"]] = None
        elif entry["t"] == "l":
            entries[entry["p"]] = ("symlink", entry["to"])
        elif entry.get("text") is not None:
            entries[entry["p"]] = entry["text"].encode()
        else:
            entries[entry["p"]] = payload(entry["seed"], entry["size"])
    make_tree(root, entries)


def snapshot(root):
    """{path: (kind, SHA-256 or target)} of everything below root, names as bytes; symlinks are not followed."""
    root = os.fsencode(root)
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, root)
            if os.path.islink(path):
                found[key] = ("symlink", os.readlink(path))
            elif os.path.isdir(path):
                found[key] = ("directory", "")
            else:
                found[key] = ("file", sha256_of(path))
    return found


def files_below(root):
    """Relative names of the regular files below root, sorted."""
    return sorted(str(p.relative_to(root)) for p in Path(root).rglob("*") if p.is_file() and not p.is_symlink())


def file_rows(out, piece):
    """The rows of <piece>.files.ndjson.zst, in order."""
    table = Path(out) / f"{piece['piece_cid_v1']}.files.ndjson.zst"
    if table.stat().st_size == 0:
        return []
    lines = subprocess.run(["zstd", "-dc", str(table)], capture_output=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def car_sections(car):
    """The sections of a CARv1 as (list of sections with their lengths, header with its length)."""
    def end_of(at):
        length, shift = 0, 0
        while True:
            byte = car[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return at + length
    ends = [0]
    while ends[-1] < len(car):
        ends.append(end_of(ends[-1]))
    parts = [car[begin:end] for begin, end in zip(ends, ends[1:])]
    return parts[1:], parts[0]


class TestCase(unittest.TestCase):
    """A test with a temporary directory (self.temp) and assertions that print the whole command where they fail."""

    maxDiff = None

    def setUp(self):
        self.temp = Path(tempfile.mkdtemp(prefix="piecework-"))
        self.addCleanup(self._remove_temp)

    def _remove_temp(self):
        for folder, _, _ in os.walk(self.temp):
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o700)
        shutil.rmtree(self.temp, ignore_errors=True)

    def check(self, finished, code):
        self.assertEqual(finished.code, code, f"expected exit code {code}\n{finished}")
        return finished

    def pack(self, *arguments, code=0, **options):
        """piecework pack ... --json; returns its JSON object where code is 0, else the finished program."""
        finished = self.check(run("pack", *arguments, "--json", **options), code)
        return finished.json() if code == 0 else finished

    def pack_one(self, *arguments, **options):
        """The only piece of a successful pack."""
        pieces = self.pack(*arguments, **options)["pieces"]
        self.assertEqual(len(pieces), 1, pieces)
        return pieces[0]


def main():
    """Runs the calling module's tests; the exit code is 77 where every test was skipped."""
    program = unittest.main(exit=False, verbosity=2, module="__main__")
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
