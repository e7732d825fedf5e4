"""The hours of a sensor, from the quarter-hours of a real database, and what the commands need to begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from enphase_api.models import Quantities
from enphase_companion.commands.database import main
from enphase_companion.home_assistant.hours import HourReader
from enphase_companion.home_assistant.sensors import Quantity, Sensor, find_gateways, find_sensors
from enphase_companion.message import Message, Sample
from enphase_companion.storage import Database, Power
from enphase_companion.storage.buckets import HOUR

GATEWAY = "122300000001"
VIENNA = ZoneInfo("Europe/Vienna")
#: An hour of UTC, when it is half past five in Kolkata.
START = 1_792_800_000_000
MINUTE = 60_000


def build_message(at: int, watts: float = 1000.0) -> Message:
    """Return readings of a house that exports what it does not consume: a quarter of the production."""
    hours = (at - START) / HOUR
    production = Quantities(active_power=watts, energy_delivered=1e6 + 1000 * hours, energy_received=0.0)
    grid = Quantities(active_power=-0.75 * watts, energy_delivered=0.0, energy_received=1e6 + 750 * hours)
    samples = (Sample("production", 0, at, production), Sample("net-consumption", 0, at, grid))
    return Message(GATEWAY, at / 1000, samples, None)


def entity(key: str, gateway: str = GATEWAY) -> dict[str, str]:
    return {
        "platform": "enphase_iq_gateway",
        "unique_id": f"{gateway}_{key}",
        "entity_id": f"sensor.{key}",
    }


REGISTRY = [
    entity(key)
    for key in (
        "production_power",
        "production_energy_today",
        "grid_energy_exported",
        "home_energy",
        "home_power",
        "704643328_production_status",
        "704643584_net-consumption_status",
    )
]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{tmp_path / 'enphase.db'}", VIENNA) as empty:
        await empty.upgrade()
        yield empty


def sensor(key: str) -> Sensor:
    found, skipped = find_sensors([*REGISTRY, {**entity(key), "platform": "other"}], [GATEWAY])
    assert skipped == []
    return next(each for each in found if each.key == key)


async def test_hours_have_the_energy_and_the_power_of_their_sensor(database: Database) -> None:
    await database.write([build_message(at) for at in range(START, START + 2 * HOUR + MINUTE, MINUTE)])
    await database.roll_up(START + 3 * HOUR)
    reader = HourReader(database, VIENNA)
    power = (await reader.read(sensor("production_power"), [START]))[START]
    assert (power.power, power.is_whole) == (Power(1000.0, 1000.0, 1000.0), True)
    for key, energy in (("grid_energy_exported", 750), ("home_energy", 250)):
        hours = await reader.read(sensor(key), [START])
        assert [hours[START + number * HOUR].energy for number in (0, 1)] == pytest.approx([energy] * 2), key
    home = (await reader.read(sensor("home_power"), [START]))[START]
    assert home.power == Power(250.0, 250.0, 250.0)


async def test_an_hour_with_less_than_half_of_its_readings_has_no_mean(database: Database) -> None:
    end = START + HOUR + 20 * MINUTE
    await database.write([build_message(at) for at in range(START + 40 * MINUTE, end, MINUTE)])
    await database.roll_up(START + 3 * HOUR)
    hours = await HourReader(database, VIENNA).read(sensor("production_power"), [START])
    assert [hour.power is None for hour in hours.values()] == [False, False]
    assert [hour.is_whole for hour in hours.values()] == [False, False]
    await database.write([build_message(START - HOUR)])
    await database.roll_up(START + 3 * HOUR)
    hours = await HourReader(database, VIENNA).read(sensor("production_power"), [START])
    assert hours[START - HOUR].power is None


async def test_energy_from_a_gap_is_in_an_hour_that_is_not_whole(database: Database) -> None:
    lost = range(START + HOUR, START + 3 * HOUR, MINUTE)
    times = [at for at in range(START, START + 4 * HOUR + MINUTE, MINUTE) if at not in lost]
    await database.write([build_message(at) for at in times])
    await database.roll_up(START + 6 * HOUR)
    hours = await HourReader(database, VIENNA).read(sensor("grid_energy_exported"), [START])
    assert START + 2 * HOUR not in hours
    back = hours[START + 3 * HOUR]
    assert back.energy == pytest.approx(750 * 3 + 750 / 60)
    assert not back.is_whole


async def test_midnight_within_an_hour(database: Database) -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    midnight = START + 18 * HOUR + HOUR // 2
    times = range(START, START + 22 * HOUR, 5 * MINUTE)
    await database.write([build_message(at) for at in times])
    await database.roll_up(START + 24 * HOUR)
    hours = await HourReader(database, kolkata).read(sensor("production_energy_today"), [START])
    for number, energy in ((18, 500.0), (20, 2500.0)):
        found = hours[START + number * HOUR].today
        assert found is not None
        assert found == pytest.approx((midnight, energy))


def test_a_meter_that_is_not_alone_of_its_type_is_skipped() -> None:
    doubled = [
        entity(key)
        for key in (
            "1_production_status",
            "2_production_status",
            "1_production_active_power_l1",
            "production_power",
            "battery_power",
        )
    ]
    found, skipped = find_sensors(doubled, [GATEWAY])
    assert [(each.key, each.quantity) for each in found] == [("production_power", Quantity.POWER)]
    assert {reason for _, reason in skipped} == {
        "several meters of production, of which the database stores one",
        "no meter measures storage",
    }
    assert find_gateways(doubled) == [GATEWAY]


@pytest.mark.parametrize("action", ["export-home-assistant", "import-home-assistant"])
def test_without_an_address_the_error_names_the_setting(
    action: str, home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{home_folder / 'enphase.db'}"

    async def fill() -> None:
        async with Database(url, VIENNA) as database:
            await database.upgrade()
            await database.write([build_message(START)])

    asyncio.run(fill())
    monkeypatch.setenv("ENPHASE_DATABASE_URL", url)
    assert main([action]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "home_assistant_url" in line
