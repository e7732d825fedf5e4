"""States are written to the recorder only if they change visibly."""

from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.const import DOMAIN
from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, state_of
from .helpers import change_response

PRODUCTION = 704643328

#: By field of the readings: the key of the sensor, a reading, and changes of it: one that is written, one
#: that is not, and two that are written only together.
STEPS = {
    "activePower": ("production_power", 1000.0, 1.0, 0.9, (0.6, 1.1)),
    "reactivePower": ("704643328_production_reactive_power", 100.0, -1.0, -0.9, (-0.6, -1.1)),
    "apparentPower": ("704643328_production_apparent_power", 1000.0, 1.0, 0.9, (0.6, 1.1)),
    "voltage": ("704643328_production_voltage", 230.0, 0.1, 0.09, (0.06, 0.11)),
    "current": ("704643328_production_current", 5.0, 0.01, 0.009, (0.006, 0.011)),
    "freq": ("704643328_production_frequency", 50.0, 0.01, 0.009, (0.006, 0.011)),
}

type SetReading = Callable[[str, float], None]


@pytest.fixture
def set_reading(monkeypatch: pytest.MonkeyPatch, simulator: Simulator) -> SetReading:
    """Change the readings of the production meter and its phases."""
    values: dict[str, float] = {}

    def changed(readings: Any) -> Any:
        return [
            each | values | {"channels": [channel | values for channel in each["channels"]]}
            if each["eid"] == PRODUCTION
            else each
            for each in readings
        ]

    change_response(monkeypatch, simulator, "/ivp/meters/readings", changed)
    return values.__setitem__


def entity_id_of(hass: HomeAssistant, simulator: Simulator, key: str) -> str:
    """Return the entity id of the gateway's sensor with this key."""
    found = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{simulator.serial_number}_{key}")
    assert found is not None
    return found


@pytest.mark.parametrize("field", STEPS)
async def test_a_change_below_the_displayed_precision_is_not_written(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    set_reading: SetReading,
    field: str,
) -> None:
    key, reading, visible, invisible, together = STEPS[field]
    set_reading(field, reading)
    await set_up(entry, enable=True)
    assert float(state_of(hass, simulator, key)) == pytest.approx(reading)
    for change, shown in (
        (invisible, 0),
        (-invisible, 0),
        (visible, visible),
        (visible + together[0], visible),
        (visible + together[1], visible + together[1]),
    ):
        set_reading(field, reading + change)
        await tick()
        assert float(state_of(hass, simulator, key)) == pytest.approx(reading + shown, abs=1e-6)


async def test_zero_is_exact(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    set_reading: SetReading,
) -> None:
    set_reading("activePower", 0.9)
    await set_up(entry)
    assert float(state_of(hass, simulator, "production_power")) == pytest.approx(0.9)
    set_reading("activePower", 0.0)
    await tick()
    assert float(state_of(hass, simulator, "production_power")) == 0


async def test_an_unchanged_state_is_written_after_an_outage(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    set_reading: SetReading,
) -> None:
    set_reading("activePower", 1000.0)
    await set_up(entry)
    simulator.faults.set("refuse")
    await tick(seconds=11, times=8)
    assert state_of(hass, simulator, "production_power") == STATE_UNAVAILABLE
    simulator.faults.clear()
    set_reading("activePower", 1000.4)
    await tick(seconds=120)
    assert float(state_of(hass, simulator, "production_power")) == pytest.approx(1000, abs=1)


@pytest.mark.parametrize(
    ("options", "unit"),
    [({"display_precision": 1}, 1.0), ({"display_precision": 4, "unit_of_measurement": "kW"}, 0.001)],
)
async def test_more_displayed_digits_are_written(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    set_reading: SetReading,
    options: dict[str, Any],
    unit: float,
) -> None:
    set_reading("activePower", 1000.0)
    await set_up(entry)
    entity_id = entity_id_of(hass, simulator, "production_power")
    er.async_get(hass).async_update_entity_options(entity_id, "sensor", options)
    await hass.async_block_till_done()
    for reading, shown in ((1000.05, 1000.0), (1000.11, 1000.11), (1000.21, 1000.21)):
        set_reading("activePower", reading)
        await tick()
        assert float(state_of(hass, simulator, "production_power")) == pytest.approx(
            shown * unit, abs=0.001 * unit
        )


async def test_fewer_displayed_digits_do_not_change_the_state(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
    set_reading: SetReading,
) -> None:
    set_reading("activePower", 1000.0)
    await set_up(entry)
    entity_id = entity_id_of(hass, simulator, "production_power")
    options = {"display_precision": 1, "unit_of_measurement": "kW"}
    er.async_get(hass).async_update_entity_options(entity_id, "sensor", options)
    set_reading("activePower", 1002.0)
    await tick()
    assert float(state_of(hass, simulator, "production_power")) == pytest.approx(1.002)


async def test_energies_are_written_whenever_they_change(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    entity_id = entity_id_of(hass, simulator, "production_energy")
    written: list[Event[EventStateChangedData]] = []
    async_track_state_change_event(hass, entity_id, written.append)
    await tick(times=5)
    assert len(written) == 5


async def test_a_state_is_always_close_to_the_latest_reading(
    hass: HomeAssistant, simulator: Simulator, entry: MockConfigEntry, set_up: SetUp, tick: Tick
) -> None:
    await set_up(entry)
    written: list[Event[EventStateChangedData]] = []
    entity_id = entity_id_of(hass, simulator, "grid_power")
    async_track_state_change_event(hass, entity_id, written.append)
    for _ in range(20):
        await tick(seconds=10)
        newest = entry.runtime_data.data.site.grid_power
        assert abs(float(state_of(hass, simulator, "grid_power")) - newest) < 1
    assert 0 < len(written) <= 20
