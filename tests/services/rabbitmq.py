"""A private RabbitMQ for tests, started from the installed programs in a temporary folder.

`ENPHASE_TEST_AMQP_URL` sets a running broker instead; tests that kill the broker are then skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from . import SEARCH_PATH, find_free_port, skip_unavailable
from .server import Server

#: Read at import: tests clear the environment.
_CONFIGURED_URL = os.environ.get("ENPHASE_TEST_AMQP_URL")

#: Debian's program on PATH switches to the user rabbitmq; the wrapped program runs as the current user.
_UNWRAPPED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_STOP = 15


class RabbitMQ(Server):
    """A private broker in a temporary folder."""

    def __init__(self, folder: Path, program: str) -> None:
        port = find_free_port()
        environment = {
            "PATH": SEARCH_PATH,
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(find_free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"enphase{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(find_free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "flags"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            # The broker shares the cores with the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        (folder / "plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text("loopback_users = none\nraft.wal_max_size_bytes = 64000000\n")
        super().__init__(folder, port, [program], environment)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def answers(self) -> bool:
        """Whether the broker answers AMQP."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.settimeout(2)
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
        return False

    def add_user(self, name: str, password: str) -> None:
        """Add a user with all permissions."""
        control = [str(Path(self._command[0]).with_name("rabbitmqctl")), "--node"]
        control.append(self._environment["RABBITMQ_NODENAME"])
        for arguments in (["add_user", name, password], ["set_permissions", name, ".*", ".*", ".*"]):
            subprocess.run(
                [*control, *arguments], env=self._environment, check=True, capture_output=True, timeout=60
            )

    def close(self) -> None:
        """Kill the broker, and the port mapper that Erlang started for it."""
        self.kill()
        for _ in range(50):
            # The port mapper does not stop while it knows a running node, and only its output reports that.
            result = subprocess.run(
                ["epmd", "-kill"], env=self._environment, capture_output=True, timeout=_STOP, check=False
            )
            if b"not allowed" not in result.stdout:
                break
            time.sleep(0.1)


@contextmanager
def running(folder: Path) -> Iterator[RabbitMQ]:
    """Yield a broker with its data in an empty folder."""
    program = str(_UNWRAPPED) if _UNWRAPPED.exists() else shutil.which("rabbitmq-server", path=SEARCH_PATH)
    if program is None:
        skip_unavailable("rabbitmq-server")
    broker = RabbitMQ(folder, program)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="session")
def private_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """Yield a broker that may be killed; one for all tests, see `rabbitmq`."""
    if _CONFIGURED_URL:
        pytest.skip("the broker of ENPHASE_TEST_AMQP_URL is not for tests to kill")
    with running(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


@pytest.fixture
def rabbitmq(private_rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    """Yield a private, running broker; the test may kill or pause it."""
    if not private_rabbitmq.is_running:
        private_rabbitmq.start()
    yield private_rabbitmq
    private_rabbitmq.resume()


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a broker that stays up: the private one or the configured one."""
    if _CONFIGURED_URL:
        return _CONFIGURED_URL
    broker = request.getfixturevalue("rabbitmq")
    assert isinstance(broker, RabbitMQ)
    return broker.url
