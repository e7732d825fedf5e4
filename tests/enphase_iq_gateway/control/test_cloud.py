"""Batteries that ignore local changes: the way through Enphase's cloud, by a repair and in the options."""

import json
from typing import Any

import pytest
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.const import CONF_PASSWORD, CONF_SCAN_INTERVAL, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway import commands
from custom_components.enphase_iq_gateway.const import (
    CONF_ALLOW_WRITES,
    CONF_BATTERY_CLOUD,
    CONF_BATTERY_SITE,
    DOMAIN,
)
from custom_components.enphase_iq_gateway.diagnostics import async_get_config_entry_diagnostics
from custom_components.enphase_iq_gateway.enphase_api.local.proof import Timing
from custom_components.enphase_iq_gateway.options_flow import OPTIONS_SCHEMA
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, make_entry
from .helpers import LATER, NUMBER, SELECT, Change, Control, Show, issues, settle

# The http component of Home Assistant, which repairs depend on.
pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")


@pytest.fixture
def profile() -> str:
    """Return a house whose battery controller ignores what is set locally."""
    return "cloud-controlled"


def hurry(entry: MockConfigEntry) -> None:
    """Shorten the waiting times of an entry that was reloaded."""
    entry.runtime_data.gateway.control.timing = Timing(first=0.2, cloud=10, second=0.1, pause=0.02)


