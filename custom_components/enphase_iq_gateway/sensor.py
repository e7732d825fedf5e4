"""Sensors."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_point_in_utc_time, async_track_time_change
from homeassistant.util import dt as dt_util

from .const import BATTERY_ENERGIES, HOME_ENERGY, LOGGER
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .endpoints import Endpoint
from .energy_counter import METERS, MICROINVERTER, NO_SOURCE, Source
from .entity import GatewayEntity, async_add_discovered_entities
from .sensor_descriptions import GatewaySensorDescription, sensor_descriptions
from .unit_sensors import unit_sensors

PARALLEL_UPDATES = 0

#: The attribute of energies that no meter counts.
ATTR_ESTIMATED = "estimated"

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
    if description.today_of is not None:
        return TodaySensor(coordinator, description)
    if description.changes_with_time:
        return PriceSensor(coordinator, description)
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


class PriceSensor(GatewaySensor):
    """A price that changes with the time of the day."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()

        @callback
        def update(_: datetime) -> None:
            self._handle_coordinator_update()

        # Periods of a tariff begin at whole minutes.
        self.async_on_remove(async_track_time_change(self.hass, update, second=0))


class EnergySensor(GatewaySensor):
    """An energy sensor, whose counter never jumps or drops and is stored over restarts."""

    def __init__(self, coordinator: GatewayCoordinator, description: GatewaySensorDescription) -> None:
        super().__init__(coordinator, description)
        #: The energy since midnight has no counter of its own: it is a part of the lifetime energy.
        self._counter_key = description.today_of or description.key
        self._counter = coordinator.counters.add(
            replace(description, key=self._counter_key).unique_id(coordinator)
        )
        # An energy is read from one endpoint; an estimated one may depend on another besides.
        self._endpoint = next(each for each in Endpoint if each in description.endpoints)

    @override
    def _update_value(self) -> float | None:
        counter = self._counter
        before, offset, source = counter.value, counter.offset, counter.source
        value = counter.update(super()._update_value(), self._read_at(), self._source)
        if (counter.value, counter.offset) != (before, offset):
            self.coordinator.counters.async_schedule_save()
        if self._counter_key == HOME_ENERGY and counter.is_decreasing:
            if not self.coordinator.data.is_home_decreasing:
                self.coordinator.async_check_home_energy()
            return None
        if before is not None and counter.offset != offset and not counter.source.is_estimated:
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
    def _is_estimated(self) -> bool:
        """Whether the energy is integrated from the power of batteries, or a sum with such an energy."""
        data = self.coordinator.data
        if self._counter_key == HOME_ENERGY:
            return data.is_home_estimated
        return self._counter_key in BATTERY_ENERGIES and data.has_unmetered_batteries

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        return {ATTR_ESTIMATED: True} if self._is_estimated else None

    @property
    def _source(self) -> Source:
        data = self.coordinator.data
        if self._is_estimated:
            # Without energies there is no reading either.
            return (
                NO_SOURCE if (energy := data.battery_energy) is None else Source.estimated(energy.started_at)
            )
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


class TodaySensor(EnergySensor):
    """The energy of a lifetime counter since local midnight; the sensor of that counter may be disabled."""

    _attr_last_reset: datetime | None = None
    _cancel_reset: CALLBACK_TYPE

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._reset_at_next_midnight()

    @callback
    def _reset_at_next_midnight(self) -> None:
        """Reset at midnight, even if nothing is read then."""

        @callback
        def reset(_: datetime) -> None:
            self._handle_coordinator_update()
            self._reset_at_next_midnight()

        job = HassJob(reset, cancel_on_shutdown=True)

        # A timer for the time of day would skip a midnight that a clock change skips.
        tomorrow = dt_util.start_of_local_day(dt_util.now().date() + timedelta(days=1))
        self._cancel_reset = async_track_point_in_utc_time(self.hass, job, dt_util.as_utc(tomorrow))

    @override
    async def async_will_remove_from_hass(self) -> None:
        self._cancel_reset()
        await super().async_will_remove_from_hass()

    @override
    def _update_value(self) -> float | None:
        value = super()._update_value()
        if value is None:
            return None
        # In UTC: the difference of two local times ignores a clock change between them.
        midnight = dt_util.as_utc(dt_util.start_of_local_day())
        received_at = self.coordinator.poll_schedule[self._endpoint].received_at or dt_util.utcnow()
        day = self._counter.day
        started_at = day.started_at
        day.update(value, received_at, midnight)
        if day.started_at != started_at:
            self.coordinator.counters.async_schedule_save()
        self._attr_last_reset = day.last_reset(midnight)
        return day.energy(midnight)

    @override
    def _update_and_compare(self) -> bool:
        last_reset = self._attr_last_reset
        return super()._update_and_compare() or self._attr_last_reset != last_reset
