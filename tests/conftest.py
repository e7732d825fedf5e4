"""What all tests share: what drives a program of the system is marked, and left out where that is missing."""

import shutil
import signal

import pytest

from tests.services import SEARCHED, unavailable

# The fixtures of tests/services: whoever asks for one needs the server, or the disk, behind it.
SERVERS = {
    "amqp_url",
    "small_disk",
    "mariadb",
    "mariadb_url",
    "private_mariadb",
    "private_rabbitmq",
    "rabbitmq",
}


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C's signal reach the commands that tests start: a shell's background jobs are deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Hypothesis counts the references to its own generator, and now and then warns of itself.
    config.addinivalue_line("filterwarnings", "ignore:It looks like .register_random")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for a server, before `-m` looks at the marks."""
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test that drives a program which this machine does not have."""
    programs = {program for marker in item.iter_markers("services") for program in marker.args}
    if item.get_closest_marker("browser"):
        programs.add("chromium")
    missing = sorted(program for program in programs if not shutil.which(program, path=SEARCHED))
    if missing:
        unavailable(", ".join(missing))
