"""Commands: what a gateway answers, stores and does, with and without the ways of some firmware."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest

from enphase_companion.simulator import Simulator

START = 1_764_000_000.0
TARIFF, SCHED, SECCTRL = "/admin/lib/tariff", "/ivp/sc/sched", "/ivp/ensemble/secctrl"
RELAY, CONTACTS = "/ivp/ensemble/relay", "/ivp/ensemble/dry_contacts"
CONTACT_SETTINGS = "/ivp/ss/dry_contact_settings"
SLEEP, POWER = "/admin/lib/acb_config", "/ivp/mod/603980032/mode/power"


class Client:
    """Send requests with one role's token, at house times that the test advances."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession, role: str = "owner") -> None:
        self.simulator = simulator
        self._session = session
        self._headers = {"Authorization": f"Bearer {simulator.token(role)}"}

    async def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._session.request(
            method, self.simulator.url + path, json=body, headers=self._headers
        ) as response:
            return response.status, await response.json() if response.status == 200 else None

    async def get(self, path: str, after: float = 0) -> Any:
        self.simulator.clock.advance(after)
        status, answer = await self.send("GET", path)
        assert status == 200
        return answer

    async def change_storage(self, **values: Any) -> int:
        document = {"tariff": (await self.get(TARIFF))["tariff"]}
        document["tariff"]["storage_settings"] |= values
        return (await self.send("PUT", TARIFF, document))[0]

    async def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = (await self.get(TARIFF))["tariff"]["storage_settings"]
        return settings


@contextmanager
def still(profile: str) -> Iterator[Simulator]:
    """Run a simulator whose clock only the test advances."""
    with Simulator(profile, start=START, hour_of_day=11, speed=1e-6) as running:
        yield running


async def test_the_battery_controller_uses_a_written_document(session: aiohttp.ClientSession) -> None:
    with still("battery") as simulator:
        client = Client(simulator, session)
        assert await client.change_storage(mode="backup", reserved_soc=35.0, charge_from_grid=True) == 200
        settings = await client.settings()
        assert (settings["mode"], settings["reserved_soc"], settings["charge_from_grid"]) == (
            "backup",
            35,
            True,
        )
        assert not (await client.get(SCHED))["Charge From Grid Allowed"]
        assert (await client.get(SCHED, after=3))["Charge From Grid Allowed"]
        assert (await client.get(SECCTRL))["configured_backup_soc"] == 100
        assert await client.change_storage(mode="savings-mode") == 200
        assert (await client.get(SECCTRL, after=3))["configured_backup_soc"] == 35


@pytest.mark.parametrize(
    ("quirk", "written", "stored", "used"),
    [
        ("opt-schedules", {"mode": "backup"}, {"mode": "backup"}, 20),
        ("opt-schedules", {"mode": "backup", "opt_schedules": False}, {"mode": "backup"}, 100),
        ("local-writes-ignored", {"reserved_soc": 40.0}, {"reserved_soc": 40.0}, 20),
        ("reserve-limited", {"reserved_soc": 90.0}, {"reserved_soc": 80.0}, 80),
        ("no-grid-charging", {"charge_from_grid": True}, {"charge_from_grid": False}, 20),
        ("removed-inverters", {"reserved_soc": 3.0}, {"reserved_soc": 5.0}, 5),
    ],
)
async def test_what_firmware_makes_of_a_written_document(
    session: aiohttp.ClientSession, quirk: str, written: dict[str, Any], stored: dict[str, Any], used: int
) -> None:
    with still(f"battery+{quirk}") as simulator:
        client = Client(simulator, session)
        assert await client.change_storage(**written) == 200
        assert (await client.get(SECCTRL, after=60))["configured_backup_soc"] == used
        assert stored.items() <= (await client.settings()).items()
        assert not (await client.get(SCHED))["Charge From Grid Allowed"]


async def test_the_cloud_restores_the_old_document_after_ten_minutes(session: aiohttp.ClientSession) -> None:
    with still("battery+cloud-writes-back") as simulator:
        client = Client(simulator, session)
        await client.change_storage(reserved_soc=50.0)
        assert (await client.get(SECCTRL, after=590))["configured_backup_soc"] == 50
        assert (await client.get(SECCTRL, after=10))["configured_backup_soc"] == 20
        assert (await client.settings())["reserved_soc"] == 20


async def test_prices_can_depend_on_season_and_hour(session: aiohttp.ClientSession) -> None:
    for profile, prices in (("battery", {0.25}), ("generator", {0.32, 0.49, 0.5, 0.52, 0.63})):
        with still(profile) as simulator:
            document = (await Client(simulator, session).get(TARIFF))["tariff"]
        seen = {
            period["rate"]
            for season in document["seasons"]
            for day in season["days"]
            for period in day["periods"]
        }
        assert seen == prices
        assert bool(document["seasons_sell"]) == (profile == "generator")


