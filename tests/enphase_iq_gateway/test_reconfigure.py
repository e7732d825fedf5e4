"""Reconfiguration of address, account, token and renewal, and the options."""

import pytest
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_SCAN_INTERVAL, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import (
    CONF_CERTIFICATE,
    CONF_PRODUCTION_SOURCE,
)
from custom_components.enphase_iq_gateway.enphase_api.local import Certificate
from custom_components.enphase_iq_gateway.helpers import format_fingerprint
from enphase_companion.simulator import Simulator

from .conftest import SetUp, make_entry
from .flow import Flow
from .texts import TEXTS


@pytest.fixture
async def moved(flow: Flow, simulator: Simulator, set_up: SetUp) -> MockConfigEntry:
    """Return an entry whose gateway has another address, with the reconfigure form open."""
    entry = make_entry(simulator, {CONF_HOST: "https://127.0.0.1:1"})
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    assert flow.shows("reconfigure")
    await flow.choose("address")
    assert flow.shows("address")
    return entry


async def test_a_new_address_with_the_trusted_certificate_is_stored_immediately(
    flow: Flow, simulator: Simulator, moved: MockConfigEntry
) -> None:
    await flow.enter_host()
    await flow.require_abort("reconfigure_successful")
    assert moved.data[CONF_HOST] == simulator.url
    assert moved.state is ConfigEntryState.LOADED


async def test_a_wrong_address_can_be_corrected(
    flow: Flow, simulator: Simulator, moved: MockConfigEntry
) -> None:
    await flow.enter_host("127.0.0.1:1")
    assert flow.shows("address", "connection_refused")
    await flow.enter_host()
    await flow.require_abort("reconfigure_successful")


async def test_another_certificate_must_be_trusted(
    flow: Flow, simulator: Simulator, moved: MockConfigEntry
) -> None:
    simulator.renew_certificate(same_key=False)
    await flow.enter_host()
    assert flow.shows("certificate_changed")
    placeholders = flow.shown["description_placeholders"]
    assert placeholders is not None
    trusted = Certificate.from_pem(moved.data[CONF_CERTIFICATE]).fingerprint
    assert placeholders["trusted"] == format_fingerprint(trusted)
    assert placeholders["shown"] == format_fingerprint(simulator.fingerprint)
    assert not any(request.has_authorization for request in simulator.requests)
    await flow.submit()
    await flow.require_abort("reconfigure_successful")
    assert moved.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert moved.state is ConfigEntryState.LOADED


async def test_a_damaged_certificate_is_replaced_by_trusting_the_gateway_again(
    flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\ndamaged"
    entry = make_entry(simulator, {CONF_CERTIFICATE: damaged})
    await set_up(entry, state=ConfigEntryState.SETUP_ERROR)
    await flow.start(SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    assert flow.shows("address"), "signing in requires a trusted certificate"
    await flow.enter_host()
    assert flow.shows("trust")
    await flow.submit()
    await flow.require_abort("reconfigure_successful")
    assert entry.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("same_key", [True, False])
async def test_a_gateway_that_fails_during_the_flow_can_be_retried(
    flow: Flow, simulator: Simulator, moved: MockConfigEntry, same_key: bool
) -> None:
    simulator.renew_certificate(same_key=same_key)
    simulator.faults.set("status", "/ivp/meters")
    await flow.enter_host()
    if not same_key:
        await flow.submit()
    assert flow.shows("address" if same_key else "certificate_changed", "not_a_gateway")
    simulator.faults.clear()
    await (flow.enter_host() if same_key else flow.submit())
    await flow.require_abort("reconfigure_successful")
    assert moved.state is ConfigEntryState.LOADED


async def test_the_address_can_be_changed_with_an_expired_token(
    flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    ended = simulator.token(lifetime=3600, issued_ago=7200)
    entry = make_entry(simulator, {CONF_HOST: "https://127.0.0.1:1", CONF_TOKEN: ended})
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    await flow.reconfigure(entry.entry_id, "address")
    await flow.enter_host()
    await flow.require_abort("reconfigure_successful")
    assert entry.data[CONF_HOST] == simulator.url
    assert entry.state is ConfigEntryState.SETUP_ERROR


@pytest.mark.parametrize("profile", ["single-phase"])
async def test_newly_enabled_meters_are_used_after_a_reconfiguration(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_PRODUCTION_SOURCE: "inverters"}))
    await flow.reconfigure(entry.entry_id, "address")
    await flow.enter_host()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_PRODUCTION_SOURCE] == "meter"


