"""The endpoints of the gateway and their schedules: when each is polled, and how long its response counts."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Endpoint(StrEnum):
    """An endpoint that the coordinator polls."""

    READINGS = "readings"
    LIVE = "live"
    METERS = "meters"
    PRODUCTION = "production"
    TOTALS = "totals"
    INVERTERS = "inverters"
    DEVICE_DATA = "device_data"
    BATTERIES = "batteries"
    DRY_CONTACTS = "dry_contacts"
    GENERATOR = "generator"
    TARIFF = "tariff"
    INFO = "info"
    STORAGE = "storage"
    GENERATOR_MODE = "generator_mode"
    PRODUCTION_SWITCH = "production_switch"
    AC_BATTERY_SLEEP = "ac_battery_sleep"


#: The endpoints that are polled with each refresh, and not in the background.
PER_REFRESH = {Endpoint.READINGS, Endpoint.LIVE}

#: Those endpoints, and the others in the background, shortest interval first.
POLL_INTERVALS = {
    Endpoint.READINGS: timedelta(),
    Endpoint.LIVE: timedelta(),
    Endpoint.BATTERIES: timedelta(minutes=1),
    # Polled at once after a command; more often, they would take more requests than the batteries.
    Endpoint.DRY_CONTACTS: timedelta(minutes=3),
    Endpoint.GENERATOR: timedelta(minutes=3),
    # Before the list of microinverters, which is not needed if this response has all of them.
    Endpoint.DEVICE_DATA: timedelta(minutes=5),
    # Inverters report every five minutes, and AC Batteries, over the same power line, no more often.
    Endpoint.INVERTERS: timedelta(minutes=5),
    # The only endpoint that has the power of AC Batteries on every gateway: the list of inverters has it
    # on some only, and /inventory.json is slower still. A response takes a gateway up to five seconds.
    Endpoint.PRODUCTION: timedelta(minutes=5),
    Endpoint.TOTALS: timedelta(minutes=5),
    # Settings change rarely, and are polled at once after a command.
    Endpoint.STORAGE: timedelta(minutes=3),
    Endpoint.GENERATOR_MODE: timedelta(minutes=5),
    Endpoint.PRODUCTION_SWITCH: timedelta(minutes=5),
    Endpoint.AC_BATTERY_SLEEP: timedelta(minutes=5),
    Endpoint.METERS: timedelta(minutes=15),
    Endpoint.INFO: timedelta(hours=12),
    Endpoint.TARIFF: timedelta(hours=12),
}

#: The batteries take three requests. Where they have a meter, the rest of their data changes slowly.
_METERED_BATTERIES_INTERVAL = timedelta(minutes=3)

#: Endpoints that no enabled entity needs are polled at least this rarely, to discover new devices.
_UNNEEDED_INTERVAL = timedelta(hours=12)

#: Not polled while no enabled entity needs them: they reveal no new device.
_ONLY_IF_NEEDED = {Endpoint.READINGS, Endpoint.LIVE, Endpoint.PRODUCTION, Endpoint.TOTALS}

#: Polled only if the gateway may be changed: what they report is for the entities that change it.
CONTROL_ENDPOINTS = {
    Endpoint.STORAGE,
    Endpoint.GENERATOR_MODE,
    Endpoint.PRODUCTION_SWITCH,
    Endpoint.AC_BATTERY_SLEEP,
}

#: A response counts for this many intervals.
_MAX_AGE_INTERVALS = 3

#: Seconds per request in the background, so that the readings are not late: twice what the slowest response
#: takes on a slow gateway.
_BACKGROUND_TIMEOUT = 10

#: The number of requests of endpoints that take several.
_REQUEST_COUNTS = {
    Endpoint.BATTERIES: 3,
    Endpoint.STORAGE: 3,
    Endpoint.AC_BATTERY_SLEEP: 2,
    Endpoint.DRY_CONTACTS: 2,
}

#: The share of the time that readings may keep a gateway busy: if one takes 2 s, poll every 8 s at most.
_MAX_LOAD = 0.25


@dataclass(slots=True)
class EndpointSchedule:
    """When an endpoint is polled, and how long its last response counts."""

    endpoint: Endpoint
    poll_interval: timedelta
    requested_at: datetime | None = None
    received_at: datetime | None = None
    #: Seconds that the last response took.
    duration: float | None = None

    @property
    def timeout(self) -> float:
        """Seconds that a poll in the background may take."""
        return _BACKGROUND_TIMEOUT * _REQUEST_COUNTS.get(self.endpoint, 1)

    def is_due(self, now: datetime, *, is_needed: bool) -> bool:
        """Return whether to poll the endpoint now."""
        if not is_needed and self.endpoint in _ONLY_IF_NEEDED:
            return False
        if self.requested_at is None or not self.poll_interval:
            return True
        interval = self.poll_interval if is_needed else max(self.poll_interval, _UNNEEDED_INTERVAL)
        return now - self.requested_at >= interval

    def max_age(self, refresh_interval: timedelta) -> timedelta:
        """Return how long a response counts: endpoints are polled after a refresh, so never more often."""
        return _MAX_AGE_INTERVALS * max(self.poll_interval, refresh_interval)

    def is_fresh(self, now: datetime, refresh_interval: timedelta) -> bool:
        """Return whether the last response still counts."""
        return self.received_at is not None and now - self.received_at < self.max_age(refresh_interval)

    def mark_requested(self, now: datetime) -> None:
        """Record that the endpoint is being polled."""
        self.requested_at = now

    def mark_received(self, now: datetime, duration: float) -> None:
        """Record a response, and how many seconds it took."""
        self.received_at = now
        self.duration = duration

    def request_refresh(self) -> None:
        """Make the endpoint due at the next opportunity."""
        self.requested_at = None

    def as_dict(self) -> dict[str, str | float | None]:
        """Return the times for the diagnostics."""
        return {
            "requested_at": None if self.requested_at is None else self.requested_at.isoformat(),
            "received_at": None if self.received_at is None else self.received_at.isoformat(),
            "duration": None if self.duration is None else round(self.duration, 3),
        }


class PollSchedule:
    """The schedules of all endpoints of a gateway."""

    def __init__(
        self, refresh_interval: timedelta = timedelta(), excluded: Collection[Endpoint] = frozenset()
    ) -> None:
        """Never poll the excluded endpoints."""
        self._excluded = excluded
        self._configured_interval = self.refresh_interval = refresh_interval
        self._schedules = {
            endpoint: EndpointSchedule(endpoint, interval) for endpoint, interval in POLL_INTERVALS.items()
        }

    def __getitem__(self, endpoint: Endpoint) -> EndpointSchedule:
        """Return the schedule of an endpoint."""
        return self._schedules[endpoint]

    def limit_load(self, duration: float) -> None:
        """Refresh less often than configured if the readings take long (seconds)."""
        shortest = timedelta(seconds=duration / _MAX_LOAD)
        self.refresh_interval = max(self._configured_interval, shortest)

    def set_batteries_metered(self, is_metered: bool) -> None:
        """Poll the batteries less often if a meter measures them."""
        self[Endpoint.BATTERIES].poll_interval = (
            _METERED_BATTERIES_INTERVAL if is_metered else POLL_INTERVALS[Endpoint.BATTERIES]
        )

    def next_due(
        self, now: datetime, needed: Collection[Endpoint], absent: Collection[Endpoint] = ()
    ) -> Endpoint | None:
        """Return an endpoint to poll in the background, or None.

        `absent` are endpoints of devices that the gateway does not have.
        """
        return next(
            (
                endpoint
                for endpoint, schedule in self._schedules.items()
                if endpoint not in PER_REFRESH
                and endpoint not in self._excluded
                and endpoint not in absent
                and schedule.is_due(now, is_needed=endpoint in needed)
            ),
            None,
        )

    def is_fresh(self, endpoint: Endpoint, now: datetime) -> bool:
        """Return whether the last response of an endpoint still counts."""
        return self._schedules[endpoint].is_fresh(now, self.refresh_interval)

    def as_dict(self) -> dict[str, dict[str, str | float | None]]:
        """Return all times for the diagnostics."""
        return {endpoint.value: self._schedules[endpoint].as_dict() for endpoint in Endpoint}
