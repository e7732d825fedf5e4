"""The websocket commands: what does not change of a gateway, and its readings as a stream.

A subscriber gets each refresh of an entry as one event: the message of `docs/messages.md`. Companion scripts
read from Home Assistant in this way instead of asking the gateway once more.
"""

import time
from enum import StrEnum
from functools import partial
from typing import Any

import voluptuous as vol
from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.components import websocket_api
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_NOT_FOUND
from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.components.websocket_api.messages import construct_event_message
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntryChange, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.json import json_bytes
from homeassistant.loader import async_get_loaded_integration
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, EnergySource
from .coordinator import GatewayConfigEntry, GatewayCoordinator
from .endpoints import Endpoint
from .enphase_api.message import SCHEMA_VERSION, Message, from_inverters, from_readings
from .enphase_api.models import Quantities, unmetered_lifetime_energy

#: Events that a subscriber may leave unconfirmed: what waits for it in Home Assistant's memory has a limit,
#: which is tighter than the 4,096 messages after which Home Assistant itself ends a connection.
MAX_UNCONFIRMED = 120

ATTR_SERIAL_NUMBER = "gateway_serial_number"
ATTR_PANELS = "panels"
_GATEWAY_FIELD: dict[str | vol.Marker, Any] = {vol.Optional(ATTR_SERIAL_NUMBER): str}


class StreamState(StrEnum):
    """Why no readings come; the next readings end the first three."""

    UNAVAILABLE = "unavailable"
    NOT_LOADED = "not_loaded"
    NO_READINGS = "no_readings"
    #: This and the next end the subscription.
    REMOVED = "removed"
    TOO_SLOW = "too_slow"


_REASONS = {
    StreamState.UNAVAILABLE: "Home Assistant cannot read the gateway at present",
    StreamState.NOT_LOADED: "the gateway's entry in Home Assistant is not loaded",
    StreamState.NO_READINGS: "the gateway has no readings at present",
    StreamState.REMOVED: "the gateway's entry was removed from Home Assistant",
    StreamState.TOO_SLOW: f"the listener did not confirm {MAX_UNCONFIRMED} events",
}


@callback
def async_setup_websocket_api(hass: HomeAssistant) -> None:
    """Register the commands."""
    websocket_api.async_register_command(hass, _get_info)
    websocket_api.async_register_command(hass, _subscribe)
    websocket_api.async_register_command(hass, _confirm)


