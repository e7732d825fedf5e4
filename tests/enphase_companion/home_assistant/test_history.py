"""What an import calculates from several counters of Home Assistant."""

from __future__ import annotations

from enphase_companion.home_assistant.history import add_counters
from enphase_companion.storage.buckets import HOUR
from enphase_companion.storage.import_hours import CountedHour


def counter(*sums: float, begin: int = 0, state: float | None = 1000.0) -> list[CountedHour]:
    return [
        CountedHour((begin + number) * HOUR, total, None if state is None else state + total)
        for number, total in enumerate(sums)
    ]


def test_the_draw_of_the_array_is_what_is_missing_in_the_energy_of_the_home() -> None:
    produced, imported, exported = counter(0, 500, 900), counter(80, 80, 130), counter(0, 300, 500)
    home = counter(75, 275, 527, state=-2000.0)
    found = add_counters([(1, produced), (1, imported), (-1, exported), (-1, home)])
    # The first hour is unknown, then 0 Wh and -2 Wh were drawn: no counter falls by rounding.
    assert [hour.sum for hour in found] == [0, 0]
    more = add_counters([(1, produced), (1, imported), (-1, exported), (-1, counter(75, 271, 520))])
    assert [(hour.start, hour.sum, hour.state) for hour in more] == [(HOUR, 4, 9), (2 * HOUR, 5, 10)]


def test_a_sum_of_counters_has_the_hours_that_all_of_them_have() -> None:
    old = counter(3, begin=-9)
    first = [*old, *counter(5, 9, 12)]
    found = add_counters([(1, first), (-1, [*old, *counter(1, 2, begin=1, state=None)])])
    assert [(hour.start, hour.sum, hour.state) for hour in found] == [(2 * HOUR, 2, None)]
    assert add_counters([(1, counter(5, 6)), (-1, [])]) == []
