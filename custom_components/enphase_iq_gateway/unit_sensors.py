"""The descriptions of the sensors of devices behind the gateway, one table for each kind of device."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory

from .const import PANEL_SENSORS
from .coordinator import GatewayCoordinator
from .data import GatewayData
from .endpoints import Endpoint
from .entity import Unit
from .sensor_descriptions import (
    APPARENT_POWER,
    CURRENT,
    DIAGNOSTIC,
    ENERGY,
    FREQUENCY,
    PERCENTAGE,
    POWER,
    STATE_OF_CHARGE,
    STORED_ENERGY,
    TEMPERATURE,
    TIMESTAMP,
    VOLTAGE,
    GatewaySensorDescription,
)
from .units import UnitKind, find_units, inverter_unit

#: Key, field of the client's class, kind. The translation key is "{kind of device}_{key}" unless given.
type Row = tuple[str, str, dict[str, Any]]

_TEXT: dict[str, Any] = {"entity_category": EntityCategory.DIAGNOSTIC}


def _words(**states: str) -> dict[str, Any]:
    """Return the kind of a sensor with these states, each with the words of the firmware for it.

    Any other word, of firmware that is not known yet, is an unknown state; the diagnostics have the word.
    """
    known = {word: state for state, words in states.items() for word in words.split(",")}
    return {**_TEXT, "device_class": SensorDeviceClass.ENUM, "options": list(states), "words": known}


_RELAY = _words(
    closed="closed",
    open="open",
    open_synchronizing="open synchronizing",
    open_synchronized="open synchronized",
)
_GRID_MODE = _words(on_grid="multimode-ongrid,grid-tied", off_grid="multimode-offgrid")
_CONTACT_ACTION = _words(apply="apply", shed="shed", schedule="schedule", none="none")
_SHARED_TEMPERATURE = TEMPERATURE | {"translation_key": "unit_temperature"}
_LAST_REPORT: Row = (
    "last_report",
    "last_reported_at",
    TIMESTAMP | DIAGNOSTIC | {"translation_key": "unit_last_report"},
)
_SIGNAL: tuple[Row, ...] = tuple(
    (key, key, DIAGNOSTIC | {"translation_key": f"unit_{key}"})
    for key in ("comm_level_sub_ghz", "comm_level_2_4_ghz")
)

#: Of the list of microinverters.
_INVERTER: tuple[Row, ...] = (
    ("power", "power", POWER | {"name": None}),
    ("max_power", "max_power", POWER | DIAGNOSTIC),
    _LAST_REPORT,
)

#: Of the details of microinverters.
_INVERTER_DETAILS: tuple[Row, ...] = (
    ("lifetime_energy", "lifetime_energy", ENERGY),
    ("energy_today", "energy_today", ENERGY | {"resets_daily": True}),
    ("dc_voltage", "dc_voltage", VOLTAGE),
    ("dc_current", "dc_current", CURRENT),
    ("ac_voltage", "ac_voltage", VOLTAGE),
    ("ac_current", "ac_current", CURRENT),
    ("frequency", "frequency", FREQUENCY),
    ("temperature", "temperature", _SHARED_TEMPERATURE),
)

_UNITS: dict[UnitKind, tuple[Row, ...]] = {
    UnitKind.BATTERY: (
        ("charge", "state_of_charge", STATE_OF_CHARGE),
        ("power", "power", POWER),
        ("temperature", "temperature", _SHARED_TEMPERATURE),
        _LAST_REPORT,
        ("max_cell_temperature", "max_cell_temperature", TEMPERATURE),
        ("apparent_power", "apparent_power", APPARENT_POWER),
        ("capacity", "capacity", STORED_ENERGY | DIAGNOSTIC),
        ("power_charge", "power_state_of_charge", STATE_OF_CHARGE | DIAGNOSTIC),
        ("grid_state", "grid_state", _GRID_MODE),
        ("bmu_firmware", "bmu_firmware", _TEXT),
        ("led_status", "led_status", DIAGNOSTIC),
        *_SIGNAL,
    ),
    UnitKind.CONTROLLER: (
        ("temperature", "temperature", _SHARED_TEMPERATURE),
        _LAST_REPORT,
        ("relay", "mains_oper_state", _RELAY),
        ("requested_relay", "mains_admin_state", _words(closed="closed", open="open")),
        ("grid_mode", "grid_mode", _GRID_MODE),
        *_SIGNAL,
    ),
    UnitKind.COLLAR: (
        ("temperature", "temperature", _SHARED_TEMPERATURE),
        _LAST_REPORT,
        ("admin_state", "admin_state", _words(on_grid="ENCMN_MDE_ON_GRID", off_grid="ENCMN_MDE_OFF_GRID")),
        ("grid_state", "grid_state", _words(on_grid="on_grid", off_grid="off_grid")),
        ("control_error", "control_error", DIAGNOSTIC),
    ),
    UnitKind.COMBINER: (("temperature", "temperature", _SHARED_TEMPERATURE), _LAST_REPORT),
    UnitKind.GENERATOR: (
        ("state", "admin_state", _words(open="open", closed="closed")),
        ("start_level", "start_soc", PERCENTAGE | DIAGNOSTIC),
        ("stop_level", "stop_soc", PERCENTAGE | DIAGNOSTIC),
    ),
    UnitKind.DRY_CONTACT: (
        ("mode", "mode", _words(manual="manual", soc="soc")),
        ("type", "type", _words(none="NONE", load="LOAD", solar="PV", other_solar="3RD-PV")),
        ("grid_action", "grid_action", _CONTACT_ACTION),
        ("micro_grid_action", "micro_grid_action", _CONTACT_ACTION),
        ("generator_action", "generator_action", _CONTACT_ACTION),
        ("low_level", "soc_low", PERCENTAGE | DIAGNOSTIC),
        ("high_level", "soc_high", PERCENTAGE | DIAGNOSTIC),
    ),
}


#: The rows of a dry contact that selections and numbers show, too, where changes are allowed.
_CONTACT_SETTINGS = frozenset(
    {"mode", "grid_action", "micro_grid_action", "generator_action", "low_level", "high_level"}
)

#: The translation keys of those sensors.
REPLACED_SENSORS = frozenset(f"{UnitKind.DRY_CONTACT}_{key}" for key in _CONTACT_SETTINGS)


def unit_sensors(coordinator: GatewayCoordinator) -> Iterator[GatewaySensorDescription]:
    """Yield the descriptions of the sensors of all devices behind a gateway."""
    data, enabled = coordinator.data, PANEL_SENSORS if coordinator.has_panel_sensors else ()
    for serial_number in data.inverters or ():
        unit = inverter_unit(serial_number)
        find = _inverter_finder(serial_number)
        yield from _describe(unit, UnitKind.INVERTER, _INVERTER, find, Endpoint.INVERTERS, enabled)
    for serial_number in data.inverter_details:
        unit, find = inverter_unit(serial_number), _details_finder(serial_number)
        yield from _describe(unit, UnitKind.INVERTER, _INVERTER_DETAILS, find, Endpoint.DEVICE_DATA, enabled)
    for kind, unit, find, endpoint in find_units(data):
        prefix = "battery_unit" if kind is UnitKind.BATTERY else kind
        yield from _describe(unit, prefix, _rows(coordinator, kind), find, endpoint)


def _rows(coordinator: GatewayCoordinator, kind: UnitKind) -> Iterator[Row]:
    """Yield the rows of a kind of device, without those that entities show that change the same value."""
    for row in _UNITS[kind]:
        if not (coordinator.allows_changes and kind is UnitKind.DRY_CONTACT and row[0] in _CONTACT_SETTINGS):
            yield row


def _describe(
    unit: Unit,
    prefix: str,
    rows: Iterable[Row],
    find: Callable[[GatewayData], Any],
    endpoint: Endpoint,
    enabled: Collection[str] = (),
) -> Iterator[GatewaySensorDescription]:
    for key, field, kind in rows:
        # The main sensor of a unit has the name of its device.
        named: dict[str, Any] = {} if "name" in kind else {"translation_key": f"{prefix}_{key}"}
        options = {name: value for name, value in kind.items() if name != "words"}
        yield GatewaySensorDescription(
            key=key,
            value_fn=_value_reader(find, field, kind.get("words")),
            measured_at_fn=_value_reader(find, "last_reported_at") if key == "lifetime_energy" else None,
            endpoints=frozenset({endpoint}),
            unit=unit,
            entity_registry_enabled_default=key in enabled,
            **(named | options),
        )


def _value_reader(
    find: Callable[[GatewayData], Any], field: str, words: Mapping[str, str] | None = None
) -> Callable[[GatewayData], Any]:
    if words is None:
        return lambda data: getattr(find(data), field, None)
    return lambda data: words.get(getattr(find(data), field, None) or "")


def _inverter_finder(serial_number: str) -> Callable[[GatewayData], Any]:
    return lambda data: (data.inverters or {}).get(serial_number)


def _details_finder(serial_number: str) -> Callable[[GatewayData], Any]:
    return lambda data: data.inverter_details.get(serial_number)
