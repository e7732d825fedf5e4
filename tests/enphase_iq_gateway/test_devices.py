"""Microinverters with their details, and the devices around the batteries."""

import logging
from typing import Any

import pytest
from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import async_remove_config_entry_device
from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES, CONF_PANEL_SENSORS, DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry, state_of
from .helpers import change_response
from .texts import TEXTS

DETAILS, LIST = "/ivp/pdm/device_data", "/api/v1/production/inverters"
CONTACTS, SETTINGS = "/ivp/ensemble/dry_contacts", "/ivp/ss/dry_contact_settings"
GENERATOR = "/ivp/ensemble/generator"
CONTROLLER = "482500000001"
FIVE_MINUTES = 301

PANELS = {CONF_PANEL_SENSORS: True}


def entity_id(hass: HomeAssistant, unique_id: str, platform: str = SENSOR) -> str:
    found = er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique_id)
    assert found is not None, unique_id
    return found


def shown(hass: HomeAssistant, unique_id: str, platform: str = SENSOR) -> str:
    """Return the state of an entity by its unique id."""
    state = hass.states.get(entity_id(hass, unique_id, platform))
    assert state is not None, unique_id
    return state.state


def enabled(hass: HomeAssistant, entry: MockConfigEntry, simulator: Simulator) -> set[str]:
    """Return the unique ids of the enabled entities of microinverters."""
    serials = tuple(inverter.serial_number for inverter in simulator.house.inverters)
    return {
        each.unique_id
        for each in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if each.disabled_by is None and each.unique_id.startswith(serials)
    }


def panel_sensors(simulator: Simulator, count: int | None = None) -> set[str]:
    inverters = simulator.house.inverters[:count]
    return {f"{each.serial_number}_{key}" for each in inverters for key in ("power", "lifetime_energy")}


def count_requests(simulator: Simulator, *paths: str) -> list[int]:
    """Return how often each of these paths was requested, and forget all requests."""
    requested = [request.path for request in simulator.requests]
    simulator.requests.clear()
    return [requested.count(path) for path in paths]


async def switch(hass: HomeAssistant, entry: MockConfigEntry, tick: Tick, is_on: bool) -> None:
    """Switch the option on or off as the options flow does, and wait until all reloads are over."""
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_PANEL_SENSORS: is_on})
    await hass.config_entries.async_reload(entry.entry_id)
    await tick(seconds=31, times=2)


async def test_the_option_enables_power_and_lifetime_energy_of_each_panel(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, options=PANELS))
    assert enabled(hass, entry, simulator) == panel_sensors(simulator)
    truth = simulator.house.truth(simulator.clock.time())
    for inverter in simulator.house.inverters:
        made = truth.production.phases[inverter.phase].energy_delivered * inverter.share
        energy = float(shown(hass, f"{inverter.serial_number}_lifetime_energy"))
        assert energy == pytest.approx(made / 1000, rel=1e-4)


async def test_switching_the_option_respects_what_the_user_enabled_and_disabled(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    registry = er.async_get(hass)
    entry = await set_up(make_entry(simulator))
    assert enabled(hass, entry, simulator) == set()
    first, second, third = (each.serial_number for each in simulator.house.inverters[:3])
    by_user = {f"{first}_power", f"{second}_dc_voltage"}
    for unique_id in by_user:
        registry.async_update_entity(entity_id(hass, unique_id), disabled_by=None)
    unwanted = entity_id(hass, f"{third}_power")
    registry.async_update_entity(unwanted, disabled_by=er.RegistryEntryDisabler.USER)

    await switch(hass, entry, tick, True)
    assert enabled(hass, entry, simulator) == panel_sensors(simulator) - {f"{third}_power"} | by_user
    # Another reload changes nothing, and the user's choices still count.
    registry.async_update_entity(
        entity_id(hass, f"{second}_power"), disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await tick(seconds=31)
    assert f"{second}_power" not in enabled(hass, entry, simulator)

    await switch(hass, entry, tick, False)
    assert enabled(hass, entry, simulator) == by_user
    await hass.config_entries.async_reload(entry.entry_id)
    await tick(seconds=31)
    assert enabled(hass, entry, simulator) == by_user


async def test_all_details_take_one_request_in_five_minutes(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator, options=PANELS))
    count_requests(simulator)
    await tick(seconds=61, times=60)
    details, listed = count_requests(simulator, DETAILS, LIST)
    assert details in (11, 12)
    assert listed == 0


async def test_no_request_is_sent_for_microinverters_if_nothing_of_them_is_enabled(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator))
    count_requests(simulator)
    await tick(seconds=61, times=60)
    assert count_requests(simulator, DETAILS, LIST) == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["sixty-inverters"])
