"""File systems on loop devices whose power can be cut: what was not synced is gone then. Needs root."""
import contextlib
import fcntl
import os
import struct
import subprocess
import time

from campaign import Skip, need_root, need_tools

MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "ext4-writeback": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f"),
        "btrfs": ("mkfs.btrfs", "-q", "-f")}
MOUNT = {"ext4-writeback": ("-o", "data=writeback")}
KINDS = tuple(MAKE)

# The same call for ext4 and xfs. Without a flush of the log.
IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2


class CommandFailed(AssertionError):
    pass


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


def make_file_system(kind, image, size_bytes):
    need_root()
    need_tools(MAKE[kind][0], "losetup", "mount")
    with open(image, "wb") as file:
        file.truncate(size_bytes)
    run(*MAKE[kind], image)


def mount(kind, device, mount_point):
    run("mount", *MOUNT.get(kind, ()), device, mount_point)


def unmount(mount_point):
    for _ in range(100):  # descriptors of a killed process may close a little later
        if subprocess.run(["umount", str(mount_point)], capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"{mount_point} stays busy")


def cut_power_of(mount_point):
    descriptor = os.open(mount_point, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
    finally:
        os.close(descriptor)


class Tmpfs:
    """A file system in memory at `path`, as large as it is told to be."""

    def __init__(self, path, size_kib):
        need_root()
        self.path = path
        path.mkdir(exist_ok=True)
        try:
            run("mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", path)
        except CommandFailed as error:
            raise Skip(error) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        unmount(self.path)

    def resize(self, size_kib):
        run("mount", "-o", f"remount,size={size_kib}k", self.path)


class Disk:
    """A file system in a file, mounted at `mount_point`.

    btrfs has no call that cuts its power. Its image lies in an ext4 that has: that one's page cache is then the disk's
    volatile cache, of which a cut leaves what was flushed and any part of the rest.
    """

    def __init__(self, folder, kind, size_bytes=2 << 30):
        self.kind = kind
        self.mount_point = folder / "mount"
        self.mount_point.mkdir()
        self.device = None
        self.below = None
        if kind == "btrfs":
            (folder / "below").mkdir()
            self.below = Disk(folder / "below", "ext4", size_bytes + (512 << 20))
        self.image = (self.below.mount_point if self.below else folder) / "image"
        try:
            make_file_system(kind, self.image, size_bytes)
            self.attach()
        except CommandFailed as error:
            self.remove()
            raise Skip(error) from error

    def attach(self):
        self.device = run("losetup", "-f", "--show", self.image)
        mount(self.kind, self.device, self.mount_point)

    def detach(self):
        unmount(self.mount_point)
        run("losetup", "-d", self.device)
        self.device = None

    def cut_power(self):
        cut_power_of(self.below.mount_point if self.below else self.mount_point)

    def restart(self):
        """Mounts it again, after a cut."""
        self.detach()
        if self.below:
            self.below.restart()
        self.attach()

    def remove(self):
        with contextlib.suppress(AssertionError):
            if os.path.ismount(self.mount_point):
                unmount(self.mount_point)
        if self.device:
            subprocess.run(["losetup", "-d", self.device], capture_output=True)
        if self.below:
            self.below.remove()
