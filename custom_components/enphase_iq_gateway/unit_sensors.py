"""The descriptions of the sensors of devices behind the gateway, one table for each kind of device."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

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
        ("grid_state", "grid_state", _TEXT),
        ("bmu_firmware", "bmu_firmware", _TEXT),
        ("led_status", "led_status", DIAGNOSTIC),
        *_SIGNAL,
    ),
    UnitKind.CONTROLLER: (
        ("temperature", "temperature", _SHARED_TEMPERATURE),
        _LAST_REPORT,
        ("relay", "mains_oper_state", _TEXT),
        ("requested_relay", "mains_admin_state", _TEXT),
        ("grid_mode", "grid_mode", _TEXT),
        *_SIGNAL,
    ),
    UnitKind.COLLAR: (
        ("temperature", "temperature", _SHARED_TEMPERATURE),
        _LAST_REPORT,
        ("admin_state", "admin_state", _TEXT),
        ("grid_state", "grid_state", _TEXT),
        ("control_error", "control_error", DIAGNOSTIC),
    ),
    UnitKind.COMBINER: (("temperature", "temperature", _SHARED_TEMPERATURE), _LAST_REPORT),
    UnitKind.GENERATOR: (
        ("state", "admin_state", _TEXT),
        ("start_level", "start_soc", PERCENTAGE | DIAGNOSTIC),
        ("stop_level", "stop_soc", PERCENTAGE | DIAGNOSTIC),
    ),
    UnitKind.DRY_CONTACT: (
        ("mode", "mode", _TEXT),
        ("type", "type", _TEXT),
        ("grid_action", "grid_action", _TEXT),
        ("micro_grid_action", "micro_grid_action", _TEXT),
        ("generator_action", "generator_action", _TEXT),
        ("low_level", "soc_low", PERCENTAGE | DIAGNOSTIC),
        ("high_level", "soc_high", PERCENTAGE | DIAGNOSTIC),
    ),
}


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
        yield from _describe(unit, prefix, _UNITS[kind], find, endpoint)


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
        yield GatewaySensorDescription(
            key=key,
            value_fn=_value_reader(find, field),
            measured_at_fn=_value_reader(find, "last_reported_at") if key == "lifetime_energy" else None,
            endpoints=frozenset({endpoint}),
            unit=unit,
            entity_registry_enabled_default=key in enabled,
            **(named | kind),
        )


def _value_reader(find: Callable[[GatewayData], Any], field: str) -> Callable[[GatewayData], Any]:
    return lambda data: getattr(find(data), field, None)


def _inverter_finder(serial_number: str) -> Callable[[GatewayData], Any]:
    return lambda data: (data.inverters or {}).get(serial_number)


def _details_finder(serial_number: str) -> Callable[[GatewayData], Any]:
    return lambda data: data.inverter_details.get(serial_number)
