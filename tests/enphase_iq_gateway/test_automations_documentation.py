"""docs/automations.md: its examples work, and their entities exist."""

import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.automation import automations_with_blueprint
from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
    async_mock_service,
)

from custom_components.enphase_iq_gateway import services
from custom_components.enphase_iq_gateway.const import DOMAIN, METER_STATUSES
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick
from .helpers import NEXT_LIST, Meters, change_response
from .texts import PROJECT

TEXT = (PROJECT / "docs" / "automations.md").read_text()
EXAMPLES: list[Any] = [parse_yaml(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
type Automate = Callable[[str], Awaitable[str]]

BLUEPRINTS = sorted(path.stem for path in (PROJECT / "blueprints" / "automation" / DOMAIN).glob("*.yaml"))


def example(alias: str) -> dict[str, Any]:
    """Return the documented automation with this alias."""
    [found] = [each for shown in EXAMPLES for each in shown.get("automation", []) if each["alias"] == alias]
    assert isinstance(found, dict)
    return found


@pytest.fixture
async def automate(hass: HomeAssistant) -> AsyncGenerator[Automate]:
    """Create an automation from a documented example, and return its entity id."""

    async def run(alias: str) -> str:
        assert await async_setup_component(hass, "automation", {"automation": [example(alias)]})
        await hass.async_block_till_done()
        [entity_id] = hass.states.async_entity_ids("automation")
        state = hass.states.get(entity_id)
        assert state is not None
        assert state.state == STATE_ON
        return entity_id

    yield run
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.mark.slow
async def test_the_example_of_the_event_notifies_of_a_meter_status(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    automate: Automate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meters = Meters(hass, simulator)
    change_response(monkeypatch, simulator, "/ivp/meters", meters.changed)
    notifications = async_mock_service(hass, "persistent_notification", "create")
    await set_up(entry, enable=True)
    await automate("Notify of a meter status")
    await tick(NEXT_LIST, times=2)
    assert notifications == []
    meters.statuses["production"] = "check-wiring"
    await tick(NEXT_LIST, times=2)
    assert [call.data["message"] for call in notifications] == ["normal → check-wiring"]
    assert notifications[0].data["title"].endswith("Production meter status change")
    simulator.faults.set("reset")
    await tick(61, times=60)
    simulator.faults.clear()
    await tick(61, times=20)
    assert len(notifications) == 1


async def test_the_example_of_get_readings_works(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    automate: Automate,
) -> None:
    notifications = async_mock_service(hass, "persistent_notification", "create")
    await set_up(entry)
    await tick()
    entity_id = await automate("Readings at midnight")
    await hass.services.async_call("automation", "trigger", {"entity_id": entity_id}, blocking=True)
    await hass.async_block_till_done()
    truth = simulator.house.truth(simulator.clock.time())
    [call] = notifications
    made, volts = re.findall(r"-?[\d.]+(?= Wh| V)", call.data["message"])
    assert float(made) == pytest.approx(truth.production.total.energy_delivered, abs=1)
    assert float(volts) == pytest.approx(truth.net_consumption.phases[0].voltage, abs=0.1)


async def test_the_example_of_call_api_works(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp
) -> None:
    notifications = async_mock_service(hass, "persistent_notification", "create")
    await set_up(entry)
    [script] = [shown["script"] for shown in EXAMPLES if "script" in shown]
    assert await async_setup_component(hass, "script", {"script": script})
    await hass.services.async_call("script", "main_relay", blocking=True)
    [call] = notifications
    page: Any = await hass.services.async_call(
        DOMAIN,
        "call_api",
        {"config_entry_id": entry.entry_id, "path": "/ivp/livedata/status"},
        blocking=True,
        return_response=True,
    )
    relay = page["content"]["meters"]["main_relay_state"]
    assert call.data["message"] == f"The main relay's state is {relay}."


@pytest.mark.parametrize(
    ("alias", "blueprint"),
    [
        ("Boiler on surplus", "surplus_solar"),
        ("Watch the meters", "meter_warning"),
        ("Panels of the south roof", "panel_behind"),
        ("Battery by price", "charge_cheap_export_dear"),
        ("Full before a storm", "storm_battery"),
        ("No export at a negative price", "no_export_at_negative_price"),
    ],
)
async def test_the_example_of_a_blueprint_is_valid(
    hass: HomeAssistant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    automate: Automate,
    alias: str,
    blueprint: str,
) -> None:
    # Home Assistant imports blueprints into a folder that is named after the owner of the repository.
    shutil.copytree(
        PROJECT / "blueprints" / "automation" / DOMAIN,
        tmp_path / "blueprints" / "automation" / "enphase-iq-gateway",
    )
    monkeypatch.setattr(hass.config, "config_dir", str(tmp_path))
    entity_id = await automate(alias)
    assert automations_with_blueprint(hass, f"enphase-iq-gateway/{blueprint}.yaml") == [entity_id]


@pytest.mark.parametrize("profile", ["three-phase"])
async def test_the_documented_response_of_get_readings_is_complete(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    given: Any = await hass.services.async_call(
        DOMAIN,
        "get_readings",
        {"config_entry_id": entry.entry_id},
        blocking=True,
        return_response=True,
    )
    [shown] = [each for each in EXAMPLES if "meters" in each]
    assert list(shown) == list(given)
    assert list(shown["gateway"]) == list(given["gateway"])
    assert list(shown["site"]) == list(given["site"])
    meter = given["meters"]["production"]
    assert list(shown["meters"]["production"]) == list(meter)
    assert list(shown["meters"]["production"]["total"]) == list(meter["total"])
    assert list(shown["meters"]["production"]["phases"]) == list(meter["phases"])
    [inverter], [read, *_] = shown["inverters"].values(), given["inverters"].values()
    assert set(inverter) == set(read)


def test_all_actions_fields_statuses_and_blueprints_are_documented() -> None:
    described = load_yaml_dict(str(PROJECT / "custom_components" / DOMAIN / "services.yaml"))
    for action, description in described.items():
        assert f"### `{DOMAIN}.{action}`" in TEXT
        for field in description["fields"]:
            assert f"| `{field}` |" in TEXT
    for word in (*METER_STATUSES, *services.METHODS):
        assert f"`{word}`" in TEXT
    for blueprint in BLUEPRINTS:
        path = f"blueprints/automation/{DOMAIN}/{blueprint}.yaml"
        address = f"https://github.com/enphase-iq-gateway/enphase-iq-gateway/blob/main/{path}"
        assert f"`{address}`" in TEXT
        encoded = address.replace(":", "%3A").replace("/", "%2F")
        assert f"https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url={encoded}" in TEXT


@pytest.mark.parametrize("path", re.findall(r"\]\(#([\w-]+)\)", TEXT))
def test_links_within_the_page_have_a_target(path: str) -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    assert path in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
