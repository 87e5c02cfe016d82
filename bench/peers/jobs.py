"""The jobs that run.py measures: what each needs, and how Piecework and each peer do the same work.

A job is a class with a name, a corpus (made once by `prepare`), `payload_bytes`, and for every program a method that
yields what to run: `before` untimed, then one timed command. Commands that end in a piece commitment hand it back, so
that run.py can see that both sides came to the same one, or say that they cannot (ipfs-car builds another DAG).
"""
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import measure

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "build/peers"
COMMP = PEERS / "bin/commp"
IPFS_CAR = PEERS / "node_modules/.bin/ipfs-car"
PART_BYTES = 1 << 22
GIB = 1 << 30


def find_ipfs():
    built = ROOT / "build/kubo/bin/ipfs"
    found = os.environ.get("PIECEWORK_IPFS") or (str(built) if built.exists() else shutil.which("ipfs"))
    return Path(found) if found else None


def write_random(path, byte_count):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for offset in range(0, byte_count, PART_BYTES):
            file.write(os.urandom(min(PART_BYTES, byte_count - offset)))


def commp_of_pack(report):
    """The commitment in the piece CID v1 that `piecework pack --json` prints: 32 bytes after 7 of multicodec."""
    return commp_of_cid(report["pieces"][0]["piece_cid_v1"])


def commp_of_cid(text):
    import base64
    body = text[1:].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))[-32:].hex()


