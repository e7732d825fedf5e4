"""Setup and unload of entries, and devices that are added or removed."""

import subprocess
import sys
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_HOST, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import async_remove_config_entry_device
from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, Tick, make_entry, state_of
from .texts import PROJECT


def devices(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, dr.DeviceEntry]:
    """Return an entry's devices by identifier: the serial number if they have one."""
    found = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return {identifier: device for device in found for _, identifier in device.identifiers}


@pytest.mark.slow
def test_the_integration_requires_no_other_client() -> None:
    # In a separate process, as other tests import the scripts.
    client = "custom_components.enphase_iq_gateway.enphase_api"
    script = (
        "import sys; import custom_components.enphase_iq_gateway;"
        f"print('enphase_api' in sys.modules, '{client}' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert run.stdout == "False True\n"


async def test_an_entry_is_set_up_and_unloaded(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    simulator.requests.clear()
    await tick(times=5)
    assert simulator.requests == []


async def test_the_gateway_is_a_device_with_its_serial_number_and_firmware(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    gateway = devices(hass, entry)[simulator.serial_number]
    assert gateway.name == f"IQ Gateway {simulator.serial_number}"
    assert gateway.manufacturer == "Enphase"
    assert gateway.sw_version == "8.2.4264"
    assert gateway.identifiers == {(DOMAIN, simulator.serial_number)}
    assert gateway.connections == set()


@pytest.mark.parametrize("profile", ["battery"])
async def test_all_devices_are_connected_via_the_gateway(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    found = devices(hass, entry)
    gateway = found.pop(simulator.serial_number)
    # Three batteries, the System Controller and its four dry contacts.
    assert len(found) == len(simulator.house.inverters) + 8
    assert {device.via_device_id for device in found.values()} == {gateway.id}


async def test_the_setup_of_an_offline_gateway_is_retried(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("reset")
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    simulator.faults.clear()
    await tick(seconds=61)
    assert entry.state is ConfigEntryState.LOADED


async def test_no_token_is_sent_to_another_gateway_at_the_address(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    with Simulator("three-phase", seed=2, start=NOON, longitude=0) as other:
        entry = make_entry(simulator, {CONF_HOST: other.url, CONF_CERTIFICATE: other.certificate_pem})
        await set_up(entry, state=ConfigEntryState.SETUP_ERROR)
        assert entry.error_reason_translation_key == "wrong_gateway"
        assert not any(request.has_authorization for request in other.requests)
        await hass.async_stop(force=True)


async def test_an_entry_without_a_certificate_is_an_error(simulator: Simulator, set_up: SetUp) -> None:
    entry = make_entry(simulator, {CONF_CERTIFICATE: "damaged"})
    await set_up(entry, state=ConfigEntryState.SETUP_ERROR)
    assert entry.error_reason_translation_key == "invalid_certificate"
    assert simulator.requests == []


@pytest.mark.parametrize("profile", ["old-firmware"])
async def test_old_firmware_is_an_error_with_its_version(
    simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry, state=ConfigEntryState.SETUP_ERROR)
    assert entry.error_reason_translation_key == "unsupported_firmware"
    assert entry.error_reason_translation_placeholders == {"firmware": "5.0.62"}


@pytest.mark.parametrize("profile", ["battery-without-meter"])
async def test_home_energy_waits_until_the_batteries_are_known(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    simulator.faults.set("html", "/ivp/ensemble/inventory")
    await set_up(entry)
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert state_of(hass, simulator, "home_power") == STATE_UNAVAILABLE
    simulator.faults.clear()
    await tick(times=7)
    truth = simulator.house.truth(simulator.clock.time())
    assert float(state_of(hass, simulator, "home_power")) == pytest.approx(
        truth.total_consumption.total.active_power, rel=0.2
    )
    assert float(state_of(hass, simulator, "battery_charge")) > 0


async def test_a_new_inverter_is_added_automatically(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    inverters = simulator.house.inverters
    new = inverters.pop()
    await set_up(entry, enable=True)
    assert new.serial_number not in devices(hass, entry)
    inverters.append(new)
    await tick(seconds=301)
    assert new.serial_number in devices(hass, entry)
    assert hass.states.get(f"sensor.inverter_{new.serial_number}") is None  # disabled by default
    registry = er.async_get(hass)
    assert registry.async_get_entity_id("sensor", DOMAIN, f"{new.serial_number}_power") is not None


async def test_an_inverter_can_be_deleted_once_the_gateway_no_longer_lists_it(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry, enable=True)
    found = devices(hass, entry)
    gone = simulator.house.inverters[-1].serial_number
    assert not await async_remove_config_entry_device(hass, entry, found[gone])
    assert not await async_remove_config_entry_device(hass, entry, found[simulator.serial_number])
    removed = simulator.house.inverters.pop()
    await tick(seconds=301)
    assert await async_remove_config_entry_device(hass, entry, found[gone])
    stays = simulator.house.inverters[0].serial_number
    assert not await async_remove_config_entry_device(hass, entry, found[stays])

    dr.async_get(hass).async_remove_device(found[gone].id)
    await hass.async_block_till_done()
    simulator.house.inverters.append(removed)
    await tick(seconds=301)
    assert gone in devices(hass, entry)


async def test_no_device_can_be_deleted_while_the_inverters_are_unknown(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    [gone, *_] = [
        device for serial, device in devices(hass, entry).items() if serial != simulator.serial_number
    ]
    simulator.faults.set("html", "/api/v1/production/inverters")
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not await async_remove_config_entry_device(hass, entry, gone)


@pytest.mark.parametrize(
    ("kinds", "unique_ids"),
    [
        (["production", "production"], {"704643328_production_voltage", "7_production_active_power"}),
        (["wind-turbine"], {"7_wind-turbine_active_power", "7_wind-turbine_energy_delivered"}),
    ],
)
async def test_second_meters_and_meters_of_unknown_types_have_all_quantities(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    monkeypatch: pytest.MonkeyPatch,
    kinds: list[str],
    unique_ids: set[str],
) -> None:
    answers = simulator.gateway._answers
    get = answers.get

    def with_one_more(path: str, query: str) -> Any:
        answer = get(path, query)
        if path == "/ivp/meters":
            return [*answer, answer[0] | {"eid": 7, "measurementType": kinds[-1]}]
        if path == "/ivp/meters/readings":
            return [*answer, answer[0] | {"eid": 7}]
        return answer

    monkeypatch.setattr(answers, "get", with_one_more)
    await set_up(entry, enable=True)
    registry = er.async_get(hass)
    for unique_id in unique_ids:
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{unique_id}")
        state = hass.states.get(str(entity_id))
        assert state is not None
        assert float(state.state) > 0
        second = "Production 2" if kinds[-1] == "production" else "Wind turbine"
        assert unique_id.startswith("704643328") or second in state.attributes["friendly_name"]


async def test_the_device_shows_the_new_firmware_after_an_update(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await set_up(entry)
    answers = simulator.gateway._answers
    updated = answers.info().replace("8.2.4264", "8.3.5433")
    monkeypatch.setattr(answers, "info", lambda: updated)
    await tick(seconds=12 * 3600 + 1)
    assert devices(hass, entry)[simulator.serial_number].sw_version == "8.3.5433"


async def test_no_device_can_be_deleted_before_the_gateway_has_answered(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    simulator.faults.set("reset")
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    inverter = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, "122300000001")}
    )
    assert not await async_remove_config_entry_device(hass, entry, inverter)
