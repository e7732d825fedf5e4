"""Fixtures of the companion tests: servers, an empty home folder, and users of simulated gateways.

They are isolated from the settings, files and gateways of the person who runs the tests.
"""

from __future__ import annotations

import gc
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
from tests.services.rabbitmq import (
    amqp_url,
    cluster,
    mqtt_broker,
    private_cluster,
    private_rabbitmq,
    rabbitmq,
)

from .amqp_helpers import broker, exchange_name, inspector, queue
from .cli_user import CliUser

__all__ = [
    "amqp_url",
    "broker",
    "cluster",
    "database_url",
    "exchange_name",
    "inspector",
    "mariadb",
    "mariadb_url",
    "mqtt_broker",
    "private_cluster",
    "private_mariadb",
    "private_rabbitmq",
    "queue",
    "rabbitmq",
    "small_disk",
]


@pytest.fixture
def home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield an empty folder that is home and working directory, without settings or logging handlers."""
    for name in [*os.environ]:
        if name.startswith("ENPHASE_") or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(redaction, "_known", {})
    root = logging.getLogger()
    level, handlers, threshold = root.level, [*root.handlers], gc.get_threshold()
    yield tmp_path
    gc.set_threshold(*threshold)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def create_user(
    home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., CliUser]]:
    """Yield a function that creates a user: `create_user("battery", hour_of_day=13)`."""
    with ExitStack() as running:

        def create(profile: str = "three-phase", **options: Any) -> CliUser:
            simulator = running.enter_context(
                Simulator(profile, **{"hour_of_day": 11, "day": JUNE, **options})
            )
            return CliUser(simulator, home_folder / simulator.serial_number, capsys, monkeypatch)

        yield create


@pytest.fixture
def user(create_user: Callable[..., CliUser]) -> CliUser:
    """Return a user with a three-phase gateway, whose address is known, and no other settings."""
    return create_user()


@pytest.fixture
def create_ready_user(create_user: Callable[..., CliUser]) -> Callable[..., CliUser]:
    """Return a function that creates a user with a trusted gateway and a token."""

    def create(profile: str = "three-phase", **options: Any) -> CliUser:
        user = create_user(profile, **options)
        user.trust_gateway()
        user.write_settings(gateway_token=user.simulator.token())
        return user

    return create
