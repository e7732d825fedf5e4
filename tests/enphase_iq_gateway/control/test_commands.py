"""Changes of the gateway: their entities and actions, the proof of each command, and what is reported."""

import asyncio
from typing import Any

import pytest
from homeassistant.const import CONF_TOKEN, STATE_OFF, STATE_ON, EntityCategory
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES, DOMAIN
from custom_components.enphase_iq_gateway.endpoints import Endpoint
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, make_entry
from .helpers import (
    LATER,
    NUMBER,
    SELECT,
    SWITCH,
    Change,
    Control,
    Show,
    control_entities,
    entity_id,
    issues,
    settle,
    written,
)


async def test_without_the_option_nothing_can_be_changed_and_nothing_is_read_for_it(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry, enable=True)
    assert control_entities(hass, entry) == set()
    read = {request.path for request in simulator.requests}
    # The tariff document has the prices, too.
    assert not read & {"/ivp/sc/sched", "/ivp/ss/gen_mode"}
    for action, data in (
        ("set_battery_mode", {"mode": "backup"}),
        ("set_grid_connection", {"connected": True}),
    ):
        with pytest.raises(ServiceValidationError) as raised:
            await hass.services.async_call(
                DOMAIN, action, {"config_entry_id": entry.entry_id, **data}, blocking=True
            )
        assert raised.value.translation_key == "changes_not_allowed"
    assert written(simulator) == []


async def test_the_option_adds_what_the_gateway_has_and_removes_it_again(
    hass: HomeAssistant, simulator: Simulator, control: Control
) -> None:
    entry = await control()
    expected = {
        "battery_mode",
        "battery_reserve",
        "battery_shutdown_level",
        "charge_from_grid",
        "grid_connection",
    }
    assert control_entities(hass, entry) >= expected
    assert "production" not in control_entities(hass, entry)
    select = entity_id(hass, simulator, SELECT, "battery_mode")
    er.async_get(hass).async_update_entity(select, new_entity_id="select.mine")
    for is_allowed in (False, True):
        hass.config_entries.async_update_entry(entry, options={CONF_ALLOW_WRITES: is_allowed})
        await hass.config_entries.async_reload(entry.entry_id)
        await settle(hass)
        assert bool(control_entities(hass, entry)) is is_allowed
    # Home Assistant has kept the id.
    assert entity_id(hass, simulator, SELECT, "battery_mode") == "select.mine"


async def test_a_gateway_without_batteries_has_nothing_to_change(hass: HomeAssistant, set_up: SetUp) -> None:
    with Simulator("three-phase", seed=3) as other:
        entry = await set_up(make_entry(other, options={CONF_ALLOW_WRITES: True}))
        assert control_entities(hass, entry) == set()
        assert "/ivp/sc/sched" not in {request.path for request in other.requests}
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("platform", "key", "value", "state"),
    [
        (SELECT, "battery_mode", "backup", "backup"),
        (SELECT, "battery_mode", "economy", "economy"),
        (NUMBER, "battery_reserve", 35, "35"),
        (NUMBER, "battery_shutdown_level", 10, "10"),
        (SWITCH, "charge_from_grid", True, STATE_ON),
    ],
)
async def test_a_change_that_holds_is_shown_as_the_gateway_reports_it(
    hass: HomeAssistant,
    control: Control,
    show: Show,
    change: Change,
    platform: str,
    key: str,
    value: Any,
    state: str,
) -> None:
    await control()
    before = show(platform, key).state
    assert before != state
    await change(platform, key, value)
    shown = show(platform, key)
    assert shown.state.removesuffix(".0") == state
    assert shown.attributes["pending"] is None
    await settle(hass)
    assert issues(hass) == []


async def test_the_sensor_of_the_reserve_follows_with_the_next_refresh(
    hass: HomeAssistant, control: Control, show: Show, change: Change
) -> None:
    entry = await control()
    await change(NUMBER, "battery_reserve", 35)
    await entry.runtime_data.async_refresh()
    await settle(hass)
    assert show("sensor", "battery_reserve").state == "35"


