"""The production of microinverters, with simulated gateways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from enphase_api import ResponseError
from enphase_api.local import Gateway
from enphase_api.models import Info, ProductionTotals, Readings
from enphase_companion.displays.state import Powers
from enphase_companion.gateway import inverters as module
from enphase_companion.gateway.inverters import InverterProduction, InverterReports
from enphase_companion.message import Message, from_readings
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

INVERTERS = "/api/v1/production/inverters"

Site = tuple[Simulator, Gateway, Info]
Opening = Callable[..., AbstractAsyncContextManager[Site]]


@asynccontextmanager
async def open_site(folder: Path, profile: str, **options: Any) -> AsyncIterator[Site]:
    with Simulator(profile, **{"hour_of_day": 12, "day": JUNE, **options}) as simulator:
        certificate = folder / "gateway.cer"
        certificate.write_text(simulator.certificate_pem)
        async with Gateway(simulator.url, certificate) as gateway:
            info = await gateway.info()
            assert await gateway.login(simulator.token())
            yield simulator, gateway, info


async def read_message(gateway: Gateway, info: Info) -> Message:
    return from_readings(await gateway.readings(await gateway.meters()), info.serial_number, time.time())


def get_power(message: Message) -> float | None:
    (found,) = [each for each in message.samples if (each.measurement, each.phase) == ("production", 0)]
    return found.quantities.active_power


async def build_empty_message(gateway: Gateway, info: Info) -> Message:
    return from_readings(Readings(()), info.serial_number, time.time())


async def complete(inverters: InverterProduction, gateway: Gateway, message: Message) -> Message:
    """Complete a message of a gateway whose other meters are disabled."""
    measured = {each.measurement for each in message.samples}
    meters = [replace(meter, enabled=meter.measurement_type in measured) for meter in await gateway.meters()]
    return await inverters.complete(gateway, await gateway.info(), meters, message)


def get_energy(message: Message) -> float | None:
    (found,) = [each for each in message.samples if (each.measurement, each.phase) == ("production", 0)]
    return found.quantities.energy_delivered


def count_requests(simulator: Simulator) -> int:
    return [each.path for each in simulator.requests].count(INVERTERS)


async def test_a_display_gets_the_capacity_and_metered_messages_stay_unchanged(tmp_path: Path) -> None:
    async with open_site(tmp_path, "three-phase") as (_, gateway, info):
        inverters = InverterProduction(for_display=True)
        assert inverters.capacity is None
        message = await read_message(gateway, info)
        assert await complete(inverters, gateway, message) is message
        assert inverters.capacity == sum(each.max_power or 0 for each in await gateway.inverters())


async def test_inverters_are_not_requested_for_storing_if_production_is_metered(tmp_path: Path) -> None:
    async with open_site(tmp_path, "three-phase") as (simulator, gateway, info):
        message = await read_message(gateway, info)
        assert await complete(InverterProduction(), gateway, message) is message
        assert not count_requests(simulator)


@pytest.mark.parametrize("for_display", [False, True])
async def test_production_without_meters_is_that_of_the_inverters(tmp_path: Path, for_display: bool) -> None:
    async with open_site(tmp_path, "no-meters") as (simulator, gateway, info):
        inverters = InverterProduction(for_display=for_display)
        found = await complete(inverters, gateway, await build_empty_message(gateway, info))
        counted = (await gateway.production()).inverters
        assert counted is not None
        assert get_power(found) == counted.power
        assert (get_power(found) or 0) > 100
        assert found.gateway == simulator.serial_number
        assert found.message_id


async def test_production_of_the_inverters_is_zero_at_night(tmp_path: Path) -> None:
    async with open_site(tmp_path, "no-meters", hour_of_day=1) as (_, gateway, info):
        assert (
            get_power(await complete(InverterProduction(), gateway, await build_empty_message(gateway, info)))
            == 0
        )


async def test_inverters_complete_metered_consumption_for_displays_only(tmp_path: Path) -> None:
    async with open_site(tmp_path, "three-phase") as (_, gateway, info):
        message = await read_message(gateway, info)
        net = replace(
            message, samples=tuple(each for each in message.samples if each.measurement != "production")
        )
        found = await complete(InverterProduction(for_display=True), gateway, net)
        assert found.samples[: len(net.samples)] == net.samples
        assert (get_power(found) or 0) > 0
        # It is minutes old and not added to other readings, which would be unclear in stored data.
        assert Powers.from_message(found).consumption is None
        assert Powers.from_message(found).production == get_power(found)
        assert await complete(InverterProduction(), gateway, net) is net


async def test_inverters_are_requested_rarely_and_only_a_display_repeats_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path, "no-meters") as (simulator, gateway, info):
        assert (module.POLL_INTERVAL, module._METERED_POLL_INTERVAL) == (300, 3_600)
        message = await build_empty_message(gateway, info)
        display, inverters = InverterProduction(for_display=True), InverterProduction()
        assert all([(await complete(display, gateway, message)).samples for _ in range(5)])
        assert count_requests(simulator) == 1
        assert [len((await complete(inverters, gateway, message)).samples) for _ in range(5)] == [
            1,
            0,
            0,
            0,
            0,
        ]
        assert count_requests(simulator) == 2
        monkeypatch.setattr(module, "POLL_INTERVAL", 0.1)
        inverters = InverterProduction()
        for _ in range(2):
            assert (await complete(inverters, gateway, message)).samples
            await asyncio.sleep(0.2)
        assert count_requests(simulator) == 4


async def test_missing_answers_of_inverters_do_not_matter_if_production_is_metered(tmp_path: Path) -> None:
    async with open_site(tmp_path, "three-phase") as (simulator, gateway, info):
        simulator.faults.set("status", INVERTERS, status=503)
        inverters = InverterProduction(for_display=True)
        message = await read_message(gateway, info)
        assert await complete(inverters, gateway, message) is message
        assert inverters.capacity is None
        with pytest.raises(ResponseError):
            await complete(InverterProduction(), gateway, await build_empty_message(gateway, info))


async def test_a_gateway_without_meters_and_inverters_has_no_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path, "no-meters") as (_, gateway, info):

        async def raise_error(self: Gateway) -> tuple[()]:
            return ()

        monkeypatch.setattr(Gateway, "inverters", raise_error)
        assert not (
            await complete(InverterProduction(), gateway, await build_empty_message(gateway, info))
        ).samples


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "no-meters-8.3"])
async def test_energy_is_the_firmwares_count(tmp_path: Path, profile: str) -> None:
    async with open_site(tmp_path, profile) as (simulator, gateway, info):
        found = await complete(InverterProduction(), gateway, await build_empty_message(gateway, info))
        truth = simulator.house.truth(found.timestamp).production.total.energy_delivered
        assert get_energy(found) == pytest.approx(truth, rel=0.01)


async def test_a_counter_missing_once_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path, "no-meters") as (_, gateway, info):
        monkeypatch.setattr(module, "POLL_INTERVAL", 0)
        monkeypatch.setattr(type(info), "version", (8, 3, 1))
        inverters, message = InverterProduction(), await build_empty_message(gateway, info)
        counted = get_energy(await complete(inverters, gateway, message))
        assert counted
        before = Gateway.production_totals

        async def return_empty(self: Gateway) -> ProductionTotals:
            return ProductionTotals(
                power=0.0, lifetime_energy=0.0, energy_today=0.0, energy_last_seven_days=0.0
            )

        monkeypatch.setattr(Gateway, "production_totals", return_empty)
        assert get_energy(await complete(inverters, gateway, message)) is None
        monkeypatch.setattr(Gateway, "production_totals", before)
        assert get_energy(await complete(inverters, gateway, message)) == pytest.approx(counted, abs=50)


@pytest.mark.parametrize(
    ("profile", "with_energy"),
    [
        ("three-phase", 12),
        ("three-phase+no-device-data", 0),
        ("three-phase+empty-device-data", 0),
        ("sixty-inverters", 50),
    ],
)
async def test_each_microinverter_is_reported_with_its_counter_if_the_gateway_has_one(
    tmp_path: Path, profile: str, with_energy: int
) -> None:
    async with open_site(tmp_path, profile) as (simulator, gateway, info):
        (message,) = await InverterReports().read(gateway, info)
        truth = {each.serial_number for each in simulator.house.inverters}
    assert {each.serial_number for each in message.inverters} == truth
    assert sum(each.energy is not None for each in message.inverters) == with_energy
    assert all(each.power is not None and each.power > 0 for each in message.inverters)


async def test_reports_are_requested_every_five_minutes_and_passed_on_if_one_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path, "three-phase") as (simulator, gateway, info):
        reports = InverterReports()
        found = [reports.is_due, len(await reports.read(gateway, info)), reports.is_due]
        assert found == [True, 1, False]
        monkeypatch.setattr(module, "POLL_INTERVAL", 0)
        reports = InverterReports()
        (first,) = await reports.read(gateway, info)
        assert await reports.read(gateway, info) == []
        simulator.clock.start += 300
        (second,) = await reports.read(gateway, info)
    assert all(
        new.measured_at == old.measured_at + 300_000
        for old, new in zip(first.inverters, second.inverters, strict=True)
    )


async def test_old_reports_of_silent_microinverters_are_passed_on_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0)
    async with open_site(tmp_path, "three-phase", hour_of_day=1) as (_, gateway, info):
        reports = InverterReports()
        (message,) = await reports.read(gateway, info)
        assert len(message.inverters) == 12
        assert await reports.read(gateway, info) == []
