"""Reauthentication."""

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_CERTIFICATE, DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import SetUp, make_entry
from .flow import Flow

CONF_ACCOUNT = {CONF_USERNAME: "owner@example.com", CONF_PASSWORD: "planted-password"}


async def reauth_of(hass: HomeAssistant, flow: Flow) -> None:
    """Continue the flow that the integration has started."""
    [waiting] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert waiting["context"]["source"] == SOURCE_REAUTH
    await flow.resume(waiting)
    assert flow.shows("reauth_confirm")


@pytest.fixture
async def ended(simulator: Simulator, set_up: SetUp) -> MockConfigEntry:
    """Return an entry with an expired token."""
    entry = make_entry(simulator, {CONF_TOKEN: simulator.token(lifetime=3600, issued_ago=7200)})
    return await set_up(entry, state=ConfigEntryState.SETUP_ERROR)


async def test_an_expired_token_is_replaced_by_a_pasted_one(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, ended: MockConfigEntry
) -> None:
    token = simulator.token()
    await reauth_of(hass, flow)
    await flow.choose("token")
    await flow.enter_token(token)
    await flow.require_abort("reauth_successful")
    assert ended.state is ConfigEntryState.LOADED
    assert ended.data[CONF_TOKEN] == token
    assert ended.data[CONF_CERTIFICATE] == simulator.certificate_pem


async def test_signing_in_with_an_account_can_enable_automatic_renewal(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, ended: MockConfigEntry
) -> None:
    await reauth_of(hass, flow)
    await flow.choose("account")
    await flow.enter_account(password="wrong")
    assert flow.shows("account", "invalid_auth")
    await flow.enter_account(renew=True)
    await flow.require_abort("reauth_successful")
    assert ended.state is ConfigEntryState.LOADED
    assert ended.data[CONF_PASSWORD] == simulator.password


async def test_the_password_is_deleted_if_renewal_is_disabled(
    flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, CONF_ACCOUNT))
    await flow.start(SOURCE_REAUTH, dict(entry.data), entry_id=entry.entry_id)
    await flow.choose("token")
    await flow.enter_token()
    await flow.require_abort("reauth_successful")
    assert not {CONF_USERNAME, CONF_PASSWORD} & set(entry.data)


async def test_a_token_of_another_gateway_is_rejected(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, ended: MockConfigEntry
) -> None:
    await reauth_of(hass, flow)
    await flow.choose("token")
    await flow.enter_token(simulator.token(serial_number="122399999999"))
    assert flow.shows("token", "token_wrong_gateway")
    await flow.enter_token()
    await flow.require_abort("reauth_successful")


async def test_no_new_token_is_sent_to_a_gateway_with_another_certificate(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, ended: MockConfigEntry
) -> None:
    await reauth_of(hass, flow)
    simulator.renew_certificate(same_key=False)
    simulator.requests.clear()
    await flow.choose("token")
    await flow.enter_token()
    assert flow.shows("certificate_changed")
    assert simulator.requests == []
    await flow.submit()
    await flow.require_abort("reauth_successful")
    assert ended.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert ended.state is ConfigEntryState.LOADED
