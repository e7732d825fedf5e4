"""A simulated week compared to the house's true energy: clock change, reset, gap, late readings."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import pytest

from enphase_api.models import Quantities
from enphase_companion.message import Message, Sample
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES
from enphase_companion.simulator.truth import Electricity
from enphase_companion.storage import DAY, MINUTE, QUARTER_HOUR, SECOND, Database, Energy

from .conftest import GATEWAY, fetch_rows, local_ms

MEASUREMENTS = ("production", "net-consumption", "storage")

pytestmark = pytest.mark.slow

#: Clocks go back on Sunday the 25th.
MIDNIGHTS = [local_ms(2026, 10, day) for day in range(21, 29)]
START, END = MIDNIGHTS[0], MIDNIGHTS[-1]

#: The gateway sends nothing in this range, which includes midnight.
GAP = (local_ms(2026, 10, 22, 23, 10), local_ms(2026, 10, 23, 4, 50))
#: The meters are replaced at this time. The counters of the new ones start at 1 kWh.
RESET = local_ms(2026, 10, 27, 7, 30)
#: Readings of this range arrive after all others are stored and rolled up.
LATE = (local_ms(2026, 10, 24, 14, 7), local_ms(2026, 10, 24, 17, 41))

#: The time between readings, which does not divide a minute.
STEP = 27 * SECOND


@cache
def build_house() -> House:
    return House(PROFILES["battery"], 11, START / 1000, longitude=16.4)


@cache
def count_true_energy(measurement: str, at: int) -> tuple[float, float]:
    """Return the energy (Wh) delivered and received in the simulated house."""
    total = build_house().truth(at / 1000).of(measurement).total
    return total.energy_delivered, total.energy_received


@cache
def build_week() -> Sequence[Message]:
    """Return all messages of the week in order, late ones included."""
    replaced = {name: build_house().truth(RESET / 1000).of(name).total for name in MEASUREMENTS}

    def build_sample(name: str, at: int, seen: Electricity) -> Sample:
        before = (0.0, 0.0)
        if at >= RESET:
            before = (replaced[name].energy_delivered - 1000, replaced[name].energy_received - 1000)
        return Sample(
            name,
            0,
            at,
            Quantities(
                active_power=seen.active_power,
                energy_delivered=round(seen.energy_delivered - before[0], 3),
                energy_received=round(seen.energy_received - before[1], 3),
            ),
        )

    messages = []
    for at in range(START, END, STEP):
        if not GAP[0] <= at < GAP[1]:
            truth = build_house().truth(at / 1000)
            samples = [build_sample(name, at, truth.of(name).total) for name in MEASUREMENTS]
            messages.append(Message(GATEWAY, at / 1000, tuple(samples), None))
    return messages


def list_timestamps() -> list[int]:
    """Return the timestamp (milliseconds) of each message."""
    return [round(each.timestamp * 1000) for each in build_week()]


async def store_week(database: Database) -> None:
    """Store the week shuffled, duplicated and partly late, with two writers and frequent rollups."""
    chance = random.Random(3)
    late: list[Message] = []
    in_time: list[Message] = []
    for each, at in zip(build_week(), list_timestamps(), strict=True):
        (late if LATE[0] <= at < LATE[1] else in_time).append(each)
    for first in range(0, len(in_time), 600):
        batch = in_time[first : first + 600]
        now = round(batch[-1].timestamp * 1000)
        chance.shuffle(batch)
        await asyncio.gather(database.write(batch[:400]), database.write(batch[200:]))
        await database.roll_up(now)
    await database.roll_up(END + MINUTE)
    await database.write(late)


def approximate(wh: float) -> object:
    """Return a comparison within 0.1 % or, for days without energy, within 1 Wh."""
    return pytest.approx(wh, rel=0.001, abs=1)


async def test_the_energy_of_a_week_equals_the_true_energy(database: Database, database_url: str) -> None:
    await store_week(database)
    for _ in range(2):
        # First with the late readings pending, then with everything rolled up.
        await check_week(database)
        await database.roll_up(END + MINUTE)
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM readings") == [(3 * len(build_week()),)]
    assert await fetch_rows(database_url, "SELECT SUM(reading_count) FROM days") == [(3 * len(build_week()),)]
    assert await fetch_rows(database_url, "SELECT COUNT(*) FROM pending_rollups") == [(0,)]


async def check_week(database: Database) -> None:
    for name in MEASUREMENTS:

        def count_truth(start: int, end: int, name: str = name) -> tuple[float, float]:
            before, after = count_true_energy(name, start), count_true_energy(name, end)
            return after[0] - before[0], after[1] - before[1]

        days = await database.series(GATEWAY, name, START, END, DAY)
        assert [(day.start, day.end) for day in days] == list(pairwise(MIDNIGHTS))
        assert [(day.end - day.start) // (60 * MINUTE) for day in days] == [24, 24, 24, 24, 25, 24, 24]

        gap = next(
            (before, after) for before, after in pairwise(list_timestamps()) if before < GAP[0] <= after
        )
        # The gap ends in the second of its two days, which gets all its energy.
        for number, day in enumerate(days):
            expected = count_truth(day.start, day.end)
            if number == 1:
                expected = count_truth(day.start, gap[0])
            elif number == 2:
                expected = count_truth(gap[0], day.end)
            assert_close(day.energy, expected)
            is_recovered = day.energy.delivered_recovered + day.energy.received_recovered > 0
            assert is_recovered == (number == 2)
            if number == 2:
                assert_close_recovered(day.energy, count_truth(*gap))
            assert bool(day.energy.resets) == (number == 6)
        (reset,) = days[6].energy.resets
        assert RESET <= reset < RESET + STEP

        # Finer buckets add up to the total.
        whole = (await database.energies(GATEWAY, START, END))[name]
        assert_close(whole, count_truth(START, END))
        for width in (MINUTE, QUARTER_HOUR):
            points = await database.series(GATEWAY, name, START, END, width)
            assert sum(point.energy.delivered or 0 for point in points) == approximate(
                count_truth(START, END)[0]
            )
            assert sum(point.energy.received or 0 for point in points) == approximate(
                count_truth(START, END)[1]
            )
            assert not [point for point in points if GAP[0] < point.start and point.end < GAP[1]]
            assert [point.start for point in points if point.after_gap] == [
                point.start for point in points if point.start <= GAP[1] < point.end
            ]

        # Ranges may begin and end at any time.
        chance = random.Random(5)
        for _ in range(10):
            start = chance.randrange(RESET + MINUTE, END - 8 * 60 * MINUTE, SECOND)
            end = start + chance.randrange(60 * MINUTE, 8 * 60 * MINUTE, SECOND)
            assert_close((await database.energies(GATEWAY, start, end))[name], count_truth(start, end))


def assert_close(energy: Energy, expected: tuple[float, float]) -> None:
    assert (energy.delivered, energy.received) == (approximate(expected[0]), approximate(expected[1]))


def assert_close_recovered(energy: Energy, expected: tuple[float, float]) -> None:
    recovered = (energy.delivered_recovered, energy.received_recovered)
    assert recovered == (approximate(expected[0]), approximate(expected[1]))


def test_the_week_has_energy_in_both_directions() -> None:
    assert len(build_week()) > 20_000
    for name in MEASUREMENTS:
        delivered, received = (
            after - before
            for after, before in zip(
                count_true_energy(name, END), count_true_energy(name, START), strict=True
            )
        )
        assert delivered > 5000
        assert received > (100 if name == "production" else 5000)
