"""Recorded gateways, replayed over HTTPS. The expected values were calculated by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from enphase_api.local import Gateway
from enphase_api.models import (
    Batteries,
    Inverter,
    ProductionTotals,
    Site,
    unmetered_lifetime_energy,
)
from enphase_companion.simulator import Simulator
from tests.recordings import find_recording


def build_expected_site(**values: float | None) -> object:
    """Return a Site with these values, rounded, and all others None."""
    return pytest.approx(asdict(Site(**values)), abs=1e-3)


Open = Callable[[str], AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def recorded() -> Open:
    """Return a function that opens a client of a recorded gateway; skip if the recordings are missing."""

    @asynccontextmanager
    async def open_recording(name: str) -> AsyncIterator[Gateway]:
        with Simulator(replay=find_recording(name)) as sim:
            async with Gateway(sim.url, certificate=sim.certificate_pem) as gateway:
                assert await gateway.login(sim.token())
                yield gateway

    return open_recording


async def test_7_3_466_three_phases_counted_and_one_wired(recorded: Open) -> None:
    async with recorded("7.3.466_with_cts_3phase") as gateway:
        info = await gateway.info()
        assert (info.serial_number, info.firmware, info.is_metered) == ("123456789012", "7.3.466", True)
        readings = await gateway.readings()
        production, net = readings
        assert production.measured_at == datetime(2023, 9, 3, 12, 45, 33, tzinfo=UTC)
        # 235.236 V on the first phase; 6.124 V and 11.469 V on phases that are not wired.
        assert [phase and phase.voltage for phase in production.phases] == [235.236, None, None]
        assert production.total.voltage == 235.236
        assert (production.total.current, production.total.power_factor) == (2.169, 0.957)
        assert (net.total.reactive_power, net.total.apparent_energy) == (-568.304, 7252190.779)
        assert asdict(Site.from_readings(readings)) == build_expected_site(
            production_power=488.925,
            grid_power=-36.162,
            # 488.925 - 36.162
            home_power=452.763,
            produced_energy=3183793.885,
            imported_energy=3738205.282,
            exported_energy=1776768.769,
            # 3183793.885 - 8851.704 produced, 3738205.282 - 1776768.769 from the grid
            consumed_energy=5136378.694,
        )
        assert await gateway.batteries() == Batteries(units=())
        assert len(await gateway.inverters()) == 7


async def test_7_6_175_with_meters_on_one_phase(recorded: Open) -> None:
    async with recorded("7.6.175_with_cts") as gateway:
        assert (await gateway.info()).serial_number == "122238082763"
        readings = await gateway.readings()
        assert [len(each.phases) for each in readings] == [1, 1]
        site = Site.from_readings(readings)
        assert (site.production_power, site.grid_power) == (488.925, -36.162)
        assert site.home_power == pytest.approx(452.763)
        production = await gateway.production()
        assert production.inverters is not None
        assert (production.inverters.power, production.inverters.lifetime_energy) == (751, 702919)
        assert production.meter is not None
        assert (production.meter.power, production.meter.energy_today) == (488.154, 4425.303)


async def test_7_6_175_standard_has_inverters_only(recorded: Open) -> None:
    async with recorded("7.6.175_standard") as gateway:
        assert (await gateway.info()).is_metered is False
        assert await gateway.meters() == ()
        assert list(await gateway.readings()) == []
        production = await gateway.production()
        assert production.inverters is not None
        assert (production.inverters.active_count, production.inverters.power) == (24, 5739)
        # Modulo 2^32 J, 1,193,046 Wh; the totals are right.
        assert production.inverters.lifetime_energy == 174174
        assert production.inverters.measured_at == datetime(2023, 8, 7, 13, 55, 13, tzinfo=UTC)
        totals = await gateway.production_totals()
        assert totals == ProductionTotals(
            power=5740, lifetime_energy=6139406, energy_today=36462, energy_last_seven_days=189712
        )
        lifetime = unmetered_lifetime_energy(await gateway.info(), (), totals, production.inverters)
        assert lifetime == 6139406
        assert production.meter is None
        # It has no sums of AC Batteries.
        assert await gateway.batteries() == Batteries(units=(), has_ac=None)
        inverters = await gateway.inverters()
        assert len(inverters) == 24
        assert inverters[0] == Inverter(
            serial_number="122219085275",
            last_reported_at=datetime(2023, 8, 7, 13, 50, 41, tzinfo=UTC),
            power=209,
            max_power=314,
        )


async def test_8_2_4264_disabled_meters_have_no_readings(recorded: Open) -> None:
    async with recorded("8.2.4264_metered_noct") as gateway:
        # The recording has no serial number, so the simulator uses an invented one.
        assert (await gateway.info()).serial_number == "122300000042"
        assert [meter.enabled for meter in await gateway.meters()] == [False, False]
        readings = await gateway.readings()
        assert Site.from_readings(readings) == Site()
        production = await gateway.production()
        assert production.inverters is not None
        assert (production.inverters.power, production.inverters.lifetime_energy) == (5521, 32465106)
        assert production.meter is not None
        assert production.meter.active_count == 0
        totals, meters = await gateway.production_totals(), await gateway.meters()
        assert totals is not None
        assert totals.lifetime_energy == 1583
        lifetime = unmetered_lifetime_energy(await gateway.info(), meters, totals, production.inverters)
        assert lifetime == 32465106
        assert (await gateway.batteries()).units == ()


async def test_8_2_127_split_phase_with_a_battery(recorded: Open) -> None:
    async with recorded("8.2.127_with_3cts_and_battery_split") as gateway:
        readings = await gateway.readings()
        assert [each.meter.measurement_type for each in readings] == [
            "production",
            "net-consumption",
            "storage",
        ]
        # The third channel of the net meter, 121.248 V, is the second of the storage meter.
        assert [[phase and phase.voltage for phase in each.phases] for each in readings] == [
            [121.224, 121.143],
            [121.334, 121.219],
            [121.334, 121.248],
        ]
        assert [each.total.voltage for each in readings] == [242.367, 242.553, 242.582]
        assert asdict(Site.from_readings(readings)) == build_expected_site(
            production_power=1714.424,
            grid_power=129.407,
            # The storage meter reports -2579.823 W, of which -2114.856 W on a phase with the net meter's
            # 121.334 V and 9.316 A. Home power would be 1714.424 + 129.407 - 2579.823 = -735.992, which is
            # impossible.
            battery_power=None,
            home_power=None,
            produced_energy=3165834.272,
            imported_energy=4998251.825,
            exported_energy=253960.783,
            discharged_energy=2274358.602,
            charged_energy=2971414.344,
            # produced 3165834.272 - 75.689, grid 4998251.825 - 253960.783, battery 2274358.602 - 2971414.344
            consumed_energy=7212993.883,
        )
        batteries = await gateway.batteries()
        assert [unit.serial_number[-2:] for unit in batteries.units] == ["06", "05", "04", "03", "02"]
        assert [unit.power for unit in batteries.units] == [-136, -128, -128, -128, -121]
        assert [unit.temperature for unit in batteries.units] == [12, 11, 12, 12, 13]
        assert {(unit.state_of_charge, unit.capacity) for unit in batteries.units} == {(21, 5000)}
        assert batteries.units[0].last_reported_at == datetime(2024, 3, 7, 16, 37, 14, tzinfo=UTC)
        assert (batteries.state_of_charge, batteries.available_energy, batteries.capacity) == (
            21,
            5250,
            25000,
        )
        assert (batteries.reserve, batteries.power, batteries.grid_connected) == (20, -641, True)


async def test_8_3_5433_total_consumption_is_right_where_production_json_is_wrong(recorded: Open) -> None:
    async with recorded("8.3.5433_tot_is_net_cons") as gateway:
        readings = await gateway.readings()
        assert [each.meter.measurement_type for each in readings] == ["production", "total-consumption"]
        assert readings.unknown_eids == (1023410688,)
        production, total = readings
        # The firmware adds up the phases' factors, 0.785 + 0.767 and 0.866 + 0.904.
        assert production.total.power_factor == pytest.approx(352.751 / 454.238)
        assert total.total.power_factor == pytest.approx(786.513 / 890.274)
        assert asdict(Site.from_readings(readings)) == build_expected_site(
            production_power=352.751,
            # 786.513 - 352.751
            grid_power=433.762,
            home_power=786.513,
            produced_energy=14405465.57,
            consumed_energy=20055053.325,
        )
        wrong = await gateway.production()
        assert wrong.total_consumption is not None
        assert wrong.net_consumption is not None
        assert wrong.total_consumption.power == wrong.net_consumption.power == 428.414
        assert len(await gateway.inverters()) == 12
        assert (await gateway.batteries()).units == ()