ACCOUNT = {CONF_USERNAME: "before@example.com", CONF_PASSWORD: "planted-password"}


async def test_the_account_can_be_changed_and_renewal_enabled(
    flow: Flow, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    old = entry.data[CONF_TOKEN]
    await flow.reconfigure(entry.entry_id, "account")
    assert flow.shows("account")
    await flow.enter_account(password="wrong")
    assert flow.shows("account", "invalid_auth")
    await flow.enter_account(renew=True)
    await flow.require_abort("reconfigure_successful")
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data[CONF_TOKEN] != old
    assert entry.data[CONF_USERNAME] == simulator.username
    assert entry.data[CONF_PASSWORD] == simulator.password
    assert (entry.data[CONF_HOST], entry.unique_id) == (simulator.url, simulator.serial_number)


async def test_the_form_shows_the_stored_account_and_renewal_but_no_password(
    flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, ACCOUNT))
    await flow.reconfigure(entry.entry_id, "account")
    schema = flow.shown["data_schema"]
    assert schema is not None
    suggested = {str(key): (key.description or {}).get("suggested_value") for key in schema.schema}
    assert suggested == {CONF_USERNAME: ACCOUNT[CONF_USERNAME], CONF_PASSWORD: None, "renew": True}


async def test_disabling_renewal_deletes_the_password(
    flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, ACCOUNT))
    await flow.reconfigure(entry.entry_id, "account")
    await flow.enter_account(renew=False)
    await flow.require_abort("reconfigure_successful")
    assert not {CONF_USERNAME, CONF_PASSWORD} & set(entry.data)


async def test_a_token_can_be_replaced_by_a_pasted_one(
    flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, ACCOUNT))
    token = simulator.token("installer")
    await flow.reconfigure(entry.entry_id, "token")
    await flow.enter_token(token)
    await flow.require_abort("reconfigure_successful")
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data[CONF_TOKEN] == token
    assert not {CONF_USERNAME, CONF_PASSWORD} & set(entry.data)


async def test_no_new_token_is_sent_to_a_gateway_with_an_untrusted_certificate(
    flow: Flow, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    simulator.renew_certificate(same_key=False)
    simulator.requests.clear()
    await flow.reconfigure(entry.entry_id, "token")
    await flow.enter_token()
    assert flow.shows("certificate_changed")
    assert simulator.requests == []
    await flow.submit()
    await flow.require_abort("reconfigure_successful")
    assert entry.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert entry.state is ConfigEntryState.LOADED


async def test_a_changed_interval_takes_effect_immediately(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    assert shown["type"] is FlowResultType.FORM
    shown = await options.async_configure(shown["flow_id"], {CONF_SCAN_INTERVAL: 60})
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.options[CONF_SCAN_INTERVAL] == 60
    # Everything that an owner has to allow is off.
    assert not any(value for key, value in entry.options.items() if key != CONF_SCAN_INTERVAL)
    interval = entry.runtime_data.update_interval
    assert interval is not None
    assert interval.total_seconds() == 60


@pytest.mark.parametrize("seconds", [-1, 0, 0.5, 301, 1_000_000])
async def test_the_error_for_an_invalid_interval_has_the_range(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry, seconds: float
) -> None:
    await set_up(entry)
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    shown = await options.async_configure(shown["flow_id"], {CONF_SCAN_INTERVAL: seconds})
    assert shown["type"] is FlowResultType.FORM
    assert shown["errors"] == {CONF_SCAN_INTERVAL: "interval_out_of_range"}
    text = TEXTS["options"]["error"]["interval_out_of_range"]
    assert shown["description_placeholders"] is not None
    assert text.format(**shown["description_placeholders"]) == "Enter a number of seconds from 1 to 300."
    shown = await options.async_configure(shown["flow_id"], {CONF_SCAN_INTERVAL: 300})
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.options[CONF_SCAN_INTERVAL] == 300
