"""Helpers for blueprint tests: files and inputs of blueprints, and states of entities."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped]
    MockConfigEntry,
)

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from ..texts import PROJECT

FOLDER = PROJECT / "blueprints" / "automation" / DOMAIN
FILES = sorted(FOLDER.glob("*.yaml"))
ADDRESS = "https://github.com/enphase-iq-gateway/enphase-iq-gateway/blob/main"

GRID, BATTERY, LEVEL = "sensor.grid_power", "sensor.battery_power", "sensor.battery_level"
LOAD = "input_boolean.boiler"
METER, POWER = "event.grid_meter_status_change", "sensor.production_power"
PANELS = [f"sensor.inverter_{number}" for number in range(1, 6)]

type Automate = Callable[..., Awaitable[None]]
type Minutes = Callable[..., Awaitable[None]]


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a blueprint."""
    blueprint = load_yaml_dict(str(path))["blueprint"]
    assert isinstance(blueprint, dict)
    return blueprint


def inputs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every input of a blueprint, including those in sections."""
    for name, described in metadata(path)["input"].items():
        yield from described["input"].items() if "input" in described else [(name, described)]


async def settle() -> None:
    """Run everything that is ready; automations with a delay keep waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


WARN = {
    "warn": [{"event": "warned", "event_data": {"message": "{{ message }}"}}],
}


def show(hass: HomeAssistant, entity_id: str, value: float | str, **attributes: Any) -> None:
    """Set the state of an entity."""
    hass.states.async_set(entity_id, str(value), attributes)


def load(hass: HomeAssistant) -> str:
    """Return the state of the load."""
    state = hass.states.get(LOAD)
    assert state is not None
    return state.state


async def read_again(simulator: Simulator, entry: MockConfigEntry, seconds: float) -> None:
    """Advance the time of the house, and poll everything that is due."""
    simulator.clock.advance(seconds)
    coordinator = entry.runtime_data
    await coordinator.async_refresh()
    assert coordinator.last_update_success, coordinator.last_exception
    await coordinator._background_poll
    await settle()


def entity_of(hass: HomeAssistant, simulator: Simulator, key: str) -> str:
    """Return the entity id of the gateway's sensor with this key."""
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
    assert entity_id is not None
    return entity_id


def control_of(hass: HomeAssistant, simulator: Simulator, platform: str, key: str) -> str:
    """Return the entity id of the gateway's entity that changes something."""
    unique_id = f"{simulator.serial_number}_{key}"
    entity_id = er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique_id)
    assert entity_id is not None
    return entity_id


async def wait_until(hass: HomeAssistant, entity_id: str, expected: str) -> None:
    """Wait for a state that an automation causes, and for the end of its run; time does not advance.

    A number is shown as 12.0 while its change is on its way, and as 12 afterwards.
    """
    # Time is frozen, so that a time-out would never come.
    for _ in range(200_000):
        state, automation = hass.states.get(entity_id), hass.states.get("automation.under_test")
        assert automation is not None
        shown = None if state is None else state.state.removesuffix(".0")
        if shown == expected and not automation.attributes["current"]:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{entity_id} has become {shown} instead of {expected}")