@pytest.mark.parametrize("clock_speed", [0.0])
async def test_a_change_on_its_way_is_pending_and_not_shown_as_done(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control(first=30)
    sending = hass.async_create_task(change(SELECT, "battery_mode", "backup"))
    while show(SELECT, "battery_mode").attributes["pending"] is None:
        await asyncio.sleep(0.01)
    assert show(SELECT, "battery_mode").attributes["pending"] == "backup"
    assert show(SELECT, "battery_mode").state == "self-consumption"
    # The controller reads the document some seconds later.
    while not any(request.method == "PUT" for request in simulator.requests):
        await asyncio.sleep(0.01)
    simulator.clock.advance(10)
    await sending
    assert show(SELECT, "battery_mode").attributes["pending"] is None
    assert show(SELECT, "battery_mode").state == "backup"


@pytest.mark.parametrize(
    ("profile", "platform", "key", "value", "issue"),
    [
        ("battery+local-writes-ignored", NUMBER, "battery_reserve", 35, "command_needs_cloud"),
        ("battery+reserve-limited", NUMBER, "battery_reserve", 90, "command_not_allowed"),
        ("battery+no-grid-charging", SWITCH, "charge_from_grid", True, "command_not_allowed"),
    ],
)
async def test_a_change_that_does_not_hold_is_an_issue_until_the_gateway_reports_the_value(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    show: Show,
    change: Change,
    platform: str,
    key: str,
    value: Any,
    issue: str,
) -> None:
    entry = await control(first=0.3)
    before = show(platform, key).state
    await change(platform, key, value)
    await settle(hass)
    assert issues(hass) == [issue]
    shown = show(platform, key)
    assert shown.attributes["pending"] is None
    assert before == shown.state or issue == "command_not_allowed"
    # The owner makes the same change elsewhere, such as in Enphase's app.
    answers: Any = simulator.gateway._answers
    controls, now = answers.controls, int(simulator.clock.time())
    if platform == SWITCH:
        controls.grid_charging_allowed.set(now, value)
    else:
        controls.set_storage(now, reserve=value)
    await entry.runtime_data.async_poll_now(Endpoint.STORAGE)
    assert issues(hass) == []


@pytest.mark.parametrize("profile", ["battery+cloud-writes-back"])
async def test_a_change_that_the_cloud_takes_back_is_an_issue(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control()

    @callback
    def advance(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.state == "backup":
            simulator.clock.advance(LATER)

    async_track_state_change_event(hass, entity_id(hass, simulator, SELECT, "battery_mode"), advance)
    await change(SELECT, "battery_mode", "backup")
    await settle(hass)
    assert issues(hass) == ["command_taken_back"]
    assert show(SELECT, "battery_mode").state == "self-consumption"


@pytest.mark.parametrize("profile", ["battery+owner-refused"])
async def test_a_change_that_the_role_may_not_make_is_an_error_at_once(
    hass: HomeAssistant, control: Control, show: Show, change: Change
) -> None:
    await control()
    with pytest.raises(HomeAssistantError) as raised:
        await change(SELECT, "battery_mode", "backup")
    assert raised.value.translation_key == "command_forbidden"
    assert show(SELECT, "battery_mode").attributes["pending"] is None
    assert show(SELECT, "battery_mode").state == "self-consumption"


async def test_a_reserve_below_the_shutdown_level_is_not_sent(
    hass: HomeAssistant, simulator: Simulator, control: Control, change: Change
) -> None:
    await control()
    with pytest.raises(HomeAssistantError):
        await change(NUMBER, "battery_reserve", 1)
    assert written(simulator) == []


async def test_a_gateway_that_is_offline_is_an_error_at_once(
    simulator: Simulator, control: Control, change: Change
) -> None:
    await control(first=0.1)
    simulator.faults.set("reset")
    with pytest.raises(HomeAssistantError) as raised:
        await change(SELECT, "battery_mode", "backup")
    assert raised.value.translation_key == "command_no_response"


async def test_mode_reserve_and_charging_are_one_write_and_the_response_says_whether_it_holds(
    hass: HomeAssistant, simulator: Simulator, control: Control
) -> None:
    entry = await control()
    simulator.requests.clear()
    response: Any = await hass.services.async_call(
        DOMAIN,
        "set_battery_mode",
        {
            "config_entry_id": entry.entry_id,
            "mode": "economy",
            "reserve": 40,
            "charge_from_grid": True,
        },
        blocking=True,
        return_response=True,
    )
    assert written(simulator) == ["/admin/lib/tariff"]
    assert response["held"] is True
    assert response["before"]["mode"] == "self-consumption"
    assert response["after"]["mode"] == "economy"
    assert response["after"]["reserve"] == 40
    assert response["outcome"] == "held"


@pytest.mark.parametrize("profile", ["battery+local-writes-ignored"])
async def test_a_response_says_that_a_change_does_not_hold_and_why(
    hass: HomeAssistant, control: Control
) -> None:
    entry = await control(first=0.3)
    response: Any = await hass.services.async_call(
        DOMAIN,
        "set_battery_mode",
        {"config_entry_id": entry.entry_id, "reserve": 40},
        blocking=True,
        return_response=True,
    )
    assert response["held"] is False
    assert response["outcome"] == "ignored"
    assert response["reason"] == "local_writes_ignored"


async def test_an_action_without_anything_to_change_is_an_error(
    hass: HomeAssistant, control: Control
) -> None:
    entry = await control()
    with pytest.raises(ServiceValidationError) as raised:
        await hass.services.async_call(
            DOMAIN, "set_battery_mode", {"config_entry_id": entry.entry_id}, blocking=True
        )
    assert raised.value.translation_key == "nothing_to_change"


async def test_the_grid_is_disconnected_only_with_a_confirmation(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    entry = await control()
    assert show(SWITCH, "grid_connection").state == STATE_ON
    with pytest.raises(ServiceValidationError) as raised:
        await change(SWITCH, "grid_connection", False)
    assert raised.value.translation_key == "confirmation_required"
    data = {"config_entry_id": entry.entry_id, "connected": False}
    with pytest.raises(ServiceValidationError) as raised:
        await hass.services.async_call(DOMAIN, "set_grid_connection", data, blocking=True)
    assert raised.value.translation_key == "confirmation_required"
    assert written(simulator) == []
    await hass.services.async_call(DOMAIN, "set_grid_connection", {**data, "confirm": True}, blocking=True)
    assert show(SWITCH, "grid_connection").state == STATE_OFF
    await settle(hass)
    await change(SWITCH, "grid_connection", True)
    assert show(SWITCH, "grid_connection").state == STATE_ON
    await settle(hass)
    assert issues(hass) == []


async def test_the_switch_of_the_grid_is_disabled_by_default(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    await set_up(make_entry(simulator, options={CONF_ALLOW_WRITES: True}))
    registry = er.async_get(hass)
    registered = registry.async_get(entity_id(hass, simulator, SWITCH, "grid_connection"))
    assert registered is not None
    assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION


async def test_an_installer_may_switch_production_and_an_owner_may_not(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control(role="installer")
    assert show(SWITCH, "production").state == STATE_ON
    await change(SWITCH, "production", False)
    assert show(SWITCH, "production").state == STATE_OFF
    await settle(hass)
    assert issues(hass) == []


@pytest.mark.parametrize("action", ["turn_on", "turn_off"])
async def test_switching_all_of_a_device_or_area_sends_nothing(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, action: str
) -> None:
    await control(role="installer")
    registry = er.async_get(hass)
    devices = []
    for key in ("grid_connection", "production", "charge_from_grid", "NC1_dry_contact", "NO1_dry_contact"):
        entity = registry.async_get(entity_id(hass, simulator, SWITCH, key))
        assert entity is not None
        assert entity.entity_category is EntityCategory.CONFIG
        devices.append(entity.device_id)
    await hass.services.async_call(SWITCH, action, {"device_id": devices}, blocking=True)
    area = ar.async_get(hass).async_create("Basement")
    for device in devices:
        dr.async_get(hass).async_update_device(str(device), area_id=area.id)
    await hass.services.async_call(SWITCH, action, {"area_id": area.id}, blocking=True)
    await settle(hass)
    assert written(simulator) == []


async def test_switching_off_every_switch_there_is_disconnects_nothing_that_its_owner_has_not_enabled(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    token = {CONF_TOKEN: simulator.token("installer")}
    await set_up(make_entry(simulator, token, {CONF_ALLOW_WRITES: True}))
    assert hass.states.async_entity_ids(SWITCH)
    await hass.services.async_call(SWITCH, "turn_off", {"entity_id": "all"}, blocking=True)
    await settle(hass)
    # Charging from the grid is off already, and stays so.
    assert set(written(simulator)) <= {"/admin/lib/tariff"}


async def test_the_action_for_production_is_refused_to_an_owner_before_anything_is_sent(
    hass: HomeAssistant, simulator: Simulator, control: Control
) -> None:
    entry = await control()
    simulator.requests.clear()
    with pytest.raises(ServiceValidationError) as raised:
        await hass.services.async_call(
            DOMAIN, "set_production", {"config_entry_id": entry.entry_id, "enabled": False}, blocking=True
        )
    assert raised.value.translation_key == "installer_required"
    assert simulator.requests == []


async def test_commands_are_sent_one_at_a_time(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control()
    await asyncio.gather(
        change(SELECT, "battery_mode", "economy"),
        change(NUMBER, "battery_reserve", 45),
        change(SWITCH, "charge_from_grid", True),
    )
    await settle(hass)
    assert show(SELECT, "battery_mode").state == "economy"
    assert show(NUMBER, "battery_reserve").state.removesuffix(".0") == "45"
    assert show(SWITCH, "charge_from_grid").state == STATE_ON
    assert issues(hass) == []


async def test_a_command_that_a_reload_interrupts_is_an_error_of_its_caller(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    entry = await control()
    sending = asyncio.create_task(change(SELECT, "battery_mode", "backup"))
    while show(SELECT, "battery_mode").attributes["pending"] is None:
        await asyncio.sleep(0.01)
    await hass.config_entries.async_reload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await sending
    assert raised.value.translation_key == "command_interrupted"
    await settle(hass)
    assert show(SELECT, "battery_mode").attributes["pending"] is None
    assert issues(hass) == []


async def test_a_command_is_completed_although_its_caller_is_cancelled(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control()
    sending = asyncio.create_task(change(SELECT, "battery_mode", "backup"))
    while show(SELECT, "battery_mode").attributes["pending"] is None:
        await asyncio.sleep(0.01)
    sending.cancel()
    await settle(hass)
    assert show(SELECT, "battery_mode").state == "backup"


async def test_a_change_that_brings_another_value_along_is_an_issue_until_that_value_is_back(
    hass: HomeAssistant, simulator: Simulator, control: Control, change: Change
) -> None:
    entry = await control()
    answers: Any = simulator.gateway._answers

    def set_charging(is_allowed: bool) -> None:
        now = int(simulator.clock.time())
        tariff = answers.controls.tariff(now)["tariff"]
        settings = {**tariff["storage_settings"], "charge_from_grid": is_allowed}
        document = {**tariff, "storage_settings": settings}
        answers.controls.set_storage(now, document, charge_from_grid=is_allowed)

    @callback
    def bring_along(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.state == "economy":
            set_charging(True)

    async_track_state_change_event(hass, entity_id(hass, simulator, SELECT, "battery_mode"), bring_along)
    await change(SELECT, "battery_mode", "economy")
    await settle(hass)
    assert issues(hass) == ["command_changed_more"]
    set_charging(False)
    await entry.runtime_data.async_poll_now(Endpoint.STORAGE)
    assert issues(hass) == []


async def test_issues_are_deleted_with_their_entry(
    hass: HomeAssistant, simulator: Simulator, control: Control, change: Change
) -> None:
    entry = await control(first=0.1)
    answers: Any = simulator.gateway._answers
    answers.controls._commands["PUT", "/admin/lib/tariff"] = lambda _, at: answers.controls.tariff(at)
    await change(SELECT, "battery_mode", "backup")
    await settle(hass)
    assert issues(hass) == ["command_not_allowed"]
    await hass.config_entries.async_remove(entry.entry_id)
    assert issues(hass) == []


async def test_a_later_change_that_holds_deletes_the_issue_of_an_earlier_one(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    change: Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await control(first=0.3)
    answers: Any = simulator.gateway._answers
    with monkeypatch.context() as patch:
        patch.setitem(
            answers.controls._commands,
            ("PUT", "/admin/lib/tariff"),
            lambda _, at: answers.controls.tariff(at),
        )
        await change(SELECT, "battery_mode", "backup")
        await settle(hass)
    assert issues(hass) == ["command_not_allowed"]
    await change(NUMBER, "battery_reserve", 40)
    await settle(hass)
    assert issues(hass) == []


@pytest.mark.parametrize("profile", ["battery+cloud-writes-back"])
async def test_a_change_that_is_taken_back_after_both_proofs_is_an_issue_that_survives_a_reload(
    hass: HomeAssistant, simulator: Simulator, control: Control, change: Change
) -> None:
    entry = await control()
    await change(NUMBER, "battery_reserve", 45)
    await settle(hass)
    assert issues(hass) == []
    simulator.clock.advance(LATER)
    await entry.runtime_data.async_poll_now(Endpoint.STORAGE)
    await settle(hass)
    assert issues(hass) == ["command_taken_back"]
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    assert issues(hass) == ["command_taken_back"]
    answers: Any = simulator.gateway._answers
    answers.controls.set_storage(int(simulator.clock.time()), reserve=45)
    await entry.runtime_data.async_poll_now(Endpoint.STORAGE)
    assert issues(hass) == []
