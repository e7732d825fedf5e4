"""The energies of batteries without a meter: integrated from their power, over gaps and restarts."""

from datetime import UTC, datetime, timedelta

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.battery_energy import BatteryEnergy, integrate
from custom_components.enphase_iq_gateway.const import CONF_LIVE_VALUES, DOMAIN
from custom_components.enphase_iq_gateway.energy_counter import METERS, EnergyCounter, Source
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES, find
from enphase_companion.simulator.truth import Truth

from .conftest import NOON, SetUp, Tick, make_entry, state_of

START = datetime(2026, 6, 21, 12, tzinfo=UTC)
MINUTE, GAP = timedelta(minutes=1), timedelta(minutes=3)
DAY = 86400


def energies(truth: Truth) -> tuple[float, float]:
    """Return the true charged and discharged energy (Wh)."""
    return truth.storage.total.energy_received, truth.storage.total.energy_delivered


def after(*powers: float | None, step: timedelta = MINUTE) -> BatteryEnergy | None:
    """Return the energies after samples (W) at this interval."""
    energy = None
    for number, power in enumerate(powers):
        energy = integrate(energy, power, START + number * step, GAP)
    return energy


def test_power_is_linear_between_two_samples() -> None:
    energy = after(600, 1200, 1200)
    assert energy is not None
    assert (energy.charged, energy.discharged) == pytest.approx((0, 15 + 20))


def test_a_change_of_sign_counts_for_both_energies() -> None:
    energy = after(-1200, 2400)
    assert energy is not None
    assert (energy.charged, energy.discharged) == pytest.approx((10 / 3, 40 / 3))
    energy = after(2400, -1200, 0, 0)
    assert energy is not None
    assert (energy.charged, energy.discharged) == pytest.approx((10 / 3 + 10, 40 / 3))


def test_an_unknown_power_is_bridged_until_it_is_a_gap() -> None:
    energy = after(1200, None, None, 1200)
    assert energy is not None
    assert energy.started_at == START
    assert energy.discharged == pytest.approx(60)
    assert after(1200, None, None, None, None) is None
    energy = after(1200, None, None, None, None, 1200)
    assert energy is not None
    assert (energy.started_at, energy.discharged) == (START + 5 * MINUTE, 0)


def test_nothing_is_counted_in_a_gap_or_if_the_clock_was_set_back() -> None:
    for step in (GAP + MINUTE, -MINUTE):
        energy = after(1200, 1200, step=step)
        assert energy is not None
        assert (energy.started_at, energy.discharged) == (START + step, 0)


def test_a_counter_continues_after_a_gap_and_when_the_batteries_get_a_meter() -> None:
    counter, hour = EnergyCounter(), timedelta(hours=1)
    first, second = Source.estimated(START), Source.estimated(START + hour)
    # The first sample is a value at once, and no gateway that has just started.
    assert counter.update(0, START, first) == 0
    assert counter.update(100, START + MINUTE, first) == 100
    assert counter.update(0, START + hour, second) == 100
    assert counter.update(5, START + hour + MINUTE, second) == 105
    counter = EnergyCounter.from_dict(counter.as_dict())
    assert counter.update(7_000_000, START + 2 * hour, METERS) == 105
    assert counter.update(7_000_020, START + 2 * hour + MINUTE, METERS) == 125
    assert counter.update(0, START + 3 * hour, Source.estimated(START + 3 * hour)) == 125


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "seconds"), [("battery-without-meter", 67), ("ac-batteries", 307)])
def test_over_a_week_with_outages_the_energies_are_those_of_the_house(profile: str, seconds: int) -> None:
    house = House(PROFILES[profile], 1, NOON, 0)
    counters, true = (EnergyCounter(), EnergyCounter()), [0.0, 0.0]
    energy: BatteryEnergy | None = None
    before: Truth | None = None
    # The power of the house bends at each full minute: samples at these would be exact.
    for second in range(23, 7 * DAY, seconds):
        if second % DAY in range(9 * 3600, 11 * 3600) or second % (5 * 3600) < 900:
            before = None
            continue
        now, truth = START + timedelta(seconds=second), house.truth(NOON + second)
        energy = integrate(energy, truth.storage.total.active_power, now, timedelta(seconds=3 * seconds))
        if before is not None:
            true = [
                total + late - early
                for total, early, late in zip(true, energies(before), energies(truth), strict=True)
            ]
        before = truth
        assert energy is not None
        source = Source.estimated(energy.started_at)
        counters[0].update(energy.charged, now, source)
        counters[1].update(energy.discharged, now, source)
    assert min(true) > 1000
    assert [counter.value for counter in counters] == pytest.approx(true, rel=0.03)


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_battery_and_home_energies_follow_the_house_and_continue_after_a_restart(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    keys = ("battery_energy_charged", "battery_energy_discharged", "home_energy")

    def shown() -> list[float]:
        return [float(state_of(hass, simulator, key)) * 1000 for key in keys]

    def true() -> list[float]:
        truth = simulator.house.truth(simulator.clock.time())
        return [*energies(truth), truth.total_consumption.total.energy_delivered]

    # In the evening the battery discharges.
    await tick(seconds=9 * 3600)
    await set_up(entry)
    start, true_start = shown(), true()
    assert start[:2] == [0, 0]
    await tick(seconds=60, times=60)
    counted = [late - early for early, late in zip(start, shown(), strict=True)]
    expected = [late - early for early, late in zip(true_start, true(), strict=True)]
    assert max(expected[:2]) > 100
    assert counted == pytest.approx(expected, rel=0.03, abs=5)
    for key in keys:
        entity_id = er.async_get(hass).async_get_entity_id(
            "sensor", DOMAIN, f"{simulator.serial_number}_{key}_today"
        )
        assert entity_id is not None
        state = hass.states.get(entity_id)
        assert state is not None
        assert state.attributes["estimated"] is True

    # Nothing is counted while Home Assistant is off; in the morning the battery charges.
    before = shown()
    await hass.config_entries.async_unload(entry.entry_id)
    await tick(seconds=11 * 3600)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown() == pytest.approx(before, abs=0.01)
    restarted = true()
    await tick(seconds=60, times=30)
    counted = [late - early for early, late in zip(before, shown(), strict=True)]
    expected = [late - early for early, late in zip(restarted, true(), strict=True)]
    assert expected[0] > 100
    assert counted[:2] == pytest.approx(expected[:2], rel=0.03)
    # The meters are read before the batteries: home is ahead by the energy charged in a minute at most.
    assert -5 <= counted[2] - expected[2] <= expected[0] / 30 + 5

    # A meter counts from here.
    before = shown()
    simulator.house.profile = find("battery")
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    metered = true()
    assert shown() == pytest.approx(before, abs=0.01)
    await tick(seconds=60, times=5)
    counted = [late - early for early, late in zip(before, shown(), strict=True)]
    expected = [late - early for early, late in zip(metered, true(), strict=True)]
    assert counted == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_a_minute_without_live_values_is_no_gap(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = make_entry(simulator, options={CONF_LIVE_VALUES: True})
    await set_up(entry)
    await tick(times=3)
    before = entry.runtime_data.data.battery_energy
    assert before is not None
    simulator.faults.set("status", "/ivp/livedata/status")
    await tick(times=6)
    simulator.faults.clear()
    await tick(times=3)
    energy = entry.runtime_data.data.battery_energy
    assert energy is not None
    assert energy.started_at == before.started_at
    assert energy.measured_at > before.measured_at
