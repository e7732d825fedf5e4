"""Servers that tests start for themselves, from the programs that are installed."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from typing import NoReturn

import pytest

#: Debian keeps servers where only root's PATH looks.
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def unavailable(program: str) -> NoReturn:
    """Skip the test that needs this program; with REQUIRE_SERVICES=1 it fails."""
    reason = f"not installed: {program}"
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port of this machine that nobody listens on now.

    None of those that the system gives to whoever connects somewhere: a server that starts again would find
    its own taken.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.socket() as server:
            server.bind(("127.0.0.1", port))
            return port
