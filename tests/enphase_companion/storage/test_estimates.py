"""Mean power is weighted by readings with a power; energy without counters is estimated from power."""

from __future__ import annotations

from itertools import pairwise

import pytest

from enphase_companion.message import Message
from enphase_companion.storage import DAY, MINUTE, QUARTER_HOUR, SECOND, Database, Energy, Point
from enphase_companion.storage.counter_segments import GAP
from enphase_companion.storage.summary import Estimate, estimate_energy, fold, summarize_reading

from .conftest import GATEWAY, build_message, build_steady_messages, fetch_rows, local_ms

START = local_ms(2026, 10, 24)
HOUR = 60 * MINUTE
EVER = START + 30 * DAY


def build_power_messages(start: int, end: int, watts: float | None, step: int = 10_000) -> list[Message]:
    """Return the messages of a meter without energy counters."""
    return [build_message(at, active_power=watts, energy_delivered=None) for at in range(start, end, step)]


async def fetch_point(database: Database, width: int) -> Point:
    (point,) = await database.series(GATEWAY, "production", START, START + DAY, width)
    return point


async def fetch_energy(database: Database, start: int, end: int) -> Energy | None:
    return (await database.energies(GATEWAY, start, end)).get("production")


@pytest.mark.parametrize("width", [QUARTER_HOUR, DAY])
async def test_mean_power_weights_minutes_by_their_readings_with_a_power(
    database: Database, width: int
) -> None:
    """Only one of the 60 readings of the first minute has a power."""
    await database.write(
        [
            build_message(START, active_power=6000.0),
            *(build_message(START + second * SECOND, active_power=None) for second in range(1, 60)),
            *(build_message(START + MINUTE + second * SECOND, active_power=0.0) for second in range(59)),
        ]
    )
    pending = await fetch_point(database, width)
    await database.roll_up(EVER)
    rolled_up = await fetch_point(database, width)
    for point in (pending, rolled_up):
        assert point.reading_count == 119
        assert point.power is not None
        assert point.power.mean == pytest.approx(100)
        assert point.power[1:] == (0, 6000)


async def test_the_mean_of_a_day_weights_quarter_hours_by_their_readings_with_a_power(
    database: Database, database_url: str
) -> None:
    await database.write(
        [
            *build_power_messages(START, START + QUARTER_HOUR, None, SECOND),
            build_message(START + QUARTER_HOUR - 1, active_power=900.0),
            *build_power_messages(START + QUARTER_HOUR, START + 2 * QUARTER_HOUR, 100.0, 100 * SECOND),
        ]
    )
    await database.roll_up(EVER)
    assert await fetch_rows(
        database_url, "SELECT reading_count, power_reading_count, power_mean FROM days"
    ) == [(910, 10, pytest.approx(180))]
    # A late reading rolls up its bucket a second time: the earlier readings still count.
    await database.write([build_message(START + QUARTER_HOUR + SECOND, active_power=180.0)])
    await database.roll_up(EVER)
    assert await fetch_rows(
        database_url, "SELECT reading_count, power_reading_count, power_mean FROM days"
    ) == [(911, 11, pytest.approx(180))]


async def test_power_keeps_all_its_digits(database: Database) -> None:
    """MariaDB returns only six digits of a FLOAT."""
    await database.write([build_message(START, active_power=1_234_567.891)])
    await database.roll_up(EVER)
    for width in (SECOND, MINUTE, QUARTER_HOUR, DAY):
        assert (await fetch_point(database, width)).power == (1_234_567.891,) * 3


@pytest.mark.parametrize("step", [SECOND, 10 * SECOND, MINUTE, 5 * MINUTE])
@pytest.mark.slow
async def test_energy_without_counters_is_estimated_from_power(database: Database, step: int) -> None:
    await database.write(
        [
            *build_power_messages(START, START + HOUR, 1200.0, step),
            *build_power_messages(START + HOUR, START + 2 * HOUR, -600.0, step),
        ]
    )
    delivered = pytest.approx(1200, abs=5 + 1200 * step / HOUR)
    received = pytest.approx(600, abs=5 + 600 * step / HOUR)
    for now in (0, START + HOUR, EVER):
        await database.roll_up(now)
        found = await fetch_energy(database, START, START + 3 * HOUR)
        assert found is not None
        assert found.delivered == delivered
        assert found.received == received
        assert (found.delivered_estimated, found.received_estimated) == (found.delivered, found.received)
    for width in (SECOND, MINUTE, QUARTER_HOUR, DAY):
        points = await database.series(GATEWAY, "production", START, START + DAY, width)
        assert sum(point.energy.delivered or 0 for point in points) == delivered
        assert sum(point.energy.received or 0 for point in points) == received


