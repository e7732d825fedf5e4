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
from enphase_api.models import Info
from enphase_companion.message import Message, from_readings
from enphase_companion.simulator import Simulator
from enphase_companion.source import array as module
from enphase_companion.source.array import Array
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


def production(message: Message | None) -> float | None:
    assert message is not None
    (found,) = [each for each in message.samples if (each.measurement, each.phase) == ("production", 0)]
    return found.quantities.active_power


async def test_what_the_inverters_ever_made_is_the_capacity_and_the_meters_stay(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (_, gateway, info):
        array = Array()
        assert array.capacity is None
        message = await read(gateway, info)
        assert await array.completed(gateway, info, message) is message
        assert array.capacity == sum(each.max_power or 0 for each in await gateway.inverters())


async def test_without_meters_the_inverters_say_what_is_made(tmp_path: Path) -> None:
    async with site(tmp_path, "no-meters") as (simulator, gateway, info):
        found = await Array().completed(gateway, info, None)
        made = [each.power or 0 for each in await gateway.inverters()]
        assert production(found) == pytest.approx(sum(made), rel=0.02)
        assert (production(found) or 0) > 100
        assert found is not None
        assert found.gateway == simulator.serial_number


async def test_at_night_that_is_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, "no-meters", hour_of_day=1) as (_, gateway, info):
        assert production(await Array().completed(gateway, info, None)) == 0


async def test_consumption_that_is_metered_alone_is_completed_by_them(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (_, gateway, info):
        message = await read(gateway, info)
        net = replace(
            message, samples=tuple(each for each in message.samples if each.measurement != "production")
        )
        found = await Array().completed(gateway, info, net)
        assert found is not None
        assert found.samples[: len(net.samples)] == net.samples
        assert (production(found) or 0) > 0


async def test_they_are_asked_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(tmp_path, "no-meters") as (simulator, gateway, info):
        assert (module._LOOK, module._LOOK_METERED) == (300, 3_600)
        array = Array()
        for _ in range(5):
            await array.completed(gateway, info, None)
        assert [each.path for each in simulator.requests].count(INVERTERS) == 1
        array = Array()
        monkeypatch.setattr(module, "_LOOK", 0.1)
        for _ in range(2):
            await array.completed(gateway, info, None)
            await asyncio.sleep(0.2)
        assert [each.path for each in simulator.requests].count(INVERTERS) == 3


async def test_where_meters_tell_silence_of_the_inverters_does_not_matter(tmp_path: Path) -> None:
    async with site(tmp_path, "three-phase") as (simulator, gateway, info):
        simulator.faults.set("status", INVERTERS, status=503)
        array = Array()
        message = await read(gateway, info)
        assert await array.completed(gateway, info, message) is message
        assert array.capacity is None
        with pytest.raises(ResponseError):
            await Array().completed(gateway, info, None)


async def test_a_gateway_with_neither_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(tmp_path, "no-meters") as (_, gateway, info):

        async def none(self: Gateway) -> tuple[()]:
            return ()

        monkeypatch.setattr(Gateway, "inverters", none)
        assert await Array().completed(gateway, info, None) is None
