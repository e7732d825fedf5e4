"""The flow for a gateway that replaces another: trust, confirmation, sign-in."""

from collections.abc import Generator

import pytest
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_ZEROCONF,
    ConfigEntryState,
)
from homeassistant.const import CONF_HOST, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import client
from custom_components.enphase_iq_gateway.const import (
    CONF_CERTIFICATE,
    CONF_PRODUCTION_SOURCE,
    CONF_SHOWN_CERTIFICATE,
    DOMAIN,
)
from custom_components.enphase_iq_gateway.helpers import format_fingerprint
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, make_entry, state_of
from .flow import Flow, nothing_secret_was_sent
from .helpers import announcement


@pytest.fixture
def successor(socket_enabled: None) -> Generator[Simulator]:
    """Yield the replacement of a broken gateway."""
    with Simulator("three-phase", seed=2, start=NOON - 365 * 86400, longitude=0) as running:
        yield running


@pytest.fixture
async def replaced(
    flow: Flow, entry: MockConfigEntry, set_up: SetUp, successor: Simulator
) -> MockConfigEntry:
    """Return an entry while the flow shows another gateway at the trust step."""
    await set_up(entry)
    await flow.reconfigure(entry.entry_id, "address")
    await flow.enter_host(successor.url)
    assert flow.shows("certificate_changed")
    return entry


async def test_entities_are_kept_when_a_gateway_is_replaced(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, successor: Simulator, replaced: MockConfigEntry
) -> None:
    shown = flow.shown["description_placeholders"]
    assert shown is not None
    assert (shown["serial"], shown["shown"]) == (
        successor.serial_number,
        format_fingerprint(successor.fingerprint),
    )
    before = float(state_of(hass, simulator, "production_energy"))
    entities = {
        each.entity_id for each in er.async_entries_for_config_entry(er.async_get(hass), replaced.entry_id)
    }
    await flow.submit()
    assert flow.shows("replace")
    shown = flow.shown["description_placeholders"]
    assert shown is not None
    assert (shown["old"], shown["new"]) == (simulator.serial_number, successor.serial_number)
    await flow.submit()
    assert flow.shows("sign_in")
    assert nothing_secret_was_sent(successor)
    await flow.choose("token")
    await flow.enter_token(simulator.token())
    assert flow.shows("token", "token_wrong_gateway")
    assert nothing_secret_was_sent(successor)
    await flow.enter_token(successor.token())
    await flow.require_abort("reconfigure_successful")

    assert replaced.state is ConfigEntryState.LOADED
    assert (replaced.unique_id, replaced.data[CONF_HOST]) == (successor.serial_number, successor.url)
    assert replaced.data[CONF_CERTIFICATE] == successor.certificate_pem
    registered = er.async_entries_for_config_entry(er.async_get(hass), replaced.entry_id)
    assert entities <= {each.entity_id for each in registered}
    assert float(state_of(hass, successor, "production_energy")) == pytest.approx(before, abs=0.1)


async def test_an_account_can_sign_in_to_the_new_gateway(
    flow: Flow,
    successor: Simulator,
    replaced: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "AUTHENTICATION_HOST", successor.entrez_url)
    await flow.submit()
    await flow.submit()
    await flow.choose("account")
    await flow.enter_account(renew=True)
    await flow.require_abort("reconfigure_successful")
    assert replaced.state is ConfigEntryState.LOADED
    assert replaced.data[CONF_PASSWORD] == successor.password


async def test_nothing_changes_before_the_replacement_is_confirmed_and_signed_in(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, successor: Simulator, replaced: MockConfigEntry
) -> None:
    before = dict(replaced.data)
    await flow.submit()
    await flow.submit()
    hass.config_entries.flow.async_abort(flow.shown["flow_id"])
    assert dict(replaced.data) == before
    assert replaced.unique_id == simulator.serial_number
    assert replaced.state is ConfigEntryState.LOADED
    assert nothing_secret_was_sent(successor)


