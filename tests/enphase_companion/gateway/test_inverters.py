"""The array as its microinverters know it, of simulated gateways."""

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
from enphase_companion.gateway.inverters import InverterProduction
from enphase_companion.message import Message, from_readings
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

INVERTERS = "/api/v1/production/inverters"

Site = tuple[Simulator, Gateway, Info]
Opening = Callable[..., AbstractAsyncContextManager[Site]]


@asynccontextmanager
async def site(folder: Path, profile: str, **options: Any) -> AsyncIterator[Site]:
    with Simulator(profile, **{"hour_of_day": 12, "day": JUNE, **options}) as simulator:
        certificate = folder / "gateway.cer"
        certificate.write_text(simulator.certificate_pem)
        async with Gateway(simulator.url, certificate) as gateway:
            info = await gateway.info()
            assert await gateway.login(simulator.token())
            yield simulator, gateway, info


async def read(gateway: Gateway, info: Info) -> Message:
    return from_readings(await gateway.readings(await gateway.meters()), info.serial_number, time.time())


def production(message: Message) -> float | None:
    (found,) = [each for each in message.samples if (each.measurement, each.phase) == ("production", 0)]
    return found.quantities.active_power


async def nothing_metered(gateway: Gateway, info: Info) -> Message:
    return from_readings(Readings(()), info.serial_number, time.time())


async def completed(inverters: InverterProduction, gateway: Gateway, message: Message) -> Message:
    """Complete a message of a gateway that has the meters which are in it, and disabled ones."""
    measured = {each.measurement for each in message.samples}
    meters = [replace(meter, enabled=meter.measurement_type in measured) for meter in await gateway.meters()]
    return await inverters.completed(gateway, await gateway.info(), meters, message)


def produced(message: Message) -> float | None:
    (found,) = [each for each in message.samples if (each.measurement, each.phase) == ("production", 0)]
    return found.quantities.energy_delivered


def asked(simulator: Simulator) -> int:
    return [each.path for each in simulator.requests].count(INVERTERS)


async def test_a_display_learns_what_the_inverters_ever_made_and_the_meters_stay(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (_, gateway, info):
        inverters = InverterProduction(for_display=True)
        assert inverters.capacity is None
        message = await read(gateway, info)
        assert await completed(inverters, gateway, message) is message
        assert inverters.capacity == sum(each.max_power or 0 for each in await gateway.inverters())


async def test_who_stores_readings_asks_no_inverter_where_production_is_metered(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (simulator, gateway, info):
        message = await read(gateway, info)
        assert await completed(InverterProduction(), gateway, message) is message
        assert not asked(simulator)


@pytest.mark.parametrize("for_display", [False, True])
async def test_without_meters_the_inverters_say_what_is_made(tmp_path: Path, for_display: bool) -> None:
    async with site(tmp_path, "no-meters") as (simulator, gateway, info):
        inverters = InverterProduction(for_display=for_display)
        found = await completed(inverters, gateway, await nothing_metered(gateway, info))
        counted = (await gateway.production()).inverters
        assert counted is not None
        assert production(found) == counted.power
        assert (production(found) or 0) > 100
        assert found.gateway == simulator.serial_number
        assert found.message_id


async def test_at_night_that_is_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, "no-meters", hour_of_day=1) as (_, gateway, info):
        assert (
            production(await completed(InverterProduction(), gateway, await nothing_metered(gateway, info)))
            == 0
        )


async def test_consumption_that_is_metered_alone_is_completed_by_them(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (_, gateway, info):
        message = await read(gateway, info)
        net = replace(
            message, samples=tuple(each for each in message.samples if each.measurement != "production")
        )
        found = await completed(InverterProduction(for_display=True), gateway, net)
        assert found.samples[: len(net.samples)] == net.samples
        assert (production(found) or 0) > 0
        # It is minutes old and added up with nothing; of what is stored, nobody could tell.
        assert Powers.from_message(found).consumption is None
        assert Powers.from_message(found).production == production(found)
        assert await completed(InverterProduction(), gateway, net) is net


async def test_they_are_asked_rarely_and_only_a_display_repeats_what_they_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path, "no-meters") as (simulator, gateway, info):
        assert (module.LOOK, module._LOOK_METERED) == (300, 3_600)
        message = await nothing_metered(gateway, info)
        display, inverters = InverterProduction(for_display=True), InverterProduction()
        assert all([(await completed(display, gateway, message)).samples for _ in range(5)])
        assert asked(simulator) == 1
        assert [len((await completed(inverters, gateway, message)).samples) for _ in range(5)] == [
            1,
            0,
            0,
            0,
            0,
        ]
        assert asked(simulator) == 2
        monkeypatch.setattr(module, "LOOK", 0.1)
        inverters = InverterProduction()
        for _ in range(2):
            assert (await completed(inverters, gateway, message)).samples
            await asyncio.sleep(0.2)
        assert asked(simulator) == 4


async def test_where_meters_tell_silence_of_the_inverters_does_not_matter(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (simulator, gateway, info):
        simulator.faults.set("status", INVERTERS, status=503)
        inverters = InverterProduction(for_display=True)
        message = await read(gateway, info)
        assert await completed(inverters, gateway, message) is message
        assert inverters.capacity is None
        with pytest.raises(ResponseError):
            await completed(InverterProduction(), gateway, await nothing_metered(gateway, info))


async def test_a_gateway_with_neither_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(tmp_path, "no-meters") as (_, gateway, info):

        async def none(self: Gateway) -> tuple[()]:
            return ()

        monkeypatch.setattr(Gateway, "inverters", none)
        assert not (
            await completed(InverterProduction(), gateway, await nothing_metered(gateway, info))
        ).samples


@pytest.mark.parametrize("profile", ["no-meters", "no-meters-404", "no-meters-8.3"])
async def test_the_energy_is_what_their_firmware_counts(tmp_path: Path, profile: str) -> None:
    async with site(tmp_path, profile) as (simulator, gateway, info):
        found = await completed(InverterProduction(), gateway, await nothing_metered(gateway, info))
        truth = simulator.house.truth(found.timestamp).production.total.energy_delivered
        assert produced(found) == pytest.approx(truth, rel=0.01)


async def test_a_counter_that_says_nothing_once_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path, "no-meters") as (_, gateway, info):
        monkeypatch.setattr(module, "LOOK", 0)
        monkeypatch.setattr(type(info), "version", (8, 3, 1))
        inverters, message = InverterProduction(), await nothing_metered(gateway, info)
        counted = produced(await completed(inverters, gateway, message))
        assert counted
        before = Gateway.production_totals

        async def empty(self: Gateway) -> ProductionTotals:
            return ProductionTotals(
                power=0.0, lifetime_energy=0.0, energy_today=0.0, energy_last_seven_days=0.0
            )

        monkeypatch.setattr(Gateway, "production_totals", empty)
        assert produced(await completed(inverters, gateway, message)) is None
        monkeypatch.setattr(Gateway, "production_totals", before)
        assert produced(await completed(inverters, gateway, message)) == pytest.approx(counted, abs=50)
