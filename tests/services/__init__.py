"""Servers that tests start from the installed programs."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from typing import NoReturn

import pytest

#: Debian installs servers in a folder that is only on root's PATH.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


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