async def test_a_stuck_scheduler_charges_after_a_change_of_the_mode(session: aiohttp.ClientSession) -> None:
    with still("battery+scheduler-stuck") as simulator:
        client = Client(simulator, session)
        await client.change_storage(charge_from_grid=True, reserved_soc=100.0)
        sched = await client.get(SCHED, after=60)
        assert sched["Charge From Grid Allowed"]
        assert sched["sched_mode_key"][sched["acb_current_mode"]] == "ZN - Zero Net"
        await client.change_storage(mode="backup")
        sched = await client.get(SCHED, after=60)
        assert sched["sched_mode_key"][sched["acb_current_mode"]] == "CG - Charge From Grid"


@pytest.mark.parametrize(
    ("quirk", "opening", "states", "closing"),
    [
        ("", 5, ["open", "open"], 3),
        ("+slow-relay", 28, ["open synchronizing", "open synchronized"], 12),
    ],
)
async def test_the_main_relay_opens_and_closes_after_seconds(
    session: aiohttp.ClientSession, quirk: str, opening: int, states: list[str], closing: int
) -> None:
    with still(f"battery{quirk}") as simulator:
        client = Client(simulator, session)
        assert (await client.send("POST", RELAY, {"mains_admin_state": "open"}))[0] == 200
        before = await client.get(RELAY, after=opening - 1)
        assert (before["mains_admin_state"], before["mains_oper_state"]) == ("open", "closed")
        assert (await client.get(RELAY, after=1))["mains_oper_state"] == states[0]
        assert (await client.get(RELAY, after=45))["mains_oper_state"] == states[1]
        controller = (await client.get("/ivp/ensemble/inventory"))[1]["devices"][0]
        assert controller["mains_oper_state"] == states[1]
        await client.send("POST", RELAY, {"mains_admin_state": "closed"})
        assert (await client.get(RELAY, after=closing))["mains_oper_state"] == "closed"
        assert (await client.send("POST", RELAY, {"mains_admin_state": "up"}))[0] == 400


async def test_a_command_to_the_relay_can_be_repeated_and_taken_back(session: aiohttp.ClientSession) -> None:
    with still("battery+slow-relay") as simulator:
        client = Client(simulator, session)
        await client.send("POST", RELAY, {"mains_admin_state": "open"})
        simulator.clock.advance(20)
        await client.send("POST", RELAY, {"mains_admin_state": "closed"})
        for _ in range(4):
            assert (await client.get(RELAY, after=30))["mains_oper_state"] == "closed"
        assert simulator.house.truth(START + 40).production.total.active_power > 0
        assert simulator.house.orders(START + 200).panels
        for _ in range(2):
            await client.send("POST", RELAY, {"mains_admin_state": "open"})
        simulator.clock.advance(80)
        await client.send("POST", RELAY, {"mains_admin_state": "open"})
        assert (await client.get(RELAY))["mains_oper_state"] == "open synchronized"


async def test_what_a_command_takes_passes_as_fast_as_the_clock(session: aiohttp.ClientSession) -> None:
    with Simulator("battery+slow-relay", start=START, hour_of_day=11, speed=200) as simulator:
        client = Client(simulator, session)
        await client.send("POST", RELAY, {"mains_admin_state": "open"})
        while (await client.get(RELAY))["mains_oper_state"] != "open synchronized":
            await asyncio.sleep(0.02)
        assert simulator.clock.time() >= START + 73
        assert (await client.get("/ivp/meters/readings"))[1]["activePower"] == 0


async def test_dry_contacts_and_their_settings(session: aiohttp.ClientSession) -> None:
    with still("generator+contacts-read-open") as simulator:
        client = Client(simulator, session)

        async def read() -> dict[str, str]:
            return {each["id"]: each["status"] for each in (await client.get(CONTACTS))["dry_contacts"]}

        assert await read() == {"NC1": "closed", "NC2": "closed", "NO1": "open", "NO2": "open"}
        await client.send("POST", CONTACTS, {"dry_contacts": {"id": "NC1", "status": "open"}})
        await client.send("POST", CONTACTS, {"dry_contacts": {"id": "NO1", "status": "closed"}})
        simulator.clock.advance(2)
        assert await read() == {"NC1": "open", "NC2": "closed", "NO1": "closed", "NO2": "open"}
        settings = (await client.get(CONTACT_SETTINGS))["dry_contacts"][1]
        assert (await client.send("POST", CONTACT_SETTINGS, {"dry_contacts": {"id": "NC2"}}))[0] == 400
        changed = {"dry_contacts": {**settings, "soc_low": 40.0, "mode": "soc"}}
        assert (await client.send("POST", CONTACT_SETTINGS, changed))[0] == 200
        assert (await read())["NC2"] == "open"
        simulator.clock.advance(60)
        assert await read() == {"NC1": "open", "NC2": "closed", "NO1": "closed", "NO2": "open"}
        assert (await client.get(CONTACT_SETTINGS))["dry_contacts"][1]["soc_low"] == 40


