"""A gateway at another address, and the options."""

from collections.abc import Generator

import pytest
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.const import CONF_HOST, CONF_SCAN_INTERVAL, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import (
    CONF_ALLOW_WRITES,
    CONF_CERTIFICATE,
    CONF_PRODUCTION_SOURCE,
)
from enphase_companion.simulator import Simulator

from .conftest import NOON, SetUp, make_entry
from .flow import Flow


@pytest.fixture
async def moved(flow: Flow, simulator: Simulator, set_up: SetUp) -> MockConfigEntry:
    """An entry whose gateway is no longer where it was; the reconfigure form is shown."""
    entry = make_entry(simulator, {CONF_HOST: "https://127.0.0.1:1"})
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    assert flow.shows("reconfigure")
    return entry


@pytest.fixture
def other(simulator: Simulator) -> Generator[Simulator]:
    """Another gateway."""
    with Simulator("three-phase", seed=2, start=NOON) as running:
        yield running


async def test_a_new_address_is_taken_at_once_with_the_trusted_certificate(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, moved: MockConfigEntry
) -> None:
    await flow.give_host()
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert moved.data[CONF_HOST] == simulator.url
    assert moved.state is ConfigEntryState.LOADED


async def test_a_wrong_address_can_be_corrected(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, moved: MockConfigEntry
) -> None:
    await flow.give_host("127.0.0.1:1")
    assert flow.shows("reconfigure", "cannot_connect")
    await flow.give_host()
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_another_gateway_at_the_address_is_refused(
    hass: HomeAssistant, flow: Flow, other: Simulator, moved: MockConfigEntry
) -> None:
    await flow.give_host(other.url)
    assert flow.shows("reconfigure", "another_gateway")
    assert not any(request.has_authorization for request in other.requests)
    await flow.give_host()
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_another_certificate_has_to_be_trusted_again(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, moved: MockConfigEntry
) -> None:
    simulator.renew_certificate(same_key=False)
    await flow.give_host()
    assert flow.shows("trust")
    placeholders = flow.shown["description_placeholders"]
    assert placeholders is not None
    assert placeholders["fingerprint"] == simulator.fingerprint
    assert not any(request.has_authorization for request in simulator.requests)
    await flow.answer()
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert moved.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert moved.state is ConfigEntryState.LOADED


async def test_a_stored_certificate_that_is_damaged_is_replaced_by_trusting_anew(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\ndamaged"
    entry = make_entry(simulator, {CONF_CERTIFICATE: damaged})
    await set_up(entry, state=ConfigEntryState.SETUP_ERROR)
    await flow.start(SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    await flow.give_host()
    assert flow.shows("trust")
    await flow.answer()
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_CERTIFICATE] == simulator.certificate_pem
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("same_key", [True, False])
async def test_a_gateway_that_fails_meanwhile_can_be_tried_again(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, moved: MockConfigEntry, same_key: bool
) -> None:
    simulator.renew_certificate(same_key=same_key)
    simulator.faults.set("status", "/ivp/meters")
    await flow.give_host()
    if not same_key:
        await flow.answer()
    assert flow.shows("reconfigure" if same_key else "trust", "not_a_gateway")
    simulator.faults.clear()
    await (flow.give_host() if same_key else flow.answer())
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert moved.state is ConfigEntryState.LOADED


async def test_a_gateway_moves_even_with_a_token_that_has_ended(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    ended = simulator.token(lifetime=3600, issued_ago=7200)
    entry = make_entry(simulator, {CONF_HOST: "https://127.0.0.1:1", CONF_TOKEN: ended})
    await set_up(entry, state=ConfigEntryState.SETUP_RETRY)
    await flow.start(SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    await flow.give_host()
    assert flow.aborts("reconfigure_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_HOST] == simulator.url
    assert entry.state is ConfigEntryState.SETUP_ERROR


@pytest.mark.parametrize("profile", ["single-phase"])
async def test_meters_that_were_enabled_meanwhile_are_used_after_a_reconfiguration(
    hass: HomeAssistant, flow: Flow, simulator: Simulator, set_up: SetUp
) -> None:
    entry = await set_up(make_entry(simulator, {CONF_PRODUCTION_SOURCE: "inverters"}))
    await flow.start(SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    await flow.give_host()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_PRODUCTION_SOURCE] == "meter"


async def test_the_interval_is_an_option_and_works_at_once(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry
) -> None:
    await set_up(entry)
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    assert shown["type"] is FlowResultType.FORM
    shown = await options.async_configure(shown["flow_id"], {CONF_SCAN_INTERVAL: 60})
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.options == {CONF_SCAN_INTERVAL: 60, CONF_ALLOW_WRITES: False}
    interval = entry.runtime_data.update_interval
    assert interval is not None
    assert interval.total_seconds() == 60


@pytest.mark.parametrize("seconds", [0, 301])
async def test_an_interval_beyond_1_to_300_s_is_refused(
    hass: HomeAssistant, set_up: SetUp, entry: MockConfigEntry, seconds: int
) -> None:
    await set_up(entry)
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    with pytest.raises(InvalidData):
        await options.async_configure(shown["flow_id"], {CONF_SCAN_INTERVAL: seconds})
