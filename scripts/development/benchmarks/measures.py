"""What goes between the command and the processes that it measures."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

_STATM, _PAGE = Path("/proc/self/statm"), os.sysconf("SC_PAGE_SIZE")


def import_paths(build: Path, folder: Path) -> tuple[Path, ...]:
    """Return the folders from which the code of a build is imported; `folder` is for a link to its client.

    The client's own parent is none of them: its module `select` would take the place of Python's.
    """
    client = Path(mkdtemp(prefix="client.", dir=folder))
    (client / "enphase_api").symlink_to(build / "custom_components/enphase_iq_gateway/enphase_api")
    return build / "scripts", build, client


class BenchmarkError(Exception):
    """The measurement failed; the text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """What an owner knows of a gateway: address, serial number, certificate, token."""

    host: str  #: with its port
    serial_number: str
    certificate: str  #: PEM
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one refresh took of the process that made it."""

    cpu: float  #: seconds of the processor, of all threads
    occupied: float = 0.0  #: seconds of the event loop
    thread: float = 0.0  #: seconds of the processor, of the event loop's thread
    changed: int = 0  #: states written that differ from what was there before
    unchanged: int = 0  #: states written again as they were


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What a peer announces on the network: where it answers, and the serial number that it claims."""

    port: int
    serial_number: str


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """What announcements took of a Home Assistant."""

    longest: float  #: most seconds at a stretch in which its event loop did nothing else
    cpu: float  #: seconds of the processor, of the event loop alone
    left: int  #: bytes of memory that it has more than before
    waiting: int  #: config flows that wait for input


def resident_memory() -> int:
    """Return this process's memory in bytes, after unused memory is returned to the system."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    return int(_STATM.read_text().split()[1]) * _PAGE
