"""A house with batteries whose readings of three days stand in a database, some of them missing."""

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


def local(*moment: int) -> int:
    """Epoch seconds of a moment in Zurich, such as (2026, 10, 25) or (2026, 10, 25, 12, 30)."""
    return round(datetime(*moment, tzinfo=ZURICH).timestamp())  # type: ignore[misc, arg-type]


#: Around the end of summer time; nothing was read in the afternoon of the 24th.
START, END = local(2026, 10, 24), local(2026, 10, 27)
GAP = local(2026, 10, 24, 13, 0), local(2026, 10, 24, 15, 0)


@pytest.fixture(scope="session")
def house() -> House:
    return House(PROFILES["battery"], 1, START, 8.5)


@pytest.fixture(scope="session")
def house_url(house: House, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the database: read every 30 seconds."""
    file: Path = tmp_path_factory.mktemp("house") / "enphase.db"
    moments = [at for at in range(START, END + 1, 30) if not GAP[0] < at < GAP[1]]
    asyncio.run(store(f"sqlite:///{file}", ZURICH, house, moments))
    return f"sqlite:///{file}"
