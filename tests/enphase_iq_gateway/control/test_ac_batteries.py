"""AC Batteries are put to sleep and woken."""

from typing import Any

import pytest
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir

from custom_components.enphase_iq_gateway.const import DOMAIN
from custom_components.enphase_iq_gateway.endpoints import Endpoint
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


async def test_an_issue_of_an_ac_battery_has_no_serial_number_and_is_resolved_after_a_restart(
    hass: HomeAssistant,
    simulator: Simulator,
    control: Control,
    change: Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await control(first=0.1)
    serial_number = next(iter(entry.runtime_data.fetcher.ac_battery_levels))
    answers: Any = simulator.gateway._answers
    with monkeypatch.context() as patch:
        ignored = ("PUT", "/admin/lib/acb_config")
        patch.setitem(answers.controls._commands, ignored, lambda _, at: answers.controls.sleeping(at))
        await change(SWITCH, f"{serial_number}_ac_battery_sleep", True)
        await settle(hass)
    assert issues(hass) == ["command_ignored"]
    registered = ir.async_get(hass).issues
    [shown] = [
        f"{issue_id} {issue.data}" for (domain, issue_id), issue in registered.items() if domain == DOMAIN
    ]
    assert serial_number not in shown
    await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    # Somebody else lets it sleep.
    coordinator = entry.runtime_data
    await coordinator.gateway.control.set_ac_battery_sleep(serial_number, min_soc=25, max_soc=30)
    await coordinator.async_poll_now(Endpoint.AC_BATTERY_SLEEP)
    assert issues(hass) == []
