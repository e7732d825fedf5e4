"""The events: a meter's status, each time that it changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.event import ATTR_EVENT_TYPE, EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .enphase_api.models import Meter
from .entity import GatewayEntity, GatewayEntityDescription, async_add_as_found
from .naming import meter_name
from .pages import Page
from .sensor_meters import STATUSES, meter_key

PARALLEL_UPDATES = 0

#: What a meter is taken to have been before its first event.
_NORMAL = STATUSES[0]


@dataclass(frozen=True, kw_only=True)
class GatewayEventDescription(EventEntityDescription, GatewayEntityDescription):
    """An event of the gateway; its value is the meter as the list of meters has it."""


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add an event for each meter that is found now, and for what comes later."""
    async_add_as_found(entry, Platform.EVENT, async_add_entities, _descriptions, MeterStatusEvent)


class MeterStatusEvent(GatewayEntity, EventEntity):
    """A meter that becomes well, or stops being so.

    The type of the last event is kept over restarts, so a change during one is not missed.
    """

    entity_description: GatewayEventDescription

    @override
    def _read(self) -> Any:
        meter: Meter | None = super()._read()
        previous = self.state_attributes[ATTR_EVENT_TYPE] or _NORMAL
        if meter is not None and meter.metering_status in STATUSES and meter.metering_status != previous:
            self._trigger_event(
                meter.metering_status, {"previous_status": previous, "status_flags": list(meter.status_flags)}
            )
        return self.state


def _descriptions(coordinator: GatewayCoordinator) -> Iterator[GatewayEventDescription]:
    meters = coordinator.data.enabled_meters
    for meter in meters:
        yield _status_change(meter, meter_name(coordinator.meter_names, meters, meter))


def _status_change(meter: Meter, name: str) -> GatewayEventDescription:
    return GatewayEventDescription(
        key=f"{meter_key(meter)}_status_change",
        translation_key="meter_status_change",
        translation_placeholders={"meter": name},
        event_types=STATUSES,
        value_fn=lambda data: data.meter(meter.eid),
        pages=frozenset({Page.METERS}),
        entity_category=EntityCategory.DIAGNOSTIC,
        # A meter that is well has no event yet, which is shown as "Unknown".
        entity_registry_enabled_default=False,
    )
