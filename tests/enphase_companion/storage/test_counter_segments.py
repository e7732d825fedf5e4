"""Counter segments: the energy they count does not depend on how they are rolled up."""

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

#: Examples may take any time: a busy machine must not fail the tests.
patient = settings(deadline=None)


def build_segments(*readings: tuple[float, float]) -> list[CounterSegment]:
    """Return one segment per reading (minute, Wh)."""
    return [CounterSegment(round(at * MINUTE), wh, round(at * MINUTE), wh) for at, wh in readings]


def count_wh(*readings: tuple[float, float], edges: tuple[float, ...] = (0, 60)) -> list[float | None]:
    return [
        each.energy
        for each in count_energy(build_segments(*readings), [round(edge * MINUTE) for edge in edges])
    ]


def test_energy_is_the_rise_of_the_counter() -> None:
    assert count_wh((0, 1000), (1, 1010), (2, 1010), (3, 1040)) == [40]


def test_energy_without_readings_is_unknown_rather_than_zero() -> None:
    assert count_wh() == [None]
    assert count_wh((1, 500)) == [0]
    assert count_wh((1, 500), (2, 510), edges=(0, 30, 60)) == [10, None]


def test_energy_across_an_edge_is_divided_by_time() -> None:
    assert count_wh((4, 100), (8, 120), edges=(0, 5, 10)) == [5, 15]
    assert count_wh((5, 100), (10, 150), edges=(0, 5, 10, 15)) == [None, 50, 0]


def test_energy_between_slow_polls_is_divided_among_the_buckets() -> None:
    assert count_wh((0.5, 0), (5.5, 50), edges=(0, 1, 2, 3, 4, 5, 6)) == [5, 10, 10, 10, 10, 5]


def test_energy_across_the_outer_edges_counts_only_inside_them() -> None:
    assert count_wh((-1, 0), (1, 10), (59, 500), (61, 510), edges=(0, 60)) == [5 + 490 + 5]


def test_energy_of_a_gap_is_recovered_energy_of_the_bucket_in_which_it_ends() -> None:
    before, during, after = count_energy(
        build_segments((1, 100), (2, 110), (58, 500), (59, 510)), [0, 10 * MINUTE, 50 * MINUTE, 60 * MINUTE]
    )
    assert (before.energy, before.recovered) == (10, 0)
    assert (during.energy, during.recovered) == (None, 0)
    assert (after.energy, after.recovered) == (390 + 10, 390)


def test_a_reset_is_marked_and_its_unknown_energy_is_not_estimated() -> None:
    (hour,) = count_energy(build_segments((1, 5000), (2, 5010), (3, 0), (4, 12), (30, 100)), [0, 60 * MINUTE])
    assert hour.energy == 10 + 12 + 88
    assert hour.resets == (3 * MINUTE,)


def test_a_replacement_meter_with_a_higher_counter_is_a_reset() -> None:
    (hour,) = count_energy(
        build_segments((1, 5000), (2, 5010), (3, 7_000_000), (30, 7_000_012)), [0, 60 * MINUTE]
    )
    assert hour.energy == 10 + 12
    assert hour.resets == (3 * MINUTE,)


@pytest.mark.parametrize("wrong", [0, 9e9])
def test_a_counter_that_returns_to_its_old_value_was_not_reset(wrong: float) -> None:
    (hour,) = count_energy(
        build_segments((1, 5000), (2, 5010), (3, wrong), (4, wrong), (5, 5040)), [0, 60 * MINUTE]
    )
    assert hour.energy == 40
    assert hour.resets == ()


def test_counter_jitter_adds_no_energy() -> None:
    (hour,) = count_energy(
        build_segments(*((i, 5000 + i / 10 - i % 2 * 0.3) for i in range(60))), [0, 60 * MINUTE]
    )
    assert hour.energy == pytest.approx(5.9 - 0.3)
    assert hour.resets == ()


def test_a_recent_fall_may_be_a_glitch_and_is_not_yet_a_reset() -> None:
    readings = [(1, 5000), (2, 5010), (50, 3), (55, 9), (64.9, 9)]
    (hour,) = count_energy(build_segments(*readings), [0, 90 * MINUTE])
    assert (hour.energy, hour.resets) == (10, ())
    (hour,) = count_energy(build_segments(*readings, (65, 9)), [0, 90 * MINUTE])
    assert (hour.energy, hour.resets) == (10 + 6, (50 * MINUTE,))


