"""Snapshots of all entities of the usual gateways: a difference is a change for users.

States are not included; other tests compare them with the simulated house.
"""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]
from syrupy.assertion import SnapshotAssertion

from .conftest import SetUp, enable_all


@pytest.mark.parametrize(
    "profile", ["no-meters", "production-only", "single-phase", "split-phase", "three-phase", "battery"]
)
async def test_entities_stay_as_they_are(
    hass: HomeAssistant, entry: MockConfigEntry, set_up: SetUp, snapshot: SnapshotAssertion
) -> None:
    await set_up(entry)
    registry = er.async_get(hass)
    registered = er.async_entries_for_config_entry(registry, entry.entry_id)
    disabled = {entity.entity_id for entity in registered if entity.disabled_by is not None}
    await enable_all(hass, entry)

    def row(entity: er.RegistryEntry) -> str:
        state = hass.states.get(entity.entity_id)
        device = dr.async_get(hass).async_get(str(entity.device_id))
        assert state is not None
        assert device is not None
        facts = [
            entity.unique_id,
            f"{device.name}: {entity.original_name}",
            "disabled" if entity.entity_id in disabled else "enabled",
            entity.entity_category,
            entity.translation_key,
            *(state.attributes.get(key) for key in ("device_class", "state_class", "unit_of_measurement")),
        ]
        return " | ".join("-" if fact is None else str(fact) for fact in facts)

    assert {entity.entity_id: row(entity) for entity in registered} == snapshot
