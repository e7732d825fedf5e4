"""Event entities: the changes of the status of each meter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.event import ATTR_EVENT_TYPE, EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import METER_STATUSES
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .endpoints import Endpoint
from .enphase_api.models import Meter
from .entity import GatewayEntity, GatewayEntityDescription, async_add_discovered_entities, meter_key
from .helpers import meter_name

PARALLEL_UPDATES = 0

#: The assumed status of a meter before its first event.
_NORMAL = METER_STATUSES[0]


@dataclass(frozen=True, kw_only=True)
class GatewayEventDescription(EventEntityDescription, GatewayEntityDescription):
    """Describe an event entity, whose value is the meter."""


async def async_setup_entry(
    _hass: HomeAssistant, entry: GatewayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add an event entity for each meter."""
    async_add_discovered_entities(entry, Platform.EVENT, async_add_entities, _descriptions, MeterStatusEvent)


class MeterStatusEvent(GatewayEntity, EventEntity):
    """Report the changes of the status of a meter, including those during a restart."""

    entity_description: GatewayEventDescription

    @override
    def _update_value(self) -> Any:
        meter: Meter | None = super()._update_value()
        previous = self.state_attributes[ATTR_EVENT_TYPE] or _NORMAL
        if (
            meter is not None
            and meter.metering_status in METER_STATUSES
            and meter.metering_status != previous
        ):
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
        event_types=METER_STATUSES,
        value_fn=lambda data: data.meter(meter.eid),
        endpoints=frozenset({Endpoint.METERS}),
        entity_category=EntityCategory.DIAGNOSTIC,
        # Before the first event, the state is "Unknown".
        entity_registry_enabled_default=False,
    )
