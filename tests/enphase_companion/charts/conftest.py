"""A house with batteries, and a database with three days of its readings and a gap."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from development.pictures.house_readings import store
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES

ZURICH = ZoneInfo("Europe/Zurich")


def local_seconds(*time: int) -> int:
    """Return a local time in Zurich, such as (2026, 10, 25, 12, 30), in seconds since the epoch."""
    return round(datetime(*time, tzinfo=ZURICH).timestamp())  # type: ignore[misc, arg-type]


#: The end of summer time, and a gap in the afternoon of the 24th.
START, END = local_seconds(2026, 10, 24), local_seconds(2026, 10, 27)
GAP = local_seconds(2026, 10, 24, 13, 0), local_seconds(2026, 10, 24, 15, 0)


@pytest.fixture(scope="session")
def house() -> House:
    return House(PROFILES["battery"], 1, START, 8.5)


@pytest.fixture(scope="session")
def house_url(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of the database, with a reading every 30 seconds."""
    file: Path = tmp_path_factory.mktemp("house") / "enphase.db"
    times = [at for at in range(START, END + 1, 30) if not GAP[0] < at < GAP[1]]
    asyncio.run(store(f"sqlite:///{file}", ZURICH, house, times))
    return f"sqlite:///{file}"
