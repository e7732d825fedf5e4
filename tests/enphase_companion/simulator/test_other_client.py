"""Another client, pyenphase, reads the true values of each simulated gateway."""

from __future__ import annotations

from typing import Any

import pytest
from pyenphase import Envoy

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import NET, PRODUCTION, PROFILES, TOTAL, find
from enphase_companion.simulator.truth import Electricity, Truth
from tests.houses import JUNE

#: The clock almost stops, so that all answers have the same second.
STILL = 1e-6
#: The middle of a minute in which no quirk is active.
START = 1_764_000_090.0
WITH_TOKENS = [name for name, profile in PROFILES.items() if profile.uses_tokens]
#: Quirks that pyenphase works around or never reads.
HANDLED_QUIRKS = [
    "no-meters+meters-401",
    "single-phase+ensemble-401",
    "three-phase+unlisted-meter",
    "three-phase+unknown-meter",
    "three-phase+disabled-meter",
    "single-phase+unwired-phases",
    "battery+third-channel-mirrors",
    "split-phase+power-factors-added+no-apparent-energy",
    "three-phase+today-is-lifetime+reports-netted",
    "battery+zeros-after-power-cut+nightly-silence",
    "three-phase+inverter-wraps",
    "three-phase+inverters-wrap+removed-inverters",
    "three-phase+no-device-data",
    "three-phase+empty-device-data",
    "battery+unknown-after-restart",
]


async def read_all(simulator: Simulator) -> tuple[Envoy, Any]:
    """Set pyenphase up and read everything once."""
    envoy = Envoy(simulator.url.removeprefix("https://"))
    try:
        await envoy.setup()
        await envoy.authenticate(token=simulator.token())
        return envoy, await envoy.update()
    finally:
        await envoy.close()


def assert_meter(meter: Any, truth: Electricity) -> None:
    """Assert that a meter has the true values. pyenphase rounds watts and watt-hours."""
    assert meter.active_power == pytest.approx(truth.active_power, abs=0.51)
    assert meter.energy_delivered == pytest.approx(truth.energy_delivered, abs=0.51)
    assert meter.energy_received == pytest.approx(truth.energy_received, abs=0.51)
    assert meter.voltage == pytest.approx(truth.voltage, abs=0.001)
    assert meter.current == pytest.approx(truth.current, abs=0.001)
    assert meter.frequency == pytest.approx(truth.frequency, abs=0.001)


def assert_sums(sums: Any, power: float, lifetime: float) -> None:
    assert sums.watts_now == pytest.approx(power, abs=0.51)
    assert sums.watt_hours_lifetime == pytest.approx(lifetime, abs=0.51)


@pytest.mark.parametrize("name", WITH_TOKENS + HANDLED_QUIRKS)
@pytest.mark.slow
async def test_another_client_reads_the_true_values_of_every_profile(name: str) -> None:
    profile = find(name)
    with Simulator(name, start=START, hour_of_day=11, speed=STILL) as running:
        envoy, data = await read_all(running)
        house = running.house
        truth = house.truth(int(running.clock.time()))
    assert envoy.serial_number == running.serial_number
    assert str(envoy.firmware) == profile.firmware.removeprefix("D")

    types = {meter.measurement_type: meter.measures for meter in profile.meters if meter.enabled}
    assert set(data.ctmeters) == types.keys()
    for measurement_type, flow in types.items():
        assert data.ctmeters[measurement_type].timestamp == truth.time
        if "power-factors-added" not in profile.quirks:
            assert data.ctmeters[measurement_type].power_factor == pytest.approx(
                truth.of(flow).total.power_factor, abs=0.001
            )
        assert_meter(data.ctmeters[measurement_type], truth.of(flow).total)
        if profile.wired > 1:
            phases = data.ctmeters_phases[measurement_type].values()
            assert len(phases) == profile.wired
            for meter, phase in zip(phases, truth.of(flow).phases, strict=True):
                assert_meter(meter, phase)

    reported = house.truth(truth.time // 300 * 300)
    produced = (truth if profile.measures(PRODUCTION) else reported).production.total
    assert_sums(data.system_production, produced.active_power, produced.energy_delivered)
    assert_consumption(data, truth, metered=bool(types.keys() & {NET, TOTAL}))
    assert_batteries(data, truth, kind=profile.battery.kind if profile.battery else None)

    microinverters = {serial: found for serial, found in data.inverters.items() if serial in truth.inverters}
    assert len(microinverters) == profile.inverters
    for serial, found in microinverters.items():
        assert found.last_report_watts == round(house.truth(found.last_report_date).inverters[serial])


def assert_consumption(data: Any, truth: Truth, metered: bool) -> None:
    """Pyenphase detects firmware that reports net as total and adds production."""
    if not metered:
        assert data.system_consumption is None
        return
    home, net = truth.total_consumption.total, truth.net_consumption.total
    assert data.system_consumption.watts_now == pytest.approx(home.active_power, abs=1.01)
    # The sum does not include the energy that the production meter received at night.
    standby = truth.production.total.energy_received
    assert data.system_consumption.watt_hours_lifetime == pytest.approx(
        home.energy_delivered + standby / 2, abs=standby / 2 + 1
    )
    assert_sums(data.system_net_consumption, net.active_power, net.energy_delivered - net.energy_received)


def assert_batteries(data: Any, truth: Truth, kind: str | None) -> None:
    state = truth.battery
    if kind == "encharge" and state is not None:
        assert data.encharge_aggregate.state_of_charge == round(state.state_of_charge)
        assert data.encharge_aggregate.available_energy == round(state.available_energy)
        assert data.encharge_aggregate.max_available_capacity == state.capacity
        power = sum(unit.real_power_mw for unit in data.encharge_power.values()) / 1000
        assert power == pytest.approx(state.power, abs=0.01)
        assert len(data.encharge_inventory) == len(data.encharge_power) == 3
        if data.enpower is None:
            # An IQ Meter Collar replaces the System Controller.
            assert data.collar.admin_state_str == "ENCMN_MDE_ON_GRID"
        else:
            assert data.enpower.mains_oper_state == "closed"
    else:
        assert not data.encharge_inventory
    if kind == "acb" and state is not None:
        assert data.acb_power.power == round(state.power)
        assert data.acb_power.state_of_charge == round(state.state_of_charge)
        assert len(data.acb_inventory) == 4
    else:
        assert not data.acb_inventory


async def test_another_client_reads_the_lost_phase_of_the_storage_meter() -> None:
    with Simulator("storage-loses-phase", start=1_764_000_030.0, hour_of_day=11, speed=STILL) as running:
        _, data = await read_all(running)
    assert data.ctmeters["storage"] is None


async def test_another_client_reads_no_meters_without_meter_endpoints() -> None:
    with Simulator("no-meters-404", hour_of_day=11, day=JUNE) as running:
        envoy, data = await read_all(running)
    assert envoy.ct_meter_count == 0
    assert data.system_production.watts_now > 0