async def test_nothing_is_estimated_across_a_gap_or_from_one_reading(database: Database) -> None:
    await database.write(
        [
            *build_power_messages(START, START + HOUR, 1000.0),
            build_message(START + 8 * HOUR, energy_delivered=None),
        ]
    )
    await database.roll_up(EVER)
    assert (await fetch_point(database, DAY)).energy.delivered == pytest.approx(1000, abs=3)
    assert await fetch_energy(database, START + 7 * HOUR, START + 9 * HOUR) is None


async def test_nothing_is_estimated_where_counters_are_known(database: Database) -> None:
    """The counters are missing for twenty minutes, and in one single reading."""
    counted = build_steady_messages(START, START + 3 * HOUR, watts=1000.0)
    without_counters = [
        build_message(each.samples[0].measured_at, active_power=9000.0, energy_delivered=None)
        for each in counted
    ]
    await database.write(
        [*counted[:360], *without_counters[360:480], *counted[480:700], without_counters[700], *counted[701:]]
    )
    for now in (0, START + 90 * MINUTE, EVER):
        await database.roll_up(now)
        found = await fetch_energy(database, START, START + 3 * HOUR)
        assert found is not None
        assert found.delivered == pytest.approx(3000, abs=4)
        assert found.delivered_estimated == 0
    days = await database.series(GATEWAY, "production", START, START + DAY, DAY)
    assert [day.energy.delivered_estimated for day in days] == [0]


async def test_a_day_adds_imported_power_to_the_counters_that_begin_later(database: Database) -> None:
    await database.write(
        [
            *build_power_messages(START, START + 10 * HOUR, 500.0),
            *build_steady_messages(START + 10 * HOUR, START + 20 * HOUR, watts=1000.0),
        ]
    )
    await database.roll_up(EVER)
    (day,) = await database.series(GATEWAY, "production", START, START + DAY, DAY)
    assert day.energy.delivered == pytest.approx(5000 + 10_000, abs=8)
    assert day.energy.delivered_estimated == pytest.approx(5000, abs=3)
    found = await fetch_energy(database, START, START + DAY)
    assert found is not None
    assert found.delivered == pytest.approx(15_000, abs=8)


async def test_the_parts_of_an_estimate_add_up_to_the_whole(database: Database) -> None:
    """The range includes a clock change in Vienna: a day of 25 hours."""
    await database.write(build_power_messages(START, START + 72 * HOUR, 777.0, 5 * MINUTE))
    await database.roll_up(EVER)
    edges = [START + 3 * SECOND, START + 17 * MINUTE, START + 23 * HOUR, START + 60 * HOUR]
    for first, last in pairwise(edges):
        found = await fetch_energy(database, first, last)
        assert found is not None
        assert found.delivered == pytest.approx(777 * (last - first) / HOUR, rel=0.01)
    days = await database.series(GATEWAY, "production", START, START + 72 * HOUR, DAY)
    assert [day.energy.delivered for day in days] == [
        pytest.approx(777 * hours, abs=1) for hours in (24, 25, 23 - 5 / 60)
    ]


def test_power_is_estimated_up_to_a_gap_and_not_across_it() -> None:
    first = summarize_reading(0, 600.0, None, None)
    for pause, expected in ((GAP, [Estimate(0, GAP, 60.0, 0.0)]), (GAP + 1, [])):
        assert list(estimate_energy([first, summarize_reading(pause, 600.0, None, None)])) == expected


@pytest.mark.parametrize("counters", [(5000.0, None), (None, 5000.0)])
def test_nothing_is_estimated_between_readings_with_and_without_a_counter(
    counters: tuple[float | None, float | None],
) -> None:
    without = summarize_reading(MINUTE, 600.0, None, None)
    assert list(estimate_energy([summarize_reading(0, 600.0, *counters), without])) == []
    assert list(estimate_energy([without, summarize_reading(2 * MINUTE, 600.0, *counters)])) == []


def test_a_bucket_in_which_counters_begin_or_end_keeps_its_estimate() -> None:
    minutes = [summarize_reading(at * MINUTE, 600.0, None, None) for at in range(3)]
    begins = fold([*minutes, summarize_reading(3 * MINUTE, 600.0, 5000.0, None)])
    counted = summarize_reading(4 * MINUTE, 600.0, 5010.0, None)
    ends = fold([counted, *(summarize_reading(at * MINUTE, 600.0, None, None) for at in range(5, 8))])
    assert begins.estimated is not None
    assert ends.estimated is not None
    assert [each[2:] for each in estimate_energy([begins, counted])] == [begins.estimated]
    earlier = summarize_reading(3 * MINUTE, 600.0, 5000.0, None)
    assert [each[2:] for each in estimate_energy([earlier, ends])] == [ends.estimated]
