"""Disks whose writes are recorded, and the states that a power cut could have left: any prefix of the log.

qemu-storage-daemon's blklogwrites filter records below a loop device; its log is that of the kernel's dm-log-writes.
What was written since the last flush may be lost in any part, as a disk's volatile cache may lose it.
"""
import os
import struct
import subprocess
import time
from typing import NamedTuple

import disk
from campaign import Skip, need_root, need_tools

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
LOG_BYTES = 8 << 30  # a hole


class Entry(NamedTuple):
    offset: int
    data: bytes
    flags: int


def entries(path):
    with open(path, "rb") as log:
        magic, _, count, sector_bytes = struct.unpack("<QQQI", log.read(28))
        if magic != MAGIC:
            raise AssertionError(f"{path}: no log of writes")
        position = sector_bytes
        for _ in range(count):
            log.seek(position)
            first, sector_count, flags, mark_bytes = struct.unpack("<QQQQ", log.read(32))
            length = 0 if flags & DISCARD else mark_bytes if flags & MARK else sector_count * sector_bytes
            log.seek(position + sector_bytes)
            data = log.read(length)
            position += sector_bytes + -(-length // sector_bytes) * sector_bytes
            yield Entry(first * sector_bytes, b"" if flags & MARK else data, flags)


def copy_sparse(source, target):
    """Copies what is no hole."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        end = 0
        while end < size:
            try:
                at = os.lseek(reader.fileno(), end, os.SEEK_DATA)
            except OSError:  # holes up to the end
                return
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += os.copy_file_range(reader.fileno(), writer.fileno(), end - at, at, at)


class RecordedDisk:
    """A file system whose writes go to `log`; `base` is its image before the first."""

    def __init__(self, folder, kind, size_bytes):
        need_root()
        need_tools("qemu-storage-daemon", "fusermount3", "losetup")
        self.kind = kind
        self.live, self.base, self.log = (folder / name for name in ("live", "base", "log"))
        self.export, self.mount_point = folder / "export", folder / "recorded"
        self.mount_point.mkdir()
        try:
            disk.make_file_system(kind, self.live, size_bytes)
        except disk.CommandFailed as error:
            raise Skip(error) from error
        copy_sparse(self.live, self.base)
        with open(self.log, "wb") as file:
            file.truncate(LOG_BYTES)
        self.export.touch()
        self.device = None
        self.daemon = self.start(size_bytes)

    def start(self, size_bytes):
        daemon = subprocess.Popen(
            ["qemu-storage-daemon", "--blockdev", f"driver=file,node-name=live,filename={self.live}", "--blockdev",
             f"driver=file,node-name=log,filename={self.log}", "--blockdev",
             "driver=blklogwrites,node-name=recorded,file=live,log=log", "--export",
             f"type=fuse,id=export,node-name=recorded,mountpoint={self.export},writable=on"])
        for _ in range(200):
            if self.export.stat().st_size == size_bytes:
                return daemon
            if daemon.poll() is not None:
                break
            time.sleep(0.05)
        daemon.kill()
        daemon.wait()
        raise Skip("qemu-storage-daemon exports nothing over FUSE here")

    def __enter__(self):
        try:
            self.device = disk.run("losetup", "-f", "--show", self.export)
            disk.mount(self.kind, self.device, self.mount_point)
        except disk.CommandFailed as error:
            self.__exit__()
            raise Skip(error) from error
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.mount_point):
            disk.unmount(self.mount_point)
        if self.device:
            disk.run("losetup", "-d", self.device)
        self.daemon.terminate()
        self.daemon.wait()


class States:
    """The images that a power cut could have left, one after the other in `image`."""

    def __init__(self, recorded, image, chance):
        self.recorded, self.image, self.chance = recorded, image, chance
        self.entry_count = self.flush_count = 0

    def images(self, every, drop):
        """Yields a description of each state, which lies in `image`: behind each `every`-th write and each flush, and
        with `drop` the same without a random part of what was written since the last flush."""
        work = self.image.with_name("work")
        copy_sparse(self.recorded.base, work)
        volatile = []  # (offset, what was there before, what was written)
        with open(work, "r+b", buffering=0) as target:
            for entry in entries(self.recorded.log):
                self.entry_count += 1
                if entry.flags & FLUSH:
                    self.flush_count += 1
                    volatile.clear()
                if entry.data:
                    target.seek(entry.offset)
                    before = target.read(len(entry.data))
                    target.seek(entry.offset)
                    target.write(entry.data)
                    if not entry.flags & FUA:
                        volatile.append((entry.offset, before, entry.data))
                if self.entry_count % every and not entry.flags & FLUSH:
                    continue
                copy_sparse(work, self.image)
                yield f"entry {self.entry_count}"
                if drop and len(volatile) > 1:
                    copy_sparse(work, self.image)
                    yield f"entry {self.entry_count}, {self.lose(volatile)} of {len(volatile)} unsynced writes lost"
        work.unlink()

    def lose(self, volatile):
        kept = [self.chance.randrange(2) for _ in volatile]
        with open(self.image, "r+b", buffering=0) as image:
            for offset, before, _ in reversed(volatile):
                image.seek(offset)
                image.write(before)
            for is_kept, (offset, _, data) in zip(kept, volatile):
                if is_kept:
                    image.seek(offset)
                    image.write(data)
        return kept.count(0)
