"""Hours are filled in so that sums join what is before and after, and never fall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_companion.home_assistant.statistics import (
    Hour,
    Plan,
    Request,
    Statistic,
    plan_energy,
    plan_power,
)
from enphase_companion.storage import Power
from enphase_companion.storage.buckets import HOUR

DAY = 24
ALWAYS = Request(0, DAY * HOUR)
REPLACE = Request(0, DAY * HOUR, replace=True)


def sums(values: Mapping[int, float], state_offset: float = 5000.0) -> dict[int, Statistic]:
    """Return what Home Assistant has, by the number of the hour."""
    return {
        hour * HOUR: Statistic(hour * HOUR, sum=value, state=value + state_offset)
        for hour, value in values.items()
    }


def whole_hours(energies: Sequence[float | None]) -> dict[int, Hour]:
    """Return hours of the database with these energies; None: nothing was read."""
    return {
        hour * HOUR: Hour(energy, Power(energy, energy - 1, energy + 1), is_whole=True)
        for hour, energy in enumerate(energies)
        if energy is not None
    }


def apply(existing: Mapping[int, Statistic], plan: Plan) -> dict[int, Statistic]:
    """Return what Home Assistant has after it has stored a plan."""
    stored = dict(existing)
    for start, energy in plan.adjustments:
        for each, row in stored.items():
            if each >= start and row.sum is not None:
                stored[each] = Statistic(each, row.sum + energy, row.state, row.power)
    return dict(sorted((stored | {row.start: row for row in plan.rows}).items()))


def energies_of(stored: Mapping[int, Statistic]) -> dict[int, float]:
    """Return the energy of each hour, as the Energy dashboard shows it."""
    found = {}
    for before, after in pairwise(sorted(stored.values(), key=lambda row: row.start)):
        assert before.sum is not None
        assert after.sum is not None
        found[after.start // HOUR] = after.sum - before.sum
    return found


def test_three_missing_hours_get_their_energy_and_the_hour_of_return_keeps_its_own() -> None:
    hours = whole_hours([100.0] * DAY)
    existing = sums({hour: (hour + 1) * 100.0 for hour in range(DAY) if hour not in (18, 19, 20)})
    plan = plan_energy(existing, hours, ALWAYS)
    assert [row.start // HOUR for row in plan.rows] == [18, 19, 20]
    assert plan.adjustments == []
    stored = apply(existing, plan)
    assert energies_of(stored) == pytest.approx(dict.fromkeys(range(1, DAY), 100.0))
    assert stored[23 * HOUR] == existing[23 * HOUR]
    assert [row.state for row in plan.rows] == pytest.approx([6900.0, 7000.0, 7100.0])
    assert plan_energy(stored, hours, ALWAYS).is_empty


def test_the_hour_in_which_home_assistant_stopped_is_completed() -> None:
    hours = whole_hours([100.0] * DAY)
    values = {hour: (hour + 1) * 100.0 for hour in range(DAY) if hour not in (18, 19, 20)}
    existing = sums(values | {17: 1730.0})
    stored = apply(existing, plan_energy(existing, hours, ALWAYS))
    assert energies_of(stored) == pytest.approx(dict.fromkeys(range(1, DAY), 100.0))


def test_more_than_home_assistant_counted_is_never_written() -> None:
    hours = whole_hours([100.0] * DAY)
    existing = sums({10: 1000.0, 14: 1200.0, 15: 1300.0})
    plan = plan_energy(existing, hours, Request(11 * HOUR, 14 * HOUR))
    assert energies_of(apply(existing, plan)) == pytest.approx({11: 50, 12: 50, 13: 50, 14: 50, 15: 100})
    assert (plan.filled[0].known, plan.filled[0].written) == pytest.approx((300, 150))


def test_energy_that_the_database_does_not_know_stays_in_the_hour_of_return() -> None:
    hours = whole_hours([100.0] * DAY)
    existing = sums({10: 1000.0, 14: 5000.0})
    plan = plan_energy(existing, hours, Request(11 * HOUR, 14 * HOUR))
    assert energies_of(apply(existing, plan)) == pytest.approx({11: 100, 12: 100, 13: 100, 14: 3700})


def test_hours_that_the_database_lacks_remain_missing() -> None:
    hours = whole_hours([100.0] * 12 + [None, 200.0] + [100.0] * 10)
    existing = sums({hour: (hour + 1) * 100.0 for hour in range(DAY) if hour not in (11, 12, 13)})
    stored = apply(existing, plan_energy(existing, hours, ALWAYS))
    assert 12 * HOUR not in stored
    assert energies_of(stored) == pytest.approx(
        dict.fromkeys([*range(1, 12), *range(14, DAY)], 100) | {13: 200}
    )


def test_years_before_the_first_statistic_are_put_before_it() -> None:
    hours = whole_hours([100.0] * DAY)
    # Home Assistant was started at half past ten.
    existing = sums({10: 50.0, 11: 150.0, 12: 250.0})
    plan = plan_energy(existing, hours, ALWAYS)
    stored = apply(existing, plan)
    assert stored[0].sum == pytest.approx(100)
    assert energies_of(stored) == pytest.approx(dict.fromkeys(range(1, 13), 100.0))
    assert plan.adjustments[0] == pytest.approx((10 * HOUR, 1050))
    assert len(plan.adjustments) == 1
    assert plan.open_hours == DAY - 13
    # Interrupted between both commands, it is completed by the next run.
    adjusted = apply(existing, Plan(adjustments=plan.adjustments))
    again = plan_energy(adjusted, hours, ALWAYS)
    assert again.adjustments == []
    assert apply(adjusted, again) == stored
    assert plan_energy(stored, hours, ALWAYS).is_empty


def test_hours_after_the_last_statistic_are_left_to_home_assistant() -> None:
    plan = plan_energy(sums({3: 400.0}), whole_hours([100.0] * 8), Request(4 * HOUR, 8 * HOUR))
    assert plan.is_empty
    assert plan.open_hours == 4
    assert plan_energy({}, whole_hours([100.0] * 8), ALWAYS).open_hours == 8


def test_existing_hours_are_only_written_on_request() -> None:
    hours = whole_hours([100.0] * DAY)
    # After a power failure: no hour is missing, but all energy is in the hour of return.
    flat = {hour: (hour + 1) * 100.0 for hour in range(DAY)} | dict.fromkeys((18, 19, 20), 1800.0)
    existing = sums(flat)
    assert plan_energy(existing, hours, ALWAYS).is_empty
    plan = plan_energy(existing, hours, REPLACE)
    assert {row.start // HOUR for row in plan.rows} >= {18, 19, 20}
    assert plan.adjustments == []
    stored = apply(existing, plan)
    assert energies_of(stored) == pytest.approx(dict.fromkeys(range(1, DAY), 100.0))
    assert stored[23 * HOUR] == existing[23 * HOUR]
    assert plan_energy(stored, hours, REPLACE).is_empty


@pytest.mark.parametrize("wrong", [-600.0, 4_000_000.0])
def test_a_wrong_sum_is_replaced_and_later_ones_are_adjusted(wrong: float) -> None:
    hours = whole_hours([100.0] * DAY)
    # A counter reset lost energy, or a spike added some.
    existing = sums({hour: (hour + 1) * 100.0 + (wrong if hour >= 12 else 0) for hour in range(DAY)})
    request = Request(8 * HOUR, 16 * HOUR, replace=True)
    plan = plan_energy(existing, hours, request)
    assert plan.adjustments[0] == pytest.approx((16 * HOUR, -wrong))
    assert len(plan.adjustments) == 1
    stored = apply(existing, plan)
    assert energies_of(stored) == pytest.approx(dict.fromkeys(range(1, DAY), 100.0))
    assert plan_energy(stored, hours, request).is_empty


def test_a_day_sensor_starts_again_at_midnight() -> None:
    hours = {
        hour * HOUR: Hour(100.0, None, is_whole=True, today=(6 * HOUR, 100.0 * (hour - 5)))
        for hour in range(6, DAY)
    }
    existing = sums({8: 900.0, 12: 1300.0}, state_offset=-600.0)
    plan = plan_energy(existing, hours, Request(8 * HOUR, 13 * HOUR), resets_daily=True)
    assert [(row.state, row.last_reset) for row in plan.rows] == [
        (400.0, 6 * HOUR),
        (500.0, 6 * HOUR),
        (600.0, 6 * HOUR),
    ]


def test_power_is_filled_with_the_hours_in_which_the_gap_begins_and_ends() -> None:
    hours = whole_hours([100.0] * DAY)
    existing = {
        hour * HOUR: Statistic(hour * HOUR, power=Power(50.0, 40.0, 60.0)) for hour in (16, 17, 21, 22)
    }
    plan = plan_power(existing, hours, Request(18 * HOUR - 1, 22 * HOUR))
    assert [row.start // HOUR for row in plan.rows] == [18, 19, 20, 21]
    stored = apply(existing, plan)
    assert stored[20 * HOUR].power == Power(100.0, 99.0, 101.0)
    assert stored[16 * HOUR].power == stored[17 * HOUR].power == Power(50.0, 40.0, 60.0)
    assert plan_power(stored, hours, Request(18 * HOUR - 1, 22 * HOUR)).is_empty


def test_an_hour_of_which_the_database_knows_a_part_keeps_what_home_assistant_counted() -> None:
    hours = whole_hours([100.0] * 10) | {10 * HOUR: Hour(0.0)}
    existing = sums({10: 8.0})
    plan = plan_energy(existing, hours, ALWAYS)
    assert plan.adjustments[0] == pytest.approx((10 * HOUR, 1000))
    assert energies_of(apply(existing, plan)) == pytest.approx(dict.fromkeys(range(1, 10), 100.0) | {10: 8.0})


def test_years_that_were_written_before_an_unknown_hour_are_not_added_again() -> None:
    hours = whole_hours([None, 100.0, None, None])
    existing = sums({3: 8.0})
    plan = plan_energy(existing, hours, REPLACE)
    assert plan.adjustments == [(3 * HOUR, 100.0)]
    stored = apply(existing, plan)
    assert plan_energy(stored, hours, REPLACE).is_empty
    more = plan_energy(stored, whole_hours([None, 130.0, None, None]), REPLACE)
    assert more.adjustments == [(3 * HOUR, 30.0)]


@given(
    known=st.lists(st.none() | st.floats(0, 10_000), min_size=DAY, max_size=DAY),
    counted=st.lists(st.none() | st.floats(0, 10_000), min_size=DAY, max_size=DAY),
    start=st.integers(0, DAY),
    length=st.integers(0, DAY),
    replaces=st.booleans(),
    parts=st.sets(st.integers(0, DAY - 1)),
)
def test_sums_never_fall_and_a_second_run_changes_nothing(
    known: list[float | None],
    counted: list[float | None],
    start: int,
    length: int,
    replaces: bool,
    parts: set[int],
) -> None:
    hours = {at: replace(hour, is_whole=at // HOUR not in parts) for at, hour in whole_hours(known).items()}
    total, values = 0.0, {}
    for hour, energy in enumerate(counted):
        # The energy of missing hours is in the hour of return.
        total += 0.0 if energy is None else energy
        if energy is not None:
            values[hour] = total
    existing = sums(values)
    request = Request(start * HOUR, (start + length) * HOUR, replace=replaces)
    plan = plan_energy(existing, hours, request)
    stored = apply(existing, plan)
    assert all(energy > -0.02 for energy in energies_of(stored).values())
    if not plan.adjustments:
        assert all(
            stored[each] == row
            for each, row in existing.items()
            if each not in {written.start for written in plan.rows}
        )
    for row in plan.rows:
        assert request.start <= row.start < request.end
        assert row.start in hours
        if row.start in existing and not replaces:
            # It was cut off: the next hour was missing.
            assert row.start + HOUR not in existing
    again = plan_energy(stored, hours, request)
    assert again.is_empty, (plan, again)
