"""What each enabled meter and each of its wired phases reads: a new quantity is one row."""

from collections.abc import Iterator, Mapping
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory

from .data import GatewayData
from .enphase_api.models import MeasurementType, Meter
from .naming import meter_name
from .pages import Page
from .sensor_kinds import (
    APPARENT_POWER,
    CURRENT,
    ENERGY,
    FREQUENCY,
    POWER,
    POWER_FACTOR,
    REACTIVE_POWER,
    VOLTAGE,
    GatewaySensorDescription,
)
from .sensor_site import named_by_site

#: Each a field of the client's Quantities.
QUANTITIES: dict[str, dict[str, Any]] = {
    "active_power": POWER,
    "reactive_power": REACTIVE_POWER,
    "apparent_power": APPARENT_POWER,
    "voltage": VOLTAGE,
    "current": CURRENT,
    "power_factor": POWER_FACTOR,
    "frequency": FREQUENCY,
    "energy_delivered": ENERGY,
    "energy_received": ENERGY,
}

#: What the two directions of energy are called where delivered and received would have to be explained.
_DIRECTIONS: dict[str, dict[str, str]] = {
    MeasurementType.NET_CONSUMPTION: {
        "energy_delivered": "energy_imported",
        "energy_received": "energy_exported",
    },
    MeasurementType.STORAGE: {"energy_delivered": "energy_discharged", "energy_received": "energy_charged"},
}

#: What a gateway says of a meter's state.
STATUSES = ["normal", "not-metering", "check-wiring"]


def meter_sensors(data: GatewayData, names: Mapping[str, str]) -> Iterator[GatewaySensorDescription]:
    """Yield the sensors of all enabled meters, except for what the site's sensors show already."""
    for meter in data.enabled_meters:
        name = meter_name(names, data.enabled_meters, meter)
        yield _status(meter, name)
        for quantity in QUANTITIES:
            if quantity not in named_by_site(data, meter):
                yield _quantity(meter, name, quantity, None)
            for phase in data.wired_phases(meter):
                yield _quantity(meter, name, quantity, phase)


def meter_key(meter: Meter) -> str:
    """Return what a meter's unique ids begin with: its place in the gateway, and what it measures there."""
    return f"{meter.eid}_{meter.measurement_type}"


def _quantity(meter: Meter, name: str, quantity: str, phase: int | None) -> GatewaySensorDescription:
    def value(data: GatewayData) -> float | None:
        read = data.quantities(meter.eid, phase)
        return None if read is None else getattr(read, quantity)

    called = _DIRECTIONS.get(meter.measurement_type, {}).get(quantity, quantity)
    key, text, placeholders = f"{meter_key(meter)}_{quantity}", f"meter_{called}", {"meter": name}
    if phase is not None:
        line = f"L{phase + 1}"
        key, text, placeholders = f"{key}_{line.lower()}", f"{text}_phase", {**placeholders, "phase": line}
    return GatewaySensorDescription(
        key=key,
        translation_key=text,
        translation_placeholders=placeholders,
        value_fn=value,
        entity_registry_enabled_default=False,
        **QUANTITIES[quantity],
    )


def _status(meter: Meter, name: str) -> GatewaySensorDescription:
    def value(data: GatewayData) -> str | None:
        listed = data.meter(meter.eid)
        return listed.metering_status if listed is not None and listed.metering_status in STATUSES else None

    return GatewaySensorDescription(
        key=f"{meter_key(meter)}_status",
        translation_key="meter_status",
        translation_placeholders={"meter": name},
        device_class=SensorDeviceClass.ENUM,
        options=STATUSES,
        value_fn=value,
        pages=frozenset({Page.METERS}),
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    )
