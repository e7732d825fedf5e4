"""Fixtures: an entry that allows changes, and its entities as a user sees and changes them."""

from typing import Any

import pytest
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, State
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_ALLOW_WRITES
from custom_components.enphase_iq_gateway.enphase_api.local.proof import Timing
from enphase_companion.simulator import Simulator

from ..conftest import SetUp, make_entry
from .helpers import NUMBER, SELECT, SWITCH, Change, Control, Show, entity_id


@pytest.fixture
def profile() -> str:
    """Return a house with batteries and a System Controller."""
    return "battery"


@pytest.fixture
def clock_speed() -> float:
    """Let the house obey in a fraction of a second."""
    return 60.0


@pytest.fixture
def control(hass: HomeAssistant, simulator: Simulator, set_up: SetUp) -> Control:
    """Set up an entry that allows changes, with all its entities, and short waiting times."""

    async def run(
        *, role: str = "owner", first: float = 10, second: float = 0.1, **options: Any
    ) -> MockConfigEntry:
        entry = make_entry(
            simulator, {CONF_TOKEN: simulator.token(role)}, {CONF_ALLOW_WRITES: True, **options}
        )
        await set_up(entry, enable=True)
        entry.runtime_data.gateway.control.timing = Timing(
            first=first, relay=first, second=second, contacts=1, pause=0.02
        )
        return entry

    return run


@pytest.fixture
def show(hass: HomeAssistant, simulator: Simulator) -> Show:
    """Return the state of an entity by platform and key."""

    def run(platform: str, key: str) -> State:
        state = hass.states.get(entity_id(hass, simulator, platform, key))
        assert state is not None
        return state

    return run


@pytest.fixture
def change(hass: HomeAssistant, simulator: Simulator) -> Change:
    """Change an entity by platform and key, as a user does, and wait for the first proof."""

    async def run(platform: str, key: str, value: Any) -> None:
        actions: dict[str, tuple[str, dict[str, Any]]] = {
            SELECT: ("select_option", {"option": value}),
            NUMBER: ("set_value", {"value": value}),
            SWITCH: (f"turn_{'on' if value else 'off'}", {}),
        }
        action, data = actions[platform]
        target = {"entity_id": entity_id(hass, simulator, platform, key)}
        await hass.services.async_call(platform, action, data | target, blocking=True)

    return run