async def open_repair(hass: HomeAssistant) -> Any:
    """Open the only repair as a user does."""
    assert await async_setup_component(hass, REPAIRS, {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    [issue_id] = [issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN]
    return await manager.async_init(DOMAIN, data={"issue_id": issue_id})


async def answer_repair(hass: HomeAssistant, shown: Any, **fields: str) -> Any:
    """Submit a step of a repair."""
    manager = repairs_flow_manager(hass)
    assert manager is not None
    result = await manager.async_configure(shown["flow_id"], fields)
    await settle(hass)
    return result


async def test_the_repair_offers_the_cloud_and_the_next_change_holds_through_it(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    entry = await control(first=0.2)
    before = show(NUMBER, "battery_reserve").state
    await change(NUMBER, "battery_reserve", 35)
    await settle(hass)
    assert issues(hass) == ["command_needs_cloud"]
    assert show(NUMBER, "battery_reserve").state == before
    shown = await open_repair(hass)
    assert shown["step_id"] == "cloud_account"
    assert shown["description_placeholders"]["requested"] == "Battery reserve: 35\N{NO-BREAK SPACE}%"
    wrong = await answer_repair(hass, shown, username=simulator.username, password="wrong")
    assert wrong["errors"] == {"base": "invalid_auth"}
    assert CONF_PASSWORD not in entry.data
    done = await answer_repair(hass, shown, username=simulator.username, password=simulator.password)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert issues(hass) == []
    assert entry.options[CONF_BATTERY_CLOUD]
    assert entry.data[CONF_USERNAME] == simulator.username
    hurry(entry)
    await change(NUMBER, "battery_reserve", 35)
    await settle(hass)
    assert show(NUMBER, "battery_reserve").state.removesuffix(".0") == "35"
    assert issues(hass) == []


async def test_a_mode_that_only_the_cloud_knows_is_pending_until_the_cloud_has_it(
    hass: HomeAssistant,
    simulator: Simulator,
    set_up: SetUp,
    show: Show,
    change: Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "_CLOUD_INTERVAL", 0.1)
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    options = {CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
    entry = await set_up(make_entry(simulator, account, options), enable=True)
    entry.runtime_data.gateway.control.timing = Timing(first=0.2, cloud=0.5, second=0.1, pause=0.02)
    assert show(SELECT, "battery_mode").state == "self-consumption"
    await change(SELECT, "battery_mode", "economy")
    assert show(SELECT, "battery_mode").attributes["pending"] == "economy"
    assert show(SELECT, "battery_mode").state != "economy"
    simulator.clock.advance(2 * LATER)
    await settle(hass)
    assert show(SELECT, "battery_mode").attributes["pending"] is None
    assert show(SELECT, "battery_mode").state == "economy"
    # Each profile has a reserve of its own, and another one came along.
    assert issues(hass) == ["command_changed_more"]
    shown = await open_repair(hass)
    assert "Battery reserve: " in shown["description_placeholders"]["reported"]
    done = await answer_repair(hass, shown)
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert issues(hass) == []


async def test_the_options_ask_for_the_account_and_store_it_only_if_enphase_accepts_it(
    hass: HomeAssistant, simulator: Simulator, control: Control
) -> None:
    entry = await control()
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    chosen = {CONF_SCAN_INTERVAL: 10, CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
    shown = await options.async_configure(shown["flow_id"], chosen)
    assert shown["step_id"] == "cloud_account"
    for username, key in ((simulator.username, "invalid_auth"), ("mfa@example.com", "cloud_mfa_required")):
        account = {
            CONF_USERNAME: username,
            CONF_PASSWORD: "wrong" if key == "invalid_auth" else simulator.password,
        }
        shown = await options.async_configure(shown["flow_id"], account)
        assert shown["errors"] == {"base": key}
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    shown = await options.async_configure(shown["flow_id"], account)
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)
    assert entry.data[CONF_PASSWORD] == simulator.password
    assert entry.runtime_data.cloud is not None


@pytest.fixture
def several_sites(simulator: Simulator) -> dict[int, str]:
    """Add a second home to the account, which does not see which devices a site has; return all sites."""
    cloud = simulator.entrez.battery_cloud
    assert cloud is not None
    cloud.other_sites = {7654321: "Holiday home"}
    cloud.lists_devices = False
    return {1234567: "Simulated house", **cloud.other_sites}


def offered_sites(shown: Any) -> dict[str, str]:
    """Return the sites that a step offers."""
    [selector] = shown["data_schema"].schema.values()
    return {option["value"]: option["label"] for option in selector.config["options"]}


async def test_the_options_ask_for_the_site_of_an_account_with_several_and_change_only_that_one(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    change: Change,
    show: Show,
    several_sites: dict[int, str],
) -> None:
    entry = await control()
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    chosen = {CONF_SCAN_INTERVAL: 10, CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
    shown = await options.async_configure(shown["flow_id"], chosen)
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    shown = await options.async_configure(shown["flow_id"], account)
    assert shown["step_id"] == "cloud_site"
    assert offered_sites(shown) == {str(site): f"{name} ({site})" for site, name in several_sites.items()}
    assert CONF_PASSWORD not in entry.data
    shown = await options.async_configure(shown["flow_id"], {"site": "1234567"})
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)
    assert entry.options[CONF_BATTERY_SITE] == 1234567
    hurry(entry)
    simulator.entrez_requests.clear()
    await change(NUMBER, "battery_reserve", 35)
    await settle(hass)
    assert show(NUMBER, "battery_reserve").state.removesuffix(".0") == "35"
    sites = {
        request.path.partition("?")[0].rsplit("/", 1)[-1]
        for request in simulator.entrez_requests
        if "ettings/" in request.path
    }
    assert sites == {"1234567"}
    # Other options leave the site as it is.
    shown = await options.async_init(entry.entry_id)
    shown = await options.async_configure(shown["flow_id"], {**chosen, CONF_SCAN_INTERVAL: 20})
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)
    assert entry.options[CONF_BATTERY_SITE] == 1234567


async def test_the_repair_asks_for_the_site_of_an_account_with_several(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    change: Change,
    several_sites: dict[int, str],
) -> None:
    entry = await control(first=0.2)
    await change(NUMBER, "battery_reserve", 35)
    await settle(hass)
    shown = await open_repair(hass)
    shown = await answer_repair(hass, shown, username=simulator.username, password=simulator.password)
    assert shown["step_id"] == "cloud_site"
    assert len(offered_sites(shown)) == len(several_sites)
    done = await answer_repair(hass, shown, site="1234567")
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert (entry.options[CONF_BATTERY_CLOUD], entry.options[CONF_BATTERY_SITE]) == (True, 1234567)


async def test_the_site_of_the_gateway_is_found_where_the_account_sees_the_devices(
    hass: HomeAssistant, simulator: Simulator, control: Control, several_sites: dict[int, str]
) -> None:
    assert simulator.entrez.battery_cloud is not None
    simulator.entrez.battery_cloud.lists_devices = True
    entry = await control()
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    chosen = {CONF_SCAN_INTERVAL: 10, CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
    shown = await options.async_configure(shown["flow_id"], chosen)
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    shown = await options.async_configure(shown["flow_id"], account)
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    assert CONF_BATTERY_SITE not in entry.options


async def test_a_stored_account_that_enphase_rejects_is_asked_for_again_in_the_options(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: "changed"}
    entry = await set_up(make_entry(simulator, account, {CONF_ALLOW_WRITES: True}))
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    chosen = {CONF_SCAN_INTERVAL: 10, CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
    shown = await options.async_configure(shown["flow_id"], chosen)
    assert (shown["step_id"], shown["errors"]) == ("cloud_account", {"base": "invalid_auth"})


async def test_a_missing_account_is_asked_for_in_the_options_and_used_at_once(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    chosen = OPTIONS_SCHEMA({CONF_SCAN_INTERVAL: 10, CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True})
    entry = await set_up(make_entry(simulator, options=chosen))
    assert entry.runtime_data.cloud is None
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    shown = await options.async_configure(shown["flow_id"], chosen)
    assert (shown["step_id"], shown["errors"]) == ("cloud_account", {})
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    shown = await options.async_configure(shown["flow_id"], account)
    assert shown["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)
    assert entry.runtime_data.cloud is not None


async def test_the_diagnostics_show_the_use_of_the_batteries_without_a_secret(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp
) -> None:
    account = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password}
    options = {CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
    entry = await set_up(make_entry(simulator, account, options), enable=True)
    shown = await async_get_config_entry_diagnostics(hass, entry)
    assert shown["storage"]["reserve"] is not None
    text = json.dumps(shown, default=str)
    for secret in (simulator.username, simulator.password, simulator.serial_number):
        assert secret not in text