async def test_panels_beyond_the_fiftieth_come_from_the_list(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    entry = await set_up(make_entry(simulator, options=PANELS))
    powers = {each for each in panel_sensors(simulator) if each.endswith("_power")}
    energies = {each for each in panel_sensors(simulator, 50) if each.endswith("_energy")}
    assert enabled(hass, entry, simulator) == powers | energies
    assert all(float(shown(hass, unique_id)) > 0 for unique_id in powers | energies)
    count_requests(simulator)
    await tick(seconds=FIVE_MINUTES, times=4)
    assert count_requests(simulator, DETAILS, LIST) == [4, 4]


@pytest.mark.parametrize("profile", ["no-meters-8.3+inverter-wraps"])
async def test_the_lifetime_energy_continues_where_the_microinverter_starts_again_at_zero(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    def energies() -> list[float]:
        serials = [each.serial_number for each in simulator.house.inverters]
        return [float(shown(hass, f"{serial}_lifetime_energy")) for serial in serials]

    def raw() -> float:
        (first, *_) = simulator.gateway._answers.get(DETAILS, "").values()
        return float(first["channels"][0]["lifetime"]["joulesProduced"])

    await set_up(make_entry(simulator, options=PANELS))
    before, made_before = energies(), float(state_of(hass, simulator, "production_energy"))
    raw_before = raw()
    await tick(seconds=FIVE_MINUTES, times=6)
    assert raw() < raw_before
    grown = [now - then for now, then in zip(energies(), before, strict=True)]
    assert all(0 < growth < 0.5 for growth in grown)
    made = float(state_of(hass, simulator, "production_energy")) - made_before
    # The gateway's sum is some minutes newer than the reports.
    assert sum(grown) == pytest.approx(made, rel=0.2)


@pytest.mark.slow
async def test_a_silent_panel_has_only_its_energies_and_none_of_today_after_midnight(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await hass.config.async_set_time_zone("UTC")
    serial = simulator.house.inverters[0].serial_number
    await set_up(make_entry(simulator), enable=True)
    assert float(shown(hass, f"{serial}_dc_voltage")) > 20
    assert float(shown(hass, f"{serial}_energy_today")) > 0
    assert shown(hass, f"{serial}_reporting", "binary_sensor") == STATE_ON
    energy = float(shown(hass, f"{serial}_lifetime_energy"))

    # Until three in the morning.
    await tick(seconds=1800, times=30)
    for key in ("power", "dc_voltage", "ac_current", "frequency", "temperature"):
        assert shown(hass, f"{serial}_{key}") == STATE_UNKNOWN
    assert shown(hass, f"{serial}_reporting", "binary_sensor") == STATE_OFF
    assert float(shown(hass, f"{serial}_lifetime_energy")) > energy
    assert shown(hass, f"{serial}_last_report").startswith("2026-06-21T")
    assert float(shown(hass, f"{serial}_energy_today")) == 0


async def test_powers_stay_while_the_details_hang(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    serial = simulator.house.inverters[0].serial_number
    await set_up(make_entry(simulator, options=PANELS))
    simulator.faults.set("status", DETAILS, status=503)
    await tick(seconds=FIVE_MINUTES, times=5)
    assert float(shown(hass, f"{serial}_power")) > 0
    assert shown(hass, f"{serial}_lifetime_energy") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(seconds=FIVE_MINUTES, times=2)
    assert float(shown(hass, f"{serial}_lifetime_energy")) > 0


@pytest.mark.parametrize("profile", ["three-phase+removed-inverters"])
async def test_a_removed_panel_has_no_device(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator))
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    listed = {each.serial_number for each in simulator.house.inverters}
    found = {identifier for device in devices for _, identifier in device.identifiers}
    assert found <= {simulator.serial_number, *listed}


@pytest.mark.parametrize("profile", ["no-meters-8.3"])
async def test_a_panel_that_is_removed_later_can_be_deleted(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await set_up(make_entry(simulator, options=PANELS))
    serial = simulator.house.inverters[0].serial_number
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, serial), entry.entry_id)
    assert device is not None
    assert not await async_remove_config_entry_device(hass, entry, device)
    change_response(
        monkeypatch,
        simulator,
        DETAILS,
        lambda answer: {
            key: value | {"active": False, "modGone": True}
            if isinstance(value, dict) and value["sn"] == serial
            else value
            for key, value in answer.items()
        },
    )
    await tick(seconds=FIVE_MINUTES, times=2)
    assert await async_remove_config_entry_device(hass, entry, device)


@pytest.mark.parametrize("profile", ["generator"])
async def test_the_devices_around_the_batteries_are_shown(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator), enable=True)
    assert float(shown(hass, f"{CONTROLLER}_temperature")) == pytest.approx(22.2, abs=0.03)
    assert shown(hass, f"{CONTROLLER}_relay") == "closed"
    assert shown(hass, f"{CONTROLLER}_communicating", "binary_sensor") == STATE_ON
    assert shown(hass, f"{CONTROLLER}_NC1_closed", "binary_sensor") == STATE_ON
    assert shown(hass, f"{CONTROLLER}_NO1_closed", "binary_sensor") == STATE_OFF
    assert shown(hass, f"{CONTROLLER}_NC1_micro_grid_action") == "shed"
    assert float(shown(hass, f"{CONTROLLER}_NC1_low_level")) == 30
    assert shown(hass, f"{CONTROLLER}_generator_connected", "binary_sensor") == STATE_OFF
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    names = {device.name for device in devices}
    assert {f"System Controller {CONTROLLER}", "air conditioner", "Dry contact NO2", "Generator"} <= names
    for device in devices:
        assert not await async_remove_config_entry_device(hass, entry, device)


@pytest.mark.parametrize("profile", ["battery"])
@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("open", "open"),
        ("open synchronizing", "open_synchronizing"),
        ("open synchronized", "open_synchronized"),
        ("half open", STATE_UNKNOWN),
        ("", STATE_UNKNOWN),
        (None, STATE_UNKNOWN),
    ],
)
async def test_a_relay_is_shown_in_translated_words_and_an_unknown_word_as_unknown(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    word: str | None,
    state: str,
) -> None:
    def change(groups: Any) -> Any:
        for group in groups:
            if group["type"] == "ENPOWER":
                group["devices"][0]["mains_oper_state"] = word
        return groups

    change_response(monkeypatch, simulator, "/ivp/ensemble/inventory", change)
    await set_up(make_entry(simulator), enable=True)
    assert shown(hass, f"{CONTROLLER}_relay") == state
    found = hass.states.get(entity_id(hass, f"{CONTROLLER}_relay"))
    assert found is not None
    assert set(found.attributes["options"]) == set(TEXTS["entity"]["sensor"]["controller_relay"]["state"])
    assert [each for each in caplog.records if each.levelno >= logging.WARNING and each.exc_info] == []