def test_a_lasting_fall_is_a_reset_even_if_the_counter_later_reaches_its_old_value() -> None:
    readings = build_segments(*((i, 10_000 + 100 * (i if i < 50 else i - 50)) for i in range(200)))
    (hours,) = count_energy(readings, [0, 200 * MINUTE])
    assert hours.energy == 4900 + 14_900
    assert hours.resets == (50 * MINUTE,)


def test_only_gaps_falls_and_jumps_separate_segments() -> None:
    readings = build_segments((0, 9000), (1, 9001), (7, 9007), (13.1, 9013), (14, 5000), (15, 1e9))
    assert join_segments(readings) == [CounterSegment(0, 9000, 7 * MINUTE, 9007), *readings[3:]]


def test_only_a_value_that_fits_neither_neighbor_is_removed_as_a_glitch() -> None:
    readings = build_segments((0, 9000), (1, 0), (2, 9001), (3, 5000), (4, 5001), (30, 5010))
    assert remove_glitches(readings) == [readings[0], *readings[2:]]


def test_a_counter_that_drops_to_zero_all_day_keeps_the_rollup_small() -> None:
    readings = [(i / 60, 9000 + i / 100 if i % 3 else 0) for i in range(1, 6000)]
    parts = [
        summarize_reading(segment.first_time, 0.0, segment.first, None)
        for segment in build_segments(*readings)
    ]
    day = fold([fold(parts[i : i + 60]) for i in range(0, len(parts), 60)])
    assert len(day.delivered) < 100
    (hours,) = count_energy(day.delivered, [0, 120 * MINUTE])
    assert hours.energy == pytest.approx(59.98, abs=0.1)
    assert hours.resets == ()


def test_a_bucket_that_begins_with_a_glitch_keeps_its_valid_readings() -> None:
    before, bucket = (
        build_segments((0, 9000)),
        build_segments((1, 0), (2, 9001), (8, 0), (9, 9002), (30, 9003)),
    )
    for rolled_up in (
        bucket,
        fold(
            [summarize_reading(segment.first_time, 0.0, segment.first, None) for segment in bucket]
        ).delivered,
    ):
        (hour,) = count_energy([*before, *rolled_up], [0, 60 * MINUTE])
        assert (hour.energy, hour.resets) == (3, ())


def test_a_glitch_at_the_start_of_a_rolled_up_bucket_is_detected_at_its_edge() -> None:
    """The segment of a quarter-hour begins at zero if a counter of a few kWh was zero at first."""
    before, quarter = (
        CounterSegment(0, 4000, 14 * MINUTE, 4100),
        CounterSegment(15 * MINUTE, 0, 29 * MINUTE, 4250),
    )
    (hour,) = count_energy([before, quarter, *build_segments((60, 4300))], [0, 60 * MINUTE])
    assert hour.energy == 100 + 150
    assert hour.resets == ()


#: Seconds since the previous reading, mean power (W) in between, and the counter's event, mostly none.
steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 90), st.integers(90, 3000)),
        st.integers(0, 20_000),
        st.sampled_from(["", "", "", "", "jitter", "reset", "replaced", "zero", "nonsense", "silent"]),
    ),
    min_size=1,
    max_size=60,
)


def build_summaries(events: list[tuple[int, int, str]]) -> list[Summary]:
    at, wh = 1_790_000_000, 1e7
    result: list[Summary] = []
    for pause, watts, event in events:
        at += pause
        event = event if result else ""  # noqa: PLW2901 - the first reading is the reference and has no event
        wh += watts * pause / 3600 + {"jitter": -0.3, "reset": -80_000, "replaced": 5e6}.get(event, 0)
        reported = {"zero": 0.0, "nonsense": 9e9, "silent": None}.get(event, wh)
        result.append(summarize_reading(at * 1000, watts, reported, None))
    return result


