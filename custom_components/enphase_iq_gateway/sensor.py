"""The sensors: what their tables describe, as entities of Home Assistant."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
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
