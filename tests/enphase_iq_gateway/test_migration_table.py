"""The tables of docs/migration.md list every entity of the built-in enphase_envoy, and are true."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.components.sensor.const import ATTR_STATE_CLASS, UNIT_CONVERTERS
from homeassistant.const import ATTR_DEVICE_CLASS, ATTR_UNIT_OF_MEASUREMENT, STATE_UNKNOWN
from homeassistant.const import __version__ as release
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.entity import EntityDescription
from pytest_homeassistant_custom_component.common import MockConfigEntry  # type: ignore[import-untyped]

from enphase_companion.simulator import Simulator

from .conftest import SetUp, Tick, enable_all
from .migration_page import Named, make_built_in_entry, sensors, table
from .texts import TEXTS

BUILT_IN = "homeassistant.components.enphase_envoy"
PLATFORMS = ("sensor", "binary_sensor", "number", "select", "switch", "button")

#: The release whose built-in integration the page lists.
RELEASE = "2026.11"

#: The device of the built-in integration's descriptions, by the name of their table in its modules: a prefix
#: in the page's first column, or the heading above it.
DEVICES = {
    "INVERTER_SENSORS": "Each microinverter",
    "ENCHARGE_INVENTORY_SENSORS": "Each IQ Battery",
    "ENCHARGE_POWER_SENSORS": "Each IQ Battery",
    "ENCHARGE_SENSORS": "Each IQ Battery",
    "ENPOWER_SENSORS": "System Controller",
    "ENPOWER_GRID_SWITCH": "System Controller",
    "RELAY_ENTITIES": "Dry contacts",
    "RELAY_STATE_SWITCH": "Dry contacts",
    "COLLAR_SENSORS": "Collar",
    "C6CC_SENSORS": "C6 Combiner",
    "ACB_BATTERY_POWER_SENSORS": "ACB",
    "ACB_AGGREGATE_SLEEP_STATE_SENSOR": "ACB",
    "ACB_SLEEP_SOC_ENTITY": "ACB",
    "ACB_BUTTONS": "ACB",
    "ACB_INVENTORY_SENSORS": "AC Battery",
    "STORAGE_MODE_ENTITY": "Battery settings",
    "STORAGE_RESERVE_SOC_ENTITY": "Battery settings",
    "CHARGE_FROM_GRID_SWITCH": "Battery settings",
    "PRODUCTION_SENSORS": "The site",
    "CONSUMPTION_SENSORS": "The site",
    "NET_CONSUMPTION_SENSORS": "The site",
    "CT_SENSORS": "The site",
    "ENCHARGE_AGGREGATE_SENSORS": "The site",
    "ACB_BATTERY_ENERGY_SENSORS": "The site",
    "AGGREGATE_BATTERY_SENSORS": "The site",
    "PRODUCTION_PHASE_SENSORS": "Each phase",
    "CONSUMPTION_PHASE_SENSORS": "Each phase",
    "NET_CONSUMPTION_PHASE_SENSORS": "Each phase",
    "CT_PHASE_SENSORS": "Each phase",
}

#: What the page calls the entities that have the name of their device.
MAIN = {"inverters": "Inverter", "relay_status": "Dry contact"}


def built_in_names() -> dict[str, Any]:
    """Return the names of the built-in integration's entities, by platform and translation key."""
    folder = Path(importlib.import_module(BUILT_IN).__path__[0])
    names: dict[str, Any] = json.loads((folder / "translations/en.json").read_text())["entity"]
    return names


def described() -> Iterator[tuple[str, str, EntityDescription]]:
    """Yield platform, name of the table, and description of every entity of the built-in integration."""
    for platform in PLATFORMS:
        for table_name, found in vars(importlib.import_module(f"{BUILT_IN}.{platform}")).items():
            for description in flatten(found):
                yield platform, table_name, description


def flatten(found: Any) -> Iterator[EntityDescription]:
    """Yield the descriptions in a value of a module."""
    # Not all are instances of EntityDescription: its metaclass makes frozen ones beside it.
    if hasattr(found, "entity_registry_enabled_default") and not isinstance(found, type):
        yield found
    elif isinstance(found, dict | list | tuple):
        for each in found.values() if isinstance(found, dict) else found:
            yield from flatten(each)


def built_in_name(platform: str, description: EntityDescription) -> str:
    """Return the English name of an entity of the built-in integration; of all phases that of the first."""
    texts = built_in_names()[platform].get(description.translation_key)
    if texts is not None:
        return str(texts["name"]).format(phase_name="l1")
    if description.key in MAIN:
        return MAIN[description.key]
    folder = Path(importlib.import_module(f"homeassistant.components.{platform}").__path__[0])
    classes = json.loads((folder / "translations/en.json").read_text())["entity_component"]
    return str(classes[description.device_class]["name"])


