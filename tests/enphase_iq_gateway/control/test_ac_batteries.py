"""AC Batteries are put to sleep and woken."""

import pytest
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from enphase_companion.simulator import Simulator

from .helpers import SWITCH, Change, Control, Show, issues, settle, written


@pytest.fixture
def profile() -> str:
    """Return a house with AC Batteries."""
    return "ac-batteries"


async def test_an_ac_battery_is_put_to_sleep_at_its_own_levels_and_woken_alone(
    hass: HomeAssistant, simulator: Simulator, control: Control, show: Show, change: Change
) -> None:
    entry = await control()
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    keys = sorted(entity.unique_id for entity in entities if entity.domain == SWITCH)
    assert len(keys) == simulator.house.profile.battery.units  # type: ignore[union-attr]
    first, second, *_ = keys
    assert show(SWITCH, first).state == STATE_OFF
    for key in (first, second):
        await change(SWITCH, key, True)
    assert show(SWITCH, first).state == STATE_ON
    told = simulator.house.orders(simulator.clock.time()).told_to_sleep
    assert [levels for _, *levels in told] == [[25, 30], [25, 30]]
    await change(SWITCH, first, False)
    await settle(hass)
    assert show(SWITCH, first).state == STATE_OFF
    assert show(SWITCH, second).state == STATE_ON
    assert written(simulator) == ["/admin/lib/acb_config"] * 3
    assert issues(hass) == []
    # The slow list of devices is read once.
    assert [request.path for request in simulator.requests].count("/inventory.json") <= 2
