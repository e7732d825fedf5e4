"""Energy counters: steps are held, persistent ones continue with an offset, and the value never jumps."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.enphase_iq_gateway.const import EnergySource
from custom_components.enphase_iq_gateway.energy_counter import (
    HOLD_READINGS,
    INVERTER_OVERFLOW,
    MICROINVERTER,
    EnergyCounter,
    Source,
)
from enphase_api.models import DeviceData
from enphase_companion.simulator import Simulator, inverter_answers, production_answers

START = datetime(2026, 6, 21, 12, tzinfo=UTC)
KWH = 1000.0
#: The consumption of a home per interval of the tests (Wh).
STEP = 10.0
INTERVAL = timedelta(minutes=2)


class Meter:
    """A counter that is read at a fixed interval."""

    def __init__(self, interval: timedelta = INTERVAL) -> None:
        self.counter = EnergyCounter()
        self.now = START
        self._interval = interval

    def read(self, *values: float | None) -> list[float | None]:
        """Read values, one per interval, and return the results."""
        shown = []
        for value in values:
            self.now += self._interval
            shown.append(self.counter.update(value, self.now))
        return shown

    def holds(self) -> bool:
        """Return whether the counter is holding its value."""
        return self.counter.is_holding


@pytest.fixture
def meter() -> Meter:
    """Return a meter at 5000 kWh."""
    meter = Meter()
    meter.read(5000 * KWH)
    return meter


def running(first: float, count: int) -> list[float]:
    """Return consecutive readings of a counter, starting with `first`."""
    return [first + STEP * number for number in range(count)]


def test_a_regular_counter_is_not_changed(meter: Meter) -> None:
    values = running(5000 * KWH + STEP, 20)
    assert meter.read(*values) == values
    assert meter.counter.offset == 0
    assert not meter.holds()


def test_the_first_value_is_accepted() -> None:
    assert Meter().read(12.5) == [12.5]


def test_a_first_value_below_one_watt_hour_is_accepted() -> None:
    assert Meter().read(0.5) == [0.5]


def test_a_zero_at_first_is_accepted_once_it_persists() -> None:
    *first, last = Meter().read(*[0.0] * 20)
    assert first[:9] == [None] * 9
    assert last == 0.0


def test_the_first_value_after_zeros_at_startup_is_not_a_jump() -> None:
    assert Meter().read(0.0, 0.0, 5000 * KWH) == [None, None, 5000 * KWH]


def test_a_negative_sum_starts_at_zero() -> None:
    meter = Meter()
    values = [-9000 * KWH + STEP * number for number in range(30)]
    shown = [value for value in meter.read(*values) if value is not None]
    assert shown[0] == 0.0
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(STEP * (len(shown) - 1))
    kept = EnergyCounter.from_dict(meter.counter.as_dict())
    assert kept.update(values[-1] + STEP, meter.now + INTERVAL) == pytest.approx(shown[-1] + STEP)


@pytest.mark.parametrize("after", [2.0**32, 15_000 * KWH, 3.0])
def test_a_jump_after_a_clock_correction_of_years_is_held(after: float) -> None:
    meter = Meter()
    meter.read(20_000 * KWH)
    meter.counter.update(20_000 * KWH + STEP, datetime(2016, 1, 1, tzinfo=UTC))
    assert meter.read(after) == [20_000 * KWH + STEP]
    assert meter.holds()


def test_a_constant_counter_is_not_changed(meter: Meter) -> None:
    assert meter.read(5000 * KWH, 5000 * KWH) == [5000 * KWH, 5000 * KWH]


def test_a_short_drop_is_held(meter: Meter) -> None:
    assert meter.read(4999 * KWH, 4999 * KWH) == [5000 * KWH, 5000 * KWH]
    assert meter.holds()
    assert meter.read(5000 * KWH + STEP) == [5000 * KWH + STEP]
    assert not meter.holds()
    assert meter.counter.offset == 0


@pytest.mark.parametrize("after", [3.0, 1190 * KWH, 4998.9 * KWH])
def test_a_lasting_drop_continues_from_the_last_value(meter: Meter, after: float) -> None:
    shown = meter.read(*running(after, 30))
    # The energy that was counted while the value was held is included.
    assert shown[-1] == pytest.approx(5000 * KWH + 29 * STEP)
    assert meter.counter.offset == pytest.approx(5000 * KWH - after)
    assert not meter.holds()


def test_a_drop_is_held_for_15_minutes_even_if_it_is_read_every_second() -> None:
    meter = Meter(timedelta(seconds=1))
    meter.read(5000 * KWH)
    assert set(meter.read(*[7.0] * 15 * 60)) == {5000 * KWH}
    assert meter.counter.offset == 0
    meter.read(7.0)
    assert meter.counter.offset == 5000 * KWH - 7


def test_a_drop_is_held_for_10_readings_even_if_they_are_far_apart() -> None:
    meter = Meter(timedelta(hours=1))
    meter.read(5000 * KWH)
    assert set(meter.read(*[7.0] * (HOLD_READINGS - 1))) == {5000 * KWH}
    assert meter.holds()
    assert meter.read(7.0) == [5000 * KWH]
    assert not meter.holds()


def test_the_same_reading_twice_is_one_reading(meter: Meter) -> None:
    meter.now += timedelta(hours=1)
    for _ in range(50):
        assert meter.counter.update(7.0, meter.now) == 5000 * KWH
    assert meter.holds()


@pytest.mark.parametrize("nothing", [None, 0.0])
def test_missing_and_zero_readings_are_ignored(meter: Meter, nothing: float | None) -> None:
    shown = 5000 * KWH if nothing == 0 else None
    assert meter.read(nothing, nothing) == [shown, shown]
    assert meter.read(5000 * KWH + STEP) == [5000 * KWH + STEP]
    values = [value for each in running(3.0, 15) for value in (each, nothing)]
    meter.read(*values)
    assert meter.counter.value == pytest.approx(5000 * KWH + STEP + 14 * STEP)


def test_a_permanent_zero_is_held_permanently(meter: Meter) -> None:
    assert set(meter.read(*[0.0] * 2000)) == {5000 * KWH}
    assert meter.counter.offset == 0
    assert meter.read(6000 * KWH) == [6000 * KWH]


def test_a_jump_of_a_single_reading_is_not_shown(meter: Meter) -> None:
    assert meter.read(2.0**32) == [5000 * KWH]
    assert meter.read(5000 * KWH + STEP) == [5000 * KWH + STEP]


def test_a_lasting_jump_continues_from_the_last_value(meter: Meter) -> None:
    shown = meter.read(*running(2.0**32, 30))
    assert shown[-1] == pytest.approx(5000 * KWH + 29 * STEP)
    assert meter.counter.offset == pytest.approx(5000 * KWH - 2.0**32)


@pytest.mark.parametrize("limit", [2.0**32, 2.0**32 / 3600])
@pytest.mark.parametrize("others", [0.0, 7000 * KWH])
def test_an_overflow_is_added_immediately(limit: float, others: float) -> None:
    # The counter of one microinverter is a part of the sum.
    meter = Meter()
    meter.read(others + limit - STEP)
    shown = meter.read(*running(others + 1.0, 3))
    assert shown == pytest.approx(running(others + limit + 1.0, 3))
    assert meter.counter.offset == limit
    kept = EnergyCounter.from_dict(meter.counter.as_dict())
    assert kept.update(others + 31.0, meter.now + INTERVAL) == pytest.approx(others + limit + 31.0)


def test_a_drop_that_resembles_an_overflow_is_held(meter: Meter) -> None:
    assert meter.read(3860 * KWH) == [5000 * KWH]
    assert meter.holds()


@pytest.mark.parametrize("away", [timedelta(hours=10), timedelta(days=3), timedelta(days=60)])
@pytest.mark.parametrize("wraps", [1, 2, 3])
def test_overflows_of_a_sum_of_inverters_are_added_after_any_outage(away: timedelta, wraps: int) -> None:
    meter = Meter()
    meter.read(9000 * KWH)
    meter.now += away
    made = 250 * KWH if away > timedelta(days=1) else 30 * KWH
    shown = meter.read(9000 * KWH + made - wraps * INVERTER_OVERFLOW)
    assert shown == pytest.approx([9000 * KWH + made])
    assert meter.counter.offset == pytest.approx(wraps * INVERTER_OVERFLOW)
    assert not meter.holds()


def test_a_reset_during_a_night_is_not_an_overflow() -> None:
    meter = Meter()
    meter.read(900 * KWH)
    meter.now += timedelta(hours=12)
    shown = meter.read(*running(2 * KWH, 30))
    assert shown[-1] == pytest.approx(900 * KWH + 29 * STEP)


def test_a_reset_of_a_large_counter_is_not_several_overflows() -> None:
    meter = Meter()
    meter.read(4 * INVERTER_OVERFLOW - 20 * KWH)
    meter.now += timedelta(days=3)
    shown = meter.read(*running(2 * KWH, 30))
    assert shown[-1] == pytest.approx(4 * INVERTER_OVERFLOW - 20 * KWH + 29 * STEP)


def test_a_decrease_by_less_than_half_an_overflow_is_not_an_overflow() -> None:
    meter = Meter()
    meter.read(9000 * KWH)
    meter.now += timedelta(days=30)
    shown = meter.read(*running(8500 * KWH, 30))
    assert shown[-1] == pytest.approx(9000 * KWH + 29 * STEP)


@pytest.mark.parametrize("after", [174_174.0, 12_000 * KWH, 5000 * KWH])
@pytest.mark.parametrize("away", [INTERVAL, timedelta(days=200)])
def test_another_source_continues_from_the_last_value(after: float, away: timedelta) -> None:
    counter = EnergyCounter()
    counter.update(5000 * KWH, START, Source("inverters", "7.6.175"))
    at = START + away
    source = Source("totals", "7.6.175")
    assert counter.update(None, at, source) is None
    assert counter.update(0.0, at, source) == 5000 * KWH
    assert counter.update(after, at, source) == 5000 * KWH
    assert counter.update(after + STEP, at + INTERVAL, source) == pytest.approx(5000 * KWH + STEP)
    assert not counter.is_holding
    kept = EnergyCounter.from_dict(counter.as_dict())
    assert kept.update(after + 2 * STEP, at + 2 * INTERVAL, source) == pytest.approx(5000 * KWH + 2 * STEP)


@pytest.mark.parametrize(
    ("hours", "growth", "is_energy"),
    [
        (1, 20 * KWH, True),
        (24 * 7, 300 * KWH, True),
        # The overflows of a sum modulo 2^32 J.
        (1, INVERTER_OVERFLOW, False),
        (24 * 7, 5 * INVERTER_OVERFLOW, False),
        (24 * 7, -300 * KWH, False),
    ],
)
def test_a_firmware_update_adds_only_the_energy_in_between(
    hours: int, growth: float, is_energy: bool
) -> None:
    counter = EnergyCounter()
    counter.update(5000 * KWH, START, Source("inverters", "8.2.127"))
    after = Source("inverters", "8.2.4264")
    at = START + timedelta(hours=hours)
    expected = 5000 * KWH + (growth if is_energy else 0)
    assert counter.update(5000 * KWH + growth, at, after) == expected
    assert counter.update(5000 * KWH + growth + STEP, at + INTERVAL, after) == pytest.approx(expected + STEP)


def test_a_counter_that_was_reset_three_times_in_a_month_is_decreasing(meter: Meter) -> None:
    for _ in range(3):
        assert not meter.counter.is_decreasing
        value = meter.counter.value
        assert value is not None
        meter.now += timedelta(days=9)
        meter.read(*running(value - meter.counter.offset - 5 * KWH, 20))
    assert meter.counter.is_decreasing
    assert EnergyCounter.from_dict(meter.counter.as_dict()).is_decreasing
    meter.counter.rebase()
    assert not meter.counter.is_decreasing


def test_drops_that_are_far_apart_are_resets(meter: Meter) -> None:
    for _ in range(6):
        meter.now += timedelta(days=16)
        value = meter.counter.value
        assert value is not None
        meter.read(*running(value - meter.counter.offset - 5 * KWH, 20))
    assert not meter.counter.is_decreasing


def test_a_new_meter_after_weeks_is_not_an_overflow() -> None:
    meter = Meter()
    meter.read(900 * KWH)
    meter.now += timedelta(days=14)
    shown = meter.read(*running(2 * KWH, 30))
    assert shown[-1] == pytest.approx(900 * KWH + 29 * STEP)


def test_a_partial_recovery_ends_the_first_drop(meter: Meter) -> None:
    # A single reading of almost zero, then 2 MWh less than before.
    shown = meter.read(5.0, *running(3000 * KWH, 30))
    assert shown[-1] == pytest.approx(5000 * KWH + 29 * STEP)
    assert meter.counter.offset == pytest.approx(2000 * KWH)


def test_a_second_drop_is_held_and_accepted(meter: Meter) -> None:
    meter.read(*running(3.0, 20), 5 * KWH)
    before = meter.counter.value
    assert before is not None
    shown = meter.read(*running(1.0, 20))
    assert shown[-1] == pytest.approx(before + 19 * STEP)


def test_energy_during_an_outage_is_added_immediately(meter: Meter) -> None:
    meter.now += timedelta(days=2)
    assert meter.read(5060 * KWH) == [5060 * KWH]


def test_a_clock_that_is_set_back_does_not_stop_a_counter(meter: Meter) -> None:
    meter.now -= timedelta(days=30)
    assert meter.read(5000 * KWH + STEP) == [5000 * KWH + STEP]


def test_a_counter_is_the_same_after_a_restart(meter: Meter) -> None:
    meter.read(*running(3.0, 20))
    kept = EnergyCounter.from_dict(meter.counter.as_dict())
    assert (kept.value, kept.updated_at, kept.offset) == (
        meter.counter.value,
        meter.counter.updated_at,
        meter.counter.offset,
    )
    assert kept.update(3.0 + 20 * STEP, meter.now + INTERVAL) == pytest.approx(5000 * KWH + 20 * STEP)


@pytest.mark.parametrize(
    "data", [{}, {"value": None, "at": None, "offset": 0.0}, {"value": "x", "at": "y", "offset": "z"}]
)
def test_an_invalid_stored_counter_is_ignored(data: dict[str, object]) -> None:
    assert EnergyCounter.from_dict(data).update(7.0, START) == 7.0


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.just(0.0), st.floats(0, 2.0**33), st.floats(4.9e6, 5.1e6)),
            st.integers(0, 3600),
        ),
        max_size=60,
    )
)
def test_a_counter_never_drops_or_jumps(
    readings: list[tuple[float | None, int]],
) -> None:
    counter, now = EnergyCounter(), START
    shown: list[tuple[float, datetime]] = []
    for reading, seconds in readings:
        now += timedelta(seconds=seconds)
        value = counter.update(reading, now)
        assert reading is not None or value is None
        if value is not None:
            shown.append((value, now))
    for (before, _), (after, _) in pairwise(shown):
        assert before <= after
    if shown:
        (first, begin), (last, end) = shown[0], shown[-1]
        hours = (end - begin) / timedelta(hours=1) + len(shown) / 60
        assert last - first <= 1_000_000 * hours + 1


def test_a_small_decrease_is_held_for_hours_and_is_never_a_reset(meter: Meter) -> None:
    falling = [5000 * KWH - 2.0 * number for number in range(1, 300)]
    at_rest = [falling[-1]] * 2 * HOLD_READINGS
    assert set(meter.read(*falling, *at_rest)) == {5000 * KWH}
    assert meter.counter.offset == 0
    # No energy is lost: once the sum exceeds the held value, it is shown.
    assert meter.read(5000 * KWH + STEP) == [5000 * KWH + STEP]


# The limits, exact to the Wh and to the second.

#: 32 bits of joules.
OVERFLOW = 2**32 / 3600


def test_a_step_persists_after_15_minutes_and_10_readings() -> None:
    meter = Meter(timedelta(seconds=100))
    meter.read(5000 * KWH)
    *held, accepted = meter.read(*running(0.001, 10))
    assert held == [5000 * KWH] * 9
    assert accepted == pytest.approx(5000 * KWH + 9 * STEP)


@pytest.mark.parametrize(
    ("interval", "energy"),
    [(timedelta(seconds=1), 16_666), (timedelta(hours=1), 1_000_000), (timedelta(days=40), 720_000_000)],
    ids=["at least a minute", "1 MW", "at most 30 days"],
)
@pytest.mark.parametrize("excess", [0, 1])
def test_a_counter_advances_with_1_mw_at_most(interval: timedelta, energy: int, excess: int) -> None:
    meter = Meter(interval)
    meter.read(KWH, KWH + energy + excess)
    assert meter.holds() == bool(excess)


@pytest.mark.parametrize(("after", "is_overflow"), [(5, True), (100_000, True), (100_001, False)])
def test_an_overflow_of_a_meter_is_exact_within_100_kw(after: int, is_overflow: bool) -> None:
    meter = Meter(timedelta(hours=1))
    meter.read(2.0**32 + (5 if after == 5 else 0), after)
    assert meter.holds() != is_overflow
    assert not is_overflow or meter.counter.value == 2**32 + after


@pytest.mark.parametrize(
    ("hours", "before", "after", "is_overflow"),
    [
        # A sum of inverters above one overflow was not reset, however long ago it was read.
        (48, 2 * OVERFLOW, OVERFLOW, True),
        (1, 2 * OVERFLOW, OVERFLOW + 100_000, True),
        (1, 2 * OVERFLOW, OVERFLOW + 100_001, False),
        (10, 10 * OVERFLOW, 9 * OVERFLOW + 596_523, True),
        (10, 10 * OVERFLOW, 9 * OVERFLOW + 596_524, False),
        # A sum below one overflow may have been reset.
        (1, OVERFLOW - 1, 59_651, True),
        (1, OVERFLOW - 1, 59_652, False),
        (24, OVERFLOW - 100, 50, True),
        (25, OVERFLOW - 100, 50, False),
        (1, 2 * OVERFLOW - 100, 50, False),
    ],
)
def test_an_overflow_of_inverters_is_exact(
    hours: int, before: float, after: float, is_overflow: bool
) -> None:
    meter = Meter(timedelta(hours=hours))
    meter.read(before, after)
    assert meter.holds() != is_overflow
    assert not is_overflow or before <= (meter.counter.value or 0) < before + OVERFLOW / 2 + 1


@pytest.mark.parametrize(("decrease", "is_held"), [(0.5, False), (999, False), (1000, True)])
def test_a_decrease_below_1_kwh_is_not_a_step(meter: Meter, decrease: float, is_held: bool) -> None:
    assert meter.read(5000 * KWH - decrease) == [5000 * KWH]
    assert meter.holds() == is_held


@pytest.mark.parametrize(
    ("growth", "is_kept"), [(0, True), (0.5, True), (596_523, True), (596_524, False), (-1, False)]
)
def test_after_a_firmware_update_a_plausible_growth_is_kept(growth: float, is_kept: bool) -> None:
    source = Source("totals", "8.2.1")
    counter = EnergyCounter(5000 * KWH, START, offset=1000 * KWH, source=source)
    counter.update(4000 * KWH + growth, START + timedelta(hours=10), source._replace(firmware="8.2.2"))
    assert counter.value == 5000 * KWH + (growth if is_kept else 0)
    assert (counter.offset == 1000 * KWH) == is_kept


@pytest.mark.parametrize(("days", "is_decreasing"), [(30, True), (31, False)])
def test_three_resets_within_30_days_are_a_decrease(days: int, is_decreasing: bool) -> None:
    counter = EnergyCounter(5000 * KWH, START, decreases=[START, START])
    for minute in range(0, 30, 2):
        now = START + timedelta(days=days, minutes=minute - 18)
        counter.update(1.0, now)
    assert counter.is_decreasing == is_decreasing


def test_a_stored_counter_of_zero_is_restored() -> None:
    meter = Meter(timedelta(hours=1))
    meter.read(*[0.0] * 40)
    assert meter.counter.value == 0
    # In an hour, no site produces 2 MWh.
    meter.read(2_000 * KWH)
    assert meter.holds()


def test_an_incomplete_stored_state_is_ignored() -> None:
    for counter in (EnergyCounter(value=5000 * KWH), EnergyCounter(updated_at=START)):
        assert counter.update(3.0, START) == 3.0


@pytest.mark.parametrize("elapsed", [timedelta(minutes=5), timedelta(days=30)])
def test_a_microinverter_that_wraps_continues_at_once_even_after_weeks(elapsed: timedelta) -> None:
    counter = EnergyCounter()
    counter.update(INVERTER_OVERFLOW - 20, START, MICROINVERTER)
    assert counter.update(30, START + elapsed, MICROINVERTER) == pytest.approx(INVERTER_OVERFLOW + 30)
    assert not counter.is_holding


def test_a_microinverter_that_is_replaced_does_not_count_as_wrapped() -> None:
    counter = EnergyCounter()
    counter.update(300 * KWH, START, MICROINVERTER)
    assert counter.update(2, START + timedelta(days=1), MICROINVERTER) == 300 * KWH
    assert counter.is_holding


@pytest.mark.slow
def test_all_microinverters_together_are_what_the_array_produced_over_years_with_wraps() -> None:
    """Read every tenth day, as after an absence, over nearly all days of the simulated house."""
    house = Simulator("no-meters-8.3+inverters-wrap", start=START.timestamp(), longitude=0).house
    counters = {each.serial_number: EnergyCounter() for each in house.inverters}
    together, made = [], []
    for day in range(-390, 400, 10):
        at = int(START.timestamp()) + day * 86400
        for each in DeviceData.from_json(inverter_answers.device_data(house, at)).inverters:
            assert each.last_reported_at is not None
            counters[each.serial_number].update(each.lifetime_energy, each.last_reported_at, MICROINVERTER)
        together.append(sum(counter.value or 0 for counter in counters.values()))
        made.append(house.truth(at).production.total.energy_delivered)
    assert sum(counter.offset > 0 for counter in counters.values()) >= 3
    # The reports of an array are up to five minutes apart.
    assert together[-1] - together[0] == pytest.approx(made[-1] - made[0], abs=500)


@pytest.mark.slow
def test_all_microinverters_together_are_the_production_of_an_unmetered_gateway_with_wraps() -> None:
    """Read every day, on nearly all days of a year: the gateway's own sum drops with each of the wraps."""
    house = Simulator("no-meters-8.3+inverters-wrap", start=START.timestamp(), longitude=0).house
    counters = {each.serial_number: EnergyCounter() for each in house.inverters}
    production, source = EnergyCounter(), Source(EnergySource.INVERTERS, "8.3.5433")
    differences = []
    for day in range(-390, -30):
        at = int(START.timestamp()) + day * 86400
        for each in DeviceData.from_json(inverter_answers.device_data(house, at)).inverters:
            assert each.last_reported_at is not None
            counters[each.serial_number].update(each.lifetime_energy, each.last_reported_at, MICROINVERTER)
        reported = production_answers.production(house, at, details=False)["production"][0]["whLifetime"]
        value = production.update(reported, START + timedelta(days=day), source)
        assert value is not None
        differences.append(sum(counter.value or 0 for counter in counters.values()) - value)
    assert sum(counter.offset > 0 for counter in counters.values()) >= 3
    assert production.offset >= 3 * INVERTER_OVERFLOW
    # Each report is up to five minutes old.
    assert max(differences) - min(differences) < 500
