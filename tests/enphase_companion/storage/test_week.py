"""A simulated week against the house's own energy: clock change, counter reset, night gap, late readings."""

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

from .conftest import GATEWAY, local, rows

MEASUREMENTS = ("production", "net-consumption", "storage")

pytestmark = pytest.mark.slow

#: Clocks go back on Sunday, the 25th.
MIDNIGHTS = [local(2026, 10, day) for day in range(21, 29)]
START, END = MIDNIGHTS[0], MIDNIGHTS[-1]

#: The gateway is silent here, over midnight.
GAP = (local(2026, 10, 22, 23, 10), local(2026, 10, 23, 4, 50))
#: The meters are replaced at this moment, by some that counted 1 kWh in the factory.
RESET = local(2026, 10, 27, 7, 30)
#: What was read here arrives when everything else is there and rolled up.
LATE = (local(2026, 10, 24, 14, 7), local(2026, 10, 24, 17, 41))

#: Between readings; not in step with the minutes.
STEP = 27 * SECOND


@cache
def house() -> House:
    return House(PROFILES["battery"], 11, START / 1000, longitude=16.4)


@cache
def true(measurement: str, at: int) -> tuple[float, float]:
    """Return the house's own counters: Wh in either direction."""
    total = house().truth(at / 1000).of(measurement).total
    return total.energy_delivered, total.energy_received


@cache
def week() -> Sequence[Message]:
    """Return what the gateway says in that week, late readings included, in order."""
    replaced = {name: house().truth(RESET / 1000).of(name).total for name in MEASUREMENTS}

    def sample(name: str, at: int, seen: Electricity) -> Sample:
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

    said = []
    for at in range(START, END, STEP):
        if not GAP[0] <= at < GAP[1]:
            truth = house().truth(at / 1000)
            samples = [sample(name, at, truth.of(name).total) for name in MEASUREMENTS]
            said.append(Message(GATEWAY, at / 1000, tuple(samples), None))
    return said


def moments() -> list[int]:
    """When something was read."""
    return [round(each.timestamp * 1000) for each in week()]


async def store(database: Database) -> None:
    """Bring the week in as in life: shuffled, doubled, by two writers, rolled up all the time, and late."""
    chance = random.Random(3)
    late: list[Message] = []
    in_time: list[Message] = []
    for each, at in zip(week(), moments(), strict=True):
        (late if LATE[0] <= at < LATE[1] else in_time).append(each)
    for first in range(0, len(in_time), 600):
        batch = in_time[first : first + 600]
        now = round(batch[-1].timestamp * 1000)
        chance.shuffle(batch)
        await asyncio.gather(database.write(batch[:400]), database.write(batch[200:]))
        await database.roll_up(now)
    await database.roll_up(END + MINUTE)
    await database.write(late)


def close(wh: float) -> object:
    """Within 0.1 %; of days without energy, within 1 Wh."""
    return pytest.approx(wh, rel=0.001, abs=1)


async def test_the_energy_of_a_week_is_the_houses_own(database: Database, database_url: str) -> None:
    await store(database)
    for _ in range(2):
        # First with the late readings pending, then with everything rolled up.
        await check(database)
        await database.roll_up(END + MINUTE)
    assert await rows(database_url, "SELECT COUNT(*) FROM readings") == [(3 * len(week()),)]
    assert await rows(database_url, "SELECT SUM(reading_count) FROM days") == [(3 * len(week()),)]
    assert await rows(database_url, "SELECT COUNT(*) FROM pending_rollups") == [(0,)]


async def check(database: Database) -> None:
    for name in MEASUREMENTS:

        def truth(start: int, end: int, name: str = name) -> tuple[float, float]:
            before, after = true(name, start), true(name, end)
            return after[0] - before[0], after[1] - before[1]

        days = await database.series(GATEWAY, name, START, END, DAY)
        assert [(day.start, day.end) for day in days] == list(pairwise(MIDNIGHTS))
        assert [(day.end - day.start) // (60 * MINUTE) for day in days] == [24, 24, 24, 24, 25, 24, 24]

        silence = next((before, after) for before, after in pairwise(moments()) if before < GAP[0] <= after)
        # Each day for itself, but the two that the gap is between: there the sum is known, and where it was
        # lost.
        for number, day in enumerate(days):
            expected = truth(day.start, day.end)
            if number == 1:
                expected = truth(day.start, silence[0])
            elif number == 2:
                expected = truth(silence[0], day.end)
            assert_close(day.energy, expected)
            is_recovered = day.energy.delivered_recovered + day.energy.received_recovered > 0
            assert is_recovered == (number == 2)
            if number == 2:
                assert_close_recovered(day.energy, truth(*silence))
            assert bool(day.energy.resets) == (number == 6)
        (reset,) = days[6].energy.resets
        assert RESET <= reset < RESET + STEP

        # The whole, and the same from finer buckets.
        whole = (await database.energies(GATEWAY, START, END))[name]
        assert_close(whole, truth(START, END))
        for width in (MINUTE, QUARTER_HOUR):
            points = await database.series(GATEWAY, name, START, END, width)
            assert sum(point.energy.delivered or 0 for point in points) == close(truth(START, END)[0])
            assert sum(point.energy.received or 0 for point in points) == close(truth(START, END)[1])
            assert not [point for point in points if GAP[0] < point.start and point.end < GAP[1]]
            assert [point.start for point in points if point.after_gap] == [
                point.start for point in points if point.start <= GAP[1] < point.end
            ]

        # Hours that begin and end anywhere.
        chance = random.Random(5)
        for _ in range(10):
            start = chance.randrange(RESET + MINUTE, END - 8 * 60 * MINUTE, SECOND)
            end = start + chance.randrange(60 * MINUTE, 8 * 60 * MINUTE, SECOND)
            assert_close((await database.energies(GATEWAY, start, end))[name], truth(start, end))


def assert_close(energy: Energy, expected: tuple[float, float]) -> None:
    assert (energy.delivered, energy.received) == (close(expected[0]), close(expected[1]))


def assert_close_recovered(energy: Energy, expected: tuple[float, float]) -> None:
    recovered = (energy.delivered_recovered, energy.received_recovered)
    assert recovered == (close(expected[0]), close(expected[1]))


def test_the_week_has_in_it_what_it_is_for() -> None:
    assert len(week()) > 20_000
    for name in MEASUREMENTS:
        delivered, received = (
            after - before for after, before in zip(true(name, END), true(name, START), strict=True)
        )
        assert delivered > 5000
        assert received > (100 if name == "production" else 5000)
