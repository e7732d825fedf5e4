"""Another client, pyenphase, drives the commands, and sees in the gateway and the house what they do."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pyenphase import Envoy
from pyenphase.models.dry_contacts import DryContactStatus
from pyenphase.models.tariff import EnvoyStorageMode

from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import Profile, find
from enphase_companion.simulator.truth import Truth

START = 1_782_000_000.0


class Driver:
    """A client that is signed in, with a house whose clock only the test advances."""

    def __init__(self, simulator: Simulator, envoy: Envoy) -> None:
        self.simulator = simulator
        self.envoy = envoy

    async def look(self, after: float = 0) -> tuple[Any, Truth]:
        """Return what the client reads, and the truth, some seconds later."""
        self.simulator.clock.advance(after)
        data = await self.envoy.update()
        return data, self.simulator.house.truth(int(self.simulator.clock.time()))


@asynccontextmanager
async def drive(profile: str | Profile, start: float = START) -> AsyncIterator[Driver]:
    with Simulator(profile, start=start, hour_of_day=20, speed=1e-6) as simulator:
        envoy = Envoy(simulator.url.removeprefix("https://"))
        try:
            await envoy.setup()
            await envoy.authenticate(token=simulator.token())
            await envoy.update()
            yield Driver(simulator, envoy)
        finally:
            await envoy.close()


async def test_another_client_changes_how_the_batteries_are_used() -> None:
    async with drive("battery") as driver:
        await driver.envoy.set_storage_mode(EnvoyStorageMode.BACKUP)
        await driver.envoy.enable_charge_from_grid()
        data, truth = await driver.look(after=60)
        assert data.tariff.storage_settings.mode is EnvoyStorageMode.BACKUP
        assert data.tariff.storage_settings.charge_from_grid is True
        assert data.encharge_aggregate.configured_reserve_state_of_charge == 100
        assert truth.storage.total.active_power < -3000
        assert truth.net_consumption.total.active_power > 3000
        assert sum(unit.real_power_mw for unit in data.encharge_power.values()) < -3_000_000

        await driver.envoy.set_storage_mode(EnvoyStorageMode.SELF_CONSUMPTION)
        await driver.envoy.disable_charge_from_grid()
        await driver.envoy.set_reserve_soc(90)
        data, truth = await driver.look(after=60)
        assert data.encharge_aggregate.configured_reserve_state_of_charge == 90
        assert truth.storage.total.active_power == 0
        assert truth.net_consumption.total.active_power > 0


async def test_another_client_lets_the_batteries_follow_the_prices() -> None:
    tuesday = START + 2 * 86400
    async with drive(replace(find("battery"), time_of_use=True), tuesday) as driver:
        await driver.envoy.set_storage_mode(EnvoyStorageMode.SAVINGS)
        data, truth = await driver.look(after=60)
        assert data.tariff.storage_settings.mode is EnvoyStorageMode.SAVINGS
        assert truth.storage.total.active_power > 100, "it is dear until 21:00"
        _, truth = await driver.look(after=2 * 3600)
        assert truth.storage.total.active_power == 0


async def test_another_client_is_told_200_where_the_firmware_ignores_the_mode() -> None:
    async with drive("battery+opt-schedules") as driver:
        await driver.envoy.set_storage_mode(EnvoyStorageMode.BACKUP)
        data, _ = await driver.look(after=60)
        assert data.tariff.storage_settings.mode is EnvoyStorageMode.BACKUP
        assert data.encharge_aggregate.configured_reserve_state_of_charge == 20
        await driver.envoy.set_storage_mode(EnvoyStorageMode.BACKUP, disable_optimized_schedules=True)
        data, _ = await driver.look(after=60)
        assert data.encharge_aggregate.configured_reserve_state_of_charge == 100
    async with drive("cloud-controlled") as driver:
        await driver.envoy.set_reserve_soc(70)
        data, _ = await driver.look(after=60)
        assert data.tariff.storage_settings.reserved_soc == 70
        assert data.encharge_aggregate.configured_reserve_state_of_charge == 20


async def test_another_client_goes_off_grid_and_back() -> None:
    async with drive("generator+slow-relay") as driver:
        await driver.envoy.go_off_grid()
        data, _ = await driver.look(after=20)
        assert (data.enpower.mains_admin_state, data.enpower.mains_oper_state) == ("open", "closed")
        data, truth = await driver.look(after=70)
        assert data.enpower.mains_oper_state == "open synchronized"
        assert truth.net_consumption.total.active_power == 0
        assert truth.storage.total.active_power > 0
        assert data.ctmeters["net-consumption"].active_power == 0
        # Off grid the loads are shed.
        assert data.dry_contact_status["NC1"].status == DryContactStatus.OPEN
        await driver.envoy.set_generator_mode("on")
        data, truth = await driver.look(after=30)
        assert data.generator_mode.gen_cmd == "on"
        assert data.generator.oper_state == "closed"
        assert truth.generator > 0
        await driver.envoy.go_on_grid()
        data, truth = await driver.look(after=30)
        assert data.enpower.mains_oper_state == "closed"
        assert data.dry_contact_status["NC1"].status == DryContactStatus.CLOSED
        assert truth.generator == 0


async def test_another_client_switches_the_loads_on_dry_contacts() -> None:
    async with drive("generator") as driver:
        _, before = await driver.look()
        await driver.envoy.open_dry_contact("NC1")
        data, truth = await driver.look(after=4)
        assert data.dry_contact_status["NC1"].status == DryContactStatus.OPEN
        drawn = [each.total_consumption.total.active_power for each in (before, truth)]
        assert 0.6 < drawn[1] / drawn[0] < 0.8
        await driver.envoy.close_dry_contact("NC1")
        await driver.envoy.update_dry_contact({"id": "NC2", "soc_low": 35.0, "load_name": "heat pump"})
        data, _ = await driver.look(after=4)
        assert data.dry_contact_status["NC1"].status == DryContactStatus.CLOSED
        assert data.dry_contact_settings["NC2"].load_name == "heat pump"
        assert data.dry_contact_settings["NC2"].soc_low == 35


async def test_another_client_configures_the_generator() -> None:
    async with drive("generator") as driver:
        await driver.envoy.set_generator_charge_from_generator(False)
        await driver.envoy.update_generator_schedule({"exercise_day": "Thu", "default_start_soc": 40})
        data, _ = await driver.look()
        assert data.generator_config.charge_from_generator is False
        assert (data.generator_schedule.exercise_day, data.generator_schedule.default_start_soc) == (
            "Thu",
            40,
        )
        assert data.generator.start_soc == 40
        await driver.envoy.go_off_grid()
        await driver.envoy.set_generator_mode("on")
        _, truth = await driver.look(after=90)
        assert truth.generator > 0
        assert truth.storage.total.active_power == pytest.approx(0, abs=1)
        await driver.envoy.set_generator_charge_from_generator(True)
        _, truth = await driver.look(after=30)
        assert truth.storage.total.active_power < -1000
    async with drive("generator+generator-always-charges") as driver:
        await driver.envoy.set_generator_charge_from_generator(False)
        data, _ = await driver.look()
        assert data.generator_config.charge_from_generator is True


def test_each_command_of_the_other_client_is_driven() -> None:
    commands = {
        name
        for name, _ in inspect.getmembers(Envoy, inspect.iscoroutinefunction)
        if re.match("(set|update|enable|disable|open|close|go|clear)_", name)
    }
    assert len(commands) >= 14
    source = inspect.getsource(sys.modules[__name__])
    assert {name for name in commands if f"driver.envoy.{name}(" not in source} == set()


async def test_another_client_lets_ac_batteries_sleep_and_wakes_them() -> None:
    async with drive("ac-batteries") as driver:
        data, _ = await driver.look()
        serials = list(data.acb_inventory)
        await driver.envoy.set_acb_sleep(
            [{"serial_num": serial, "sleep_min_soc": 10, "sleep_max_soc": 20} for serial in serials]
        )
        data, truth = await driver.look(after=70)
        assert {unit.sleep_state for unit in data.acb_inventory.values()} == {"asleep"}
        assert truth.storage.total.active_power == 0
        await driver.envoy.clear_acb_sleep(serials)
        data, truth = await driver.look(after=70)
        assert {unit.sleep_state for unit in data.acb_inventory.values()} == {"awake"}
        assert truth.storage.total.active_power > 0
