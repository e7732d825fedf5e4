"""Counter segments: the energy that they count, however they are rolled up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enphase_companion.storage.buckets import MINUTE
from enphase_companion.storage.counter_segments import (
    GAP,
    CounterSegment,
    count_energy,
    join_segments,
    remove_glitches,
)
from enphase_companion.storage.summary import COLUMNS, Summary, fold, from_row, summarize_reading, to_row

SECOND = 1000

#: A busy machine is no failure.
patient = settings(deadline=None)


def segments(*readings: tuple[float, float]) -> list[CounterSegment]:
    """Single readings: minutes, and Wh."""
    return [CounterSegment(round(at * MINUTE), wh, round(at * MINUTE), wh) for at, wh in readings]


def energy(*readings: tuple[float, float], edges: tuple[float, ...] = (0, 60)) -> list[float | None]:
    return [
        each.energy for each in count_energy(segments(*readings), [round(edge * MINUTE) for edge in edges])
    ]


def test_energy_is_what_the_counter_rose() -> None:
    assert energy((0, 1000), (1, 1010), (2, 1010), (3, 1040)) == [40]


def test_nothing_said_is_no_energy_rather_than_zero() -> None:
    assert energy() == [None]
    assert energy((1, 500)) == [0]
    assert energy((1, 500), (2, 510), edges=(0, 30, 60)) == [10, None]


def test_energy_across_an_edge_is_divided_by_time() -> None:
    assert energy((4, 100), (8, 120), edges=(0, 5, 10)) == [5, 15]
    assert energy((5, 100), (10, 150), edges=(0, 5, 10, 15)) == [None, 50, 0]


def test_energy_of_slow_polling_is_divided_among_the_buckets_between() -> None:
    assert energy((0.5, 0), (5.5, 50), edges=(0, 1, 2, 3, 4, 5, 6)) == [5, 10, 10, 10, 10, 5]


def test_energy_before_and_after_the_outer_edges_counts_as_far_as_it_is_inside() -> None:
    assert energy((-1, 0), (1, 10), (59, 500), (61, 510), edges=(0, 60)) == [5 + 490 + 5]


def test_energy_of_a_gap_belongs_to_its_end_and_is_called_recovered() -> None:
    before, during, after = count_energy(
        segments((1, 100), (2, 110), (58, 500), (59, 510)), [0, 10 * MINUTE, 50 * MINUTE, 60 * MINUTE]
    )
    assert (before.energy, before.recovered) == (10, 0)
    assert (during.energy, during.recovered) == (None, 0)
    assert (after.energy, after.recovered) == (390 + 10, 390)


def test_a_reset_is_marked_and_its_unknown_energy_not_made_up() -> None:
    (hour,) = count_energy(segments((1, 5000), (2, 5010), (3, 0), (4, 12), (30, 100)), [0, 60 * MINUTE])
    assert hour.energy == 10 + 12 + 88
    assert hour.resets == (3 * MINUTE,)


def test_a_replaced_meter_that_counts_higher_is_seen_too() -> None:
    (hour,) = count_energy(segments((1, 5000), (2, 5010), (3, 7_000_000), (30, 7_000_012)), [0, 60 * MINUTE])
    assert hour.energy == 10 + 12
    assert hour.resets == (3 * MINUTE,)


@pytest.mark.parametrize("wrong", [0, 9e9])
def test_a_counter_that_comes_back_was_never_reset(wrong: float) -> None:
    (hour,) = count_energy(
        segments((1, 5000), (2, 5010), (3, wrong), (4, wrong), (5, 5040)), [0, 60 * MINUTE]
    )
    assert hour.energy == 40
    assert hour.resets == ()


def test_a_counter_that_trembles_is_held() -> None:
    (hour,) = count_energy(segments(*((i, 5000 + i / 10 - i % 2 * 0.3) for i in range(60))), [0, 60 * MINUTE])
    assert hour.energy == pytest.approx(5.9 - 0.3)
    assert hour.resets == ()


def test_a_fall_of_just_now_may_be_a_glitch_and_is_not_judged() -> None:
    said = [(1, 5000), (2, 5010), (50, 3), (55, 9), (64.9, 9)]
    (hour,) = count_energy(segments(*said), [0, 90 * MINUTE])
    assert (hour.energy, hour.resets) == (10, ())
    (hour,) = count_energy(segments(*said, (65, 9)), [0, 90 * MINUTE])
    assert (hour.energy, hour.resets) == (10 + 6, (50 * MINUTE,))


def test_a_fall_that_lasts_is_a_reset_although_the_counter_gets_there_again() -> None:
    said = segments(*((i, 10_000 + 100 * (i if i < 50 else i - 50)) for i in range(200)))
    (hours,) = count_energy(said, [0, 200 * MINUTE])
    assert hours.energy == 4900 + 14_900
    assert hours.resets == (50 * MINUTE,)


def test_runs_are_told_apart_by_gaps_falls_and_leaps_only() -> None:
    said = segments((0, 9000), (1, 9001), (7, 9007), (13.1, 9013), (14, 5000), (15, 1e9))
    assert join_segments(said) == [CounterSegment(0, 9000, 7 * MINUTE, 9007), *said[3:]]


def test_what_is_dropped_as_a_glitch_is_only_what_neither_side_agrees_with() -> None:
    said = segments((0, 9000), (1, 0), (2, 9001), (3, 5000), (4, 5001), (30, 5010))
    assert remove_glitches(said) == [said[0], *said[2:]]


def test_a_counter_that_comes_and_goes_all_day_makes_no_endless_rollup() -> None:
    said = [(i / 60, 9000 + i / 100 if i % 3 else 0) for i in range(1, 6000)]
    parts = [summarize_reading(segment.first_time, 0.0, segment.first, None) for segment in segments(*said)]
    day = fold([fold(parts[i : i + 60]) for i in range(0, len(parts), 60)])
    assert len(day.delivered) < 100
    (hours,) = count_energy(day.delivered, [0, 120 * MINUTE])
    assert hours.energy == pytest.approx(59.98, abs=0.1)
    assert hours.resets == ()


def test_a_bucket_that_begins_with_a_glitch_keeps_what_is_true() -> None:
    before, bucket = segments((0, 9000)), segments((1, 0), (2, 9001), (8, 0), (9, 9002), (30, 9003))
    for rolled_up in (
        bucket,
        fold(
            [summarize_reading(segment.first_time, 0.0, segment.first, None) for segment in bucket]
        ).delivered,
    ):
        (hour,) = count_energy([*before, *rolled_up], [0, 60 * MINUTE])
        assert (hour.energy, hour.resets) == (3, ())


def test_a_glitch_that_was_rolled_up_with_what_came_after_is_seen_at_the_edge() -> None:
    """Where a counter of a few kWh was zero at first in a quarter-hour, its segment began at zero."""
    before, quarter = (
        CounterSegment(0, 4000, 14 * MINUTE, 4100),
        CounterSegment(15 * MINUTE, 0, 29 * MINUTE, 4250),
    )
    (hour,) = count_energy([before, quarter, *segments((60, 4300))], [0, 60 * MINUTE])
    assert hour.energy == 100 + 150
    assert hour.resets == ()


#: Seconds since the reading before, W meanwhile, and what happens to the counter then: mostly nothing.
steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 90), st.integers(90, 3000)),
        st.integers(0, 20_000),
        st.sampled_from(["", "", "", "", "tremble", "reset", "replaced", "zero", "nonsense", "silent"]),
    ),
    min_size=1,
    max_size=60,
)


def _readings(said: list[tuple[int, int, str]]) -> list[Summary]:
    at, wh = 1_790_000_000, 1e7
    result: list[Summary] = []
    for pause, watts, event in said:
        at += pause
        event = event if result else ""  # noqa: PLW2901 - what comes first is what the rest is judged by
        wh += watts * pause / 3600 + {"tremble": -0.3, "reset": -80_000, "replaced": 5e6}.get(event, 0)
        told = {"zero": 0.0, "nonsense": 9e9, "silent": None}.get(event, wh)
        result.append(summarize_reading(at * 1000, watts, told, None))
    return result


@patient
@given(steps, st.lists(st.integers(0, 60), max_size=12), st.lists(st.integers(0, 60), max_size=4))
def test_energy_is_the_same_however_readings_are_rolled_up(
    said: list[tuple[int, int, str]], cuts: list[int], coarser: list[int]
) -> None:
    """Any partition, and any partition of that, gives what the readings themselves give."""
    readings = _readings(said)
    edges = [readings[0].first_time, readings[-1].last_time + 1]

    def parted(parts: list[Summary], at: list[int]) -> list[Summary]:
        inner = sorted({cut for cut in at if 0 < cut < len(parts)})
        return [fold(parts[a:b]) for a, b in pairwise([0, *inner, len(parts)])]

    once = parted(readings, cuts)
    twice = parted(once, coarser)

    expected = count_energy([segment for each in readings for segment in each.delivered], edges)[0]
    for rolled in (once, twice, [fold(readings)]):
        rows = [from_row([to_row(each)[name] for name in COLUMNS]) for each in rolled]
        assert rows == rolled
        found = count_energy([segment for each in rows for segment in each.delivered], edges)[0]
        assert found.energy == pytest.approx(expected.energy)
        assert found.recovered == pytest.approx(expected.recovered)
        assert found.resets == expected.resets
        assert sum(each.reading_count for each in rows) == len(readings)


@patient
@given(
    st.lists(st.tuples(st.integers(1, GAP // SECOND), st.floats(0, 250)), min_size=2, max_size=40),
    st.lists(st.integers(0, 15_000), max_size=6, unique=True),
)
def test_without_gaps_energy_up_to_any_moment_follows_the_counter(
    said: list[tuple[int, float]], inner: list[int]
) -> None:
    times, values = [0], [1e6]
    for pause, rise in said:
        times.append(times[-1] + pause * SECOND)
        values.append(values[-1] + rise)
    inside = sorted({at * SECOND for at in inner if 0 < at * SECOND < times[-1]})
    edges = [0, *inside, times[-1]]

    def counter(at: int) -> float:
        index = next(i for i in range(1, len(times)) if at <= times[i])
        share = (at - times[index - 1]) / (times[index] - times[index - 1])
        return values[index - 1] + share * (values[index] - values[index - 1])

    found = count_energy(
        [CounterSegment(at, wh, at, wh) for at, wh in zip(times, values, strict=True)], edges
    )
    for each, (start, end) in zip(found, pairwise(edges), strict=True):
        expected = counter(end) - (counter(start) if start else values[0])
        assert (each.energy or 0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("fall", "resets"), [(100.0, ()), (100.5, (2 * MINUTE,))], ids=["jitter", "more than jitter"]
)
def test_a_fall_of_more_than_100_wh_is_a_reset(fall: float, resets: tuple[int, ...]) -> None:
    (hour,) = count_energy(segments((1, 5000), (2, 5000 - fall), (30, 5000)), [0, 60 * MINUTE])
    assert hour.resets == resets


@pytest.mark.parametrize(("more", "resets"), [(0, ()), (1, (2 * MINUTE,))])
def test_a_rise_by_more_than_1_mw_is_another_meters(more: float, resets: tuple[int, ...]) -> None:
    """A minute and two seconds, by which clocks may be wrong, at 1 MW."""
    most = 1e6 * 62 / 3600
    (hour,) = count_energy(segments((1, 5000), (2, 5000 + most + more), (30, 25_000)), [0, 60 * MINUTE])
    assert hour.resets == resets


@pytest.mark.parametrize("fallen", ["delivered", "received"])
def test_a_row_keeps_the_segments_of_both_counters_where_one_fell(fallen: str) -> None:
    said: list[tuple[int, float, float]] = [(0, 5000, 5000), (1, 5010, 5010), (2, 5020, 5020)]
    said[1] = (1, 7, 5010) if fallen == "delivered" else (1, 5010, 7)
    summary = fold([summarize_reading(at * MINUTE, 0.0, out, back) for at, out, back in said])
    row = to_row(summary)
    assert row["segments"] is not None
    assert from_row([row[name] for name in COLUMNS]) == summary


def test_a_row_has_no_segments_where_its_columns_say_the_same() -> None:
    for counters in ((5000.0, 5000.0), (5000.0, None), (None, 5000.0), (None, None)):
        summary = fold([summarize_reading(at * MINUTE, 0.0, *counters) for at in range(3)])
        assert to_row(summary)["segments"] is None


def test_a_fall_right_after_the_first_reading_counts_only_when_it_has_lasted() -> None:
    (hour,) = count_energy(segments((0, 5000), (1, 0), (15.9, 9)), [0, 60 * MINUTE])
    assert (hour.energy, hour.resets) == (0, ())
    (hour,) = count_energy(segments((0, 5000), (1, 0), (16, 9)), [0, 60 * MINUTE])
    assert hour.resets == (MINUTE,)
