"""What the gateway says of itself, and what each microinverter and each battery says."""

from collections.abc import Callable, Iterator
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory

from .coordinator import GatewayCoordinator
from .data import GatewayData
from .enphase_api.models import Battery, Inverter
from .entity import Unit
from .pages import Page
from .sensor_kinds import CHARGE, POWER, TEMPERATURE, GatewaySensorDescription

_TIME: dict[str, Any] = {"device_class": SensorDeviceClass.TIMESTAMP}
_DIAGNOSTIC: dict[str, Any] = {"entity_category": EntityCategory.DIAGNOSTIC}

#: Key, field of the client's Inverter, kind.
_INVERTER: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("power", "power", POWER | {"name": None}),
    ("max_power", "max_power", POWER | _DIAGNOSTIC),
    ("last_report", "last_reported_at", _TIME | _DIAGNOSTIC),
)

#: Key, field of the client's Battery, kind.
_BATTERY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("charge", "state_of_charge", CHARGE),
    ("power", "power", POWER),
    ("temperature", "temperature", TEMPERATURE),
    ("last_report", "last_reported_at", _TIME | _DIAGNOSTIC),
)


def gateway_sensors(coordinator: GatewayCoordinator) -> Iterator[GatewaySensorDescription]:
    """Yield what there is to know of the gateway itself."""

    def certificate_expiry(_: GatewayData) -> Any:
        certificate = coordinator.gateway.certificate
        return None if certificate is None else certificate.not_after

    def last_reading(data: GatewayData) -> Any:
        if data.enabled_meters:
            return data.readings.measured_at
        return None if data.inverters_sum is None else data.inverters_sum.measured_at

    source = Page.READINGS if coordinator.data.enabled_meters else Page.PRODUCTION
    rows: tuple[tuple[str, Callable[[GatewayData], Any], set[Page], dict[str, Any]], ...] = (
        ("firmware", lambda data: data.info.firmware, {Page.INFO}, {}),
        ("last_reading", last_reading, {source}, _TIME),
        ("token_expiry", lambda _: coordinator.renewal.token.expires_at, set(), _TIME),
        ("certificate_expiry", certificate_expiry, set(), _TIME),
    )
    for key, value, pages, kind in rows:
        yield GatewaySensorDescription(
            key=key,
            translation_key=key,
            value_fn=value,
            pages=frozenset(pages),
            entity_registry_enabled_default=False,
            **kind,
            **_DIAGNOSTIC,
        )


def unit_sensors(data: GatewayData) -> Iterator[GatewaySensorDescription]:
    """Yield the sensors of each microinverter and each battery."""
    for inverter in (data.inverters or {}).values():
        unit = inverter_unit(inverter)
        for key, field, kind in _INVERTER:
            yield _sensor(
                unit, f"inverter_{key}", key, kind, Page.INVERTERS, _inverter_value(unit.serial_number, field)
            )
    for battery in data.batteries.units if data.batteries else ():
        unit = battery_unit(battery)
        for key, field, kind in _BATTERY:
            yield _sensor(
                unit,
                f"battery_unit_{key}",
                key,
                kind,
                Page.BATTERIES,
                _battery_value(unit.serial_number, field),
            )


def inverter_unit(inverter: Inverter) -> Unit:
    """Return the device that a microinverter is."""
    return Unit(serial_number=inverter.serial_number, translation_key="inverter", model="Microinverter")


def battery_unit(battery: Battery) -> Unit:
    """Return the device that a battery is."""
    return Unit(
        serial_number=battery.serial_number,
        translation_key="battery",
        model="IQ Battery",
        part_number=battery.part_number,
        firmware=battery.firmware,
    )


def _sensor(
    unit: Unit, text: str, key: str, kind: dict[str, Any], page: Page, value: Callable[[GatewayData], Any]
) -> GatewaySensorDescription:
    return GatewaySensorDescription(
        key=key,
        # The main sensor of a unit bears the unit's own name.
        translation_key=None if "name" in kind else text,
        value_fn=value,
        pages=frozenset({page}),
        unit=unit,
        entity_registry_enabled_default=False,
        **kind,
    )


def _inverter_value(serial_number: str, field: str) -> Callable[[GatewayData], Any]:
    return lambda data: getattr((data.inverters or {}).get(serial_number), field, None)


def _battery_value(serial_number: str, field: str) -> Callable[[GatewayData], Any]:
    def value(data: GatewayData) -> Any:
        units = data.batteries.units if data.batteries else ()
        return getattr(
            next((unit for unit in units if unit.serial_number == serial_number), None), field, None
        )

    return value
