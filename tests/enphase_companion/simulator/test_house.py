"""The simulated house: power is balanced, counters integrate power, the battery respects its limits."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest

from enphase_companion.simulator.day_curves import day_curves
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import NET, PRODUCTION, PROFILES, STORAGE, TOTAL
from enphase_companion.simulator.truth import Electricity, Measurement

#: An autumn morning. Tests use the days around it.
START = 1_764_000_000.0
DAY = 86400
TYPES = (PRODUCTION, NET, TOTAL, STORAGE)


@cache
def build_house(profile: str, seed: int = 1, start: float = START, longitude: float = 12.0) -> House:
    """Return a house that all tests share, as its days take long to compute."""
    return House(PROFILES[profile], seed, start, longitude)


def list_parts(measured: Measurement) -> list[Electricity]:
    """Return the phases and the total."""
    return [*measured.phases, measured.total]


@pytest.mark.parametrize("profile", PROFILES)
def test_home_power_is_always_the_sum_of_production_grid_and_battery(profile: str) -> None:
    built = build_house(profile)
    for at in range(int(START), int(START) + DAY, 1237):
        truth = built.truth(at + 0.25)
        for home, sun, grid, battery in zip(
            *(list_parts(truth.of(name)) for name in (TOTAL, PRODUCTION, NET, STORAGE)), strict=True
        ):
            total = sun.active_power + grid.active_power + battery.active_power
            assert home.active_power == pytest.approx(total, abs=1e-6)
            assert home.reactive_power == pytest.approx(
                sun.reactive_power + grid.reactive_power + battery.reactive_power, abs=1e-6
            )
            energies = [each.energy_delivered - each.energy_received for each in (home, sun, grid, battery)]
            assert energies[0] == pytest.approx(sum(energies[1:]), abs=0.01)


@pytest.mark.parametrize("profile", ["three-phase", "battery"])
@pytest.mark.slow
def test_counters_are_the_integral_of_power_by_direction(profile: str) -> None:
    """The sum of power at intervals of five seconds equals the rise of the counters."""
    built, step = build_house(profile), 5
    truths = [built.truth(START + second) for second in range(0, DAY // 3 + step, step)]
    for name in TYPES:
        for phase in range(built.profile.wired):
            parts = [truth.of(name).phases[phase] for truth in truths]
            watts, vars_, apparent = (
                [(getattr(a, quantity) + getattr(b, quantity)) / 2 * step / 3600 for a, b in pairwise(parts)]
                for quantity in ("active_power", "reactive_power", "apparent_power")
            )
            summed = {
                "energy_delivered": sum(wh for wh in watts if wh > 0),
                "energy_received": -sum(wh for wh in watts if wh < 0),
                "energy_lagging": sum(varh for varh in vars_ if varh > 0),
                "energy_leading": -sum(varh for varh in vars_ if varh < 0),
                "energy_apparent": sum(apparent),
            }
            gained = {counter: getattr(parts[-1], counter) - getattr(parts[0], counter) for counter in summed}
            # A change of direction within five seconds counts as one direction here.
            assert gained == pytest.approx(summed, rel=1e-4, abs=0.5)


def test_counters_never_fall() -> None:
    built = build_house("battery")
    truths = [built.truth(START - 3 * DAY + step * 601) for step in range(6 * DAY // 601)]
    for name in TYPES:
        for before, after in pairwise(truths):
            for old, new in zip(list_parts(before.of(name)), list_parts(after.of(name)), strict=True):
                assert new.energy_delivered >= old.energy_delivered
                assert new.energy_received >= old.energy_received
                assert new.energy_apparent >= old.energy_apparent


def test_a_total_is_the_sum_of_its_phases_including_voltage() -> None:
    """In recordings of real gateways, aggregate energies are sums of the wired phases too."""
    net = build_house("three-phase").truth(START).net_consumption
    for quantity in (
        "active_power",
        "apparent_power",
        "voltage",
        "current",
        "energy_delivered",
        "energy_received",
    ):
        phases = [getattr(phase, quantity) for phase in net.phases]
        assert getattr(net.total, quantity) == pytest.approx(sum(phases))
    assert net.total.frequency == net.phases[0].frequency


def test_one_phase_can_import_while_another_exports() -> None:
    built = build_house("three-phase")
    powers = [
        [phase.active_power for phase in built.truth(START + step * 60).net_consumption.phases]
        for step in range(24 * 60)
    ]
    assert any(min(phases) < -100 and max(phases) > 100 for phases in powers)


@pytest.mark.slow
def test_power_changes_little_within_a_second() -> None:
    built = build_house("battery")
    truths = [built.truth(START + 7200 + second) for second in range(3600)]
    for name in TYPES:
        watts = [truth.of(name).total.active_power for truth in truths]
        assert max(abs(after - before) for before, after in pairwise(watts)) < 120


def test_the_sun_is_high_at_noon_and_down_at_night() -> None:
    built = build_house("production-only")
    midnight = built.midnight(START)
    produced = {hour: built.truth(midnight + hour * 3600).production.total.active_power for hour in range(24)}
    assert produced[12] > 300
    assert -10 < produced[0] < 0
    assert -10 < produced[23] < 0


def test_the_load_has_peaks_above_a_base() -> None:
    built = build_house("three-phase")
    watts = [built.truth(START + step * 60).total_consumption.total.active_power for step in range(1440)]
    assert min(watts) > 100
    assert max(watts) > 2000
    assert 4_000 < sum(watts) / 60 < 40_000


@pytest.mark.parametrize("profile", ["battery", "battery-without-meter", "ac-batteries"])
@pytest.mark.slow
def test_the_battery_stays_between_reserve_and_full_and_has_losses(profile: str) -> None:
    built = build_house(profile)
    battery = PROFILES[profile].battery
    assert battery is not None
    charges = set()
    for day in range(-5, 5):
        for step in range(0, DAY, 900):
            state = built.truth(START + day * DAY + step).battery
            assert state is not None
            assert state.reserve - 1e-6 <= state.state_of_charge <= 100 + 1e-6
            assert abs(state.power) <= battery.units * battery.unit_power + 50
            charges.add(round(state.state_of_charge))
    assert max(charges) > 60
    assert min(charges) == 20


def test_the_stored_energy_is_the_charged_energy_less_losses() -> None:
    built = build_house("battery")
    for first in range(int(START) - 2 * DAY, int(START) + 2 * DAY, 7200):
        before, after = built.truth(first), built.truth(first + 7200)
        assert before.battery is not None
        assert after.battery is not None
        into = after.storage.total.energy_received - before.storage.total.energy_received
        out = after.storage.total.energy_delivered - before.storage.total.energy_delivered
        stored = after.battery.available_energy - before.battery.available_energy
        assert stored == pytest.approx(into * 0.95 - out / 0.95, abs=0.01)


def test_a_house_without_a_battery_stores_no_energy() -> None:
    truth = build_house("three-phase").truth(START)
    assert truth.battery is None
    assert truth.storage.total == Electricity(
        **{
            **dict.fromkeys(Electricity.__slots__, 0.0),
            "voltage": truth.production.total.voltage,
            "frequency": truth.production.total.frequency,
        }
    )


def test_the_microinverters_sum_up_to_the_production() -> None:
    built = build_house("three-phase")
    truth = built.truth(built.midnight(START) + 12 * 3600)
    assert len(truth.inverters) == 12
    assert sum(truth.inverters.values()) == pytest.approx(truth.production.total.active_power)
    unmetered = build_house("no-meters").truth(START - 6 * 3600)
    assert sum(unmetered.inverters.values()) == pytest.approx(unmetered.production.total.active_power)


@pytest.mark.slow
def test_equal_seeds_produce_equal_houses_in_any_order_of_queries() -> None:
    one, other = (House(PROFILES["battery"], 1, START, 12.0) for _ in range(2))
    other.truth(START + 2 * DAY)
    truths = [one.truth(START - 14 * DAY), one.truth(START)]
    day_curves.cache_clear()  # the days of equal houses are computed once per process
    assert truths == [other.truth(START - 14 * DAY), other.truth(START)]
    assert one.truth(START) != build_house("battery", seed=2).truth(START)


def test_a_house_started_later_on_a_day_has_equal_counters() -> None:
    assert build_house("battery", start=START + 3600).truth(START) == build_house("battery").truth(START)


@pytest.mark.parametrize("profile", ["three-phase", "battery"])
def test_the_counters_of_a_house_restarted_days_later_continue_higher(profile: str) -> None:
    june = 1_781_000_000.0
    for start in (START, june):
        earlier = build_house(profile, start=start)
        later = build_house(profile, start=start + 3 * DAY)
        for name in TYPES:
            for old, new in zip(
                earlier.truth(start + 3 * DAY).of(name).phases,
                later.truth(start + 3 * DAY).of(name).phases,
                strict=True,
            ):
                assert new.energy_delivered >= old.energy_delivered
                assert new.energy_received >= old.energy_received


def test_counters_start_at_some_megawatt_hours() -> None:
    truth = build_house("three-phase").truth(START)
    for name in (PRODUCTION, NET, TOTAL):
        assert 1e6 < truth.of(name).total.energy_delivered < 100e6


def test_a_time_out_of_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        build_house("three-phase").truth(START - 500 * DAY)


def test_midnight_follows_the_clock_of_the_house() -> None:
    assert build_house("three-phase", longitude=-120).midnight(START) % DAY == 8 * 3600
    assert build_house("three-phase", longitude=15).midnight(START) % DAY == 23 * 3600
