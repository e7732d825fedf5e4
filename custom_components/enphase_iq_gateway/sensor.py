"""Sensors."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .const import HOME_ENERGY, LOGGER
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .endpoints import Endpoint
from .energy_counter import METERS, MICROINVERTER, Source
from .entity import GatewayEntity, async_add_discovered_entities
from .sensor_descriptions import GatewaySensorDescription, sensor_descriptions
from .unit_sensors import unit_sensors

PARALLEL_UPDATES = 0

#: Measurements that always fluctuate: changes that are smaller than the displayed precision are not written.
_FLUCTUATING = {
    SensorDeviceClass.APPARENT_POWER,
    SensorDeviceClass.CURRENT,
    SensorDeviceClass.FREQUENCY,
    SensorDeviceClass.POWER,
    SensorDeviceClass.REACTIVE_POWER,
    SensorDeviceClass.VOLTAGE,
}


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors."""
    async_add_discovered_entities(entry, Platform.SENSOR, async_add_entities, _descriptions, _create_sensor)


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewaySensorDescription]:
    yield from sensor_descriptions(coordinator)
    yield from unit_sensors(coordinator)


def _create_sensor(coordinator: GatewayCoordinator, description: GatewaySensorDescription) -> GatewaySensor:
    has_counter = description.device_class is SensorDeviceClass.ENERGY and not description.resets_daily
    return (EnergySensor if has_counter else GatewaySensor)(coordinator, description)


class GatewaySensor(GatewayEntity, SensorEntity):
    """A sensor of the gateway or of a device behind it."""

    entity_description: GatewaySensorDescription

    @override
    def _update_value(self) -> Any:
        """Return the latest value, or the previous one if the change is smaller than the displayed precision.

        At one reading per second, each invisible change would be a row in the recorder. The state never
        differs from the latest reading by more than the last displayed digit. Zero is always exact.
        """
        latest, previous = super()._update_value(), self._value
        if self.device_class not in _FLUCTUATING or not latest or not isinstance(previous, int | float):
            return latest
        # Floating point: 230.1 - 230.0 is slightly less than 0.1.
        return previous if abs(latest - previous) < 0.999 * self._resolution else latest

    @property
    def _resolution(self) -> float:
        """The value of the last displayed digit; the user may have chosen more digits than the default."""
        default = 10.0 ** -(self.entity_description.suggested_display_precision or 0)
        options: Mapping[str, Mapping[str, Any]] = self.registry_entry.options if self.registry_entry else {}
        precision: int | None = options.get(SENSOR_DOMAIN, {}).get("display_precision")
        if precision is None:
            return default
        native_unit, unit = self.native_unit_of_measurement, self.unit_of_measurement
        chosen: float = 10.0**-precision
        if unit != native_unit:
            chosen = UNIT_CONVERTERS[self.device_class].convert(chosen, unit, native_unit)
        return min(default, chosen)

    @property
    @override
    def native_value(self) -> Any:
        digits = self.entity_description.suggested_display_precision
        if digits is not None and isinstance(self._value, float) and round(self._value, digits) == 0:
            # A dashboard would show "-0 W".
            return abs(self._value)
        return self._value


class EnergySensor(GatewaySensor):
    """An energy sensor, whose counter never jumps or drops and is stored over restarts."""

    def __init__(self, coordinator: GatewayCoordinator, description: GatewaySensorDescription) -> None:
        super().__init__(coordinator, description)
        self._counter = coordinator.counters.add(str(self.unique_id))
        # An energy is read from exactly one endpoint.
        (self._endpoint,) = description.endpoints

    @override
    def _update_value(self) -> float | None:
        counter = self._counter
        before, offset, source = counter.value, counter.offset, counter.source
        value = counter.update(super()._update_value(), self._read_at(), self._source)
        if (counter.value, counter.offset) != (before, offset):
            self.coordinator.counters.async_schedule_save()
        if self.entity_description.key == HOME_ENERGY and counter.is_decreasing:
            if not self.coordinator.data.is_home_decreasing:
                self.coordinator.async_check_home_energy()
            return None
        if before is not None and counter.offset != offset:
            # A change of the source is expected.
            LOGGER.log(
                logging.WARNING if counter.source == source else logging.INFO,
                "%s: the gateway's counter jumped or was reset; continuing from %.0f Wh (offset %.0f Wh)",
                self.entity_id,
                counter.value,
                counter.offset,
            )
        return value

    @property
    def _source(self) -> Source:
        data = self.coordinator.data
        if self._endpoint is Endpoint.READINGS:
            return METERS
        if self._endpoint is Endpoint.DEVICE_DATA:
            return MICROINVERTER
        return Source(data.production_source, data.info.firmware)

    def _read_at(self) -> datetime:
        data, endpoint = self.coordinator.data, self._endpoint
        measured_at = None
        if (measured_at_fn := self.entity_description.measured_at_fn) is not None:
            measured_at = measured_at_fn(data)
        elif endpoint is Endpoint.READINGS:
            measured_at = data.readings.measured_at
        elif endpoint is Endpoint.PRODUCTION and data.inverters_sum is not None:
            measured_at = data.inverters_sum.measured_at
        return measured_at or self.coordinator.poll_schedule[endpoint].received_at or dt_util.utcnow()
