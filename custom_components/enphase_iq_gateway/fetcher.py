"""The requests of each endpoint, and what is remembered from one response to the next."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from homeassistant.util import dt as dt_util

from .const import LOGGER
from .data import GatewayData
from .endpoints import Endpoint
from .enphase_api import EnphaseError, InvalidAnswerError, ResponseError
from .enphase_api.cloud import BatteryCloud
from .enphase_api.models import DryContact, Inverter, Live, Readings, Storage, StorageMode
from .registry import async_foreign_inverters

if TYPE_CHECKING:
    from .coordinator import GatewayCoordinator

#: The stream of the live status ends after about 15 minutes: enable it again before. It is left to end by
#: itself when the entry is unloaded, as the Enphase app may use it, too.
_STREAM_RENEWAL = timedelta(minutes=10)

#: If it ended early, it is enabled again, but no more often than this.
_STREAM_RETRY = timedelta(minutes=1)

#: Lists are empty at times (quirks.KNOWN); batteries that are missing for longer were removed.
_EMPTY_LIST_TOLERANCE = timedelta(hours=1)

#: The mode of batteries that only Enphase's cloud knows is read this rarely, and after a command.
_CLOUD_INTERVAL = timedelta(minutes=15)


class EndpointFetcher:
    """Request the endpoints of one gateway; `fetch` raises EnphaseError."""

    def __init__(self, coordinator: GatewayCoordinator) -> None:
        self._coordinator = coordinator
        self._gateway = gateway = coordinator.gateway
        #: The levels (%) between which each AC Battery sleeps if told to, by serial number.
        self.ac_battery_levels: dict[str, tuple[int, int]] = {}
        #: eids in the readings that the list of meters does not have.
        self.unknown_eids: tuple[int, ...] = ()
        self._logged_eids: set[int] = set()
        #: Since when batteries are missing in the list.
        self._empty_since: datetime | None = None
        #: When the stream of the live status was last enabled.
        self._live_enabled_at: datetime | None = None
        self._cloud_polled_at: datetime | None = None
        #: Each returns the field of GatewayData that is named as its endpoint, or several fields by name.
        self._requests: dict[Endpoint, Callable[[], Awaitable[Any]]] = {
            Endpoint.READINGS: self._fetch_readings,
            Endpoint.LIVE: self._fetch_live,
            Endpoint.METERS: self._fetch_meters,
            Endpoint.PRODUCTION: gateway.production,
            Endpoint.TOTALS: gateway.production_totals,
            Endpoint.INVERTERS: self._fetch_inverters,
            Endpoint.DEVICE_DATA: self._fetch_device_data,
            Endpoint.BATTERIES: self._fetch_batteries,
            Endpoint.DRY_CONTACTS: self._fetch_dry_contacts,
            Endpoint.GENERATOR: gateway.generator,
            Endpoint.INFO: gateway.info,
            Endpoint.TARIFF: gateway.tariff,
            Endpoint.STORAGE: self._fetch_storage,
            Endpoint.GENERATOR_MODE: self._fetch_generator_mode,
            Endpoint.PRODUCTION_SWITCH: gateway.control.is_production_on,
            Endpoint.AC_BATTERY_SLEEP: self._fetch_ac_battery_sleep,
        }

    @property
    def _latest(self) -> GatewayData:
        return self._coordinator.latest

    async def fetch(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return the response of an endpoint by field of GatewayData."""
        response = await self._requests[endpoint]()
        return response if isinstance(response, dict) else {endpoint.value: response}

    async def _fetch_live(self) -> Live:
        """Return the live status, and keep its stream on; values are unknown while it is off."""
        now, enabled_at = dt_util.utcnow(), self._live_enabled_at
        if enabled_at is None or now - enabled_at >= _STREAM_RENEWAL:
            await self._gateway.enable_live()
            self._live_enabled_at = now
        live = await self._gateway.live()
        if not live.is_outdated(self._gateway.now):
            return live
        if enabled_at is not None and now - enabled_at >= _STREAM_RETRY:
            # It was ended by another app or a restart of the gateway: enable it with the next refresh.
            self._live_enabled_at = None
        return Live(updated_at=live.updated_at)

    async def _fetch_inverters(self) -> dict[str, Any]:
        return self._list_inverters(await self._gateway.inverters())

    def _list_inverters(self, inverters: Iterable[Inverter]) -> dict[str, Any]:
        found = {each.serial_number: each for each in inverters}
        return {
            "listed_inverters": found,
            "foreign_inverters": async_foreign_inverters(self._coordinator, found),
        }

    async def _fetch_device_data(self) -> dict[str, Any]:
        started = monotonic()
        found = await self._gateway.device_data()
        if found is None or not found.is_complete:
            return {"device_data": found}
        # All microinverters are in this response: do not request the list as well.
        schedule = self._coordinator.poll_schedule[Endpoint.INVERTERS]
        schedule.mark_requested(dt_util.utcnow())
        schedule.mark_received(dt_util.utcnow(), monotonic() - started)
        return {"device_data": found, **self._list_inverters(found.inverters)}

    async def _fetch_dry_contacts(self) -> tuple[DryContact, ...]:
        contacts = await self._gateway.dry_contacts()
        if not self._gateway.control.are_contacts_settling:
            return contacts
        # For a while after a change of settings, an open contact may be closed in fact: show what was before.
        before = {contact.id: contact.status for contact in self._latest.dry_contacts}
        return tuple(
            replace(contact, status=before.get(contact.id)) if contact.status is None else contact
            for contact in contacts
        )

    async def _fetch_generator_mode(self) -> dict[str, Any]:
        control = self._gateway.control
        mode = await control.generator_mode()
        if mode is None:
            return {"generator_mode": None, "generator_charging": None}
        try:
            charging = await control.generator_charging()
        except ResponseError:
            # The mode is known without it.
            charging = None
        return {"generator_mode": mode, "generator_charging": charging}

    async def _fetch_meters(self) -> dict[str, Any]:
        meters = await self._gateway.meters()
        if self._latest.meters and not meters:
            # A gateway that has just started returns an error instead of the list.
            raise InvalidAnswerError("the gateway no longer lists any meters", path="/ivp/meters")
        if any(meter.enabled for meter in meters):
            return {"meters": meters}
        # The readings are no longer polled: do not show the last ones.
        return {"meters": meters, "readings": Readings(())}

    async def _fetch_readings(self) -> Readings:
        readings = await self._gateway.readings(self._latest.meters)
        unknown, before = set(readings.unknown_eids), set(self.unknown_eids)
        if unknown - before:
            self._coordinator.poll_schedule[Endpoint.METERS].request_refresh()
        for eid in unknown & before - self._logged_eids:
            # The list of meters has been polled again since they were first seen.
            self._logged_eids.add(eid)
            LOGGER.info(
                "%s: ignoring the readings of meter %s, which is not in the list of meters",
                self._coordinator.name,
                eid,
            )
        self.unknown_eids = readings.unknown_eids
        # The last meter may have been disabled during the request.
        return readings if self._latest.enabled_meters else Readings(())

    async def _fetch_batteries(self) -> dict[str, Any]:
        batteries = await self._gateway.batteries()
        now = dt_util.utcnow()
        self._empty_since = (self._empty_since or now) if self._latest.lacks_batteries(batteries) else None
        if self._empty_since is not None and now - self._empty_since < _EMPTY_LIST_TOLERANCE:
            # Without the batteries, home would be wrong.
            raise InvalidAnswerError(
                "the gateway no longer lists any batteries", path="/ivp/ensemble/inventory"
            )
        return {"listed_batteries": batteries}

    async def _fetch_ac_battery_sleep(self) -> dict[str, Any]:
        if not self.ac_battery_levels:
            # A slow endpoint: only until it is known which AC Batteries there are.
            self.ac_battery_levels = await self._gateway.control.ac_battery_levels()
        sleeping = await self._gateway.control.sleeping_ac_batteries()
        return {"ac_battery_sleep": {serial: serial in sleeping for serial in self.ac_battery_levels}}

    async def _fetch_storage(self) -> Storage | None:
        batteries = self._latest.listed_batteries
        if batteries is None or not batteries.units:
            return None
        storage = await self._gateway.control.storage()
        if storage.document is None:
            return None
        if storage.mode is None and self._coordinator.cloud is not None:
            return replace(storage, mode=await self._fetch_cloud_mode(self._coordinator.cloud))
        return storage

    async def _fetch_cloud_mode(self, cloud: BatteryCloud) -> StorageMode | None:
        """Return the mode of the batteries where only Enphase's cloud has it; None while it is unknown."""
        now, latest = dt_util.utcnow(), self._latest.storage
        if self._cloud_polled_at is not None and now - self._cloud_polled_at < _CLOUD_INTERVAL:
            return None if latest is None else latest.mode
        self._cloud_polled_at = now
        try:
            settings = await cloud.settings()
        except EnphaseError as error:
            # Everything else is known without the cloud.
            LOGGER.debug("%s: Enphase's cloud not read: %s", self._coordinator.name, error)
            return None
        return None if settings.is_pending else settings.mode

    def request_cloud_mode(self) -> None:
        """Read the mode of the batteries from Enphase's cloud with the next request."""
        self._cloud_polled_at = None