@websocket_command({vol.Required("type"): f"{DOMAIN}/info", **_GATEWAY_FIELD})
@callback
def _get_info(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Return what does not change of a gateway, as far as its entry is loaded."""
    if (entry := _find_entry(hass, connection, msg)) is None:
        return
    result = {
        "schema_version": SCHEMA_VERSION,
        "integration_version": str(async_get_loaded_integration(hass, DOMAIN).version),
        ATTR_SERIAL_NUMBER: entry.unique_id,
        "name": entry.title,
        "timestamp": time.time(),
    }
    if entry.state is ConfigEntryState.LOADED:
        result |= _describe(entry.runtime_data)
    connection.send_result(msg["id"], result)


def _describe(coordinator: GatewayCoordinator) -> dict[str, Any]:
    data = coordinator.data
    inverters, batteries = data.inverters, data.batteries
    return {
        "firmware": data.info.firmware,
        "part_number": data.info.part_number,
        "interval": coordinator.poll_schedule.refresh_interval.total_seconds(),
        "meters": [
            {
                "eid": meter.eid,
                "measurement_type": meter.measurement_type,
                "enabled": meter.enabled,
                "phase_mode": meter.phase_mode,
                "phase_count": meter.phase_count,
                "status": meter.metering_status,
                "status_flags": meter.status_flags,
            }
            for meter in data.meters
        ],
        "microinverters": None if inverters is None else len(inverters),
        "peak_power": None
        if inverters is None
        else sum(inverter.max_power or 0 for inverter in inverters.values()) or None,
        "batteries": None if batteries is None else len(batteries.units),
    }


@websocket_command(
    {
        vol.Required("type"): f"{DOMAIN}/readings/subscribe",
        **_GATEWAY_FIELD,
        vol.Optional(ATTR_PANELS, default=False): bool,
    }
)
@callback
def _subscribe(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Send the newest readings of a gateway, and then those of each refresh."""
    if (entry := _find_entry(hass, connection, msg)) is None:
        return
    streams = hass.data.setdefault(_STREAMS, {})
    key = entry.entry_id, msg[ATTR_PANELS]
    if (stream := streams.get(key)) is None:
        close = partial(streams.__delitem__, key)
        stream = streams[key] = _Stream(hass, entry, close, panels=msg[ATTR_PANELS])
    connection.send_result(msg["id"])
    connection.subscriptions[msg["id"]] = stream.add(connection, msg["id"])


@websocket_command(
    {
        vol.Required("type"): f"{DOMAIN}/readings/confirm",
        vol.Required("subscription"): int,
        vol.Required("received"): vol.All(int, vol.Range(min=0)),
    }
)
@callback
def _confirm(_hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Note how many events of a subscription were received."""
    subscriber = connection.subscriptions.get(msg["subscription"])
    if not isinstance(subscriber, _Subscriber):
        connection.send_error(msg["id"], ERR_NOT_FOUND, "no such subscription")
        return
    subscriber.confirm(msg["received"])
    connection.send_result(msg["id"])


def _find_entry(
    hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]
) -> GatewayConfigEntry | None:
    """Return the entry of the given serial number, else the only one; send an error and return None if none.

    Entries whose entities the user may not read do not exist for the user. Raises Unauthorized if there are
    no others.
    """
    entries: list[GatewayConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    readable = [entry for entry in entries if _may_read(hass, connection.user, entry)]
    if entries and not readable:
        raise Unauthorized
    wanted = msg.get(ATTR_SERIAL_NUMBER)
    found = [entry for entry in readable if wanted in (None, entry.unique_id)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(str(entry.unique_id) for entry in readable)) or "none"
    reason = "several gateways, name one" if found else f"no gateway {wanted}" if wanted else "no gateway"
    connection.send_error(msg["id"], ERR_NOT_FOUND, f"{reason} ({ATTR_SERIAL_NUMBER}: {there})")
    return None


def _may_read(hass: HomeAssistant, user: User, entry: GatewayConfigEntry) -> bool:
    """Whether a user may read all entities of an entry."""
    if user.permissions.access_all_entities(POLICY_READ):
        return True
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return bool(entities) and all(
        user.permissions.check_entity(entity.entity_id, POLICY_READ) for entity in entities
    )


class _Subscriber:
    """One subscription of a connection; called when that ends."""

    def __init__(self, stream: _Stream, connection: ActiveConnection, number: int) -> None:
        self._stream = stream
        self._connection = connection
        self._number = number
        self._sent = self._confirmed = 0

    def __call__(self) -> None:
        """Leave the stream."""
        self._stream.remove(self)

    @property
    def is_too_slow(self) -> bool:
        """Whether there are as many unconfirmed events as may wait in Home Assistant's queue."""
        return self._sent - self._confirmed >= MAX_UNCONFIRMED

    def confirm(self, received: int) -> None:
        """Note how many events were received since the beginning."""
        self._confirmed = min(received, self._sent)

    def send(self, event: bytes) -> None:
        """Send an event."""
        self._sent += 1
        self._connection.send_message(construct_event_message(self._number, event))

    def end(self) -> None:
        """Leave the stream, and forget the subscription."""
        self._connection.subscriptions.pop(self._number, None)
        self()


class _Stream:
    """The readings of one entry, for all its subscribers; it lasts over reloads of the entry."""

    def __init__(
        self, hass: HomeAssistant, entry: GatewayConfigEntry, on_close: CALLBACK_TYPE, *, panels: bool
    ) -> None:
        """Follow the entry; `on_close` is called when the last subscriber is gone.

        `panels`: also send the last report of each microinverter, in messages of their own.
        """
        self._entry = entry
        self._panels = panels
        self._on_close = on_close
        self._subscribers: list[_Subscriber] = []
        #: Stops listening to the coordinator; None while the entry is not loaded.
        self._detach: CALLBACK_TYPE | None = None
        self._state: StreamState | None = None
        #: What identifies the readings of the latest event.
        self._sent: tuple[object, ...] = ()
        self._newest = b""
        #: The same of the microinverters.
        self._sent_inverters: tuple[object, ...] = ()
        self._newest_inverters: list[bytes] = []
        self._unfollow = async_dispatcher_connect(
            hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_entry_changed
        )
        self._async_entry_changed(ConfigEntryChange.UPDATED, entry)

    @callback
    def add(self, connection: ActiveConnection, number: int) -> _Subscriber:
        """Send a new subscriber the newest event, and from now on all others."""
        subscriber = _Subscriber(self, connection, number)
        self._subscribers.append(subscriber)
        for event in (self._newest, *self._newest_inverters):
            subscriber.send(event)
        return subscriber

    @callback
    def remove(self, subscriber: _Subscriber) -> None:
        """Send nothing more to a subscriber; the last one ends the stream."""
        self._subscribers.remove(subscriber)
        if not self._subscribers:
            self._close()

    def _close(self) -> None:
        self._unfollow()
        if self._detach is not None:
            self._detach()
        self._on_close()

    @callback
    def _async_entry_changed(self, change: ConfigEntryChange, entry: GatewayConfigEntry) -> None:
        if entry.entry_id != self._entry.entry_id:
            return
        if change is ConfigEntryChange.REMOVED:
            self._send_state(StreamState.REMOVED)
            for subscriber in list(self._subscribers):
                subscriber.end()
        elif entry.state is ConfigEntryState.LOADED:
            if self._detach is None:
                # As a sensor does, it makes the coordinator poll what the messages contain.
                coordinator = entry.runtime_data
                self._detach = coordinator.async_add_listener(
                    self._async_refreshed, _endpoints_of(coordinator, panels=self._panels)
                )
                self._async_refreshed()
        else:
            if self._detach is not None:
                self._detach()
                self._detach = None
            self._send_state(StreamState.NOT_LOADED)

    @callback
    def _async_refreshed(self) -> None:
        self._send_readings()
        if self._panels and self._state is None:
            self._send_inverters()

    def _send_readings(self) -> None:
        coordinator = self._entry.runtime_data
        if not coordinator.last_update_success:
            self._send_state(StreamState.UNAVAILABLE)
            return
        production = _unmetered_production(coordinator)
        # Also called after other endpoints, without new readings.
        identity = (coordinator.data.readings, production)
        if self._state is None and self._sent == identity:
            return
        message = _build_message(coordinator, production)
        if not message.samples:
            self._send_state(StreamState.NO_READINGS)
            return
        self._state, self._sent = None, identity
        self._send(message.as_content())

    def _send_inverters(self) -> None:
        data = self._entry.runtime_data.data
        identity = (data.device_data, data.listed_inverters)
        if identity == self._sent_inverters:
            return
        self._sent_inverters = identity
        self._newest_inverters = [
            json_bytes(message.as_content()) for message in _build_inverters(self._entry.runtime_data)
        ]
        for event in self._newest_inverters:
            self._send_event(event)

    def _send_state(self, state: StreamState) -> None:
        if state is not self._state:
            self._state = state
            self._newest_inverters, self._sent_inverters = [], ()
            self._send(_state_event(self._entry, state))

    def _send(self, event: dict[str, Any]) -> None:
        self._newest = json_bytes(event)
        self._send_event(self._newest)

    def _send_event(self, event: bytes) -> None:
        slow = [subscriber for subscriber in self._subscribers if subscriber.is_too_slow]
        for subscriber in slow:
            subscriber.send(json_bytes(_state_event(self._entry, StreamState.TOO_SLOW)))
            subscriber.end()
        for subscriber in self._subscribers:
            subscriber.send(event)


#: By entry, and whether with panels.
_STREAMS: HassKey[dict[tuple[str, bool], _Stream]] = HassKey(f"{DOMAIN}_streams")


def _state_event(entry: GatewayConfigEntry, state: StreamState) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        ATTR_SERIAL_NUMBER: entry.unique_id,
        "state": state,
        "reason": _REASONS[state],
    }


def _endpoints_of(coordinator: GatewayCoordinator, *, panels: bool) -> frozenset[Endpoint]:
    """Return the endpoints of the values in messages."""
    source = coordinator.data.production_source
    endpoints = {Endpoint.READINGS}
    if panels:
        endpoints |= {Endpoint.DEVICE_DATA, Endpoint.INVERTERS}
    if source is not EnergySource.METER:
        endpoints |= {Endpoint.PRODUCTION, Endpoint.INVERTERS}
    if source is EnergySource.TOTALS:
        endpoints.add(Endpoint.TOTALS)
    return frozenset(endpoints)


def _unmetered_production(coordinator: GatewayCoordinator) -> tuple[int, Quantities] | None:
    """Return the microinverters' sum and when it was read (ms); None if a meter measures production."""
    data, schedule, now = coordinator.data, coordinator.poll_schedule, dt_util.utcnow()
    if data.production_source is EnergySource.METER or not data.listed_inverters:
        return None
    times = [
        received_at
        for endpoint in (Endpoint.PRODUCTION, Endpoint.INVERTERS)
        if schedule.is_fresh(endpoint, now) and (received_at := schedule[endpoint].received_at) is not None
    ]
    if not times:
        return None
    # As the scripts do: without the energies that wrap.
    energy = unmetered_lifetime_energy(data.info, data.meters, data.totals, data.inverters_sum)
    quantities = Quantities(active_power=data.site.production_power, energy_delivered=energy)
    return round(max(times).timestamp() * 1000), quantities


def _build_message(coordinator: GatewayCoordinator, production: tuple[int, Quantities] | None) -> Message:
    data, schedule = coordinator.data, coordinator.poll_schedule
    received_at = schedule[Endpoint.READINGS].received_at
    read_at = time.time() if received_at is None else received_at.timestamp()
    message = from_readings(
        data.readings, coordinator.serial_number, read_at, unmetered_batteries=data.has_unmetered_batteries
    )
    return message if production is None else message.with_unmetered_production(production[1], production[0])


def _build_inverters(coordinator: GatewayCoordinator) -> list[Message]:
    data, schedule = coordinator.data, coordinator.poll_schedule
    listed = (data.listed_inverters or {}).values()
    inverters = listed if data.device_data is None else data.device_data.merge(listed)
    own = [each for each in inverters if each.serial_number not in data.foreign_inverters]
    times = [schedule[endpoint].received_at for endpoint in (Endpoint.DEVICE_DATA, Endpoint.INVERTERS)]
    read_at = max((each.timestamp() for each in times if each is not None), default=time.time())
    return from_inverters(own, coordinator.serial_number, read_at)
