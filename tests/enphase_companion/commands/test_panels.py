"""keep_panels: from a simulated gateway into the database, directly and through a real broker."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ..cli_user import CliUser
from .running import STOP_TIMEOUT, Command


def count_panels(file: Path) -> int:
    """Return the number of microinverters of which power and counter are stored and rolled up."""
    with closing(sqlite3.connect(file)) as connection:
        (stored,), (rolled_up,) = (
            connection.execute(statement).fetchone()
            for statement in (
                "SELECT COUNT(DISTINCT inverter_id) FROM inverter_readings WHERE power > 0 AND energy > 0",
                "SELECT COUNT(DISTINCT inverter_id) FROM inverter_days WHERE power_max > 0",
            )
        )
    assert stored == rolled_up
    return int(stored)


@pytest.mark.slow
@pytest.mark.timeout(STOP_TIMEOUT * 4)
async def test_panels_are_stored_directly_and_through_the_broker(
    create_user: Callable[..., CliUser], amqp_url: str, tmp_path: Path
) -> None:
    user = create_user()
    user.trust_gateway()
    exchange = f"Enphase.{uuid.uuid4().hex[:8]}"
    settings = {
        "gateway_token": user.simulator.token(),
        "keep_panels": True,
        "amqp_url": amqp_url,
        "amqp_exchange": exchange,
        "amqp_queue": f"{exchange}.Meters",
        "amqp_queues": f"{exchange}.Meters",
        "flush_interval": 0.2,
    }
    names = ("gateway-database-meters", "gateway-amqp-meters", "amqp-database-meters")
    direct, publisher, consumer = (Command(user, f"enphase-{name}", tmp_path / name) for name in names)
    try:
        for commands in ([direct], [publisher, consumer]):
            file = tmp_path / f"{len(commands)}.db"
            user.write_token_settings(database_url=f"sqlite:///{file}", **settings)
            for command in commands:
                await command.start_and_wait()
            while count_panels(file) < 12:  # the test's time limit ends this
                await asyncio.sleep(0.1)
            for command in commands:
                assert command.stop() == 0
                assert "warning" not in command.output
    finally:
        for command in (direct, publisher, consumer):
            command.kill()
