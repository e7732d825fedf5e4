"""A private RabbitMQ for tests, started from the installed programs in a temporary folder.

`ENPHASE_TEST_AMQP_URL` sets a running broker instead; tests that kill the broker are then skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from . import FOLDERS, SEARCH_PATH, UNPACKED, find_free_port, find_unpacked, skip_unavailable
from .server import Server

#: Read at import: tests clear the environment.
_CONFIGURED_URL = os.environ.get("ENPHASE_TEST_AMQP_URL")

#: Debian's program on PATH switches to the user rabbitmq; the wrapped program runs as the current user.
_UNWRAPPED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_STOP = 15

#: The settings of each node of a fleet.
_CLUSTER = Path(__file__).parents[2] / "configuration" / "fleet" / "rabbitmq.conf"


class RabbitMQ(Server):
    """A private broker in a temporary folder, alone or a node of a cluster."""

    def __init__(self, folder: Path, program: str, first: RabbitMQ | None = None, plugins: str = "") -> None:
        """`first`: the first node of the cluster; `plugins` are enabled, separated by commas."""
        port = find_free_port()
        self.node = f"enphase{port}@localhost"
        environment = {
            # The first folder has Erlang.
            "PATH": os.pathsep.join((str(UNPACKED / FOLDERS[0]), SEARCH_PATH)),
            "LANG": "C.UTF-8",
            # Its file with the Erlang cookie admits other nodes.
            "HOME": str(first.folder if first else folder),
            # The port mapper finds the other nodes.
            "ERL_EPMD_PORT": first._environment["ERL_EPMD_PORT"] if first else str(find_free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(find_free_port()),
            "ERL_CRASH_DUMP": str(folder / "crash"),
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
        #: Where its MQTT plug-in listens, if that is enabled.
        self.mqtt_port = find_free_port()
        (folder / "plugins").write_text(f"[{plugins}].\n")
        super().__init__(folder, port, [program], environment)
        self.configure()

    def configure(self, *settings: str, mqtt: str | None = None) -> None:
        """Write the configuration file, with these additional lines, and others for MQTT if given."""
        mqtt = mqtt or f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.mqtt_port}"
        common = ("loopback_users = none", "raft.wal_max_size_bytes = 64000000", mqtt)
        (self.folder / "rabbitmq.conf").write_text("\n".join((*common, *settings, "")))

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def answers(self) -> bool:
        """Whether the broker answers AMQP."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.settimeout(2)
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            # The server's properties: names and texts, each after its length.
            start = connection.recv(4096)
            if version := re.search(rb"\x07versionS...(.)([\d.]+)", start, re.DOTALL):
                self.version = f"RabbitMQ {version[2][: version[1][0]].decode()}"
            return start[:1] == b"\x01"
        return False

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """Its version, as (4, 3, 6)."""
        return tuple(map(int, self.version.split()[1].split(".")))

    def control(self, *arguments: str, program: str = "rabbitmqctl") -> str:
        """Run rabbitmqctl, or another of RabbitMQ's programs, and return what it prints."""
        control = [str(Path(self._command[0]).with_name(program)), "--quiet", "--node", self.node]
        result = subprocess.run(
            [*control, *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return result.stdout

    def add_user(self, name: str, password: str) -> None:
        """Add a user with all permissions."""
        self.control("add_user", name, password)
        self.control("set_permissions", name, ".*", ".*", ".*")

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


def _find_program() -> str:
    program = find_unpacked("rabbitmq-server")
    if program is None and _UNWRAPPED.exists():
        program = str(_UNWRAPPED)
    program = program or shutil.which("rabbitmq-server", path=SEARCH_PATH)
    if program is None:
        skip_unavailable("rabbitmq-server")
    return program


@contextmanager
def running(folder: Path, plugins: str = "", *, mqtt_settings: str | None = None) -> Iterator[RabbitMQ]:
    """Yield a broker with its data in an empty folder; `mqtt_settings` replace those of the MQTT plug-in."""
    broker = RabbitMQ(folder, _find_program(), plugins=plugins)
    if mqtt_settings is not None:
        broker.configure(mqtt=mqtt_settings)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


class Cluster:
    """Private brokers that are the nodes of one cluster."""

    def __init__(self, nodes: list[RabbitMQ]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """The URL of all nodes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"amqp://guest:guest@{hosts}/"

    def start_all(self) -> None:
        """Start the nodes that do not run, and wait until all answer."""
        for node in self.nodes:
            if not node.is_running:
                node.launch()
        for node in self.nodes:
            node.wait_until_ready()

    def find_leader(self, queue: str) -> RabbitMQ:
        """Return the node that leads a quorum queue."""
        leader = self._inspect(queue, "leader")
        return next(node for node in self.nodes if node.node == leader)

    def count_members(self, queue: str) -> int:
        """Return how many nodes have a replica of a quorum queue."""
        return self._inspect(queue, "members").count("@")

    def find_running(self) -> RabbitMQ:
        """Return a running node."""
        return next(node for node in self.nodes if node.is_running)

    def _inspect(self, queue: str, column: str) -> str:
        listed = self.find_running().control("list_queues", "name", column)
        rows = (line.split("\t") for line in listed.splitlines())
        return next(value for name, value in rows if name == queue)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Yield a cluster of three nodes with the project's settings, and its data in an empty folder."""
    program = _find_program()
    nodes: list[RabbitMQ] = []
    for number in range(3):
        (folder / str(number)).mkdir()
        nodes.append(RabbitMQ(folder / str(number), program, first=nodes[0] if nodes else None))
    settings = _CLUSTER.read_text()
    for number, node in enumerate(nodes, 1):
        settings = settings.replace(f"rabbit@broker-{number}\n", f"{node.node}\n")
    for node in nodes:
        node.configure(settings)
    try:
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_until_ready()
        yield Cluster(nodes)
    finally:
        for node in nodes:
            node.kill()
        nodes[0].close()


@pytest.fixture(scope="module")
def private_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster for all tests of a module, see `cluster`."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(private_cluster: Cluster) -> Cluster:
    """Return a cluster of three running nodes; the test may kill them."""
    private_cluster.start_all()
    return private_cluster


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


@pytest.fixture(scope="module")
def mqtt_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """Yield a private broker with the MQTT plug-in, for all tests of a module."""
    with running(tmp_path_factory.mktemp("mqtt"), "rabbitmq_mqtt") as broker:
        yield broker


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a broker that stays up: the private one or the configured one."""
    if _CONFIGURED_URL:
        return _CONFIGURED_URL
    broker = request.getfixturevalue("rabbitmq")
    assert isinstance(broker, RabbitMQ)
    return broker.url
