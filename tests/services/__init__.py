"""Servers that tests start from the installed programs."""

from __future__ import annotations

import os
import random
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

#: Debian installs servers in a folder that is only on root's PATH.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])

#: The folder with unpacked servers that `scripts/test --servers` sets: they replace the installed ones.
UNPACKED = Path(os.environ.get("ENPHASE_TEST_SERVERS", "/nonexistent"))

if "ENPHASE_TEST_SERVERS" in os.environ and not UNPACKED.is_dir():
    raise FileNotFoundError(f"ENPHASE_TEST_SERVERS: {UNPACKED} is not a folder")

#: Below it, where its servers are.
FOLDERS = ("usr/lib/erlang/bin", "usr/lib/rabbitmq/bin", "usr/sbin", "usr/bin")

#: Name and version of each server that a test has started.
STARTED: set[str] = set()


def find_unpacked(program: str) -> str | None:
    """Return the path of an unpacked program; None if it is not there."""
    return shutil.which(program, path=os.pathsep.join(str(UNPACKED / folder) for folder in FOLDERS))


def skip_unavailable(program: str) -> NoReturn:
    """Skip the test that needs this program; with REQUIRE_SERVICES=1 it fails."""
    reason = f"not installed: {program}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_free_port() -> int:
    """Return a free port of this machine.

    The port is outside of the range for outgoing connections, so it is still free when a server restarts.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.socket() as server:
            server.bind(("127.0.0.1", port))
            return port
