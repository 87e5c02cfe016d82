"""One timed command, caches, and what the machine is; used by run.py."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path


class CommandFailed(Exception):
    pass


def busy_cpu_seconds():
    """Processor seconds that all programs of the machine and its hypervisor's guests beside it took so far."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def run_timed(arguments, environment=None, stdout_path=os.devnull, cwd=None):
    """Runs a command to its end: {"seconds", "cpu_seconds", "resident_bytes", "foreign_cores"}.

    CPU time is that of the command and of every child that it waited for; resident memory is the largest single process
    among them; foreign cores is what others took of the machine meanwhile, the kernel's own threads included.
    Standard output goes to `stdout_path`. A command that fails raises CommandFailed with its last words.
    """
    with open(stdout_path, "wb") as stdout, open(f"{stdout_path}.err" if stdout_path != os.devnull else os.devnull,
                                                 "wb") as stderr:
        busy_before, start = busy_cpu_seconds(), time.monotonic()
        process = subprocess.Popen([str(argument) for argument in arguments], stdout=stdout, stderr=stderr, cwd=cwd,
                                   env={**os.environ, **(environment or {})}, start_new_session=True)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        seconds, busy_after = time.monotonic() - start, busy_cpu_seconds()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        words = Path(f"{stdout_path}.err").read_text(errors="replace")[-500:] if stdout_path != os.devnull else ""
        raise CommandFailed(f"{' '.join(map(str, arguments))}: exit code {process.returncode}: {words}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "resident_bytes": usage.ru_maxrss * 1024,
            "foreign_cores": max(0.0, busy_after - busy_before - cpu_seconds) / seconds}


def files_below(path):
    """The path itself where it is a file, else every file below it."""
    if path.is_file():
        yield path
        return
    for folder, _, names in os.walk(path):
        for name in names:
            yield Path(folder) / name


def drop_pages(path):
    """Drops the page cache of every file below `path` (they must be clean: call os.sync() before).

    Needs no root. Directory entries and inodes stay cached.
    """
    for file in files_below(path):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read_all(path):
    """Reads every file below `path` once, so that it is in the page cache."""
    buffer = bytearray(1 << 20)
    for file in files_below(path):
        with open(file, "rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return "unknown"


def kernel_bytes_per_second(binary):
    """The node kernel's rate on one core now, in payload bytes: the yardstick that stands beside each round."""
    done = subprocess.run([binary, "bench", "--smoke", "--json"], check=True, capture_output=True)
    report = json.loads(done.stdout)
    figures = report.get("figures") or [figure for corpus in report["corpora"] for figure in corpus["figures"]]
    return next(figure["bytes_per_second"] for figure in figures if figure["name"] == "node_kernel")
