"""Marks of all tests: a test that needs a server or a program is skipped if that is missing."""

import shutil
import signal
from typing import Any

import pytest

from tests.services import SEARCH_PATH, STARTED, skip_unavailable

# The fixtures of tests/services: a test with one of them needs its server, or its disk.
SERVERS = {
    "amqp_url",
    "cluster",
    "small_disk",
    "mariadb",
    "mariadb_url",
    "mqtt_broker",
    "private_mariadb",
    "private_rabbitmq",
    "rabbitmq",
}


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the commands that tests start: the background jobs of a shell ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Hypothesis sometimes warns about its own generator.
    config.addinivalue_line("filterwarnings", "ignore:It looks like .register_random")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, before `-m` selects by marks."""
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Report the started servers to the main process, if this is one of several."""
    getattr(session.config, "workeroutput", {})["servers"] = sorted(STARTED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    STARTED.update(getattr(node, "workeroutput", {}).get("servers", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the servers that the tests ran on, with their versions."""
    if STARTED:
        terminalreporter.write_line(f"servers: {', '.join(sorted(STARTED))}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a program that is not installed."""
    programs = {program for marker in item.iter_markers("services") for program in marker.args}
    if item.get_closest_marker("browser"):
        programs.add("chromium")
    missing = sorted(program for program in programs if not shutil.which(program, path=SEARCH_PATH))
    if missing:
        skip_unavailable(", ".join(missing))