def built_in_entities() -> set[Named]:
    """Return every entity that the built-in integration describes."""
    return {
        Named(DEVICES[table_name].lower(), platform, built_in_name(platform, description).lower())
        for platform, table_name, description in described()
    }


def our_names() -> set[str]:
    """Return the names of our entities, with their platform, for each meter and the first phase."""
    kinds = TEXTS["selector"]["meter"]["options"].values()
    return {
        (
            text["name"].format(meter=meter, phase="L1") + ("" if platform == SENSOR else f" ({platform})")
        ).lower()
        for platform, texts in TEXTS["entity"].items()
        for text in texts.values()
        for meter in kinds
    }


def test_each_entity_of_the_built_in_integration_is_on_the_page() -> None:
    entities = built_in_entities()
    assert len(entities) > 200
    assert sorted(entities - table().keys()) == []


@pytest.mark.skipif(not release.startswith(RELEASE), reason=f"the page is about {RELEASE}")
def test_the_page_names_no_entity_that_the_built_in_integration_does_not_have() -> None:
    named_alone = {name for name, row in table().items() if not row.is_of_each_meter}
    assert sorted(named_alone - built_in_entities()) == []


def test_each_entity_of_ours_on_the_page_exists() -> None:
    names = our_names() | {"inverter"}
    devices = {text["name"].partition(" {")[0] for text in TEXTS["device"].values()}
    for row in table().values():
        device, _, name = row.ours.rpartition(": ")
        assert not device or device in devices, row
        name = re.sub(r" \((.+)\)", lambda found: f" ({found[1].replace(' ', '_')})", name)
        assert not name or name.lower() in names, row


def test_each_row_says_same_or_why_not() -> None:
    for row in table().values():
        kind, _, reason = row.verdict.partition(": ")
        assert kind in {"same", "better", "not offered"}, row
        assert row.ours.endswith("(binary sensor)") or (kind == "same") == bool(row.unit), row
        assert kind == "same" or reason, row
        assert bool(row.ours) == (kind in {"same", "better"}), row


def value(state: State, unit: str | None) -> float | str:
    """Return a state in a unit."""
    converter = UNIT_CONVERTERS.get(state.attributes.get(ATTR_DEVICE_CLASS))
    has = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if converter is None or has is None:
        assert has == unit
        return float(state.state)
    return converter.convert(float(state.state), has, unit)


#: The built-in integration rounds to whole watts and watt-hours.
ROUNDED = {"kW": 6e-4, "kWh": 6e-4, "MWh": 6e-7}

#: Names of what a home without a meter of the grid has instead.
OF_THE_SITE = {"Home active power": "Home power", "Home energy delivered": "Home energy"}


@pytest.mark.parametrize("profile", ["battery", "three-phase", "total-consumption", "meter-collar"])
async def test_what_the_page_calls_the_same_is_the_same(
    hass: HomeAssistant,
    simulator: Simulator,
    entry: MockConfigEntry,
    set_up: SetUp,
    tick: Tick,
) -> None:
    built_in = make_built_in_entry(simulator)
    built_in.add_to_hass(hass)
    assert await hass.config_entries.async_setup(built_in.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await enable_all(hass, built_in)
    await set_up(entry, enable=True)
    ours = {(each.serial_number, each.name): each for each in sensors(hass, entry)}
    page, compared = table(), set()
    for theirs in sensors(hass, built_in):
        row, there = theirs.row(page), hass.states.get(theirs.entity_id)
        if not row.is_same or there is None:
            continue
        name = theirs.our_name(row)
        if (theirs.serial_number, name) not in ours:
            name = OF_THE_SITE[name]
        here = hass.states.get(ours[theirs.serial_number, name].entity_id)
        assert here is not None, row
        unit = there.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        assert unit == row.unit, row
        assert here.attributes.get(ATTR_STATE_CLASS) == there.attributes.get(ATTR_STATE_CLASS), row
        # Until 2026.10, the built-in reserve was of the class battery.
        assert here.attributes.get(ATTR_DEVICE_CLASS) in (None, there.attributes.get(ATTR_DEVICE_CLASS)), row
        if here.state == STATE_UNKNOWN:
            # A counter that has never counted.
            assert float(there.state) == 0, row
            continue
        assert value(here, unit) == pytest.approx(value(there, unit), rel=1e-6, abs=ROUNDED.get(unit, 0)), row
        compared.add(row.built_in)
    assert len(compared) > 20