async def test_off_grid_only_contacts_with_a_load_shed_it(session: aiohttp.ClientSession) -> None:
    for profile, status in (("battery", "closed"), ("generator", "open")):
        with still(profile) as simulator:
            client = Client(simulator, session)
            settings = (await client.get(CONTACT_SETTINGS))["dry_contacts"][0]
            # An owner cannot change the type, which decides.
            changed = {**settings, "micro_grid_action": "shed", "type": "LOAD"}
            await client.send("POST", CONTACT_SETTINGS, {"dry_contacts": changed})
            assert (await client.get(CONTACT_SETTINGS, after=2))["dry_contacts"][0]["type"] == settings[
                "type"
            ]
            await client.send("POST", RELAY, {"mains_admin_state": "open"})
            assert (await client.get(CONTACTS, after=6))["dry_contacts"][0]["status"] == status
            await client.send("POST", RELAY, {"mains_admin_state": "closed"})
            assert (await client.get(CONTACTS, after=6))["dry_contacts"][0]["status"] == "closed"


async def test_a_generator_is_told_what_to_do(session: aiohttp.ClientSession) -> None:
    with still("generator+generator-always-charges") as simulator:
        client = Client(simulator, session)
        assert (await client.get("/ivp/ensemble/generator"))["present"] == 1
        assert (await client.send("POST", "/ivp/ss/gen_mode", {"gen_cmd": "on"}))[0] == 200
        assert (await client.get("/ivp/ss/gen_mode", after=3))["gen_cmd"] == "on"
        config = await client.get("/ivp/ss/gen_config")
        await client.send("POST", "/ivp/ss/gen_config", {**config, "charge_from_generator": False})
        assert (await client.get("/ivp/ss/gen_config"))["charge_from_generator"] is True


async def test_ac_batteries_sleep_and_wake(session: aiohttp.ClientSession) -> None:
    with still("ac-batteries") as simulator:
        client = Client(simulator, session)
        serial_number = (await client.get("/inventory.json"))[1]["devices"][0]["serial_num"]
        entry = {"serial_num": serial_number, "sleep_min_soc": 5, "sleep_max_soc": 10}
        await client.send("PUT", SLEEP, {"acb_sleep": [entry]})
        assert await client.get(SLEEP) == {"acb_sleep": [entry]}

        async def read() -> tuple[bool, bool, int]:
            device = (await client.get("/inventory.json"))[1]["devices"][0]
            flag = "envoy.cond_flags.pcu_ctrl.sleep-mode" in device["device_status"]
            return device["sleep_enabled"], flag, device["sleep_min_soc"]

        assert await read() == (True, False, 5)
        simulator.clock.advance(60)
        assert await read() == (True, True, 5)
        await client.send("DELETE", SLEEP, {"acb_sleep": [{"serial_num": serial_number}]})
        simulator.clock.advance(60)
        assert await read() == (False, False, 25)
        assert (await client.send("PUT", SLEEP, {"acb_sleep": [{"serial_num": "1"}]}))[0] == 400


async def test_only_an_installer_switches_the_production(session: aiohttp.ClientSession) -> None:
    with still("three-phase+cloud-writes-back") as simulator:
        owner = Client(simulator, session)
        assert (await owner.send("GET", POWER))[0] == 401
        installer = Client(simulator, session, "installer")
        assert (await installer.send("PUT", POWER, {"length": 1, "arr": [1]}))[0] == 200
        assert await installer.get(POWER, after=1) == {"powerForcedOff": True}
        assert await installer.get(POWER, after=600) == {"powerForcedOff": False}


async def test_some_gateways_reject_an_owners_commands(session: aiohttp.ClientSession) -> None:
    with still("battery+owner-refused") as simulator:
        assert await Client(simulator, session).change_storage(mode="backup") == 401
        assert await Client(simulator, session, "installer").change_storage(mode="backup") == 200


@pytest.mark.parametrize(
    ("profile", "path"), [("meter-collar", RELAY), ("battery", "/ivp/ss/gen_mode"), ("three-phase", CONTACTS)]
)
async def test_a_gateway_without_the_device_has_no_such_command(
    session: aiohttp.ClientSession, profile: str, path: str
) -> None:
    with still(profile) as simulator:
        assert (await Client(simulator, session).send("POST", path, {}))[0] == 404
