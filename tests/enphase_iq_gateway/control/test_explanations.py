"""What a user reads about a command that was not sent, or that has no effect: the cause, and what helps."""

from typing import Any

import pytest
from aiohttp import web
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.const import CONF_PASSWORD, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.translation import async_get_exception_message, async_load_integrations
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.commands import command_error_key
from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES, CONF_BATTERY_CLOUD, DOMAIN
from custom_components.enphase_iq_gateway.enphase_api import CommandError, CommandReason
from custom_components.enphase_iq_gateway.enphase_api.local.proof import Timing
from custom_components.enphase_iq_gateway.enphase_api.models import Command
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.battery_cloud import API

from ..conftest import SetUp, make_entry
from ..texts import TEXTS
from .helpers import NUMBER, SELECT, SWITCH, Change, Control, Show, issues, settle, written

# The http component of Home Assistant, which repairs depend on.
pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")

PERCENT = "\N{NO-BREAK SPACE}%"


async def shown_text(hass: HomeAssistant, error: HomeAssistantError) -> str:
    """Return the text of an error as a user reads it."""
    assert error.translation_key is not None
    await async_load_integrations(hass, {DOMAIN})
    return async_get_exception_message(DOMAIN, error.translation_key, error.translation_placeholders)


@pytest.mark.parametrize(
    ("key", "value", "levels"),
    [("battery_shutdown_level", 21, (20, 21)), ("battery_reserve", 4, (4, 5))],
    ids=["shutdown level", "reserve"],
)
async def test_a_shutdown_level_above_the_reserve_is_refused_and_the_error_names_both(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    change: Change,
    key: str,
    value: int,
    levels: tuple[int, int],
) -> None:
    await control()
    with pytest.raises(ServiceValidationError) as raised:
        await change(NUMBER, key, value)
    reserve, shutdown_level = levels
    text = await shown_text(hass, raised.value)
    assert f"({reserve}{PERCENT}) must not be below its shutdown level ({shutdown_level}{PERCENT})" in text
    assert "Nothing was sent" in text
    assert written(simulator) == []


@pytest.mark.parametrize(
    ("profile", "command", "requested", "device", "text"),
    [
        ("three-phase", Command.STORAGE, {"reserve": 30}, None, "has no batteries"),
        ("three-phase", Command.GRID_CONNECTION, {"connected": True}, None, "has no System Controller"),
        ("battery", Command.DRY_CONTACT, {"closed": True}, "NC9", "no longer has this dry contact"),
        ("battery", Command.GENERATOR, {"mode": "on"}, None, "has no generator"),
        (
            "battery",
            Command.DRY_CONTACT_SETTINGS,
            {"soc_low": 99},
            "NC1",
            f"(99{PERCENT}) must be below",
        ),
        ("battery", Command.GENERATOR, {"mode": "start"}, None, "does not take this value"),
    ],
)
async def test_a_command_that_cannot_be_sent_names_what_is_missing_or_wrong(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    command: Command,
    requested: dict[str, Any],
    device: str | None,
    text: str,
) -> None:
    entry = await control()
    with pytest.raises(ServiceValidationError) as raised:
        await entry.runtime_data.commands.async_send(command, requested, device)
    assert text in await shown_text(hass, raised.value)
    assert written(simulator) == []


def test_every_cause_has_a_text() -> None:
    for reason in CommandReason:
        assert command_error_key(CommandError("", reason)) in TEXTS["exceptions"]


@pytest.fixture
def through_the_cloud(simulator: Simulator, set_up: SetUp) -> Any:
    """Set up an entry that sets the batteries through the cloud, with a stored account."""

    async def run(**account: str) -> MockConfigEntry:
        stored = {CONF_USERNAME: simulator.username, CONF_PASSWORD: simulator.password, **account}
        options = {CONF_ALLOW_WRITES: True, CONF_BATTERY_CLOUD: True}
        entry = await set_up(make_entry(simulator, stored, options), enable=True)
        entry.runtime_data.gateway.control.timing = Timing(first=0.1, cloud=0.1, second=0.1, pause=0.02)
        return entry

    return run


