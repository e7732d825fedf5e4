"""A house with an unmetered source: home is unknown, and an issue explains why."""

import pytest
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import CONF_SHOWN_CERTIFICATE, DOMAIN
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import find

from .conftest import SetUp, Tick, state_of

pytestmark = [
    pytest.mark.slow,
    # The http component of Home Assistant, which repairs depend on.
    pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey"),
]

#: Seconds between two readings, and their number per day.
LOOK, DAY = 900, 96


def issues(hass: HomeAssistant) -> list[ir.IssueEntry]:
    """Return the issues of home energy."""
    return [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN]


@pytest.mark.parametrize("profile", ["three-phase+second-inverter"])
async def test_home_that_decreases_repeatedly_is_unknown_and_creates_one_issue(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_up(entry)
    assert issues(hass) == []
    await tick(LOOK, times=4 * DAY)
    [issue] = issues(hass)
    assert (issue.translation_key, issue.is_fixable) == ("home_energy_decreasing", True)
    assert simulator.serial_number not in str((issue.data, issue.translation_placeholders))
    await tick(LOOK, times=DAY)
    assert len(issues(hass)) == 1
    assert caplog.text.count("continuing from") <= 2
    for key in ("home_energy", "home_power"):
        assert state_of(hass, simulator, key) == STATE_UNKNOWN
    truth = simulator.house.truth(simulator.clock.time())
    for key, energy in (
        ("production_energy", truth.production.total.energy_delivered),
        ("grid_energy_imported", truth.net_consumption.total.energy_delivered),
    ):
        assert float(state_of(hass, simulator, key)) == pytest.approx(energy / 1000, abs=0.001)

    # It stays unknown after a restart.
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert state_of(hass, simulator, "home_energy") == STATE_UNKNOWN
    [issue] = issues(hass)

    # The second inverter is metered now, and the user confirms it.
    counter = entry.runtime_data.counters.active[f"{simulator.serial_number}_home_energy"]
    before = counter.value
    assert before is not None
    simulator.house.profile = find("three-phase")
    assert await async_setup_component(hass, REPAIRS, {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    shown = await manager.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    assert shown["step_id"] == "confirm"
    assert shown["description_placeholders"] == {"name": entry.title}
    done = await manager.async_configure(shown["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == []
    assert float(state_of(hass, simulator, "home_energy")) == pytest.approx(before / 1000, abs=0.001)
    assert state_of(hass, simulator, "home_power") != STATE_UNKNOWN


async def test_the_repair_works_while_the_gateway_is_offline(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    counter = entry.runtime_data.counters.active[f"{simulator.serial_number}_home_energy"]
    assert counter.updated_at is not None
    counter.decreases = [counter.updated_at] * 3
    entry.runtime_data.async_check_home_energy()
    [issue] = issues(hass)
    simulator.faults.set("reset")
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_SHOWN_CERTIFICATE: simulator.certificate_pem}
    )
    assert await async_setup_component(hass, REPAIRS, {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    shown = await manager.async_init(DOMAIN, data={"issue_id": issue.issue_id})
    assert shown["description_placeholders"] == {"name": entry.title}
    done = await manager.async_configure(shown["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert not counter.is_decreasing
    assert issues(hass) == []
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("profile", ["three-phase+second-inverter"])
async def test_the_repair_is_deleted_with_its_entry(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp
) -> None:
    await set_up(entry)
    counter = entry.runtime_data.counters.active[f"{simulator.serial_number}_home_energy"]
    assert counter.updated_at is not None
    counter.decreases = [counter.updated_at] * 3
    entry.runtime_data.async_check_home_energy()
    assert len(issues(hass)) == 1
    await hass.config_entries.async_remove(entry.entry_id)
    assert issues(hass) == []
