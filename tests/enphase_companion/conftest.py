"""What the tests of the companion scripts share: the servers that they need, owners of simulated gateways.

An owner is far away from whatever the person who runs the tests owns.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.runtime import redaction
from enphase_companion.simulator import Simulator
from tests.houses import JUNE
from tests.services.disk import small_disk
from tests.services.mariadb import database_url, mariadb, mariadb_url, private_mariadb
from tests.services.rabbitmq import amqp_url, private_rabbitmq, rabbitmq

from .amqp_helpers import broker, eyes, place, queue
from .cli_user import CliUser

__all__ = [
    "amqp_url",
    "broker",
    "database_url",
    "eyes",
    "mariadb",
    "mariadb_url",
    "place",
    "private_mariadb",
    "private_rabbitmq",
    "queue",
    "rabbitmq",
    "small_disk",
]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go to an empty folder that is home too, without settings in the environment or a log set up before."""
    for name in [*os.environ]:
        if name.startswith("ENPHASE_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(redaction, "_known", {})
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield tmp_path
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def new_owner(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., CliUser]]:
    """Yield what makes the owner of a gateway of a profile: `new_owner("battery", hour_of_day=13)`."""
    with ExitStack() as running:

        def make(profile: str = "three-phase", **options: Any) -> CliUser:
            simulator = running.enter_context(
                Simulator(profile, **{"hour_of_day": 11, "day": JUNE, **options})
            )
            return CliUser(simulator, elsewhere / simulator.serial_number, capsys, monkeypatch)

        yield make


@pytest.fixture
def owner(new_owner: Callable[..., CliUser]) -> CliUser:
    """Return somebody with three phases, to whom the gateway is known but nothing is set up yet."""
    return new_owner()
