"""Rollups: they return the values that the readings themselves would return."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from itertools import pairwise

import pytest

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.storage import DAY, MINUTE, QUARTER_HOUR, SECOND, Database, Energy, Point, Power
from enphase_companion.storage.summary import COLUMNS, Summary, fold, from_row, summarize_reading

from .conftest import GATEWAY, VIENNA, build_message, build_steady_messages, execute_sql, fetch_rows, local_ms

START = local_ms(2026, 6, 1, 11, 58)
HOUR = 60 * MINUTE


def build_eventful_messages(seed: int, start: int, end: int) -> list[Message]:
    """Return the messages of two meters with gaps, resets, glitches and missing values, about every 10 s."""
    chance = random.Random(seed)
    at, counters = start, {("production", 0): [8e6, 3e6], ("net-consumption", 1): [2e7, 4e6]}
    result = []
    while (at := at + chance.choice([1, 9, 10, 10, 10, 11, 30, 70]) * SECOND) < end:
        if chance.random() < 0.003:
            at += chance.randrange(7 * MINUTE, 25 * MINUTE, SECOND)
        samples = []
        for (measurement, phase), (delivered, received) in counters.items():
            watts = chance.uniform(-3000, 5000)
            counted = [delivered + max(0, watts) / 360, received + max(0, -watts) / 360]
            if chance.random() < 0.002:
                # Not to a small value: a glitch to zero of a small counter is detected only roughly.
                counted[chance.randrange(2)] *= chance.choice([0.7, 5])
            counters[measurement, phase] = counted
            reported: list[float | None] = [*counted]
            if chance.random() < 0.01:
                reported[chance.randrange(2)] = chance.choice([0, None, 7e9])
            samples.append(
                Sample(
                    measurement,
                    phase,
                    at,
                    Quantities(
                        active_power=chance.choice([watts, watts, watts, None]),
                        energy_delivered=reported[0],
                        energy_received=reported[1],
                    ),
                )
            )
        result.append(Message(GATEWAY, at / 1000, tuple(samples), None))
    return [each for each in result if each.timestamp * 1000 < end]


def approximate_energy(energy: Energy) -> tuple[object, ...]:
    return (
        pytest.approx(energy.delivered, abs=1e-3),
        pytest.approx(energy.received, abs=1e-3),
        pytest.approx(energy.delivered_recovered, abs=1e-3),
        pytest.approx(energy.received_recovered, abs=1e-3),
        energy.resets,
    )


def flatten_energy(energy: Energy) -> tuple[object, ...]:
    return (
        energy.delivered,
        energy.received,
        energy.delivered_recovered,
        energy.received_recovered,
        energy.resets,
    )


async def fetch_energies(database: Database, start: int, end: int) -> list[tuple[str, int, Energy]]:
    """Return the energies of a range as a whole, in uneven parts and per bucket."""
    edges = [start, start + 17 * MINUTE + 3 * SECOND, start + 5 * HOUR, end - 20 * HOUR, end]
    found = [
        (name, each, energy)
        for each in (0, 1)
        for a, b in pairwise(edges)
        for name, energy in (await database.energies(GATEWAY, a, b, each)).items()
    ]
    for width in (MINUTE, QUARTER_HOUR, DAY):
        found += [
            ("net-consumption", point.start, point.energy)
            for point in await database.series(GATEWAY, "net-consumption", start, end, width, phase=1)
        ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_rollups_return_what_the_readings_return(
    database: Database, database_url: str, seed: int
) -> None:
    end = START + 31 * HOUR
    computed = build_eventful_messages(seed, START, end)
    await database.write(computed)
    before = await fetch_energies(database, START, end)

    for now in (START + 14 * HOUR, end + DAY):
        await database.roll_up(now)
        after = await fetch_energies(database, START, end)
        assert [(name, at, flatten_energy(each)) for name, at, each in after] == [
            (name, at, approximate_energy(each)) for name, at, each in before
        ]

    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM pending_rollups") == [(0,)]
    assert any(each.resets for *_, each in before)
    assert any(each.delivered_recovered for *_, each in before)
    # Rollups answer the query: without the readings, the result of whole minutes is unchanged.
    expected = await database.series(GATEWAY, "production", START, end, QUARTER_HOUR)
    await execute_sql(database_url, "DELETE FROM readings")
    assert await database.series(GATEWAY, "production", START, end, QUARTER_HOUR) == expected


async def test_a_bucket_is_rolled_up_only_after_it_has_ended(database: Database, database_url: str) -> None:
    await database.write(build_steady_messages(START, START + 10 * MINUTE))
    assert await database.roll_up(START + MINUTE) == 0
    await database.roll_up(START + MINUTE + 4 * SECOND)
    assert await fetch_rows(database_url, "SELECT bucket_start FROM minutes") == [(START,)]
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM quarter_hours") == [(0,)]
    await database.roll_up(START + 2 * MINUTE + 4 * SECOND)
    assert await fetch_rows(database_url, "SELECT bucket_start FROM quarter_hours") == [
        (START - 13 * MINUTE,)
    ]
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM days") == [(0,)]


async def test_a_series_includes_the_current_minute(database: Database) -> None:
    await database.write(build_steady_messages(START, START + 5 * MINUTE + 30 * SECOND))
    await database.roll_up(START + 5 * MINUTE + 30 * SECOND)
    points = await database.series(GATEWAY, "production", START, START + HOUR, MINUTE)
    assert [(point.start - START, point.reading_count) for point in points] == [
        (0, 6), (MINUTE, 6), (2 * MINUTE, 6), (3 * MINUTE, 6), (4 * MINUTE, 6), (5 * MINUTE, 3)
    ]  # fmt: skip


async def test_a_late_reading_counts_at_once_and_in_every_rollup_after_the_next_run(
    database: Database, database_url: str
) -> None:
    computed = build_steady_messages(local_ms(2026, 6, 1), local_ms(2026, 6, 2), step=60 * SECOND)
    late = computed[600:660]
    await database.write([each for each in computed if each not in late])
    await database.roll_up()
    start, end = local_ms(2026, 6, 1, 10), local_ms(2026, 6, 1, 11)
    assert await database.energies(GATEWAY, start, end) == {}
    assert await database.series(GATEWAY, "production", start, end, QUARTER_HOUR) == []

    await database.write(late)
    for _ in range(2):
        (found,) = (await database.energies(GATEWAY, start, end)).values()
        assert found.delivered == pytest.approx(3600)
        assert found.delivered_recovered == 0
        points = await database.series(GATEWAY, "production", start, end, QUARTER_HOUR)
        assert [point.reading_count for point in points] == [15, 15, 15, 15]
        (day,) = await database.series(GATEWAY, "production", start, end, DAY)
        assert day.reading_count == len(computed)
        await database.roll_up()
    assert await fetch_rows(database_url, "SELECT reading_count FROM days") == [(len(computed),)]


async def test_power_is_the_mean_lowest_and_highest_of_the_readings(database: Database) -> None:
    start = local_ms(2026, 6, 1)
    watts = [random.Random(7).uniform(-5000, 5000) for _ in range(3000)]
    await database.write(
        [build_message(start + i * 20 * SECOND, active_power=value) for i, value in enumerate(watts)]
    )
    await database.roll_up()

    async def check(width: int, count: int) -> None:
        points = await database.series(GATEWAY, "production", start, start + DAY, width)
        for number, point in enumerate(points):
            computed = watts[number * count : (number + 1) * count]
            assert point.power is not None
            assert point.power.mean == pytest.approx(sum(computed) / len(computed), rel=1e-4, abs=0.1)
            assert point.power.low == pytest.approx(min(computed), rel=1e-5)
            assert point.power.high == pytest.approx(max(computed), rel=1e-5)
        assert sum(point.reading_count for point in points) == 3000

    await check(MINUTE, 3)
    await check(QUARTER_HOUR, 45)
    await check(DAY, 3000)
    await check(SECOND, 1)


async def test_series_keep_gaps(database: Database) -> None:
    start = local_ms(2026, 6, 1)
    computed = build_steady_messages(start, start + 12 * HOUR)
    gap = (start + 3 * HOUR, start + 5 * HOUR + 20 * MINUTE)
    await database.write([each for each in computed if not gap[0] <= each.timestamp * 1000 < gap[1]])
    await database.roll_up()

    async def fetch_points(width: int) -> tuple[list[Point], list[Point]]:
        points = await database.series(GATEWAY, "production", start, start + 12 * HOUR, width)
        return points, [point for point in points if point.after_gap]

    for width in (SECOND, MINUTE, QUARTER_HOUR):
        points, (after,) = await fetch_points(width)
        assert gap[1] - width < after.start <= gap[1]
        assert not [point for point in points if gap[0] <= point.start and point.end <= gap[1]]
        if width > SECOND:
            assert after.energy.delivered_recovered == pytest.approx(3600 * 140 / 60 + 10)
    (day,), after_gap = await fetch_points(DAY)
    assert not after_gap
    assert day.energy.delivered == pytest.approx(3600 * 12 - 10)


async def test_slow_polling_makes_no_gaps(database: Database) -> None:
    start = local_ms(2026, 6, 1)
    await database.write(build_steady_messages(start, start + 6 * HOUR, step=300 * SECOND))
    await database.roll_up()
    for width in (SECOND, MINUTE, QUARTER_HOUR):
        points = await database.series(GATEWAY, "production", start, start + 6 * HOUR, width)
        assert not any(point.after_gap for point in points)
        assert sum(point.reading_count for point in points) == 72
        assert sum(point.energy.delivered or 0 for point in points) == pytest.approx(3600 * 6 - 300)
        assert not any(point.energy.delivered_recovered for point in points)


@pytest.mark.slow
async def test_a_reset_is_marked_in_every_rollup(database: Database) -> None:
    start = local_ms(2026, 6, 1)
    computed = build_steady_messages(start, start + 6 * HOUR) + build_steady_messages(
        start + 6 * HOUR, start + 24 * HOUR, first=0.0
    )
    await database.write(computed)
    await database.roll_up()
    for width in (MINUTE, QUARTER_HOUR, DAY):
        points = await database.series(GATEWAY, "production", start, start + 24 * HOUR, width)
        marked = [point for point in points if point.energy.resets]
        assert [point.energy.resets for point in marked] == [(start + 6 * HOUR,)]
        assert sum(point.energy.delivered or 0 for point in points) == pytest.approx(3600 * 24 - 20)


async def test_a_rollup_is_not_replaced_by_one_with_fewer_readings(
    database: Database, database_url: str
) -> None:
    """A reading may arrive after the others of its minute were pruned."""
    computed = build_steady_messages(START, START + MINUTE)
    await database.write(computed[:-1])
    await database.roll_up()
    await execute_sql(database_url, "DELETE FROM readings")
    await database.write(computed[-1:])
    await database.roll_up()
    for table in ("minutes", "quarter_hours", "days"):
        assert await fetch_rows(database_url, f"SELECT reading_count FROM {table}") == [(len(computed) - 1,)]


@pytest.mark.slow
async def test_gateways_are_rolled_up_separately(database: Database) -> None:
    for number in range(12):
        await database.write(
            [
                build_message(
                    at, f"g{number}", active_power=number, energy_delivered=number * (at - START) / HOUR
                )
                for at in range(START, START + 3 * HOUR, (number + 1) * 10 * SECOND)
            ]
        )
    await database.roll_up()
    for number in range(12):
        (point,) = await database.series(f"g{number}", "production", START, START + HOUR, DAY)
        assert point.power == Power(number, number, number)
        assert point.energy.delivered == pytest.approx(number * 3, rel=0.02)


async def test_an_unknown_gateway_or_measurement_has_no_energy(database: Database) -> None:
    await database.write([build_message(START)])
    assert await database.energies("999999999999", START, START + DAY) == {}
    assert await database.series("999999999999", "production", START, START + DAY, DAY) == []
    assert await database.series(GATEWAY, "storage", START, START + DAY, DAY) == []
    assert await database.energies(GATEWAY, START - DAY, START) == {}


# aiosqlite leaves a connection to the garbage collector if it is cancelled while connecting.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_interrupted_rollup_continues_at_the_next_run(database: Database, database_url: str) -> None:
    await database.write(build_steady_messages(START, START + 10 * HOUR))
    for _ in range(20):
        task = asyncio.create_task(database.roll_up())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await database.roll_up()
    assert await fetch_rows(database_url, "SELECT SUM(reading_count) FROM minutes") == [(3600,)]
    assert await fetch_rows(database_url, "SELECT SUM(reading_count) FROM days") == [(3600,)]


async def test_days_begin_in_the_databases_time_zone(database: Database) -> None:
    start, end = local_ms(2026, 10, 24), local_ms(2026, 10, 27)
    await database.write(build_steady_messages(start, end, step=60 * SECOND))
    await database.roll_up()
    points = await database.series(GATEWAY, "production", start, end, DAY)
    assert [(point.start, (point.end - point.start) / HOUR) for point in points] == [
        (local_ms(2026, 10, 24), 24),
        (local_ms(2026, 10, 25), 25),
        (local_ms(2026, 10, 26), 24),
    ]
    assert [point.energy.delivered for point in points] == [
        pytest.approx(24 * 3600),
        pytest.approx(25 * 3600),
        pytest.approx(24 * 3600 - 60),
    ]
    assert (await database.time_zone()) == VIENNA


@pytest.mark.parametrize("counters", ["both", "one", "none", "some readings", "one falls"])
async def test_a_minute_rolled_up_by_the_database_equals_its_folded_readings(
    database: Database, database_url: str, counters: str
) -> None:
    chance = random.Random(counters)
    expected: list[Summary] = []
    estimated: list[object] = []
    messages: list[Message] = []
    for minute in range(60):
        readings: list[Summary] = []
        powers: list[tuple[int, float]] = []
        for number, second in enumerate(sorted(chance.sample(range(60), chance.randint(1, 6)))):
            at = START + minute * MINUTE + second * SECOND
            power = chance.choice([None, 0.0, -250.0, chance.uniform(-3000, 3000)])
            counted = [5e6 + minute * 10 + number, 3e6 + minute * 10 + number]
            if counters == "one falls" and chance.random() < 0.2:
                counted[chance.randrange(2)] = 7.0
            is_known = counters != "none" and (counters != "some readings" or chance.random() < 0.7)
            delivered = counted[0] if is_known else None
            received = counted[1] if is_known and counters != "one" else None
            readings.append(summarize_reading(at, power, delivered, received))
            powers += [] if power is None else [(at, power)]
            messages.append(
                build_message(at, active_power=power, energy_delivered=delivered, energy_received=received)
            )
        expected.append(fold(readings))
        if len(powers) > 1 and not (expected[-1].delivered or expected[-1].received):
            hours = (powers[-1][0] - powers[0][0]) / HOUR
            estimated.append(
                (
                    pytest.approx(sum(max(each, 0.0) for _, each in powers) / len(powers) * hours),
                    pytest.approx(sum(max(-each, 0.0) for _, each in powers) / len(powers) * hours),
                )
            )
        else:
            estimated.append(None)
    await database.write(messages)
    await database.roll_up()
    columns = ", ".join(COLUMNS)
    found = [
        from_row(row)
        for row in await fetch_rows(database_url, f"SELECT {columns} FROM minutes ORDER BY bucket_start")
    ]
    assert [replace(each, power=None, estimated=None) for each in found] == [
        replace(each, power=None, estimated=None) for each in expected
    ]
    assert [each.power for each in found] == [
        None if each.power is None else pytest.approx(each.power) for each in expected
    ]
    if counters == "none":
        assert estimated == [each.estimated for each in found]


@pytest.mark.parametrize(("back", "watts"), [(30, 3600.0), (30, 20_000.0), (300, 6000.0)])
async def test_a_clock_that_is_set_back_changes_no_energy(
    database: Database, back: int, watts: float
) -> None:
    messages = [
        build_message(
            START + (second if second < 400 else second - back) * SECOND,
            active_power=watts,
            energy_delivered=1e6 + watts * second / 3600,
        )
        for second in range(1000)
    ]
    assert await database.write(messages) == {}
    end = START + HOUR
    for _ in range(2):  # from readings, then from rollups
        energy = (await database.energies(GATEWAY, START, end))["production"]
        assert energy.delivered == pytest.approx(watts * 999 / 3600)
        assert energy.resets == ()
        for width in (MINUTE, QUARTER_HOUR, DAY):
            points = await database.series(GATEWAY, "production", START, end, width)
            assert sum(point.reading_count for point in points) == len(messages)
            assert sum(point.energy.delivered or 0 for point in points) == pytest.approx(energy.delivered)
        await database.roll_up()
