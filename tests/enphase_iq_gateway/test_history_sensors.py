"""The scripts know which meters and phases the integration's sensors of energy and power show.

The test is in this suite because only its environment has Home Assistant.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from custom_components.enphase_iq_gateway.enphase_api.models.site import net_energy
from custom_components.enphase_iq_gateway.sensor_descriptions import (
    GatewaySensorDescription,
    sensor_descriptions,
)
from enphase_companion.simulator import Simulator
from enphase_companion.simulator.profiles import PROFILES

from .conftest import SetUp
from .helpers import scripts_name

#: Device classes with statistics that the database has.
EXCHANGED = {SensorDeviceClass.ENERGY, SensorDeviceClass.POWER}


def find_sensors(hass: HomeAssistant, entry: MockConfigEntry, serial: str) -> tuple[list[Any], list[Any]]:
    """Return what the scripts find in the entity registry, as its websocket command lists it."""
    registry = [
        registered.as_partial_dict
        for registered in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    ]
    found: tuple[list[Any], list[Any]] = scripts_name(
        "enphase_companion.home_assistant.sensors"
    ).find_sensors(registry, [serial])
    return found


def read_meters(data: Any, sensor: Any, names: Mapping[str, Any]) -> float | None:
    """Return the value of a sensor, calculated from the readings as the scripts describe it."""
    total = 0.0
    for name, sign in sensor.terms.items():
        quantities = data.quantities(names[name].eid, sensor.phase - 1 if sensor.phase else None)
        if quantities is None:
            return None
        values = {
            "power": quantities.active_power,
            "delivered": quantities.energy_delivered,
            "received": quantities.energy_received,
            "net": net_energy(quantities.energy_delivered, quantities.energy_received),
        }
        if (value := values[sensor.quantity]) is None:
            return None
        total += sign * value
    return total


@pytest.mark.parametrize("profile", sorted(PROFILES.keys() - {"old-firmware"}))
async def test_every_sensor_of_energy_and_power_shows_what_the_scripts_expect(
    hass: HomeAssistant, simulator: Simulator, set_up: SetUp, entry: MockConfigEntry, profile: str
) -> None:
    await set_up(entry)
    coordinator = entry.runtime_data
    data, serial = coordinator.data, simulator.serial_number
    described: dict[str, GatewaySensorDescription] = {
        each.key: each
        for each in sensor_descriptions(coordinator)
        if each.device_class in EXCHANGED and each.state_class is not None
    }
    sensors, skipped = find_sensors(hass, entry, serial)
    by_key = {sensor.key: sensor for sensor in sensors}
    registry = er.async_get(hass)
    skipped_keys = {
        registry.async_get(each.entity_id).unique_id.removeprefix(f"{serial}_")  # type: ignore[union-attr]
        for each in skipped
    }
    # None is missed by accident: an unknown key would be in neither.
    assert by_key.keys() | skipped_keys == described.keys()
    assert by_key.keys().isdisjoint(skipped_keys)
    first = {meter.measurement_type: meter for meter in reversed(data.enabled_meters)}
    for key, sensor in by_key.items():
        description = described[key]
        assert sensor.is_power == (description.device_class is SensorDeviceClass.POWER), key
        assert sensor.resets_daily == (description.today_of is not None), key
        assert {*sensor.terms} <= first.keys(), key
        assert read_meters(data, sensor, first) == pytest.approx(description.value_fn(data)), key
    types = [meter.measurement_type for meter in data.enabled_meters]
    for key in skipped_keys:
        assert len(set(types)) < len(types) or not {"production", "storage"} <= set(types), (key, profile)
