"""A small private disk for tests, a file system in memory that can become full or read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from . import skip_unavailable

_SIZE = "8m"


class DiskError(Exception):
    """A disk cannot be mounted here; the text is the reason."""


class SmallDisk:
    """A mounted file system, of eight megabytes by default."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._other = path / "other-program"

    def fill(self) -> None:
        """Fill the free space with a file of another program."""
        with suppress(OSError), self._other.open("ab", buffering=0) as other:
            while True:
                other.write(bytes(4096))

    def free(self) -> None:
        """Remove that file."""
        self._other.unlink()

    def set_read_only(self, read_only: bool) -> None:
        """Remount the disk, as a system does when a disk fails. No file on it may be open."""
        _mount("-o", f"remount,{'ro' if read_only else 'rw'}", str(self.path))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=30)


@contextmanager
def mount_disk(path: Path, size: str = _SIZE) -> Iterator[SmallDisk]:
    """Mount a disk in a new folder, and unmount it at the end. Raises DiskError if that is not permitted."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        raise DiskError("mount (requires root)")
    path.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    except subprocess.CalledProcessError as error:
        raise DiskError("mount (not permitted)") from error
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True, timeout=30)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mount a disk for this test only."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(mount_disk(tmp_path / "disk"))
        except DiskError as error:
            skip_unavailable(str(error))
        yield disk
