"""Microinverters in the database: each report once, and each one's energy per local day."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

import pytest

from enphase_api.models import INVERTER_ENERGY_LIMIT
from enphase_companion.message import InverterSample, Message
from enphase_companion.storage import Database, InverterHistory, Resolution
from enphase_companion.storage.buckets import HOUR, MINUTE
from enphase_companion.storage.inverters import Report, summarize

from .conftest import GATEWAY, build_message, execute_sql, fetch_rows, local_ms

PANEL, OTHER = "482100000001", "482100000002"
DAY = local_ms(2026, 6, 21)
NEXT_DAY = local_ms(2026, 6, 22)


def build_inverters(at: int, *samples: InverterSample) -> Message:
    return Message(GATEWAY, at / 1000, (), inverters=samples)


def build_day(
    start: int, first: float, serial_number: str = PANEL, *, has_counter: bool = True
) -> list[Message]:
    """Return the reports of five hours at 240 W, that is 20 Wh each: from 10:00 to 15:00 local time."""
    return [
        build_inverters(
            at, InverterSample(serial_number, at, 240.0, first + 20 * number if has_counter else None)
        )
        for number, at in enumerate(range(start + 10 * HOUR, start + 15 * HOUR + 1, 5 * MINUTE))
    ]


def get_energies(histories: list[InverterHistory]) -> dict[str, list[float | None]]:
    return {each.serial_number: [day.energy for day in each.days.values()] for each in histories}


async def read(database: Database) -> dict[str, list[float | None]]:
    return get_energies(await database.inverters(GATEWAY, DAY, NEXT_DAY + 24 * HOUR))


async def test_the_energy_of_a_day_is_what_its_counter_counted(database: Database) -> None:
    await database.write([*build_day(DAY, 5000.0), *build_day(DAY, 100.0, OTHER)])
    histories = await database.inverters(GATEWAY, DAY, NEXT_DAY)
    assert get_energies(histories) == {PANEL: [1200.0], OTHER: [1200.0]}
    (status,) = (await database.status()).gateways
    assert status.inverters == 2
    (day,) = histories[0].days.values()
    assert (day.power_max, day.reading_count, day.is_estimated) == (240.0, 61, False)
    assert histories[0].last_measured_at == DAY + 15 * HOUR


async def test_reports_that_are_delivered_again_late_or_together_count_once(
    database: Database, database_url: str
) -> None:
    messages = build_day(DAY, 5000.0)
    await database.write(messages[30:])
    await database.write(messages)
    await asyncio.gather(*(database.write(messages[::-1]) for _ in range(3)))
    assert await read(database) == {PANEL: [1200.0]}
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM inverter_readings") == [(61,)]
    assert await fetch_rows(database_url, "SELECT reading_count FROM inverter_days") == [(61,)]


async def test_programs_that_write_the_same_day_lose_no_report_of_each_other(
    database: Database, database_url: str
) -> None:
    messages = build_day(DAY, 5000.0)

    async def write(part: list[Message]) -> None:
        async with Database(database_url) as program:
            for message in part:
                await program.write([message])

    await asyncio.gather(write(messages[:20]), write(messages[20:40]), write(messages[40:]))
    assert await read(database) == {PANEL: [1200.0]}


async def test_energy_of_the_night_and_of_a_gap_counts_on_the_day_after(database: Database) -> None:
    await database.write([*build_day(DAY, 5000.0), *build_day(NEXT_DAY, 5000.0 + 1200 + 7)])
    assert await read(database) == {PANEL: [1200.0, 1207.0]}
    later = await database.inverters(GATEWAY, NEXT_DAY, NEXT_DAY + 24 * HOUR)
    assert get_energies(later) == {PANEL: [1207.0]}


async def test_without_counters_energy_is_estimated_by_power(database: Database) -> None:
    await database.write(build_day(DAY, 0.0, has_counter=False))
    (history,) = await database.inverters(GATEWAY, DAY, NEXT_DAY)
    assert history.days[DAY].energy == pytest.approx(1200.0)
    assert history.days[DAY].is_estimated


@pytest.mark.parametrize(
    ("reports", "energy"),
    [
        # The counter starts again at its limit.
        ([(0, 240.0, INVERTER_ENERGY_LIMIT - 5), (5 * MINUTE, 240.0, 15.0)], 20.0),
        # Another microinverter has another counter.
        ([(0, 240.0, 900_000.0), (5 * MINUTE, 240.0, 10.0), (10 * MINUTE, 240.0, 30.0)], 20.0),
        # What happened in a gap is not known by power.
        ([(0, 240.0, None), (5 * MINUTE, 240.0, None), (5 * HOUR, 240.0, None)], 20.0),
        # One report without its counter changes nothing.
        ([(0, 240.0, 10.0), (5 * MINUTE, 240.0, None), (10 * MINUTE, 240.0, 50.0)], 40.0),
        ([(0, None, None)], None),
        # Of a single report there is none, which is not zero.
        ([(0, 240.0, 10.0)], None),
        ([(0, 240.0, None)], None),
    ],
)
def test_the_energy_between_reports(reports: list[Report], energy: float | None) -> None:
    found = summarize(reports).energy
    assert found == (None if energy is None else pytest.approx(energy))


async def test_a_silent_microinverter_is_known_by_its_last_report(database: Database) -> None:
    silent = InverterSample(OTHER, local_ms(2026, 5, 3, 12), 12.0, 700.0)
    await database.write([*build_day(DAY, 5000.0), build_inverters(NEXT_DAY, silent)])
    histories = {each.serial_number: each for each in await database.inverters(GATEWAY, DAY, NEXT_DAY)}
    assert histories[OTHER].days == {}
    assert histories[OTHER].last_measured_at == local_ms(2026, 5, 3, 12)
    # A year later, it is not part of the array any more.
    assert await database.inverters(GATEWAY, DAY + 365 * 24 * HOUR, NEXT_DAY + 365 * 24 * HOUR) == []


async def test_a_report_of_the_future_is_refused(database: Database) -> None:
    refused = await database.write([build_inverters(DAY, InverterSample(PANEL, DAY + 10**10, 1.0, 1.0))])
    assert refused == {f"gateway {GATEWAY} dates microinverters in the future: check both clocks": 1}
    assert await read(database) == {}


async def test_pruned_readings_leave_the_days(database: Database, database_url: str) -> None:
    messages = [*build_day(DAY, 5000.0), *build_day(NEXT_DAY, 6200.0)]
    await database.write(messages)
    now = local_ms(2026, 6, 23, 12)
    assert await database.prune(Resolution.READING, 1, lambda *_: None, now) == 61
    # One that is delivered again is kept until the next time, and changes nothing.
    await database.write(messages[:1])
    await database.rebuild(lambda *_: None, now)
    assert await read(database) == {PANEL: [1200.0, 1200.0]}
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM inverter_readings") == [(62,)]


async def test_a_rebuild_repairs_the_days_also_in_another_time_zone(
    database: Database, database_url: str
) -> None:
    await database.write([build_message(DAY), *build_day(DAY, 5000.0), *build_day(NEXT_DAY, 6200.0)])
    await execute_sql(database_url, "UPDATE inverter_days SET energy = 0")
    await database.rebuild(lambda *_: None)
    assert await read(database) == {PANEL: [1200.0, 1200.0]}
    async with Database(database_url, ZoneInfo("Asia/Tokyo")) as moved:
        await moved.rebuild(lambda *_: None)
        # From 10:00 in Vienna it is 17:00 in Tokyo.
        (history,) = await moved.inverters(GATEWAY, DAY - 24 * HOUR, NEXT_DAY + 24 * HOUR)
    assert [day - DAY for day in history.days] == [-7 * HOUR, 17 * HOUR]
    assert [day.energy for day in history.days.values()] == [1200.0, 1200.0]
