#!/usr/bin/env python3
"""Changes sources while pack reads them: a file is packed as it was at one moment, or reported, never a mixture.

usage: changing_sources.py [--runs N] [--seed N] [--temp DIR]

pack is stopped (SIGSTOP) at a random moment, one to three files are rewritten in place (some with their times set
back), rewritten in part, cut, grown, replaced, removed, or become something else, and it goes on. Where it succeeds,
each file of the CAR must be what the file was before or after; where it does not, the exit code is 65 or 66, the file
is named, and nothing is published. Every other run has --on-source-error skip: then the report names what is left out.
"""
import collections
import os
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import campaign  # noqa: E402
import dag  # noqa: E402
import harness  # noqa: E402
from campaign import require, succeeded  # noqa: E402

FILE_COUNT = 4
FILE_BYTES = 12_000_000  # most do not fit one run of the pipeline
SLOWLY = {"PIECEWORK_FORCE_VARIANT": "scalar"}  # most of the time is then that of reading and hashing
GONE = None


def rewrite(path, content):
    path.write_bytes(content)


def rewrite_part(path, content):
    with open(path, "r+b") as file:
        file.seek(len(content) // 2)
        file.write(content[len(content) // 2:])


def rewrite_and_set_times_back(path, content):
    times = path.stat()
    with open(path, "r+b") as file:
        file.write(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut(path, _):
    os.truncate(path, path.stat().st_size // 3)


def cut_to_nothing(path, _):
    os.truncate(path, 0)


def grow(path, content):
    with open(path, "ab") as file:
        file.write(content[:100_000])


def replace(path, content):
    times = path.stat()
    other = path.with_name(".new")
    other.write_bytes(content)
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.rename(path)


def remove(path, _):
    path.unlink()


def become_a_fifo(path, _):
    path.unlink()
    os.mkfifo(path)


def become_a_directory(path, _):
    path.unlink()
    path.mkdir()


def become_a_symlink(path, _):
    path.unlink()
    path.symlink_to("/etc/hostname")


CHANGES = (rewrite, rewrite_part, rewrite_and_set_times_back, cut, cut_to_nothing, grow, replace, remove, become_a_fifo,
           become_a_directory, become_a_symlink)


class Changes:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.chance = random.Random(options.seed)
        self.source, self.out = folder / "source", folder / "out"
        self.good = [self.chance.randbytes(FILE_BYTES) for _ in range(FILE_COUNT)]
        self.counts = collections.Counter()
        self.seconds = self.whole_run()

    def make_source(self):
        shutil.rmtree(self.source, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        harness.make_tree(self.source, {f"file-{i}": content for i, content in enumerate(self.good)})

    def command(self, *flags):
        # With few buffers: what is not read yet is what can still change.
        return ("pack", self.source, "--out", self.out, "--threads", "1", "--dedup", "none",
                "--memory", "83MiB", "--json", *flags)

    def whole_run(self):
        self.make_source()
        begin = time.monotonic()
        succeeded(harness.run(*self.command(), env=SLOWLY))
        return time.monotonic() - begin

    def one_run(self, number):
        self.make_source()
        skip = number % 2 == 1
        process = harness.start(*self.command("--io", ("uring", "posix")[number // 2 % 2],
                                              *(("--on-source-error", "skip") if skip else ())),
                                env={**os.environ, **SLOWLY})
        time.sleep(self.chance.uniform(0, self.seconds))
        allowed = [{content} for content in self.good]
        with campaign.stopped(process) as stands:
            self.counts["while_it_ran"] += stands
            changed = self.chance.sample(range(FILE_COUNT), self.chance.randint(1, 3))
            for i in changed:
                allowed[i].add(self.change(i))
        finished = campaign.wait(process)
        names = [f"file-{i}" for i in changed]
        if finished.code == 0:
            self.counts["packed"] += 1
            self.check_packed(finished.json(), allowed, names)
        else:
            self.counts["reported"] += 1
            succeeded(finished, 65, 66)
            require(any(name in finished.err.decode() for name in names), f"{names} are not named\n{finished}")
            published = harness.files_below(self.out) if self.out.exists() else []
            require(not any(name.endswith((".car", ".json")) for name in published), f"published: {published}")

    def change(self, i):
        """Changes file `i`; returns its new content, or GONE."""
        path = self.source / f"file-{i}"
        how = self.chance.choice(CHANGES)
        self.counts[how.__name__] += 1
        how(path, self.chance.randbytes(FILE_BYTES))
        return path.read_bytes() if path.is_file() and not path.is_symlink() else GONE

    def check_packed(self, report, allowed, changed):
        [piece] = report["pieces"]
        blocks, root = dag.read_car(Path(piece["car"]))
        found = {name.decode(): cid for name, cid in dag.links(root, blocks[root])}
        skipped = {Path(item["path"]).name for item in report["skipped"]}
        self.counts["skipped"] += bool(skipped)
        require(skipped <= set(changed), f"{skipped} are left out, only {changed} were changed")
        for i, contents in enumerate(allowed):
            name = f"file-{i}"
            if name not in found:
                require(name in skipped or GONE in contents, f"{name} is missing and not reported")
            elif len(contents) == 1 or self.is_file(blocks, found[name]):
                require(dag.content(blocks, found[name]) in contents, f"{name} is packed as it never was")

    @staticmethod
    def is_file(blocks, cid):
        """Not a directory or symlink, which have taken a file's place before it was walked."""
        if dag.cid_at(cid, 0)[1] == dag.RAW:
            return True
        return dict(dag.fields(dict(dag.fields(blocks[cid]))[1]))[1] == 2


def run(options, folder):
    changes = Changes(folder, options)
    for number in range(options.runs):
        try:
            changes.one_run(number)
        except AssertionError as error:
            raise AssertionError(f"run {number}: {error}") from error
    counts = changes.counts
    require(counts["while_it_ran"] > options.runs // 2 and counts["reported"] > options.runs // 8, counts)
    return {"runs": options.runs, **{name: counts[name] for name in ("while_it_ran", "packed", "reported", "skipped")},
            "changes": {how.__name__: counts[how.__name__] for how in CHANGES}, "mixed_without_report": 0}


def add_options(add):
    add("--runs", type=int, default=300)


if __name__ == "__main__":
    campaign.main(__doc__, add_options, run)
