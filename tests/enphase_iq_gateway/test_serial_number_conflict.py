"""Attempts to make a user trust an impostor: by flow, discovery and repair."""

import pytest
from homeassistant.config_entries import SOURCE_ZEROCONF, ConfigEntryState
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, DOMAIN
from custom_components.enphase_iq_gateway.enphase_api.local import Certificate
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, make_entry
from .flow import Flow, nothing_secret_was_sent
from .helpers import UNREACHABLE, accept, announcement, issue_of, repair
from .texts import LANGUAGES

# The http component of Home Assistant, which repairs depend on.
pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_suggests_comparing_the_fingerprint_on_the_device_itself(language: str) -> None:
    texts = LANGUAGES[language]
    steps = texts["config"]["step"]
    repair_step = texts["issues"]["certificate_changed"]["fix_flow"]["step"]["confirm"]
    for step in (steps["trust"], steps["serial_number_conflict"], steps["certificate_changed"], repair_step):
        # The address of the device is never the place to compare: an impostor shows its own fingerprint.
        description = step["description"]
        assert description.count("{host}") == 1
        assert description.index("{host}") < description.index("HTTPS")


async def test_a_gateway_discovered_after_an_impostor_was_trusted_stops_the_sign_in(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator
) -> None:
    impostor = Flow(hass, rival)
    await impostor.start(SOURCE_ZEROCONF, announcement(rival))
    await impostor.submit()
    await impostor.choose("token")
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.shows("serial_number_conflict")
    await impostor.enter_token()
    assert impostor.shows("serial_number_conflict")
    assert (impostor.shown["description_placeholders"] or {})["others"] == f"`{simulator.url}`"
    assert nothing_secret_was_sent(rival)


async def test_a_trusted_impostor_is_reported_when_the_gateway_is_discovered(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator
) -> None:
    impostor = Flow(hass, rival)
    await impostor.start()
    await impostor.enter_host(rival.url)
    await impostor.submit()
    await impostor.choose("token")
    await impostor.enter_token()
    await impostor.submit()
    assert impostor.shown["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    await flow.start(SOURCE_ZEROCONF, announcement(simulator))
    assert flow.aborts("serial_number_conflict")
    entry = impostor.shown["result"]
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"serial_number_conflict_{entry.entry_id}")


async def test_an_outdated_discovery_dialog_does_not_replace_a_newer_certificate(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, rival: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_HOST: UNREACHABLE}), state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_ZEROCONF, announcement(rival))
    assert flow.shows("certificate_changed")
    simulator.renew_certificate(same_key=False)
    newer = {**entry.data, CONF_CERTIFICATE: simulator.certificate_pem}
    hass.config_entries.async_update_entry(entry, data=newer)
    await flow.submit()
    assert flow.aborts("serial_number_conflict")
    assert entry.data == newer
    assert nothing_secret_was_sent(rival)


async def test_an_open_repair_aborts_when_the_trusted_certificate_is_shown_again(
    hass: HomeAssistant, simulator: Simulator, changed: MockConfigEntry, tick: Tick
) -> None:
    trusted = Certificate.from_pem(changed.data[CONF_CERTIFICATE])
    shown = await repair(hass, changed)
    simulator._key_number = 0
    simulator.renew_certificate()
    await tick(seconds=301)
    assert issue_of(hass, changed) is None
    result = await accept(hass, shown)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_resolved")
    kept = Certificate.from_pem(changed.data[CONF_CERTIFICATE])
    assert kept.key_fingerprint == trusted.key_fingerprint
