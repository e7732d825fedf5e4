"""Commands to a simulated gateway, and what is said of firmware that does not carry them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from enphase_api import CommandError, CommunicationError, EnphaseError, NotAllowedError, ResponseError
from enphase_api.cloud import BatteryCloud
from enphase_api.local import Control, Gateway, Timing
from enphase_api.models import CommandResult, Evidence, Outcome, Reason, StorageMode, Way
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

#: House seconds a second: what takes a gateway half a minute takes these tests a second.
SPEED = 30

#: House seconds a second where only the test moves the time.
STILL = 1e-6

TARIFF = "/admin/lib/tariff"
CONTACT_SETTINGS = "/ivp/ss/dry_contact_settings"
SLEEP = "/admin/lib/acb_config"

#: In the tests' seconds: the second proof comes half a minute of house time after the command.
QUICK = Timing(first=20, relay=20, second=1, contacts=2.5, pause=0.05)

#: For commands that are expected not to hold.
IMPATIENT = Timing(first=0.3, relay=0.3, second=0.4, contacts=2.5, pause=0.05)

Open = Callable[..., Any]


@asynccontextmanager
async def open_control(
    profile: str, role: str = "owner", timing: Timing = QUICK, **options: Any
) -> AsyncIterator[tuple[Simulator, Control]]:
    """Yield a simulated gateway and its commands, for a token of this role."""
    options = {"speed": SPEED, "hour_of_day": 11, "day": JUNE, **options}
    async with AsyncExitStack() as stack:
        sim = stack.enter_context(Simulator(profile, **options))
        gateway = await stack.enter_async_context(Gateway(sim.url, certificate=sim.certificate_pem))
        assert await gateway.login(sim.token(role))
        gateway.control.timing = timing
        yield sim, gateway.control
    await asyncio.sleep(0.02)


async def read(control: Control, path: str) -> Any:
    return await control._gateway.api_call(path)


async def confirm(control: Control, result: CommandResult) -> CommandResult:
    """Return the second proof of a command whose first one was good."""
    assert (result.outcome, result.is_final) == (Outcome.HELD, False)
    final = await control.confirm(result)
    assert final.is_final
    return final


@pytest.mark.parametrize(
    ("wanted", "evidence"),
    [
        ({"mode": StorageMode.BACKUP}, Evidence.DEVICE),
        ({"mode": "economy"}, Evidence.DOCUMENT),
        ({"reserve": 35}, Evidence.DEVICE),
        ({"charge_from_grid": True}, Evidence.DEVICE),
        ({"shutdown_level": 8, "reserve": 8.0}, Evidence.DEVICE),
        ({"mode": "economy", "reserve": 60.0, "charge_from_grid": True}, Evidence.DOCUMENT),
    ],
)
@pytest.mark.parametrize("quirk", ["", "+opt-schedules"])
async def test_the_batteries_are_used_as_requested(
    wanted: dict[str, Any], evidence: Evidence, quirk: str
) -> None:
    async with open_control(f"battery{quirk}") as (_, control):
        result = await confirm(control, await control.set_storage(**wanted))
        assert (result.outcome, result.reason, result.evidence) == (Outcome.HELD, None, evidence)
        storage = await control.storage()
        assert {name: getattr(storage, name) for name in wanted} == wanted


async def test_only_the_requested_part_of_the_document_is_changed() -> None:
    async with open_control("battery") as (sim, control):
        before = await read(control, TARIFF)
        await control.set_storage(reserve=35)
        after = (await read(control, TARIFF))["tariff"]
        changed = {"reserved_soc": 35.0, "date": after["storage_settings"]["date"]}
        assert after == {
            **before["tariff"],
            "storage_settings": before["tariff"]["storage_settings"] | changed,
        }
        # A gateway has floats here, and a whole number there.
        assert isinstance(after["storage_settings"]["reserved_soc"], float)
        assert isinstance(after["storage_settings"]["very_low_soc"], int)
        writes = [request for request in sim.requests if request.method == "PUT"]
        assert [request.path for request in writes] == [TARIFF]


async def test_the_schedules_of_enphase_stay_where_no_mode_is_changed() -> None:
    async with open_control("battery+opt-schedules") as (_, control):
        await control.set_storage(reserve=35)
        storage = await control.storage()
        assert storage.document is not None
        assert storage.document.optimized_schedules is True


async def test_a_reserve_in_mode_backup_is_stored_for_the_other_modes() -> None:
    async with open_control("battery") as (_, control):
        result = await confirm(control, await control.set_storage(mode="backup", reserve=30))
        assert (result.outcome, result.reason) == (Outcome.HELD, Reason.FULL_RESERVE)
        assert (result.before["reserve"], result.after["reserve"]) == (20, 100)
        back = await control.set_storage(mode="self-consumption")
        assert back.also_changed == {"reserve": (100, 30)}


@pytest.mark.parametrize(
    "wanted",
    [{"mode": "backup"}, {"mode": "economy"}, {"reserve": 50.0}, {"charge_from_grid": True}],
    ids=["backup", "economy", "reserve", "charge from grid"],
)
async def test_a_controller_that_ignores_the_stored_document_is_seen_through(wanted: dict[str, Any]) -> None:
    async with open_control("cloud-controlled", timing=IMPATIENT) as (_, control):
        result = await control.set_storage(**wanted)
        stored = (await read(control, TARIFF))["tariff"]["storage_settings"]
        assert set(wanted.values()) <= set(stored.values()), "the gateway stores it"
        assert result.outcome is Outcome.PENDING
        result = await control.confirm(result)
        assert (result.outcome, result.reason) == (Outcome.IGNORED, Reason.LOCAL_WRITES_IGNORED)
        assert (await control.storage()).is_outdated


async def test_what_an_owner_may_not_write_locally_goes_through_the_cloud() -> None:
    async with open_control("battery+owner-refused") as (sim, control):
        async with BatteryCloud(sim.username, sim.password, host=sim.entrez_url) as cloud:
            result = await control.set_storage(reserve=40, cloud=cloud)
        assert (result.outcome, result.way) == (Outcome.HELD, Way.CLOUD)
        assert control.are_local_writes_ignored


async def test_charging_that_the_grid_profile_forbids_was_not_stored() -> None:
    async with open_control("battery+no-grid-charging", timing=IMPATIENT) as (_, control):
        result = await control.confirm(await control.set_storage(charge_from_grid=True))
        assert (result.outcome, result.reason) == (Outcome.IGNORED, Reason.NOT_STORED)


async def test_a_reserve_that_the_gateway_limits_was_refused() -> None:
    async with open_control("battery+reserve-limited", timing=IMPATIENT) as (_, control):
        result = await control.confirm(await control.set_storage(reserve=95))
        assert (result.outcome, result.reason) == (Outcome.REFUSED, Reason.NOT_STORED)
        assert result.after["reserve"] == 80


async def test_settings_that_the_cloud_restores_were_taken_back() -> None:
    async with open_control("battery+cloud-writes-back") as (sim, control):
        result = await control.set_storage(mode="economy", reserve=50)
        sim.clock.advance(600)
        result = await confirm(control, result)
        assert (result.outcome, result.reason) == (Outcome.TAKEN_BACK, Reason.REWRITTEN)
        assert result.missing == ("mode", "reserve")


async def test_a_mode_that_the_schedules_replace_again_was_taken_back() -> None:
    async with open_control("battery+opt-schedules") as (_, control):
        result = await control.set_storage(mode="economy")
        document = (await read(control, TARIFF))["tariff"]
        document["storage_settings"]["opt_schedules"] = True
        await control._gateway.api_call(TARIFF, "PUT", json={"tariff": document}, response_raw=True)
        result = await confirm(control, result)
        assert (result.outcome, result.reason) == (Outcome.TAKEN_BACK, Reason.OPTIMIZED_SCHEDULES)


async def test_a_scheduler_that_does_not_charge_although_it_may_is_named() -> None:
    async with open_control("battery+scheduler-stuck") as (_, control):
        result = await confirm(control, await control.set_storage(reserve=100, charge_from_grid=True))
        assert (result.outcome, result.reason) == (Outcome.HELD, Reason.STUCK_SCHEDULER)
        # What helps: another mode.
        result = await confirm(control, await control.set_storage(mode="backup", charge_from_grid=True))
        assert result.reason is None


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({}, "nothing to change"),
        ({"mode": "full"}, "mode must be one of self-consumption, economy, backup"),
        ({"reserve": 101}, "reserve must be from 0 to 100 %"),
        ({"reserve": -1}, "reserve must be from 0 to 100 %"),
        ({"reserve": float("nan")}, "reserve must be from 0 to 100 %"),
        ({"reserve": 3}, r"the reserve \(3 %\) must not be below the shutdown level \(5 %\)"),
        ({"reserve": 10, "shutdown_level": 15}, r"reserve \(10 %\) .* below the shutdown level \(15 %\)"),
        ({"shutdown_level": 21}, r"reserve \(20 %\) must not be below the shutdown level \(21 %\)"),
    ],
)
async def test_an_invalid_setting_of_the_batteries_is_not_sent(wanted: dict[str, Any], error: str) -> None:
    async with open_control("battery") as (sim, control):
        sim.requests.clear()
        with pytest.raises(CommandError, match=error):
            await control.set_storage(**wanted)
        assert {request.method for request in sim.requests} <= {"GET"}
        assert control.current is None


@pytest.mark.parametrize("quirk", ["", "+slow-relay"])
async def test_the_relay_opens_and_closes_after_a_while(quirk: str) -> None:
    async with open_control(f"battery{quirk}") as (_, control):
        result = await confirm(control, await control.set_grid_connection(False))
        assert (result.outcome, result.before, result.after) == (
            Outcome.HELD,
            {"connected": True},
            {"connected": False},
        )
        result = await confirm(control, await control.set_grid_connection(True))
        assert (result.outcome, result.after) == (Outcome.HELD, {"connected": True})


async def test_a_relay_that_needs_longer_is_pending_and_then_holds() -> None:
    async with open_control("battery+slow-relay", timing=IMPATIENT, speed=STILL) as (sim, control):
        result = await control.set_grid_connection(False)
        assert (result.outcome, result.after) == (Outcome.PENDING, {"connected": True})
        sim.clock.advance(28)
        assert (await control.confirm(result)).outcome is Outcome.HELD


async def test_a_dry_contact_opens_and_closes() -> None:
    async with open_control("generator") as (_, control):
        result = await confirm(control, await control.set_dry_contact("NC1", closed=False))
        assert (result.device, result.before, result.after) == ("NC1", {"closed": True}, {"closed": False})
        assert (await control.set_dry_contact("NO1", closed=True)).outcome is Outcome.HELD
        assert [contact.status for contact in await control._gateway.dry_contacts()] == [
            "open",
            "closed",
            "closed",
            "open",
        ]


async def test_all_settings_of_a_dry_contact_are_sent_with_the_change() -> None:
    async with open_control("generator") as (_, control):
        before = (await read(control, CONTACT_SETTINGS))["dry_contacts"]
        result = await confirm(
            control, await control.set_dry_contact_settings("NC2", mode="soc", soc_low=35, soc_high=55.5)
        )
        assert (result.outcome, result.evidence) == (Outcome.HELD, Evidence.DOCUMENT)
        assert result.also_changed == {}
        after = (await read(control, CONTACT_SETTINGS))["dry_contacts"]
        assert after == [
            entry | ({"mode": "soc", "soc_low": 35.0, "soc_high": 55.5} if entry["id"] == "NC2" else {})
            for entry in before
        ]


async def test_an_open_contact_is_not_believed_after_a_change_of_settings() -> None:
    async with open_control("generator+contacts-read-open", timing=IMPATIENT, speed=STILL) as (sim, control):
        settling = [control.are_contacts_settling]
        await control.set_dry_contact_settings("NC2", soc_low=35)
        settling.append(control.are_contacts_settling)
        states = [contact.status for contact in await control._gateway.dry_contacts()]
        assert states == [None, None, "open", "open"]
        result = await control.set_dry_contact("NC1", closed=True)
        assert (result.outcome, result.reason) == (Outcome.PENDING, Reason.CONTACTS_SETTLE)
        assert result.after == {"closed": None}
        sim.clock.advance(60)
        final = await control.confirm(result)
        assert (final.outcome, final.reason) == (Outcome.HELD, None)
        assert [*settling, control.are_contacts_settling] == [False, True, False]
        states = [contact.status for contact in await control._gateway.dry_contacts()]
        assert states == ["closed", "closed", "open", "open"]


async def test_the_generator_is_switched() -> None:
    async with open_control("generator") as (_, control):
        for mode in ("on", "auto", "off"):
            result = await control.set_generator(mode)
            assert (result.outcome, result.after) == (Outcome.HELD, {"mode": mode})


async def test_the_generator_may_charge_the_batteries_or_not() -> None:
    async with open_control("generator") as (_, control):
        before = await read(control, "/ivp/ss/gen_config")
        result = await confirm(control, await control.set_generator_charging(False))
        assert (result.outcome, result.evidence) == (Outcome.HELD, Evidence.DOCUMENT)
        assert await read(control, "/ivp/ss/gen_config") == {**before, "charge_from_generator": False}
        assert await control.generator_charging() is False
    async with open_control("generator+generator-always-charges", timing=IMPATIENT) as (_, control):
        result = await control.confirm(await control.set_generator_charging(False))
        assert result.outcome is Outcome.IGNORED


async def test_an_ac_battery_sleeps_and_wakes_without_the_others() -> None:
    async with open_control("ac-batteries") as (_, control):
        listed = await read(control, "/inventory.json")
        one, other = (device["serial_num"] for device in listed[1]["devices"][:2])
        for serial_number in (one, other):
            result = await control.set_ac_battery_sleep(serial_number, min_soc=5, max_soc=10)
            assert (result.outcome, result.device) == (Outcome.HELD, serial_number)
        assert [entry["serial_num"] for entry in (await read(control, SLEEP))["acb_sleep"]] == [one, other]
        result = await confirm(control, await control.set_ac_battery_sleep(one))
        assert (result.before["sleep"], result.after) == (True, {"sleep": False})
        assert [entry["serial_num"] for entry in (await read(control, SLEEP))["acb_sleep"]] == [other]


async def test_only_an_installer_switches_the_production() -> None:
    async with open_control("three-phase") as (sim, control):
        with pytest.raises(NotAllowedError, match="role"):
            await control.set_production(False)
        assert not [request for request in sim.requests if request.method == "PUT"]
    async with open_control("three-phase+cloud-writes-back", "installer") as (sim, control):
        result = await control.set_production(False)
        assert (result.before, result.after) == ({"on": True}, {"on": False})
        sim.clock.advance(600)
        assert (await confirm(control, result)).outcome is Outcome.TAKEN_BACK


@pytest.mark.parametrize(
    ("profile", "command", "error"),
    [
        ("meter-collar", lambda control: control.set_grid_connection(False), "no System Controller"),
        ("three-phase", lambda control: control.set_grid_connection(False), "no System Controller"),
        ("no-meters", lambda control: control.set_storage(reserve=30), "no batteries"),
        ("battery", lambda control: control.set_dry_contact("NC3", False), "no dry contact NC3$"),
        ("battery", lambda control: control.set_dry_contact_settings("NC3", mode="soc"), "no dry contact"),
        ("battery", lambda control: control.set_dry_contact_settings("NC1"), "nothing to change"),
        ("battery", lambda control: control.set_dry_contact_settings("NC1", mode="on"), "mode must be one"),
        (
            "battery",
            lambda control: control.set_dry_contact_settings("NC1", gen_action="no"),
            "gen_action must be one of apply, shed, schedule, none",
        ),
        (
            "battery",
            lambda control: control.set_dry_contact_settings("NC1", soc_low=80),
            r"soc_low \(80 %\) must be below soc_high \(70 %\)",
        ),
        ("battery", lambda control: control.set_generator("on"), "no generator"),
        ("battery", lambda control: control.set_generator_charging(True), "no generator"),
        ("generator", lambda control: control.set_generator("start"), "mode must be one of off, on, auto"),
        ("ac-batteries", lambda control: control.set_ac_battery_sleep("1", min_soc=5), "both are needed"),
        ("ac-batteries", lambda control: control.set_ac_battery_sleep("1"), "has no AC Battery 1$"),
        (
            "ac-batteries",
            lambda control: control.set_ac_battery_sleep("1", min_soc=9, max_soc=5),
            "must not be above",
        ),
    ],
)
async def test_a_command_that_the_gateway_cannot_carry_out_is_not_sent(
    profile: str, command: Callable[[Control], Any], error: str
) -> None:
    async with open_control(profile) as (sim, control):
        sim.requests.clear()
        with pytest.raises(CommandError, match=error):
            await command(control)
        assert {request.method for request in sim.requests} <= {"GET"}


async def test_contacts_that_a_gateway_lists_without_a_controller_take_no_commands() -> None:
    async with open_control("three-phase") as (_, control):
        assert await control._gateway.dry_contacts()
        with pytest.raises(CommandError, match="takes no command at /ivp/ensemble/dry_contacts"):
            await control.set_dry_contact("NC1", False)


COMMANDS: list[Callable[[Control], Any]] = [
    lambda control: control.set_storage(reserve=30),
    lambda control: control.set_grid_connection(False),
    lambda control: control.set_dry_contact("NC1", False),
    lambda control: control.set_dry_contact_settings("NC1", soc_low=20),
    lambda control: control.set_generator("on"),
]


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_for_installers_only_is_not_allowed(
    command: Callable[[Control], Any],
) -> None:
    async with open_control("generator+owner-refused") as (_, control):
        with pytest.raises(NotAllowedError, match="with this token's role"):
            await command(control)
        assert control.current is None


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_repeated_command_changes_nothing_more(command: Callable[[Control], Any]) -> None:
    async with open_control("generator") as (_, control):
        first = await command(control)
        second = await command(control)
        assert (first.outcome, second.outcome) == (Outcome.HELD, Outcome.HELD)
        assert second.before == first.after == second.after


@pytest.mark.parametrize("is_carried_out", [True, False])
async def test_after_a_timeout_inside_the_gateway_its_reports_decide(
    is_carried_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_control("battery", timing=QUICK if is_carried_out else IMPATIENT) as (_, control):
        call = control._gateway.api_call

        async def call_and_fail(path: str, method: str = "GET", *arguments: Any, **options: Any) -> Any:
            if method == "GET" or is_carried_out:
                answer = await call(path, method, *arguments, **options)
            if method == "GET":
                return answer
            raise ResponseError(
                f"the gateway answered {path} with 504", path=path, status=504, retryable=True
            )

        monkeypatch.setattr(control._gateway, "api_call", call_and_fail)
        if is_carried_out:
            result = await control.set_storage(reserve=30)
            assert (result.outcome, result.after["reserve"]) == (Outcome.HELD, 30)
        else:
            with pytest.raises(CommunicationError, match="answered /admin/lib/tariff with 504"):
                await control.set_storage(reserve=30)


async def test_each_error_is_one_of_the_client() -> None:
    async with open_control("battery", timing=IMPATIENT) as (sim, control):
        for fault in ("status", "html", "truncated", "reset"):
            sim.faults.set(fault, TARIFF)
            with pytest.raises(EnphaseError, match="tariff"):
                await control.set_storage(reserve=30)
            sim.faults.clear()