@patient
@given(steps, st.lists(st.integers(0, 60), max_size=12), st.lists(st.integers(0, 60), max_size=4))
def test_energy_does_not_depend_on_how_readings_are_rolled_up(
    events: list[tuple[int, int, str]], cuts: list[int], coarser: list[int]
) -> None:
    """Any partition, and any partition of its parts, counts the energy that the readings count."""
    readings = build_summaries(events)
    edges = [readings[0].first_time, readings[-1].last_time + 1]

    def partition(parts: list[Summary], at: list[int]) -> list[Summary]:
        inner = sorted({cut for cut in at if 0 < cut < len(parts)})
        return [fold(parts[a:b]) for a, b in pairwise([0, *inner, len(parts)])]

    once = partition(readings, cuts)
    twice = partition(once, coarser)

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
def test_without_gaps_energy_up_to_any_time_follows_the_counter(
    rises: list[tuple[int, float]], inner: list[int]
) -> None:
    times, values = [0], [1e6]
    for pause, rise in rises:
        times.append(times[-1] + pause * SECOND)
        values.append(values[-1] + rise)
    inside = sorted({at * SECOND for at in inner if 0 < at * SECOND < times[-1]})
    edges = [0, *inside, times[-1]]

    def interpolate_counter(at: int) -> float:
        index = next(i for i in range(1, len(times)) if at <= times[i])
        share = (at - times[index - 1]) / (times[index] - times[index - 1])
        return values[index - 1] + share * (values[index] - values[index - 1])

    found = count_energy(
        [CounterSegment(at, wh, at, wh) for at, wh in zip(times, values, strict=True)], edges
    )
    for each, (start, end) in zip(found, pairwise(edges), strict=True):
        expected = interpolate_counter(end) - (interpolate_counter(start) if start else values[0])
        assert (each.energy or 0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("fall", "resets"), [(100.0, ()), (100.5, (2 * MINUTE,))], ids=["jitter", "more than jitter"]
)
def test_a_fall_of_more_than_100_wh_is_a_reset(fall: float, resets: tuple[int, ...]) -> None:
    (hour,) = count_energy(build_segments((1, 5000), (2, 5000 - fall), (30, 5000)), [0, 60 * MINUTE])
    assert hour.resets == resets


@pytest.mark.parametrize(("more", "resets"), [(0, ()), (1, (2 * MINUTE,))])
def test_a_rise_faster_than_1_mw_is_a_reset(more: float, resets: tuple[int, ...]) -> None:
    """The limit is 1 MW for a minute and two seconds: clocks may be off by two seconds."""
    most = 1e6 * 62 / 3600
    (hour,) = count_energy(build_segments((1, 5000), (2, 5000 + most + more), (30, 25_000)), [0, 60 * MINUTE])
    assert hour.resets == resets


@pytest.mark.parametrize("fallen", ["delivered", "received"])
def test_a_row_keeps_the_segments_of_both_counters_where_one_fell(fallen: str) -> None:
    readings: list[tuple[int, float, float]] = [(0, 5000, 5000), (1, 5010, 5010), (2, 5020, 5020)]
    readings[1] = (1, 7, 5010) if fallen == "delivered" else (1, 5010, 7)
    summary = fold([summarize_reading(at * MINUTE, 0.0, out, back) for at, out, back in readings])
    row = to_row(summary)
    assert row["segments"] is not None
    assert from_row([row[name] for name in COLUMNS]) == summary


def test_a_row_has_no_segments_if_its_columns_hold_all_their_values() -> None:
    for counters in ((5000.0, 5000.0), (5000.0, None), (None, 5000.0), (None, None)):
        summary = fold([summarize_reading(at * MINUTE, 0.0, *counters) for at in range(3)])
        assert to_row(summary)["segments"] is None


def test_a_fall_after_the_first_reading_is_a_reset_only_once_it_has_lasted() -> None:
    (hour,) = count_energy(build_segments((0, 5000), (1, 0), (15.9, 9)), [0, 60 * MINUTE])
    assert (hour.energy, hour.resets) == (0, ())
    (hour,) = count_energy(build_segments((0, 5000), (1, 0), (16, 9)), [0, 60 * MINUTE])
    assert hour.resets == (MINUTE,)
