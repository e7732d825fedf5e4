"""Energy sensors: bad readings, restarts, and a change of the source."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_PRODUCTION_SOURCE, DOMAIN, EnergySource
from custom_components.enphase_iq_gateway.enphase_api.models import ProductionTotals, Site
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import find

from .conftest import SetUp, Tick, make_entry, state_of

ENERGIES = ["production_energy", "grid_energy_imported", "grid_energy_exported", "home_energy"]


def energies(hass: HomeAssistant, simulator: Simulator) -> list[float]:
    """Return the states of the energy sensors (kWh)."""
    return [float(state_of(hass, simulator, key)) for key in ENERGIES]


def true_energies(simulator: Simulator) -> list[float]:
    """Return the expected states (kWh)."""
    truth = simulator.house.truth(simulator.clock.time())
    grid = truth.net_consumption.total
    return [
        truth.production.total.energy_delivered / 1000,
        grid.energy_delivered / 1000,
        grid.energy_received / 1000,
        truth.total_consumption.total.energy_delivered / 1000,
    ]


@pytest.mark.parametrize("fault", ["zeros", "counters-fall"])
async def test_a_temporary_drop_is_held(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    fault: str,
) -> None:
    await set_up(entry)
    before = energies(hass, simulator)
    simulator.faults.set(fault, "/ivp/meters/readings")
    await tick(times=10)
    assert energies(hass, simulator) == before
    simulator.faults.clear()
    await tick()
    assert energies(hass, simulator) == pytest.approx(true_energies(simulator), abs=0.001)


async def test_after_a_reset_energy_continues_without_jump_or_gap(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    share = 0.5
    simulator.faults.set("counters-fall", "/ivp/meters/readings", share=share)
    await tick()
    truth_before, shown_before = true_energies(simulator), energies(hass, simulator)
    await tick(seconds=60, times=30)
    grown = [after - before for after, before in zip(true_energies(simulator), truth_before, strict=True)]
    shown = [after - before for after, before in zip(energies(hass, simulator), shown_before, strict=True)]
    assert shown == pytest.approx([share * each for each in grown], rel=0.01, abs=0.002)
    assert grown[0] > 0.5
    assert caplog.text.count("continuing from") == len(ENERGIES)
    for key in ENERGIES:
        counter = entry.runtime_data.counters.active[f"{simulator.serial_number}_{key}"]
        assert counter.offset > 0
        assert not counter.is_holding


@pytest.mark.parametrize(
    ("profile", "keys"),
    [
        ("three-phase+meters-wrap", ENERGIES),
        ("no-meters+inverter-wraps", ["production_energy"]),
    ],
)
async def test_energy_continues_after_an_overflow(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    keys: list[str],
) -> None:
    await set_up(entry)
    shown = [[float(state_of(hass, simulator, key)) for key in keys]]
    begin = true_energies(simulator)
    for _ in range(20):
        await tick(seconds=60)
        shown.append([float(state_of(hass, simulator, key)) for key in keys])
    for before, after in pairwise(shown):
        # Microinverters are polled every five minutes.
        assert all(0 <= new - old < 1 for new, old in zip(after, before, strict=True))
    grown = [end - start for end, start in zip(shown[-1], shown[0], strict=True)]
    true = [end - start for end, start in zip(true_energies(simulator), begin, strict=True)][: len(keys)]
    assert grown == pytest.approx(true, abs=0.01 if len(keys) > 1 else 0.5)
    counter = entry.runtime_data.counters.active[f"{simulator.serial_number}_production_energy"]
    assert counter.offset > 0


@pytest.mark.parametrize("profile", ["three-phase+zeros-after-power-cut"])
async def test_zeros_after_a_power_failure_are_ignored(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    before = energies(hass, simulator)
    simulator.restart()
    await tick(times=8)
    assert energies(hass, simulator) == before
    await tick(times=10)
    assert energies(hass, simulator) == pytest.approx(true_energies(simulator), abs=0.001)


async def test_counters_and_offsets_are_restored_after_a_restart(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("counters-fall", "/ivp/meters/readings", share=0.5)
    await tick(seconds=60, times=20)
    before = energies(hass, simulator)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert energies(hass, simulator) == pytest.approx(before, abs=0.001)
    await tick(seconds=60)
    after = energies(hass, simulator)
    assert all(new >= old for new, old in zip(after, before, strict=True))
    assert after == pytest.approx(before, abs=0.1)


@pytest.mark.slow
async def test_an_offset_is_kept_during_a_month_without_the_gateway(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("counters-fall", "/ivp/meters/readings", share=0.5)
    await tick(seconds=60, times=20)
    before = energies(hass, simulator)
    await hass.config_entries.async_unload(entry.entry_id)
    # Home Assistant itself forgets the state of an entity after a week.
    await tick(seconds=30 * 86400)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    after = energies(hass, simulator)
    assert all(new > old for new, old in zip(after, before, strict=True))
    assert entry.runtime_data.counters.active[f"{simulator.serial_number}_production_energy"].offset > 0


FILE = f"{DOMAIN}.counters"


async def test_counters_are_saved_every_15_minutes(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_storage: dict[str, Any],
) -> None:
    await set_up(entry)

    def kept() -> float:
        counters = hass_storage[FILE]["data"][simulator.serial_number]["counters"]
        return float(counters["home_energy"]["value"])

    await tick(seconds=60, times=10)
    assert FILE not in hass_storage
    await tick(seconds=60, times=10)
    first = kept()
    assert first > 0
    await tick(seconds=60, times=16)
    assert kept() > first


async def test_offsets_are_kept_when_an_entry_is_deleted_and_added_again(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.faults.set("counters-fall", "/ivp/meters/readings", share=0.5)
    await tick(seconds=60, times=20)
    before = energies(hass, simulator)
    await hass.config_entries.async_remove(entry.entry_id)
    await tick(seconds=60)
    again = await set_up(make_entry(simulator))
    after = energies(hass, simulator)
    assert all(0 <= new - old < 0.5 for new, old in zip(after, before, strict=True))
    counters = again.runtime_data.counters.active
    assert all(counters[f"{simulator.serial_number}_{key}"].offset > 0 for key in ENERGIES)


@pytest.mark.parametrize(("days", "are_kept"), [(364, True), (366, False)])
async def test_counters_of_a_deleted_gateway_are_kept_for_a_year(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_storage: dict[str, Any],
    days: int,
    are_kept: bool,
) -> None:
    long_ago = dt_util.utcnow() - timedelta(days=days)
    kept = {
        "value": 9e6,
        "updated_at": long_ago.isoformat(),
        "offset": 8e6,
        "source": ["meter", ""],
        "decreases": [],
    }
    hass_storage[FILE] = {
        "version": 1,
        "key": FILE,
        "data": {
            number: {"removed_at": long_ago.isoformat(), "counters": {"grid_energy_imported": kept}}
            for number in (simulator.serial_number, "999999999999")
        },
    }
    await set_up(entry)
    counter = entry.runtime_data.counters.active[f"{simulator.serial_number}_grid_energy_imported"]
    assert (counter.offset > 0) is are_kept
    await hass.config_entries.async_unload(entry.entry_id)
    data = hass_storage[FILE]["data"]
    assert data[simulator.serial_number]["removed_at"] is None
    assert ("999999999999" in data) is are_kept


async def test_a_negative_home_energy_at_the_first_setup_is_not_a_step(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = Site.from_readings

    def younger(*args: Any, **kwargs: Any) -> Site:
        # The grid meter was installed later than the production meter.
        site = read(*args, **kwargs)
        assert site.consumed_energy is not None
        return replace(site, consumed_energy=site.consumed_energy - 90e6)

    monkeypatch.setattr(Site, "from_readings", younger)
    await set_up(entry)
    assert state_of(hass, simulator, "home_energy") == STATE_UNKNOWN
    await tick(seconds=60, times=20)
    assert 0 < float(state_of(hass, simulator, "home_energy")) < 1
    assert entry.runtime_data.counters.active[f"{simulator.serial_number}_home_energy"].offset > 0
    assert "continuing from" not in caplog.text


async def test_a_drop_during_a_restart_is_held(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    before = energies(hass, simulator)
    simulator.faults.set("counters-fall", "/ivp/meters/readings", share=0.1)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert energies(hass, simulator) == before


@pytest.mark.slow
async def test_a_change_of_the_production_source_does_not_appear_in_the_statistics(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_PRODUCTION_SOURCE: EnergySource.INVERTERS}))
    before = float(state_of(hass, simulator, "production_energy"))
    simulator.faults.set("counters-fall", "/ivp/meters/readings", share=0.2)
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_PRODUCTION_SOURCE: EnergySource.METER}
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert float(state_of(hass, simulator, "production_energy")) == before
    await tick(seconds=60, times=20)
    assert before < float(state_of(hass, simulator, "production_energy")) < before + 2


def inverters_energy(simulator: Simulator) -> float:
    """Return the lifetime energy (kWh) of the microinverters as of their last report."""
    at = simulator.clock.time() // 300 * 300
    return simulator.house.truth(at).production.total.energy_delivered / 1000


def require_energy_of_totals(hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry) -> None:
    """Fail unless the production energy is read from the totals and matches that of the microinverters."""
    assert entry.runtime_data.data.production_source is EnergySource.TOTALS
    shown = float(state_of(hass, simulator, "production_energy"))
    assert shown == pytest.approx(inverters_energy(simulator), abs=0.5)


@pytest.mark.parametrize(
    ("profile", "source"),
    [
        ("no-meters", EnergySource.TOTALS),
        ("no-meters-8.3", EnergySource.INVERTERS),
        ("meters-disabled", EnergySource.INVERTERS),
    ],
)
async def test_without_meters_energy_is_read_where_the_firmware_counts_it(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, source: EnergySource
) -> None:
    await set_up(entry)
    shown = float(state_of(hass, simulator, "production_energy"))
    assert shown == pytest.approx(inverters_energy(simulator), abs=0.5)
    assert entry.runtime_data.data.production_source is source


async def production_through(hass: HomeAssistant, simulator: Simulator, tick: Tick, minutes: int) -> None:
    """Fail if the shown energy increases by more than was produced."""
    before, true = float(state_of(hass, simulator, "production_energy")), inverters_energy(simulator)
    for _ in range(minutes // 5):
        await tick(seconds=300)
    after = float(state_of(hass, simulator, "production_energy"))
    # Microinverters report every five minutes.
    assert after - before == pytest.approx(inverters_energy(simulator) - true, abs=0.5)
    assert after > before


@pytest.mark.parametrize("profile", ["no-meters"])
@pytest.mark.parametrize("silence", [0, 1, 5, 24])
async def test_a_firmware_update_with_another_source_adds_no_energy(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    silence: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    await production_through(hass, simulator, tick, 20)
    before = float(state_of(hass, simulator, "production_energy"))
    if silence:
        simulator.faults.set("status")
        await tick(seconds=300)
        await tick(seconds=silence * 3600)
        simulator.faults.clear()
    # Afterwards, its energy is the sum of the inverters, which has another value.
    simulator.house.profile = find("no-meters-8.3")
    simulator.faults.set("counters-fall", "/production.json", share=1.5)
    if not silence:
        # The firmware is read when the integration starts.
        await hass.config_entries.async_reload(entry.entry_id)
    await tick(times=40)
    assert entry.runtime_data.data.production_source is EnergySource.INVERTERS
    assert 0 <= float(state_of(hass, simulator, "production_energy")) - before < 1
    assert not any("continuing from" in record.message for record in caplog.records if record.levelno >= 30)


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_the_source_remains_while_its_endpoint_has_no_value(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    before = float(state_of(hass, simulator, "production_energy"))
    simulator.faults.set("zeros", "/api/v1/production")
    await tick(seconds=300, times=3)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await tick(seconds=300, times=3)
    assert float(state_of(hass, simulator, "production_energy")) == before
    simulator.faults.clear()
    await tick(seconds=300, times=2)
    require_energy_of_totals(hass, simulator, entry)


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_the_source_is_not_determined_while_the_gateway_starts(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("zeros")
    await set_up(entry)
    await tick(seconds=300, times=2)
    assert state_of(hass, simulator, "production_energy") == STATE_UNKNOWN
    simulator.faults.clear()
    await tick(seconds=300, times=4)
    require_energy_of_totals(hass, simulator, entry)


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_the_source_is_not_determined_by_a_response_without_lifetime_energy(
    entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    data = entry.runtime_data.data
    assert data.energy_source is EnergySource.TOTALS
    assert replace(data, totals=ProductionTotals.from_json({})).energy_source is None


@pytest.mark.parametrize("profile", ["no-meters"])
async def test_a_change_from_the_sum_of_microinverters_causes_no_jump(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    hass_storage: dict[str, Any],
) -> None:
    # The sum is modulo 2^32 J, and the gateway was offline for a week.
    week_ago = dt_util.utcnow() - timedelta(days=7)
    stored = {
        "value": 174_174.0,
        "updated_at": week_ago.isoformat(),
        "offset": 0.0,
        "source": ["inverters", ""],
        "decreases": [],
    }
    gateway = {"removed_at": None, "counters": {"production_energy": stored}}
    hass_storage[FILE] = {"version": 1, "key": FILE, "data": {simulator.serial_number: gateway}}
    await set_up(entry)
    assert float(state_of(hass, simulator, "production_energy")) == 174.174
    await production_through(hass, simulator, tick, 60)


@pytest.mark.parametrize("profile", ["storage-loses-phase"])
async def test_missing_values_of_a_meter_are_unknown(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    seen = set()
    for _ in range(12):
        await tick(seconds=60)
        seen.add(state_of(hass, simulator, "battery_energy_charged") == STATE_UNKNOWN)
        for key in ("battery_energy_charged", "battery_energy_discharged", "home_energy"):
            assert (
                state_of(hass, simulator, key) == STATE_UNKNOWN or float(state_of(hass, simulator, key)) > 100
            )
    assert seen == {True, False}