class Job:
    """`programs` maps a name to a method; "piecework" is one of them. A method returns (measurement, commP or None)."""
    name = ""
    title = ""
    same_commp = ()    # peers that must come to Piecework's commitment
    pair_seconds = 10  # about, before one was measured

    def __init__(self, binary, directory, threads):
        self.binary, self.directory, self.threads = Path(binary).resolve(), directory, threads
        self.source = directory / self.name.split(".")[0]
        self.out = directory / "out"
        self.report = directory / "report"

    def prepare(self):
        """Makes the corpus where it is not there."""

    def programs(self):
        raise NotImplementedError

    def clean(self):
        """Before each timed command: nothing of the one before is left, nothing is waiting to be written."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        os.sync()

    def clean_up(self):
        shutil.rmtree(self.out, ignore_errors=True)

    def timed(self, *arguments, environment=None):
        return measure.run_timed(arguments, environment, self.report)

    def pack(self, *arguments):
        run = self.timed(self.binary, "pack", *arguments, "--out", self.out / "pieces", "--threads", self.threads,
                         "--json")
        return run, commp_of_pack(json.loads(self.report.read_text()))

    def hashed_commp(self):
        return json.loads(self.report.read_text())["commp"]


class CommpOfCachedFile(Job):
    """commP of a 1 GiB file in the page cache; the peer reads it from standard input."""
    cpus = "0"
    same_commp = ("hashhash",)
    payload_bytes = GIB

    def prepare(self):
        if not self.source.exists():
            write_random(self.source, self.payload_bytes)

    def programs(self):
        return {"piecework": self.piecework} | ({"hashhash": self.hashhash} if COMMP.exists() else {})

    def piecework(self):
        measure.read_all(self.source)
        count = len(self.cpus.split(","))
        run = self.timed("taskset", "-c", self.cpus, self.binary, "commp", self.source, "--threads", count, "--json")
        return run, commp_of_cid(json.loads(self.report.read_text())["piece_cid_v1"])

    def hashhash(self):
        measure.read_all(self.source)
        count = len(self.cpus.split(","))
        line = f"exec {shlex.quote(str(COMMP))} hashhash < {shlex.quote(str(self.source))}"
        run = self.timed("taskset", "-c", self.cpus, "sh", "-c", line, environment={"GOMAXPROCS": str(count)})
        return run, self.hashed_commp()


class CommpOneCore(CommpOfCachedFile):
    name, title = "commp.one-core", "commP of a cached file of 1 GiB, one core"


class CommpTwoCores(CommpOfCachedFile):
    name, title, cpus = "commp.two-cores", "commP of a cached file of 1 GiB, two cores", "0,1"


class CommpInMemory(Job):
    """commP of 127 MiB of the same random bytes in memory; both programs time the hashing alone."""
    cpus = "0"
    same_commp = ("hashhash", "hashtree", "hashtree without Fr32")
    payload_bytes = 128 * 1040384

    def programs(self):
        peers = {"hashhash": lambda: self.in_memory("hashhash")}
        if self.cpus == "0":  # hashtree has one thread
            peers |= {"hashtree": lambda: self.in_memory("hashtree"),
                      "hashtree without Fr32": lambda: self.in_memory("hashtree", "hashing_seconds")}
        return {"piecework": self.piecework} | (peers if COMMP.exists() else {})

    def piecework(self):
        count = len(self.cpus.split(","))
        run = self.timed("taskset", "-c", self.cpus, self.binary, "bench", "--corpus", "memory", "--rounds", 1,
                         "--threads", count, "--json")
        report = json.loads(self.report.read_text())["corpora"][0]
        name = f"commp_{count}_thread" + ("" if count == 1 else "s")
        figure = next(f for f in report["figures"] if f["name"] == name)
        run["seconds"] = self.payload_bytes / figure["bytes_per_second"]
        run["cpu_seconds"] = self.payload_bytes / figure["bytes_per_cpu_second"]
        return run, report["commp"]

    def in_memory(self, peer, timed="seconds"):
        count = len(self.cpus.split(","))
        run = self.timed("taskset", "-c", self.cpus, COMMP, peer, "memory", self.payload_bytes, 1,
                         environment={"GOMAXPROCS": str(count)})
        report = json.loads(self.report.read_text())
        run["seconds"] = report[timed]
        return run, report["commp"]


class MemoryOneCore(CommpInMemory):
    name, title = "memory.one-core", "commP of 127 MiB in memory, one core"


class MemoryTwoCores(CommpInMemory):
    name, title, cpus = "memory.two-cores", "commP of 127 MiB in memory, two cores", "0,1"


class PackJob(Job):
    """Files to a CAR on disk and its commP. Peers stream: the CAR goes through `tee` to the disk and into hashhash, so
    that what they do runs side by side; nobody waits for their data to reach the disk, as pack does (fsync)."""
    same_commp = ("kubo",)
    pair_seconds = 100
    cold = False

    def clean(self):
        super().clean()
        (measure.drop_pages if self.cold else measure.read_all)(self.source)

    def programs(self):
        programs = {"piecework": self.piecework}
        if COMMP.exists() and find_ipfs():
            programs["kubo"] = self.kubo
        if COMMP.exists() and IPFS_CAR.exists():
            programs["ipfs-car"] = self.ipfs_car
        return programs

    def piecework(self):
        self.clean()
        return self.pack(self.source, "--dedup", "none")

    def through_hashhash(self, command, environment=None):
        commp = f"{shlex.quote(str(COMMP))} hashhash"
        line = f"set -o pipefail; {command} | tee {shlex.quote(str(self.out / 'car'))} | {commp}"
        return self.timed("bash", "-c", line, environment=environment), self.hashed_commp()

    def kubo(self):
        """`ipfs add` into a new repository, then `ipfs dag export`."""
        environment = {"IPFS_PATH": str(self.out / "repository"), "IPFS_TELEMETRY": "off"}
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        init_kubo(environment)
        os.sync()
        (measure.drop_pages if self.cold else measure.read_all)(self.source)
        ipfs = shlex.quote(str(find_ipfs())) + " --offline"
        add = f"{ipfs} add --recursive --hidden --quieter --progress=false {shlex.quote(str(self.source))}"
        return self.through_hashhash(f"root=$({add}) && {ipfs} dag export --progress=false $root", environment)

    def ipfs_car(self):
        self.clean()
        command = f"{shlex.quote(str(IPFS_CAR))} pack --hidden --no-wrap {shlex.quote(str(self.source))}"
        return self.through_hashhash(command, {"NODE_OPTIONS": "--max-old-space-size=8192"})


def init_kubo(environment):
    subprocess.run([find_ipfs(), "init", "--empty-repo", "--profile", "test,unixfs-v1-2025"], check=True,
                   capture_output=True, env={**os.environ, **environment})


class LargeFile(PackJob):
    name, title, payload_bytes = "large", "one file of 4 GiB to CAR and commP, warm", 4 * GIB

    def prepare(self):
        if not self.source.exists():
            write_random(self.source, self.payload_bytes)


class LargeFileCold(LargeFile):
    name, title, cold = "large.cold", "one file of 4 GiB to CAR and commP, cold", True


class SmallFiles(PackJob):
    name, title, payload_bytes = "small", "100,000 files of 16 KiB to CAR and commP, warm", 100000 * 16384

    def prepare(self):
        if (self.source / "99999").exists():
            return
        self.source.mkdir(parents=True, exist_ok=True)
        for index in range(100000):
            (self.source / str(index)).write_bytes(os.urandom(16384))


class SmallFilesCold(SmallFiles):
    name, title, cold = "small.cold", "100,000 files of 16 KiB to CAR and commP, cold", True

    def programs(self):
        disk = {"disk: reads": self.disk_reads, "disk: reads and writes": self.disk_reads_and_writes}
        return super().programs() | (disk if shutil.which("fio") else {})

    def disk_reads(self):
        """The disk's limit, not the same work: as many bytes of one file, read by fio in random order 16 KiB at a time
        past the page cache, 64 in flight."""
        return self.fio()

    def disk_reads_and_writes(self):
        """The same while as much as the CAR is written past the page cache, as pack does; over when both are."""
        return self.fio("--name=write", f"--filename={self.out / 'written'}", "--rw=write", "--bs=4m", "--iodepth=4",
                        f"--size={self.payload_bytes}")

    def fio(self, *second_job):
        file = self.directory / "fio.random"
        if not file.exists():
            write_random(file, self.payload_bytes)
        self.clean()
        run = self.timed("fio", "--direct=1", "--ioengine=io_uring", "--output-format=json", "--name=read",
                         f"--filename={file}", "--rw=randread", "--bs=16k", "--iodepth=64", *second_job)
        run["seconds"] = max(job["job_runtime"] for job in json.loads(self.report.read_text())["jobs"]) / 1000
        return run, None


class Store(PackJob):
    """A kubo repository of one DAG of 4 GiB in 40 files: pack of the repository against `ipfs dag export`."""
    name, title, payload_bytes = "store", "kubo repository of 4 GiB to CAR and commP, warm", 4 * GIB

    def prepare(self):
        root = self.source / "root"
        if root.exists() or not find_ipfs():
            return
        shutil.rmtree(self.source, ignore_errors=True)
        files = self.source / "files"
        for index in range(40):
            write_random(files / str(index), self.payload_bytes // 40)
        environment = {"IPFS_PATH": str(self.source / "repository"), "IPFS_TELEMETRY": "off"}
        init_kubo(environment)
        cid = subprocess.run([find_ipfs(), "--offline", "add", "--recursive", "--quieter", "--progress=false", files],
                             check=True, capture_output=True, text=True, env={**os.environ, **environment}).stdout
        shutil.rmtree(files)
        root.write_text(cid)

    def programs(self):
        return {"piecework": self.piecework} | ({"kubo": self.kubo} if COMMP.exists() and find_ipfs() else {})

    def piecework(self):
        self.clean()
        return self.pack(self.source / "repository", "--roots", self.source / "root")

    def kubo(self):
        self.clean()
        environment = {"IPFS_PATH": str(self.source / "repository"), "IPFS_TELEMETRY": "off"}
        root = (self.source / "root").read_text().strip()
        return self.through_hashhash(f"{shlex.quote(str(find_ipfs()))} --offline dag export --progress=false {root}",
                                     environment)


class StoreCold(Store):
    name, title, cold = "store.cold", "kubo repository of 4 GiB to CAR and commP, cold", True


class Linear(Job):
    """The cost of a byte at 64 GiB beside that at 1 GiB: hard links to one file of 1 GiB, --no-car --dedup none."""
    name, title, payload_bytes = "linear", "cost per byte, 64 GiB against 1 GiB, --no-car --dedup none", 1
    counts = {"piecework": 64, "1 GiB": 1}
    pair_seconds = 80

    def prepare(self):
        for count in self.counts.values():
            folder = self.source / str(count)
            folder.mkdir(parents=True, exist_ok=True)
            if not (self.source / "random").exists():
                write_random(self.source / "random", GIB)
            for index in range(count):
                if not (folder / str(index)).exists():
                    os.link(self.source / "random", folder / str(index))

    def programs(self):
        return {name: lambda count=count: self.per_byte(count) for name, count in self.counts.items()}

    def per_byte(self, count):
        self.clean()
        measure.read_all(self.source / "random")
        run, _ = self.pack(self.source / str(count), "--dedup", "none", "--no-car", "--piece-size", "64GiB")
        run["seconds"] /= count * GIB
        run["cpu_seconds"] /= count * GIB
        return run, None


JOBS = {job.name: job for job in (MemoryOneCore, MemoryTwoCores, CommpOneCore, CommpTwoCores, LargeFile, LargeFileCold,
                                  SmallFiles, SmallFilesCold, Store, StoreCold, Linear)}
