"""Renewed and changed certificates: nothing secret is sent, and the user decides."""

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, CONF_SHOWN_CERTIFICATE
from custom_components.enphase_iq_gateway.enphase_api.local import Certificate
from custom_components.enphase_iq_gateway.helpers import format_fingerprint
from custom_components.enphase_iq_gateway.repairs import async_create_fix_flow
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, state_of
from .flow import Flow
from .helpers import accept, issue_of, repair
from .texts import TEXTS

# The http component of Home Assistant, which repairs depend on.
pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")


async def test_a_certificate_renewed_with_the_same_key_is_stored_automatically(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    before = entry.data[CONF_CERTIFICATE]
    simulator.renew_certificate(same_key=True)
    await tick()
    assert entry.data[CONF_CERTIFICATE] != before
    assert Certificate.from_pem(entry.data[CONF_CERTIFICATE]).fingerprint == simulator.fingerprint
    assert float(state_of(hass, simulator, "production_power")) > 0
    assert issue_of(hass, entry) is None
    assert entry.state is ConfigEntryState.LOADED


async def test_nothing_is_sent_to_a_gateway_with_another_certificate(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry, tick: Tick
) -> None:
    await tick(times=120)
    assert simulator.requests == []
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE


async def test_the_repair_shows_the_old_and_the_new_fingerprint(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry
) -> None:
    trusted = Certificate.from_pem(changed.data[CONF_CERTIFICATE]).fingerprint
    issue = issue_of(hass, changed)
    assert issue is not None
    assert issue.is_fixable
    assert issue.severity is ir.IssueSeverity.ERROR
    shown = await repair(hass, changed)
    assert shown["step_id"] == "confirm"
    assert shown["description_placeholders"]["trusted"] == format_fingerprint(trusted)
    assert shown["description_placeholders"]["shown"] == format_fingerprint(simulator.fingerprint)
    assert trusted != simulator.fingerprint


async def test_the_repair_trusts_the_new_certificate_and_polling_continues(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry
) -> None:
    shown = await repair(hass, changed)
    result = await accept(hass, shown)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert Certificate.from_pem(changed.data[CONF_CERTIFICATE]).fingerprint == simulator.fingerprint
    assert changed.state is ConfigEntryState.LOADED
    assert issue_of(hass, changed) is None
    assert CONF_SHOWN_CERTIFICATE not in changed.data
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_the_repair_trusts_the_certificate_that_it_showed(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry, tick: Tick
) -> None:
    shown = await repair(hass, changed)
    was_shown = simulator.fingerprint
    # Before the user confirms, another device takes over the address.
    simulator.renew_certificate(same_key=False)
    simulator.requests.clear()
    await accept(hass, shown)
    assert Certificate.from_pem(changed.data[CONF_CERTIFICATE]).fingerprint == was_shown
    assert simulator.requests == []
    assert issue_of(hass, changed) is not None


async def test_the_issue_is_deleted_if_the_trusted_certificate_is_back(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry, tick: Tick
) -> None:
    assert issue_of(hass, changed) is not None
    simulator._key_number = 0
    simulator.renew_certificate()
    await tick(seconds=301)
    assert issue_of(hass, changed) is None
    assert CONF_SHOWN_CERTIFICATE not in changed.data
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_the_issue_persists_after_a_restart(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry, set_up: SetUp
) -> None:
    assert await hass.config_entries.async_unload(changed.entry_id)
    await set_up(changed, state=ConfigEntryState.SETUP_RETRY)
    assert simulator.requests == []
    issue = issue_of(hass, changed)
    assert issue is not None
    assert issue.is_persistent
    await accept(hass, await repair(hass, changed))
    assert changed.state is ConfigEntryState.LOADED


async def test_a_certificate_of_another_gateway_cannot_be_trusted(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.renew_certificate(same_key=False, common_name="envoy-122399999999")
    await tick()
    shown = await repair(hass, entry)
    assert shown["type"] is FlowResultType.ABORT
    assert shown["reason"] == "wrong_gateway"
    text = TEXTS["issues"]["certificate_changed"]["fix_flow"]["abort"]["wrong_gateway"]
    message = text.format(**shown["description_placeholders"])
    assert "If 122399999999 replaces this gateway" in message
    assert "choose Reconfigure in the menu of this gateway" in message
    assert shown["description_placeholders"]["serial"] == "122399999999"
    assert issue_of(hass, entry) is not None


async def test_the_issue_is_deleted_with_its_entry(hass: HomeAssistant, changed: MockConfigEntry) -> None:
    await hass.config_entries.async_remove(changed.entry_id)
    assert issue_of(hass, changed) is None


async def test_a_trusted_certificate_remains_trusted_after_it_expires(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    simulator.renew_certificate(same_key=True, expired=True)
    await tick()
    assert float(state_of(hass, simulator, "production_power")) > 0


async def test_an_issue_without_a_gateway_cannot_be_repaired(hass: HomeAssistant) -> None:
    with pytest.raises(HomeAssistantError) as raised:
        await async_create_fix_flow(hass, "certificate_changed_x", {"entry_id": "x", "trusted": "y"})
    assert raised.value.translation_key == "nothing_to_repair"


async def test_an_outdated_repair_does_not_replace_a_newer_certificate(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry, flow: Flow
) -> None:
    shown = await repair(hass, changed)
    simulator.renew_certificate(same_key=False)
    await flow.reconfigure(changed.entry_id, "address")
    await flow.enter_host()
    assert flow.shows("certificate_changed")
    await flow.submit()
    assert flow.aborts("reconfigure_successful")
    assert issue_of(hass, changed) is None
    assert CONF_SHOWN_CERTIFICATE not in changed.data
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await accept(hass, shown)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_resolved"
    assert Certificate.from_pem(changed.data[CONF_CERTIFICATE]).fingerprint == simulator.fingerprint
    assert changed.state is ConfigEntryState.LOADED
