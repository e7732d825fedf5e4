"""Hours of another system become quarter-hours and days, and join the readings to the Wh."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from enphase_companion.charts.load import Request, load
from enphase_companion.charts.model import Quantity
from enphase_companion.charts.time_range import parse
from enphase_companion.storage import DAY, QUARTER_HOUR, Database, Power, Resolution
from enphase_companion.storage.buckets import HOUR
from enphase_companion.storage.import_hours import CountedHour, ImportedSeries

from .conftest import GATEWAY, VIENNA, build_steady_messages, fetch_rows, local_ms

ALWAYS = 1_199_145_600_000, 4_102_444_800_000
#: The other system has 100 Wh in each hour from here on.
BEGIN = local_ms(2024, 1, 1)
WATTS = 100.0


def hours(start: int, end: int, *, without: Iterable[int] = ()) -> ImportedSeries:
    """Return hours of constant power, whose sum does not begin with the first of them."""
    left_out = set(without)
    starts = [at for at in range(start, end, HOUR) if at not in left_out]
    counted = [
        CountedHour(at, 7.5e6 + WATTS * (at + HOUR - BEGIN) / HOUR, 1e6 + WATTS * (at + HOUR - BEGIN) / HOUR)
        for at in starts
    ]
    return ImportedSeries("production", 0, [(at, Power(WATTS, 50.0, 150.0)) for at in starts], counted, [])


async def energy(database: Database, start: int, end: int) -> float:
    """Return the produced energy; no counter was reset meanwhile."""
    found = (await database.energies(GATEWAY, start, end))["production"]
    assert found.resets == ()
    assert found.delivered_estimated == 0
    assert found.delivered is not None
    return found.delivered


async def test_years_before_the_first_reading_join_it_to_the_wh(database: Database) -> None:
    # The database begins in the middle of an hour, with another counter than the other system's.
    first, end = local_ms(2025, 4, 1, 10, 20), local_ms(2025, 4, 3)
    await database.write(build_steady_messages(first, end, step=60_000, first=123_456.0, watts=WATTS))
    await database.roll_up(end + HOUR)
    before = await energy(database, first, end)
    (new,) = await database.import_hours(GATEWAY, [hours(BEGIN, end)], *ALWAYS)
    assert new[0] == BEGIN
    assert new[-1] == first - first % QUARTER_HOUR - QUARTER_HOUR
    assert await energy(database, first, end) == pytest.approx(before)
    # The clock change of 2025 is inside: each day has the energy of its hours.
    for day, hours_of_day in ((29, 24), (30, 23), (31, 24)):
        start = local_ms(2025, 3, day)
        assert await energy(database, start, start + hours_of_day * HOUR) == pytest.approx(
            WATTS * hours_of_day
        )
        points = await database.series(GATEWAY, "production", start, start + 1, DAY)
        assert [(point.start, point.end) for point in points] == [(start, start + hours_of_day * HOUR)]
        assert points[0].power == Power(WATTS, 50.0, 150.0)
    assert await energy(database, local_ms(2024, 10, 27), local_ms(2024, 10, 28)) == pytest.approx(25 * WATTS)
    assert await energy(database, BEGIN + HOUR, end) == pytest.approx(
        WATTS * (end - BEGIN - HOUR) / HOUR, abs=2 * WATTS / 60
    )


async def test_a_second_import_changes_nothing(database: Database, database_url: str) -> None:
    first, end = local_ms(2025, 4, 2), local_ms(2025, 4, 3)
    await database.write(build_steady_messages(first, end, step=60_000, watts=WATTS))
    await database.import_hours(GATEWAY, [hours(local_ms(2025, 3, 20), end)], *ALWAYS)
    tables = ("readings", "quarter_hours", "days", "pending_rollups")
    stored = [await fetch_rows(database_url, f"SELECT * FROM {table}") for table in tables]
    again = await database.import_hours(GATEWAY, [hours(local_ms(2025, 3, 20), end)], *ALWAYS)
    assert again == [[]]
    assert [await fetch_rows(database_url, f"SELECT * FROM {table}") for table in tables] == stored


async def test_a_dry_run_changes_nothing(database: Database, database_url: str) -> None:
    begin = local_ms(2025, 3, 20)
    (new,) = await database.import_hours(GATEWAY, [hours(begin, begin + DAY)], *ALWAYS, dry_run=True)
    assert len(new) == 4 * 24
    for table in ("gateways", "measurements", "quarter_hours", "pending_rollups"):
        assert await fetch_rows(database_url, f"SELECT * FROM {table}") == []


async def test_rollups_of_readings_are_never_replaced(database: Database, database_url: str) -> None:
    start, middle, end = local_ms(2025, 4, 1), local_ms(2025, 4, 1, 12), local_ms(2025, 4, 2)
    await database.write(build_steady_messages(start, middle, step=60_000, watts=3 * WATTS))
    await database.roll_up(end)
    query = "SELECT * FROM quarter_hours WHERE bucket_start < :middle ORDER BY bucket_start"
    own = await fetch_rows(database_url, query, middle=middle)
    (new,) = await database.import_hours(GATEWAY, [hours(start, end)], *ALWAYS)
    assert new == list(range(middle, end, QUARTER_HOUR))
    assert await fetch_rows(database_url, query, middle=middle) == own
    assert await energy(database, start, end) == pytest.approx(12 * 4 * WATTS, abs=4 * WATTS / 60)


async def test_days_whose_quarter_hours_were_pruned_are_left(database: Database, database_url: str) -> None:
    start, end = local_ms(2025, 4, 1), local_ms(2025, 4, 3)
    await database.write(build_steady_messages(start, end, step=300_000, watts=WATTS))
    await database.roll_up(end + HOUR)
    for resolution in (Resolution.READING, Resolution.MINUTE, Resolution.QUARTER_HOUR):
        await database.prune(resolution, 0, lambda _done, _total: None, now=end + HOUR)
    days = await fetch_rows(database_url, "SELECT * FROM days")
    (new,) = await database.import_hours(GATEWAY, [hours(start - DAY, end + DAY)], *ALWAYS)
    assert len(days) == 2
    assert not [at for at in new if start <= at < end]
    assert [row for row in await fetch_rows(database_url, "SELECT * FROM days") if row in days] == days
    assert await energy(database, start - 12 * HOUR, end + 12 * HOUR) == pytest.approx(
        72 * WATTS, abs=2 * WATTS / 12
    )


async def test_a_gap_between_readings_gets_its_course_and_keeps_its_energy(database: Database) -> None:
    start, lost, back, end = (local_ms(2025, 4, 1, hour) for hour in (0, 6, 18, 23))
    # This meter counts two percent more than the other system.
    own = build_steady_messages(start, end, step=60_000, watts=1.02 * WATTS)
    await database.write([each for each in own if not lost <= each.timestamp * 1000 < back])
    await database.roll_up(end + HOUR)
    before = await energy(database, start, end)
    await database.import_hours(GATEWAY, [hours(start, end)], *ALWAYS)
    assert await energy(database, start, end) == pytest.approx(before)
    assert await energy(database, lost, lost + 3 * HOUR) == pytest.approx(1.02 * 3 * WATTS, rel=0.01)
    found = (await database.energies(GATEWAY, start, end))["production"]
    assert found.delivered_recovered == 0


async def test_a_gap_of_the_other_system_stays_one(database: Database) -> None:
    start, end = local_ms(2025, 4, 1), local_ms(2025, 4, 2)
    lost = range(local_ms(2025, 4, 1, 6), local_ms(2025, 4, 1, 12), HOUR)
    await database.import_hours(GATEWAY, [hours(start, end, without=lost)], *ALWAYS)
    found = (await database.energies(GATEWAY, start, end))["production"]
    assert found.delivered == pytest.approx(23 * WATTS)
    assert found.delivered_recovered == pytest.approx(7 * WATTS)
    points = await database.series(GATEWAY, "production", start, end, QUARTER_HOUR)
    assert not [point for point in points if lost.start <= point.start < lost.stop]


async def test_readings_that_follow_an_import_continue_its_counter(database: Database) -> None:
    begin, first, end = local_ms(2025, 4, 1), local_ms(2025, 4, 3, 12), local_ms(2025, 4, 4)
    await database.import_hours(GATEWAY, [hours(begin, first)], *ALWAYS)
    counter = 1e6 + WATTS * (first - BEGIN) / HOUR
    await database.write(build_steady_messages(first, end, step=60_000, first=counter, watts=WATTS))
    await database.roll_up(end + HOUR)
    assert await energy(database, begin + HOUR, end) == pytest.approx(71 * WATTS, abs=2 * WATTS / 60)


async def test_power_alone_is_an_estimate_and_energy_alone_has_a_mean(database: Database) -> None:
    begin = local_ms(2025, 4, 1)
    power = Power(-WATTS, -WATTS, 0.0)
    await database.import_hours(
        GATEWAY, [ImportedSeries("net-consumption", 0, [(begin, power)], [], [])], *ALWAYS
    )
    found = (await database.energies(GATEWAY, begin, begin + HOUR))["net-consumption"]
    assert found.received == found.received_estimated == pytest.approx(WATTS, rel=1e-3)
    await database.import_hours(
        GATEWAY, [ImportedSeries("production", 1, [], hours(begin, begin + DAY).delivered, [])], *ALWAYS
    )
    points = await database.series(GATEWAY, "production", begin, begin + DAY, QUARTER_HOUR, 1)
    assert {point.power and round(point.power.mean, 6) for point in points[3:]} == {WATTS}


async def test_the_year_chart_begins_when_the_other_system_did(database: Database) -> None:
    first, end = local_ms(2025, 4, 1), local_ms(2025, 4, 2)
    await database.write(build_steady_messages(first, end, step=60_000, watts=WATTS))
    await database.import_hours(GATEWAY, [hours(BEGIN, end)], *ALWAYS)
    view = await load(database, Request(parse("year"), GATEWAY, phases=False, dots=1000), end / 1000)
    produced = view.panels[0].tracks[Quantity.PRODUCTION]
    assert len(produced.values) == 12
    months = [(local_ms(2024, 5, 1), 31 * 24 * WATTS), (local_ms(2024, 10, 1), (31 * 24 + 1) * WATTS)]
    for start, expected in months:
        (value,) = produced.values[produced.times == start]
        assert value == pytest.approx(expected)
    # The gaps are only after the last reading.
    assert all(gap.start >= first for gap in view.gaps)
    assert VIENNA.key in view.subtitle
