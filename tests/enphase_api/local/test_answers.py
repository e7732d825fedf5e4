"""The client's values of a simulated gateway equal the true values of its house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Self

import pytest

from enphase_api import InvalidAnswerError
from enphase_api.local import Gateway
from enphase_api.local import gateway as gateway_module
from enphase_api.models import Batteries, Readings, Site, unmetered_lifetime_energy
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import PROFILES
from enphase_companion.simulator.truth import Electricity, Truth
from tests.houses import JUNE

from ..servers import create_certificate, run_recorder

METERED = [
    name
    for name, profile in PROFILES.items()
    if profile.uses_tokens and any(meter.enabled for meter in profile.meters)
]


@asynccontextmanager
async def open_house(profile: str, start: float | None = None) -> AsyncIterator[tuple[Simulator, Gateway]]:
    with Simulator(profile, hour_of_day=11, day=JUNE, start=start) as sim:
        async with Gateway(sim.url, certificate=sim.certificate_pem) as gateway:
            assert await gateway.login(sim.token())
            yield sim, gateway


def get_truth(sim: Simulator, readings: Readings) -> Truth:
    assert readings.measured_at is not None
    return sim.house.truth(readings.measured_at.timestamp())


def approximate(true: float) -> object:
    return pytest.approx(true, rel=0.005, abs=1)


@pytest.mark.parametrize("profile", METERED)
async def test_readings_equal_the_true_values_in_total_and_by_phase(profile: str) -> None:
    async with open_house(profile) as (sim, gateway):
        readings = await gateway.readings()
        truth = get_truth(sim, readings)
        kinds = {meter.measurement_type for meter in PROFILES[profile].meters if meter.enabled}
        assert {each.meter.measurement_type for each in readings} == kinds
        for each in readings:
            if profile == "storage-loses-phase" and each.meter.measurement_type == "storage":
                continue  # see below
            true = truth.of(each.meter.measurement_type)
            assert each.total.energy_delivered == approximate(true.total.energy_delivered)
            assert each.total.energy_received == approximate(true.total.energy_received)
            assert each.total.active_power == approximate(true.total.active_power)
            if each.total.power_factor is not None:
                assert each.total.power_factor == pytest.approx(true.total.power_factor, abs=0.01)
            wired: list[tuple[float | None, Electricity]] = [
                (phase.voltage, real)
                for phase, real in zip(each.phases, true.phases, strict=False)
                if phase is not None
            ]
            assert len(wired) == PROFILES[profile].wired
            assert all(volts == approximate(real.voltage) for volts, real in wired)


async def test_a_storage_meter_that_loses_a_phase_is_unknown_for_that_minute() -> None:
    known = []
    for minute in range(5):
        async with open_house("storage-loses-phase", start=1_750_000_000 + 60 * minute) as (sim, gateway):
            readings = await gateway.readings()
            storage = readings.get("storage")
            assert storage is not None
            true = get_truth(sim, readings).storage.total.energy_delivered
            if storage.total.energy_delivered is not None:
                assert storage.total.energy_delivered == approximate(true)
            assert (Site.from_readings(readings).home_power is None) == (storage.total.active_power is None)
            known.append(storage.total.energy_delivered is not None)
    assert sorted(known) == [False, True, True, True, True]


@pytest.mark.parametrize("profile", ["single-phase", "split-phase", "three-phase", "battery"])
async def test_the_site_adds_up_to_the_house(profile: str) -> None:
    async with open_house(profile) as (sim, gateway):
        readings = await gateway.readings()
        site, truth = Site.from_readings(readings), get_truth(sim, readings)
        home = truth.total_consumption.total
        assert site.home_power == approximate(home.active_power)
        assert site.consumed_energy == approximate(home.energy_delivered - home.energy_received)
        assert site.grid_power == approximate(truth.net_consumption.total.active_power)


async def test_a_battery_without_a_meter_counts_in_home_power() -> None:
    async with open_house("battery-without-meter") as (sim, gateway):
        batteries = await gateway.batteries()
        readings = await gateway.readings()
        site = Site.from_readings(readings, unmetered_batteries=True, battery_power=batteries.power)
        truth = get_truth(sim, readings)
        assert site.battery_power == pytest.approx(truth.storage.total.active_power, rel=0.02, abs=10)
        assert site.home_power == pytest.approx(truth.total_consumption.total.active_power, rel=0.02, abs=10)
        assert site.consumed_energy is None


async def test_total_consumption_is_home_and_the_rest_is_grid() -> None:
    async with open_house("total-consumption") as (sim, gateway):
        readings = await gateway.readings()
        site, truth = Site.from_readings(readings), get_truth(sim, readings)
        assert site.home_power == approximate(truth.total_consumption.total.active_power)
        assert site.grid_power == approximate(truth.net_consumption.total.active_power)
        assert site.imported_energy is None


async def test_reports_and_readings_agree(logged_in: Gateway) -> None:
    reports = {report.report_type: report for report in await logged_in.reports()}
    for reading in await logged_in.readings():
        report = reports[reading.meter.measurement_type]
        assert report.cumulative.energy_delivered == approximate(reading.total.energy_delivered or 0)
        assert len(report.lines) == 3


async def test_batteries_equal_the_true_values() -> None:
    async with open_house("battery") as (sim, gateway):
        found = await gateway.batteries()
        truth = sim.house.truth(sim.clock.time()).battery
        assert truth is not None
        assert len(found.units) == 3
        assert found.state_of_charge == pytest.approx(truth.state_of_charge, abs=1)
        assert found.available_energy == pytest.approx(truth.available_energy, rel=0.01, abs=20)
        assert found.capacity == pytest.approx(truth.capacity)
        assert found.reserve == pytest.approx(truth.reserve, abs=1)
        assert found.power == pytest.approx(truth.power, rel=0.02, abs=10)
        assert found.grid_connected is True


async def test_a_gateway_without_batteries_gets_no_further_battery_requests(
    logged_in: Gateway, sim: Simulator
) -> None:
    sim.requests.clear()
    assert await logged_in.batteries() == Batteries(units=())
    assert [request.path for request in sim.requests] == ["/ivp/ensemble/inventory", "/ivp/ensemble/secctrl"]


@pytest.mark.parametrize("fault", [{"name": "refuse"}, {"name": "status", "status": 404}], ids=["401", "404"])
async def test_firmware_without_battery_endpoints_has_no_batteries(
    fault: dict[str, object], logged_in: Gateway, sim: Simulator
) -> None:
    sim.faults.set(path="/ivp/ensemble/inventory", **fault)  # type: ignore[arg-type]
    assert await logged_in.batteries() == Batteries(units=())
    # The session is still valid.
    assert await logged_in.meters()


async def test_a_battery_without_sums_is_listed() -> None:
    async with open_house("battery") as (sim, gateway):
        sim.faults.set("status", "/ivp/ensemble/secctrl", status=404)
        sim.faults.set("refuse", "/ivp/ensemble/power")
        found = await gateway.batteries()
        assert len(found.units) == 3
        assert found.power is found.state_of_charge is None


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "no-meters-8.3", "meters-disabled"])
async def test_a_gateway_without_meters_has_no_readings_and_gets_no_request_for_them(profile: str) -> None:
    async with open_house(profile) as (sim, gateway):
        assert list(await gateway.readings()) == []
        assert list(await gateway.readings()) == []
        paths = [request.path for request in sim.requests]
        assert paths == ["/auth/check_jwt", "/ivp/meters"]
        totals, inverters = await gateway.production_totals(), (await gateway.production()).inverters
        lifetime = unmetered_lifetime_energy(await gateway.info(), await gateway.meters(), totals, inverters)
        truth = sim.house.truth(sim.clock.time())
        assert lifetime == pytest.approx(truth.production.total.energy_delivered, rel=0.01, abs=200)


async def test_an_error_object_instead_of_the_meter_list_means_no_meters() -> None:
    shown = create_certificate()
    body = b'{"error": "no meters"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with run_recorder(shown, answer) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.meters() == ()
        server.answer = answer.replace(b"error", b"other")
        with pytest.raises(InvalidAnswerError):
            await gateway.meters()


async def test_a_caller_can_provide_the_list_of_meters(logged_in: Gateway, sim: Simulator) -> None:
    meters = await logged_in.meters()
    sim.requests.clear()
    assert len(list(await logged_in.readings(iter(meters)))) == 2
    assert list(await logged_in.readings([])) == []
    assert [request.path for request in sim.requests] == ["/ivp/meters/readings"]


async def test_all_sixty_inverters_are_listed() -> None:
    async with open_house("sixty-inverters") as (sim, gateway):
        inverters = await gateway.inverters()
        truth = sim.house.truth(sim.clock.time()).inverters
        assert {inverter.serial_number for inverter in inverters} == set(truth)
        assert len(inverters) == 60


async def test_ac_batteries_equal_the_true_values() -> None:
    async with open_house("ac-batteries") as (sim, gateway):
        found = await gateway.batteries()
        assert found.are_there
        assert found.power is None
        # Their endpoint is slow, so it is requested only if there are AC Batteries.
        assert "/production.json" not in [request.path for request in sim.requests]
        found = found.with_ac((await gateway.production()).ac_batteries)
        truth = sim.house.truth(sim.clock.time()).battery
        assert truth is not None
        assert found.ac is not None
        assert found.ac.active_count == 4
        assert found.power == pytest.approx(truth.power, rel=0.02, abs=10)
        assert found.state_of_charge == pytest.approx(truth.state_of_charge, abs=1)
        assert found.available_energy == pytest.approx(truth.available_energy, rel=0.01, abs=20)
        assert found.capacity == pytest.approx(truth.capacity)


async def test_ac_batteries_are_not_listed_as_inverters() -> None:
    async with open_house("ac-batteries") as (sim, gateway):
        serials = {inverter.serial_number for inverter in await gateway.inverters()}
        assert serials == set(sim.house.truth(sim.clock.time()).inverters)


async def test_the_time_of_the_gateway_is_independent_of_changes_of_the_local_clock(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A computer without a real-time clock changes its clock after a power cut."""

    class Set(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=5)

    await gateway.info()
    before = gateway.now
    monkeypatch.setattr(gateway_module, "datetime", Set)
    assert gateway.now - before < timedelta(hours=1)


async def test_the_live_status_equals_the_true_values(logged_in: Gateway, sim: Simulator) -> None:
    assert (await logged_in.live()).is_outdated(logged_in.now)
    await logged_in.enable_live()
    live = await logged_in.live()
    truth = sim.house.truth(sim.clock.time())
    assert live.solar_power == pytest.approx(truth.production.total.active_power, rel=0.05, abs=30)
    assert live.load_power == pytest.approx(truth.total_consumption.total.active_power, rel=0.1, abs=50)