@pytest.mark.parametrize("profile", ["cloud-controlled"])
@pytest.mark.parametrize(
    ("account", "key"),
    [
        ({CONF_PASSWORD: "changed"}, "cloud_rejected"),
        ({CONF_USERNAME: "mfa@example.com"}, "cloud_mfa_required"),
    ],
)
async def test_an_account_that_enphase_rejects_is_not_reported_as_a_rejected_token(
    hass: HomeAssistant, through_the_cloud: Any, change: Change, account: dict[str, str], key: str
) -> None:
    await through_the_cloud(**account)
    with pytest.raises(HomeAssistantError) as raised:
        await change(NUMBER, "battery_reserve", 35)
    assert raised.value.translation_key == key
    assert "account" in await shown_text(hass, raised.value)


@pytest.mark.parametrize("profile", ["cloud-controlled"])
async def test_an_account_without_the_right_is_told_from_a_token_without_it(
    simulator: Simulator, through_the_cloud: Any, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    await through_the_cloud()
    cloud: Any = simulator.entrez.battery_cloud
    handle = cloud.handle

    async def forbid(request: web.Request, *arguments: Any) -> Any:
        is_setting = request.path.startswith(API)
        return web.Response(status=403) if is_setting else await handle(request, *arguments)

    monkeypatch.setattr(cloud, "handle", forbid)
    with pytest.raises(HomeAssistantError) as raised:
        await change(NUMBER, "battery_reserve", 35)
    assert raised.value.translation_key == "cloud_forbidden"


@pytest.mark.parametrize("profile", ["battery+scheduler-stuck"])
async def test_batteries_that_may_charge_but_do_not_are_a_repair_that_says_what_helps(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    await control()
    await change(NUMBER, "battery_reserve", 100)
    await settle(hass)
    await change(SWITCH, "charge_from_grid", True)
    await settle(hass)
    assert show(SWITCH, "charge_from_grid").state == "on"
    assert issues(hass) == ["charging_stuck"]
    step, requested = await read_repair(hass)
    assert requested["requested"] == "Charge from grid: On"
    assert "Choose another battery mode, wait two minutes, and choose your mode again" in step["description"]
    # As the text says.
    await change(SELECT, "battery_mode", "backup")
    await settle(hass)
    await change(SWITCH, "charge_from_grid", True)
    await settle(hass)
    assert "charging_stuck" not in issues(hass)


@pytest.mark.parametrize("profile", ["battery+opt-schedules"])
async def test_a_mode_that_the_schedules_of_enphase_override_is_a_repair_that_says_what_helps(
    hass: HomeAssistant, simulator: Simulator, control: Control, change: Change
) -> None:
    entry = await control(second=1)
    await change(SELECT, "battery_mode", "economy")
    # Enphase's cloud turns its schedules on again.
    gateway = entry.runtime_data.gateway
    tariff = (await gateway.api_call("/admin/lib/tariff"))["tariff"]
    tariff["storage_settings"]["opt_schedules"] = True
    await gateway.api_call("/admin/lib/tariff", "PUT", json={"tariff": tariff}, response_raw=True)
    await settle(hass)
    assert issues(hass) == ["command_overridden"]
    step, requested = await read_repair(hass)
    assert requested["requested"] == "Battery mode: Savings"
    assert "Choose another profile than the optimisation in the Enphase app" in step["description"]


async def read_repair(hass: HomeAssistant) -> tuple[dict[str, str], dict[str, str]]:
    """Open the only repair; return the texts of its step, and their placeholders."""
    assert await async_setup_component(hass, REPAIRS, {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    [(issue_id, issue)] = [
        (issue_id, issue)
        for (domain, issue_id), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN
    ]
    shown = await manager.async_init(DOMAIN, data={"issue_id": issue_id})
    assert shown["type"] is FlowResultType.FORM
    step = TEXTS["issues"][str(issue.translation_key)]["fix_flow"]["step"][shown["step_id"]]
    placeholders = dict(shown["description_placeholders"] or {})
    assert step["description"].format(**placeholders)
    return step, placeholders