@pytest.mark.parametrize("profile", ["battery"])
async def test_the_settings_of_a_dry_contact_are_shown_once(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator), enable=True)
    mode = entity_id(hass, f"{CONTROLLER}_NC1_mode")
    er.async_get(hass).async_update_entity(mode, new_entity_id="sensor.mine")
    for allows_changes in (True, False):
        hass.config_entries.async_update_entry(entry, options={CONF_ALLOW_WRITES: allows_changes})
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        found = [
            each.domain
            for each in registered
            if each.translation_key in ("dry_contact_mode", "dry_contact_low_level")
            and each.unique_id.startswith(f"{CONTROLLER}_NC1")
        ]
        assert sorted(found) == (["number", "select"] if allows_changes else ["sensor", "sensor"])
    # Home Assistant has kept the id.
    assert entity_id(hass, f"{CONTROLLER}_NC1_mode") == "sensor.mine"


@pytest.mark.parametrize("profile", ["meter-collar"])
async def test_a_collar_and_a_combiner_are_shown(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    collar, combiner = "482520000001", "482530000001"
    await set_up(make_entry(simulator), enable=True)
    assert float(shown(hass, f"{collar}_temperature")) == 42
    assert shown(hass, f"{collar}_relay", "binary_sensor") == STATE_ON
    assert shown(hass, f"{collar}_admin_state") == "on_grid"
    assert shown(hass, f"{combiner}_communicating", "binary_sensor") == STATE_ON
    assert shown(hass, f"{simulator.serial_number}_grid_connected", "binary_sensor") == STATE_ON
    # Only a System Controller has dry contacts and a generator.
    count_requests(simulator)
    await tick(seconds=61, times=10)
    assert count_requests(simulator, CONTACTS, SETTINGS, GENERATOR) == [0, 0, 0]


@pytest.mark.parametrize("profile", ["generator"])
async def test_contacts_and_generator_are_polled_every_three_minutes_only_while_one_is_enabled(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, tick: Tick
) -> None:
    await set_up(make_entry(simulator))
    count_requests(simulator)
    await tick(seconds=61, times=20)
    assert count_requests(simulator, CONTACTS, SETTINGS, GENERATOR) == [0, 0, 0]
    contact = entity_id(hass, f"{CONTROLLER}_NC1_closed", "binary_sensor")
    er.async_get(hass).async_update_entity(contact, disabled_by=None)
    await tick(seconds=31, times=2)
    count_requests(simulator)
    await tick(seconds=61, times=20)
    contacts, settings, generator = count_requests(simulator, CONTACTS, SETTINGS, GENERATOR)
    assert contacts == settings
    assert contacts in (6, 7)
    assert generator == 0


@pytest.mark.parametrize("profile", ["battery"])
async def test_a_gateway_without_generator_has_none(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    await set_up(make_entry(simulator))
    unique_id = f"{CONTROLLER}_generator_connected"
    assert er.async_get(hass).async_get_entity_id("binary_sensor", DOMAIN, unique_id) is None


async def test_counters_of_disabled_panels_are_not_stored(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    hass_storage: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    await set_up(entry)
    await hass.config_entries.async_unload(entry.entry_id)
    stored = hass_storage[f"{DOMAIN}.counters"]["data"][simulator.serial_number]["counters"]
    assert isinstance(stored, dict)
    assert "production_energy" in stored
    assert not any(key.endswith("_lifetime_energy") for key in stored)
