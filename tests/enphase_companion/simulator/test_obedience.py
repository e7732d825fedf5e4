"""A house that obeys: its flows follow the orders, and its counters stay the integral of its powers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from enphase_companion.simulator import tariff_answers
from enphase_companion.simulator.house import House
from enphase_companion.simulator.prices import Prices
from enphase_companion.simulator.profiles import NET, PRODUCTION, STORAGE, TOTAL, find
from enphase_companion.simulator.truth import Truth

#: 13 o'clock by the sun, on a day in June.
START = 1_782_000_000.0
LONGITUDE = (13 - START / 3600 % 24) * 15
TYPES = (PRODUCTION, NET, TOTAL, STORAGE)
HOUR, DAY = 3600, 86400


def build_house(profile: str) -> House:
    return House(find(profile), 1, START, LONGITUDE)


def assert_balanced(truth: Truth) -> None:
    """Assert that what flows into the home comes from somewhere."""
    parts = [truth.of(name).total for name in (TOTAL, PRODUCTION, NET, STORAGE)]
    home, *sources = (part.active_power for part in parts)
    assert home == pytest.approx(sum(sources) + truth.generator, abs=1e-6)
    home, *sources = (part.reactive_power for part in parts)
    assert home == pytest.approx(sum(sources), abs=1e-6)


def assert_counts_what_flows(house: House, moments: Iterable[float]) -> None:
    """Assert that all counters rise by the integral of their powers, as seen at these moments."""
    truths = [house.truth(at) for at in moments]
    for truth in truths:
        assert_balanced(truth)
        state = truth.battery
        assert state is None or -1e-6 <= state.state_of_charge <= 100 + 1e-6
    for name in TYPES:
        for phase in range(house.profile.wired):
            parts = [truth.of(name).phases[phase] for truth in truths]
            flowed = [0.0] * 5
            for (before, first), (after, last) in pairwise(zip(truths, parts, strict=True)):
                hours = (after.time - before.time) / HOUR
                middle = (first.active_power + last.active_power) / 2 * hours
                reactive = (first.reactive_power + last.reactive_power) / 2 * hours
                apparent = (first.apparent_power + last.apparent_power) / 2 * hours
                added = (max(middle, 0), -min(middle, 0), apparent, max(reactive, 0), -min(reactive, 0))
                flowed = [sum(pair) for pair in zip(flowed, added, strict=True)]
            names = ("delivered", "received", "apparent", "lagging", "leading")
            gained = [
                getattr(parts[-1], f"energy_{each}") - getattr(parts[0], f"energy_{each}") for each in names
            ]
            assert gained == pytest.approx(flowed, rel=2e-3, abs=0.5), (name, phase)
            assert all(step >= 0 for step in gained)


def assert_same(truths: list[Truth], others: list[Truth]) -> None:
    """Assert that two houses are alike but for the rounding of sums."""
    for truth, other in zip(truths, others, strict=True):
        for name in TYPES:
            for one, two in zip(truth.of(name).phases, other.of(name).phases, strict=True):
                assert astuple(one) == pytest.approx(astuple(two), rel=1e-12, abs=1e-9)
        assert truth.inverters == pytest.approx(other.inverters)


def watch(start: float, *, seconds: int) -> list[float]:
    return [start + half / 2 for half in range(2 * seconds)]


def test_the_past_stays_as_it_was_and_the_counters_go_on() -> None:
    house, other = build_house("generator"), build_house("generator")
    moments = [START - DAY, START - 1, *watch(START + 60, seconds=40)]
    before = [house.truth(at) for at in moments]
    for number, at in enumerate((100.25, 100.75, 101.75, 160, 173.5)):
        house.order(START + at, mode=("backup", "self-consumption")[number % 2], charge_from_grid=True)
    assert_same([house.truth(at) for at in moments], before)
    assert house.truth(START + 200) != other.truth(START + 200)
    assert_counts_what_flows(house, watch(START + 90, seconds=180))
    # A later order changes nothing before it, although the curve had been computed further.
    until = [house.truth(START + second) for second in range(90, 200)]
    house.order(START + 200.5, production=False)
    assert_same([house.truth(START + second) for second in range(90, 200)], until)


def test_an_order_that_changes_nothing_leaves_the_house_as_it_is() -> None:
    house, other = build_house("battery"), build_house("battery")
    house.order(START + 5, mode="self-consumption", contacts_misread=True, relay_asked="open")
    assert house.truth(START + 2 * DAY) == other.truth(START + 2 * DAY)


def test_the_same_orders_give_the_same_house_in_any_order_of_queries() -> None:
    one, other = build_house("battery"), build_house("battery")
    one.truth(START + 3 * DAY)
    for house in (one, other):
        house.order(START + 5, mode="backup")
        house.order(START + DAY, mode="economy", reserve=35.0)
    last = other.truth(START + 4 * DAY)
    assert [one.truth(START + day * DAY) for day in range(5)][4] == last


def test_backup_fills_the_batteries_from_the_grid_and_keeps_them_full() -> None:
    house = build_house("battery")
    house.order(START + 10, mode="backup", charge_from_grid=True)
    state = house.truth(START + 60).battery
    assert state is not None
    assert state.power == pytest.approx(-3840)
    assert_counts_what_flows(house, watch(START, seconds=120))
    for hours in (12, 20, 30):
        state = house.truth(START + hours * HOUR).battery
        assert state is not None
        assert state.state_of_charge == pytest.approx(100, abs=0.5)
        assert state.power <= 0


def test_without_charging_from_the_grid_backup_waits_for_the_sun() -> None:
    house = build_house("battery")
    evening = START + 8 * HOUR
    house.order(evening, mode="backup")
    night = [house.truth(evening + 60 + minute * 60) for minute in range(4 * 60)]
    assert all(truth.battery is not None and truth.battery.power == 0 for truth in night)
    assert (
        house.truth(evening + 20 * HOUR).storage.total.energy_received
        > night[0].storage.total.energy_received
    )


def test_the_reserve_is_kept_and_the_charge_is_carried_into_the_next_days() -> None:
    house = build_house("battery")
    house.order(START + 10, reserve=60.0)
    charges = []
    for step in range(4 * 96):
        truth = house.truth(START + 6 * HOUR + step * 900)
        assert_balanced(truth)
        assert truth.battery is not None
        charges.append(truth.battery.state_of_charge)
    assert min(charges) == pytest.approx(60, abs=0.5)
    assert max(charges) > 90
    assert max(abs(after - before) for before, after in pairwise(charges)) < 10


@pytest.mark.parametrize("charge_from_grid", [False, True])
def test_economy_discharges_while_energy_is_dear_and_charges_from_the_grid_while_it_is_cheap(
    charge_from_grid: bool,
) -> None:
    house = build_house("cloud-controlled")
    prices = Prices.of(tariff_answers.tariff(house))
    house.order(START + 10, mode="economy", charge_from_grid=charge_from_grid, prices=prices)
    discharged = bought = 0
    for minutes in range(15, 5 * 24 * 60, 7):
        truth = house.truth(START + minutes * 60)
        assert_balanced(truth)
        local = datetime.fromtimestamp(truth.time + house.utc_offset, UTC)
        minute, is_weekend = local.hour * 60 + local.minute, local.weekday() > 4
        assert truth.battery is not None
        if not is_weekend and not 958 < minute < 1262:
            assert truth.battery.power <= 1e-6, local
        discharged += truth.battery.power > 100
        if truth.net_consumption.total.active_power > 100 and truth.battery.power < -100:
            bought += 1
            assert minute < 902, "it is cheap until 15:00"
    assert discharged > 30
    assert bought > 5 if charge_from_grid else bought == 0


def test_economy_with_one_price_is_self_consumption() -> None:
    house, other = build_house("battery"), build_house("battery")
    house.order(START + 10, mode="economy", prices=Prices.of(tariff_answers.tariff(house)))
    other.order(START + 10, mode="self-consumption", reserve=20.001)
    powers = [
        [each.truth(START + minutes * 60).storage.total.active_power for minutes in range(1, 3000, 60)]
        for each in (house, other)
    ]
    assert powers[0] == pytest.approx(powers[1], abs=2)


def test_a_contact_is_open_while_the_generator_runs_if_its_settings_say_so() -> None:
    house = build_house("generator")
    house.order(START, relay="open", generator="on", generator_sheds=frozenset({"NC1"}))
    assert "NC1" not in house.closed_contacts(START + 600)
    house.order(START + 700, generator="off")
    assert "NC1" in house.closed_contacts(START + 900)
    house.order(START + 1000, relay="closed", generator="on")
    assert "NC1" in house.closed_contacts(START + 1200)


def test_off_grid_nothing_flows_to_or_from_the_grid_and_the_panels_drop_out() -> None:
    house = build_house("battery")
    off, on = START + 28, START + 1828
    house.order(off, relay="open synchronizing", panels=False)
    house.order(off + 45, relay="open synchronized", panels=True)
    house.order(on, relay="closed", panels=False)
    house.order(on + 45, panels=True)
    assert house.truth(off).net_consumption.total.active_power != 0
    for second in range(1, 1800, 7):
        truth = house.truth(off + second)
        for phase in truth.net_consumption.phases:
            assert phase.active_power == phase.apparent_power == 0
        assert (truth.production.total.active_power < 0) == (second <= 45), second
    assert set(house.truth(off + 20).inverters.values()) == {0}
    assert house.truth(on + 20).net_consumption.total.apparent_power > 0
    assert_counts_what_flows(house, watch(START, seconds=150))
    assert_counts_what_flows(house, watch(on - 60, seconds=150))


def test_off_grid_full_batteries_limit_the_panels_and_empty_ones_leave_the_house_dark() -> None:
    house = build_house("battery")
    house.order(START, mode="backup", charge_from_grid=True)
    house.order(START + 20 * HOUR, relay="open")
    free, limited = build_house("battery"), 0.0
    for minutes in range(20 * 60 + 1, 28 * 60, 10):
        truth = house.truth(START + minutes * 60)
        assert_balanced(truth)
        assert truth.net_consumption.total.active_power == 0
        assert sum(truth.inverters.values()) == pytest.approx(truth.production.total.active_power, abs=5)
        could = free.truth(START + minutes * 60).production.total.active_power
        limited = max(limited, could - truth.production.total.active_power)
    assert limited > 1000
    house.order(START + 24 * HOUR, production=False)
    dark = house.truth(START + 60 * HOUR)
    assert dark.battery is not None
    assert dark.battery.state_of_charge == pytest.approx(5, abs=0.5)
    assert dark.total_consumption.total.active_power < 5
    assert_balanced(dark)


def test_a_generator_feeds_the_house_off_grid_and_charges_the_batteries() -> None:
    house = build_house("generator")
    evening = START + 9 * HOUR
    house.order(evening, relay="open", generator="on")
    truth = house.truth(evening + 600)
    assert truth.generator > truth.total_consumption.total.active_power
    assert truth.battery is not None
    assert truth.battery.power < -1000
    house.order(evening + 700, charge_from_generator=False)
    truth = house.truth(evening + 900)
    assert truth.generator == pytest.approx(
        truth.total_consumption.total.active_power - truth.production.total.active_power
    )
    house.order(evening + 1000, relay="closed")
    assert house.truth(evening + 1200).generator == 0
    assert_counts_what_flows(house, watch(evening + 600, seconds=500))


def test_an_automatic_generator_starts_and_stops_by_the_charge() -> None:
    house = build_house("generator")
    evening = START + 9 * HOUR
    house.order(evening, relay="open", generator="auto", production=False)
    charges = {True: [], False: []}  # type: dict[bool, list[float]]
    for step in range(3 * 96):
        truth = house.truth(evening + 600 + step * 900)
        assert truth.battery is not None
        charges[truth.generator > 0].append(truth.battery.state_of_charge)
    assert min(charges[False]) >= 29
    assert max(charges[True]) <= 81


def test_open_contacts_shed_their_loads_and_closed_ones_add_theirs() -> None:
    house, other = build_house("generator"), build_house("generator")
    full = other.truth(START + 100).total_consumption.total.active_power
    for closed, share in (({"NC2"}, 0.7), ({"NC1", "NC2", "NO1"}, 1.25), ({"NO2"}, 0.5)):
        house.order(START + 10, closed=frozenset(closed))
        drawn = house.truth(START + 100).total_consumption.total.active_power
        assert drawn == pytest.approx(share * full), closed


def test_off_grid_a_contact_opens_and_closes_by_the_charge() -> None:
    house, free = build_house("generator"), build_house("generator")
    evening = START + 9 * HOUR
    house.order(evening, relay="open", generator="auto", contact_limits=(("NC1", 40.0, 70.0),))
    seen: set[tuple[bool, bool]] = set()
    for step in range(2 * 288):
        at = evening + 600 + step * 300
        state, closed = house.truth(at).battery, "NC1" in house.closed_contacts(at)
        assert state is not None
        if not 39 < state.state_of_charge < 71:
            assert closed == (state.state_of_charge > 71)
        truth = house.truth(at)
        full = free.truth(at).total_consumption.total.active_power
        drawn = truth.total_consumption.total.active_power
        if truth.generator > 0 and closed == ("NC1" in house.closed_contacts(at - 60)):
            assert drawn == pytest.approx(full * (1.0 if closed else 0.7), rel=0.05)
        seen.add((closed, truth.generator > 0))
    assert len(seen) == 4
    house.order(evening + DAY, relay="closed")
    assert "NC1" in house.closed_contacts(evening + DAY + 2)


def test_an_array_that_is_switched_off_only_draws_its_standby_power() -> None:
    house = build_house("three-phase")
    house.order(START + 10, production=False)
    house.order(START + 400, production=True)
    assert_counts_what_flows(house, watch(START, seconds=30))
    truth = house.truth(START + 11)
    assert -10 < truth.production.total.active_power < 0
    assert house.truth(START + 401).production.total.active_power > 1000


def test_sleeping_ac_batteries_take_no_part() -> None:
    house = build_house("ac-batteries")
    serials = frozenset(f"1219{number + 1:08d}" for number in range(4))
    house.order(START + 10, mode="backup", charge_from_grid=True, asleep=frozenset(sorted(serials)[:1]))
    state = house.truth(START + 100).battery
    assert state is not None
    assert state.power == pytest.approx(-3 * 270)
    house.order(START + 200, asleep=serials)
    state = house.truth(START + 300).battery
    assert state is not None
    assert state.power == 0
