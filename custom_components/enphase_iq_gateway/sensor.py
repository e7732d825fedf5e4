"""The sensors: what their tables describe, as entities of Home Assistant."""

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
from .counter import METERS, Source
from .entity import GatewayEntity, async_add_as_found
from .pages import Page
from .sensor_kinds import GatewaySensorDescription
from .sensor_meters import meter_sensors
from .sensor_site import site_sensors
from .sensor_units import gateway_sensors, unit_sensors

PARALLEL_UPDATES = 0

#: What is not steady even where nothing changes: written where a change of it can be seen.
_SPARING = {
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
    """Add a sensor for all that is found now, and for what comes later."""
    async_add_as_found(entry, Platform.SENSOR, async_add_entities, _descriptions, _sensor)


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewaySensorDescription]:
    data = coordinator.data
    yield from site_sensors(data)
    yield from meter_sensors(data, coordinator.meter_names)
    yield from gateway_sensors(coordinator)
    yield from unit_sensors(data)


def _sensor(coordinator: GatewayCoordinator, description: GatewaySensorDescription) -> GatewaySensor:
    is_counter = description.device_class is SensorDeviceClass.ENERGY
    return (EnergySensor if is_counter else GatewaySensor)(coordinator, description)


class GatewaySensor(GatewayEntity, SensorEntity):
    """A value as its page gives it."""

    entity_description: GatewaySensorDescription

    @override
    def _read(self) -> Any:
        """Return the newest value; the one shown where it has changed by less than is displayed.

        At one reading a second, each change that nobody sees would be a row of the recorder. What is shown is
        never further from the newest reading than the display's last digit. Zero is told from almost nothing.
        """
        newest, shown = super()._read(), self._value
        if self.device_class not in _SPARING or not newest or not isinstance(shown, int | float):
            return newest
        # 230.1 - 230.0 is a little less than 0.1 to a computer.
        return shown if abs(newest - shown) < 0.999 * self._step else newest

    @property
    def _step(self) -> float:
        """What one more is in the last digit shown: where the owner chose more digits, in that one."""
        step = 10.0 ** -(self.entity_description.suggested_display_precision or 0)
        options: Mapping[str, Mapping[str, Any]] = self.registry_entry.options if self.registry_entry else {}
        chosen: int | None = options.get(SENSOR_DOMAIN, {}).get("display_precision")
        if chosen is None:
            return step
        unit, shown_in = self.native_unit_of_measurement, self.unit_of_measurement
        finer: float = 10.0**-chosen
        if shown_in != unit:
            finer = UNIT_CONVERTERS[self.device_class].convert(finer, shown_in, unit)
        return min(step, finer)

    @property
    @override
    def native_value(self) -> Any:
        digits = self.entity_description.suggested_display_precision
        if digits is not None and isinstance(self._value, float) and round(self._value, digits) == 0:
            # What is rounded away has no sign: a dashboard would show "-0 W".
            return abs(self._value)
        return self._value


class EnergySensor(GatewaySensor):
    """A counter, kept over restarts."""

    def __init__(self, coordinator: GatewayCoordinator, description: GatewaySensorDescription) -> None:
        super().__init__(coordinator, description)
        self._counter = coordinator.counters.show(str(self.unique_id))
        # An energy is counted on one page.
        (self._page,) = description.pages

    @override
    def _read(self) -> float | None:
        counter = self._counter
        shown, offset, source = counter.value, counter.offset, counter.source
        value = counter.read(super()._read(), self._said_at(), self._source)
        if (counter.value, counter.offset) != (shown, offset):
            self.coordinator.counters.async_save_soon()
        if self.entity_description.key == HOME_ENERGY and counter.keeps_falling:
            if not self.coordinator.data.home_falls:
                self.coordinator.async_judge_home()
            return None
        if shown is not None and counter.offset != offset:
            # Another source is no fault, and the first value of all no step.
            LOGGER.log(
                logging.WARNING if counter.source == source else logging.INFO,
                "%s: the gateway's counter made a step; going on from %.0f Wh (offset %.0f Wh)",
                self.entity_id,
                counter.value,
                counter.offset,
            )
        return value

    @property
    def _source(self) -> Source:
        """Who counts this energy."""
        data = self.coordinator.data
        if self._page is Page.READINGS:
            return METERS
        return Source(data.production_from, data.info.firmware)

    def _said_at(self) -> datetime:
        data, page = self.coordinator.data, self._page
        measured_at = None
        if page is Page.READINGS:
            measured_at = data.readings.measured_at
        elif page is Page.PRODUCTION and data.inverters_sum is not None:
            measured_at = data.inverters_sum.measured_at
        return measured_at or self.coordinator.pages.answered_at(page) or dt_util.utcnow()