async def test_production_of_the_new_gateway_follows_its_meters(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, successor: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_PRODUCTION_SOURCE: "inverters"}))
    await flow.reconfigure(entry.entry_id, "address")
    await flow.enter_host(successor.url)
    await flow.submit()
    await flow.submit()
    await flow.choose("token")
    await flow.enter_token(successor.token())
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_PRODUCTION_SOURCE] == "meter"


async def test_the_certificate_issue_of_the_old_gateway_is_deleted(
    hass: HomeAssistant, flow: Flow, successor: Simulator, replaced: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        replaced, data={**replaced.data, CONF_SHOWN_CERTIFICATE: successor.certificate_pem}
    )
    await flow.submit()
    await flow.submit()
    await flow.choose("token")
    await flow.enter_token(successor.token())
    await hass.async_block_till_done(wait_background_tasks=True)
    assert CONF_SHOWN_CERTIFICATE not in replaced.data


async def test_a_configured_gateway_cannot_replace_another(
    flow: Flow, successor: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    await set_up(make_entry(successor))
    await flow.reconfigure(entry.entry_id, "address")
    await flow.enter_host(successor.url)
    assert flow.shows("address", "gateway_already_configured")
    await flow.enter_host()
    await flow.require_abort("reconfigure_successful")


async def test_a_gateway_added_during_the_sign_in_cannot_replace_another(
    flow: Flow,
    simulator: Simulator,
    successor: Simulator,
    replaced: MockConfigEntry,
    set_up: SetUp,
) -> None:
    await flow.submit()
    await flow.submit()
    await flow.choose("token")
    await set_up(make_entry(successor))
    await flow.enter_token(successor.token())
    assert flow.aborts("already_configured")
    assert replaced.unique_id == simulator.serial_number
    assert replaced.state is ConfigEntryState.LOADED


async def test_a_discovered_or_ignored_gateway_can_replace_another(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, successor: Simulator, replaced: MockConfigEntry
) -> None:
    ignored = MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE, unique_id=successor.serial_number)
    announced = Flow(hass, successor)
    await announced.start(SOURCE_ZEROCONF, announcement(successor))
    assert announced.shows("trust")
    ignored.add_to_hass(hass)
    await flow.submit()
    await flow.submit()
    await flow.choose("token")
    await flow.enter_token(successor.token())
    await flow.require_abort("reconfigure_successful")
    assert [entry.entry_id for entry in hass.config_entries.async_entries(DOMAIN)] == [replaced.entry_id]
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_nothing_is_sent_to_another_gateway_at_the_old_address_and_the_error_suggests_reconfiguring(
    simulator: Simulator, successor: Simulator, set_up: SetUp
) -> None:
    data = {CONF_HOST: successor.url, CONF_CERTIFICATE: successor.certificate_pem}
    entry = await set_up(make_entry(simulator, data), state=ConfigEntryState.SETUP_ERROR)
    assert entry.reason is not None
    assert f"Gateway {successor.serial_number} answers at {successor.url}" in entry.reason
    assert "Choose Reconfigure in the menu of this gateway" in entry.reason
    assert nothing_secret_was_sent(successor)


async def test_adding_a_gateway_while_another_is_offline_offers_the_replacement(
    hass: HomeAssistant, simulator: Simulator, successor: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    simulator.faults.set("reset")
    await hass.config_entries.async_reload(entry.entry_id)
    added = Flow(hass, successor)
    await added.start(SOURCE_ZEROCONF, announcement(successor))
    await added.submit()
    assert added.shows("additional_gateway")
    assert added.shown["description_placeholders"] == {
        "name": entry.title,
        "serial": successor.serial_number,
    }
    await added.submit()
    assert added.shows("sign_in")


async def test_adding_a_gateway_while_the_others_are_online_offers_no_replacement(
    hass: HomeAssistant, successor: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    added = Flow(hass, successor)
    await added.start(SOURCE_ZEROCONF, announcement(successor))
    await added.submit()
    assert added.shows("sign_in")
