"""The coordinator: one request per refresh, and the other endpoints in the background."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_SCAN_INTERVAL, CONF_TOKEN, CONF_USERNAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from .battery_energy import integrate
from .client import async_store_renewed_certificate, battery_cloud, gateway_client
from .commands import CommandRunner
from .const import (
    CONF_ALLOW_WRITES,
    CONF_BATTERY_CLOUD,
    CONF_CERTIFICATE,
    CONF_ENERGY_SOURCE,
    CONF_ENERGY_SOURCE_FIRMWARE,
    CONF_LIVE_VALUES,
    CONF_PANEL_SENSORS,
    CONF_PRODUCTION_SOURCE,
    DEFAULT_SCAN_INTERVAL,
    HOME_ENERGY,
    INSTALLER,
    LOGGER,
    EnergySource,
)
from .data import GatewayData
from .endpoints import CONTROL_ENDPOINTS, PER_REFRESH, Endpoint, PollSchedule
from .energy_counter_store import GatewayCounters
from .enphase_api import (
    AuthenticationError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
    Silence,
)
from .enphase_api.cloud import BatteryCloud
from .enphase_api.models import (
    DryContact,
    Info,
    Inverter,
    Live,
    MeasurementType,
    Readings,
    Storage,
    StorageMode,
)
from .error_handling import ErrorMapper
from .helpers import log_name
from .issues import async_create_live_issue, async_delete_live_issue, async_update_home_issue
from .registry import async_foreign_inverters
from .token_renewal import TokenRenewal

type GatewayConfigEntry = ConfigEntry[GatewayCoordinator]

#: Seconds between a failed request and its retry.
_RETRY_DELAY = 1.5

#: After this time, entities are updated even if their endpoints have not responded: a device may have fallen
#: silent, or a response may no longer count.
_UPDATE_INTERVAL = timedelta(minutes=1)

#: The stream of the live status ends after about 15 minutes: enable it again before. It is left to end by
#: itself when the entry is unloaded, as the Enphase app may use it, too.
_STREAM_RENEWAL = timedelta(minutes=10)

#: If it ended early, it is enabled again, but no more often than this.
_STREAM_RETRY = timedelta(minutes=1)

#: Lists are empty at times (quirks.KNOWN); batteries that are missing for longer were removed.
_EMPTY_LIST_TOLERANCE = timedelta(hours=1)


#: The mode of batteries that only Enphase's cloud knows is read this rarely, and after a command.
_CLOUD_INTERVAL = timedelta(minutes=15)


class GatewayCoordinator(DataUpdateCoordinator[GatewayData]):
    """Poll one gateway."""

    config_entry: GatewayConfigEntry
    #: The device of the gateway; those of inverters and batteries refer to it.
    device_id: str
    #: The translated names of meters, by type.
    meter_names: dict[str, str]

    def __init__(self, hass: HomeAssistant, entry: GatewayConfigEntry) -> None:
        """Create the client.

        Raises CertificateError or TokenError if the entry has no valid certificate or token.
        """
        interval = timedelta(seconds=entry.options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL))
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=log_name(entry),
            update_interval=interval,
        )
        self.gateway = gateway_client(hass, entry.data[CONF_HOST], entry.data[CONF_CERTIFICATE])
        self.token_renewal = TokenRenewal(hass, entry, self.gateway)
        self._error_mapper = ErrorMapper(hass, entry, self.gateway, self.token_renewal, interval)
        self.poll_schedule = PollSchedule(interval, self._excluded_endpoints)
        #: Enphase's cloud for the batteries' settings; None unless the options allow it.
        self.cloud: BatteryCloud | None = None
        if self.allows_changes and entry.options.get(CONF_BATTERY_CLOUD) and CONF_PASSWORD in entry.data:
            self.cloud = battery_cloud(hass, entry.data[CONF_USERNAME], entry.data[CONF_PASSWORD])
        self._cloud_polled_at: datetime | None = None
        self.commands = CommandRunner(self)
        #: The levels (%) between which each AC Battery sleeps if told to, by serial number.
        self.ac_battery_levels: dict[str, tuple[int, int]] = {}
        #: Each returns the field of GatewayData that is named as its endpoint, or several fields by name.
        self._requests: dict[Endpoint, Callable[[], Awaitable[Any]]] = {
            Endpoint.READINGS: self._fetch_readings,
            Endpoint.LIVE: self._fetch_live,
            Endpoint.METERS: self._fetch_meters,
            Endpoint.PRODUCTION: self.gateway.production,
            Endpoint.TOTALS: self.gateway.production_totals,
            Endpoint.INVERTERS: self._fetch_inverters,
            Endpoint.DEVICE_DATA: self._fetch_device_data,
            Endpoint.BATTERIES: self._fetch_batteries,
            Endpoint.DRY_CONTACTS: self._fetch_dry_contacts,
            Endpoint.GENERATOR: self.gateway.generator,
            Endpoint.INFO: self._fetch_info,
            Endpoint.TARIFF: self.gateway.tariff,
            Endpoint.STORAGE: self._fetch_storage,
            Endpoint.GENERATOR_MODE: self.gateway.control.generator_mode,
            Endpoint.PRODUCTION_SWITCH: self.gateway.control.is_production_on,
            Endpoint.AC_BATTERY_SLEEP: self._fetch_ac_battery_sleep,
        }
        self.counters = GatewayCounters(hass, self.serial_number)
        #: eids in the readings that the list of meters does not have.
        self.unknown_eids: tuple[int, ...] = ()
        self._logged_eids: set[int] = set()
        self._latest: GatewayData
        self._empty_since: datetime | None = None
        #: When the stream of the live status was last enabled.
        self._live_enabled_at: datetime | None = None
        self._background_poll: asyncio.Task[None] | None = None
        #: The endpoints that have responded since the entities were updated.
        self._responded: set[Endpoint] = set()
        #: When all entities were updated, and whether the gateway was available then.
        self._all_updated: tuple[datetime, bool] | None = None
        #: Whether the source of unmetered production energy is not determined yet.
        self._lacks_energy_source = False

    @property
    def serial_number(self) -> str:
        """The serial number of the gateway."""
        return str(self.config_entry.unique_id)

    @property
    def allows_changes(self) -> bool:
        """Whether entities and actions may change the gateway."""
        return bool(self.config_entry.options.get(CONF_ALLOW_WRITES))

    @property
    def _excluded_endpoints(self) -> set[Endpoint]:
        """The endpoints that are never polled."""
        if not self.allows_changes:
            return CONTROL_ENDPOINTS
        # An owner may neither read nor change whether production is on.
        return set() if self.token_renewal.token.role == INSTALLER else {Endpoint.PRODUCTION_SWITCH}

    @property
    def has_panel_sensors(self) -> bool:
        """Whether power and lifetime energy of each microinverter are enabled by default."""
        return bool(self.config_entry.options.get(CONF_PANEL_SENSORS))

    @override
    async def _async_setup(self) -> None:
        """Load the counters, log in, and read the meters and batteries."""
        await self.counters.async_load()
        try:
            await self._connect()
        except EnphaseError as error:
            raise self._error_mapper.map(error) from error

    async def _connect(self) -> None:
        """Verify that it is the right gateway, log in, and read its meters and batteries."""
        info = await self.gateway.info()
        if info.serial_number != self.serial_number:
            raise self._error_mapper.wrong_gateway_error(info.serial_number)
        await self._log_in()
        now = dt_util.utcnow()
        self._latest = GatewayData(
            info=info,
            gateway_time=self.gateway.now,
            meters=await self.gateway.meters(),
            production_source=EnergySource(self.config_entry.data[CONF_PRODUCTION_SOURCE]),
        )
        self.async_check_home_energy()
        for endpoint in (Endpoint.INFO, Endpoint.METERS):
            self.poll_schedule[endpoint].mark_requested(now)
            self.poll_schedule[endpoint].mark_received(now, 0)
        if self._latest.production_source is not EnergySource.METER:
            await self._determine_energy_source()
        # The batteries determine how home is calculated; the meters do not wait if they cannot be read.
        await self._poll_each([Endpoint.BATTERIES])
        found = self._latest.listed_batteries
        if found is not None and found.has_ac is not False:
            await self._poll_each([Endpoint.PRODUCTION])
        async_delete_live_issue(self.hass, self.config_entry)
        with_live = replace(self._latest, has_live=True)
        if self.config_entry.options.get(CONF_LIVE_VALUES) and with_live.live_fields:
            has_live = await self._poll_live()
            self._latest = replace(self._latest, has_live=has_live)

    async def _determine_energy_source(self) -> None:
        """Determine where unmetered production energy is read, once for each firmware."""
        entry, firmware = self.config_entry, self._latest.info.firmware
        decided = self._latest.energy_source
        if decided is None and entry.data.get(CONF_ENERGY_SOURCE_FIRMWARE) == firmware:
            decided = EnergySource(entry.data[CONF_ENERGY_SOURCE])
            if decided is EnergySource.TOTALS:
                await self._poll_each([Endpoint.TOTALS])
        elif decided is None:
            await self._poll(Endpoint.TOTALS)
            if self._latest.energy_source is None:
                await self._poll(Endpoint.PRODUCTION)
            decided = self._latest.energy_source
            if decided is not None:
                found = {CONF_ENERGY_SOURCE: decided, CONF_ENERGY_SOURCE_FIRMWARE: firmware}
                self.hass.config_entries.async_update_entry(entry, data={**entry.data, **found})
        # Until the totals have a value, the energy is unknown; a gateway without them has only the sum.
        likely = EnergySource.INVERTERS if self._latest.totals is None else EnergySource.TOTALS
        self._lacks_energy_source = decided is None
        self._latest = replace(
            self._latest,
            production_source=decided or EnergySource(entry.data.get(CONF_ENERGY_SOURCE, likely)),
        )

    @override
    async def _async_update_data(self) -> GatewayData:
        try:
            await self._poll_main_endpoint()
        except EnphaseError as error:
            raise self._error_mapper.map(error) from error
        if Endpoint.LIVE in self._needed_endpoints and not await self._poll_live():
            # Read the values where they were read without the live status.
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        return self._latest

    async def _poll_live(self) -> bool:
        """Poll the live status; return False, and create an issue, if the gateway does not allow it."""
        try:
            async with asyncio.timeout(self.poll_schedule[Endpoint.LIVE].timeout):
                await self._poll(Endpoint.LIVE)
        except (EnphaseError, TimeoutError) as error:
            is_missing = isinstance(error, ResponseError) and error.status in (403, 404)
            if is_missing or isinstance(error, NotAllowedError):
                LOGGER.warning("%s: no live values: %s", self.name, error)
                async_create_live_issue(self.hass, self.config_entry)
                return False
            LOGGER.debug("%s: live status not read: %r", self.name, error)
        return True

    async def _poll_main_endpoint(self) -> None:
        """Poll the readings, or the production of a gateway without meters."""
        endpoint = Endpoint.READINGS if self._latest.enabled_meters else Endpoint.PRODUCTION
        schedule = self.poll_schedule[endpoint]
        is_due = schedule.is_due(dt_util.utcnow(), is_needed=endpoint in self._needed_endpoints)
        if not self.last_update_success and endpoint is Endpoint.PRODUCTION:
            # The gateway may have been offline for a firmware update, which may change the energy source.
            await self._poll(Endpoint.INFO)
        if schedule.received_at is None or is_due or not self.last_update_success:
            is_idle = self._background_poll is None or self._background_poll.done()
            started = monotonic()
            was_retried = await self._poll_with_retry(endpoint)
            if endpoint is Endpoint.READINGS and is_idle and not was_retried:
                self.poll_schedule.limit_load(monotonic() - started)
                self.update_interval = self.poll_schedule.refresh_interval

    async def _poll_with_retry(self, endpoint: Endpoint) -> bool:
        """Poll an endpoint, and retry if a single response is bad; return whether it was retried.

        A busy web server answers with 503, HTML or a truncated document, or closes the connection. Without
        the retry, all entities would be unavailable until the next refresh.
        """
        try:
            await self._poll(endpoint)
        except (ResponseError, CommunicationError) as error:
            is_silent = isinstance(error, CommunicationError) and error.reason is not Silence.BROKEN
            if is_silent or not (error.retryable and self.last_update_success):
                raise
            LOGGER.debug("%s: retrying after: %s", self.name, error)
        else:
            return False
        await asyncio.sleep(_RETRY_DELAY)
        await self._poll(endpoint)
        return True

    @override
    async def _async_refresh(
        self,
        log_failures: bool = True,
        raise_on_auth_failed: bool = False,
        scheduled: bool = False,
        raise_on_entry_error: bool = False,
    ) -> None:
        """Refresh, and log failures at info level instead of as errors: the gateway usually recovers."""
        was_available, is_first = self.last_update_success, raise_on_entry_error
        await super()._async_refresh(False, raise_on_auth_failed, scheduled, raise_on_entry_error)
        if self.last_update_success and (is_first or not was_available):
            self._error_mapper.reset(is_first=is_first)
        elif log_failures and was_available and not self.last_update_success:
            self._error_mapper.log_unavailable(self.last_exception)

    @override
    @callback
    def async_update_listeners(self) -> None:
        """Update the entities; after readings or the live status alone, only those that depend on them.

        A house with 60 microinverters has hundreds of others, whose devices report every five minutes.
        """
        now, responded = dt_util.utcnow(), self._responded
        self._responded = set()
        if responded and responded <= PER_REFRESH and self._all_updated is not None:
            updated_at, was_available = self._all_updated
            if was_available is self.last_update_success and now - updated_at < _UPDATE_INTERVAL:
                for update, context in list(self._listeners.values()):
                    if not isinstance(context, frozenset) or responded & context:
                        update()
                return
        self._all_updated = now, self.last_update_success
        super().async_update_listeners()

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        if not self.last_update_success:
            return
        async_store_renewed_certificate(self.hass, self.config_entry, self.gateway)
        if self._background_poll is None or self._background_poll.done():
            self._background_poll = self.config_entry.async_create_background_task(
                self.hass, self._poll_in_background(), f"{self.name} background poll", eager_start=False
            )

    @property
    def _needed_endpoints(self) -> set[Endpoint]:
        """The endpoints that the enabled entities depend on."""
        return self._latest.with_dependencies(set().union(*self.async_contexts()))

    def _next_due(self) -> Endpoint | None:
        absent = self._latest.absent_endpoints
        return self.poll_schedule.next_due(dt_util.utcnow(), self._needed_endpoints, absent)

    async def _poll_in_background(self) -> None:
        """Renew the token if due, and poll all due endpoints one by one, so that readings fit in between."""
        self.token_renewal.async_renew_if_due()
        due = iter(self._next_due, None)
        before = self._latest
        self.poll_schedule.set_batteries_metered(MeasurementType.STORAGE in before.metered_types)
        await self._poll_each(due)
        self._publish()
        if self._latest.requires_reload(before):
            # After the reload, the user can delete entities of meters and batteries that were removed.
            LOGGER.info("%s: meters or batteries have changed, reloading", self.name)
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        elif self._lacks_energy_source and self._latest.energy_source is not None:
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)

    async def async_poll_now(self, *endpoints: Endpoint) -> None:
        """Poll endpoints out of turn, after a command."""
        self._cloud_polled_at = None
        await self._poll_each(endpoints)
        self._publish()

    def _publish(self) -> None:
        """Update the entities, if an endpoint was polled since the last refresh."""
        if self.data is not self._latest:
            self.data = self._latest
            self.async_update_listeners()
            self.commands.async_check()

    async def _poll_each(self, endpoints: Iterable[Endpoint]) -> None:
        """Poll endpoints whose failure is tolerated: their last responses count for a while."""
        for endpoint in endpoints:
            try:
                async with asyncio.timeout(self.poll_schedule[endpoint].timeout):
                    await self._poll(endpoint)
            except (EnphaseError, TimeoutError) as error:
                LOGGER.debug("%s: %s not read: %r", self.name, endpoint, error)

    async def _poll(self, endpoint: Endpoint) -> None:
        """Poll an endpoint and store its response."""
        started = monotonic()
        self.poll_schedule[endpoint].mark_requested(dt_util.utcnow())
        response = await self._fetch(endpoint)
        self.poll_schedule[endpoint].mark_received(dt_util.utcnow(), monotonic() - started)
        self._responded.add(endpoint)
        # Replace the latest data only now: other responses may have arrived in the meantime.
        self._latest = replace(self._latest, **response, gateway_time=self.gateway.now)
        if endpoint in self._latest.battery_power_endpoints:
            self._integrate_battery_power()

    def _integrate_battery_power(self) -> None:
        """Count the energies of batteries that no meter measures."""
        latest, now = self._latest, dt_util.utcnow()
        if not latest.has_unmetered_batteries:
            return
        interval = self.poll_schedule.refresh_interval
        # The live status is read so often that three intervals are only seconds.
        endpoints = latest.battery_power_endpoints | {Endpoint.BATTERIES}
        max_gap = max(self.poll_schedule[endpoint].max_age(interval) for endpoint in endpoints)
        energy = integrate(latest.battery_energy, latest.site.battery_power, now, max_gap)
        self._latest = replace(latest, battery_energy=energy)

    async def _fetch(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return the response of an endpoint by field of GatewayData."""
        response = await self._requests[endpoint]()
        return response if isinstance(response, dict) else {endpoint.value: response}

    async def _fetch_live(self) -> Live:
        """Return the live status, and keep its stream on; values are unknown while it is off."""
        now, enabled_at = dt_util.utcnow(), self._live_enabled_at
        if enabled_at is None or now - enabled_at >= _STREAM_RENEWAL:
            await self.gateway.enable_live()
            self._live_enabled_at = now
        live = await self.gateway.live()
        if not live.is_outdated(self.gateway.now):
            return live
        if enabled_at is not None and now - enabled_at >= _STREAM_RETRY:
            # It was ended by another app or a restart of the gateway: enable it with the next refresh.
            self._live_enabled_at = None
        return Live(updated_at=live.updated_at)

    async def _fetch_inverters(self) -> dict[str, Any]:
        return self._list_inverters(await self.gateway.inverters())

    def _list_inverters(self, inverters: Iterable[Inverter]) -> dict[str, Any]:
        found = {each.serial_number: each for each in inverters}
        return {"listed_inverters": found, "foreign_inverters": async_foreign_inverters(self, found)}

    async def _fetch_device_data(self) -> dict[str, Any]:
        started = monotonic()
        found = await self.gateway.device_data()
        if found is None or not found.is_complete:
            return {"device_data": found}
        # All microinverters are in this response: do not request the list as well.
        schedule = self.poll_schedule[Endpoint.INVERTERS]
        schedule.mark_requested(dt_util.utcnow())
        schedule.mark_received(dt_util.utcnow(), monotonic() - started)
        return {"device_data": found, **self._list_inverters(found.inverters)}

    async def _fetch_dry_contacts(self) -> tuple[DryContact, ...]:
        contacts = await self.gateway.dry_contacts()
        if not self.gateway.control.are_contacts_settling:
            return contacts
        # For a while after a change of settings, an open contact may be closed in fact: show what was before.
        before = {contact.id: contact.status for contact in self._latest.dry_contacts}
        return tuple(
            replace(contact, status=before.get(contact.id)) if contact.status is None else contact
            for contact in contacts
        )

    async def _fetch_meters(self) -> dict[str, Any]:
        meters = await self.gateway.meters()
        if self._latest.meters and not meters:
            # A gateway that has just started returns an error instead of the list.
            raise InvalidAnswerError("the gateway no longer lists any meters", path="/ivp/meters")
        if any(meter.enabled for meter in meters):
            return {"meters": meters}
        # The readings are no longer polled: do not show the last ones.
        return {"meters": meters, "readings": Readings(())}

    async def _fetch_readings(self) -> Readings:
        readings = await self.gateway.readings(self._latest.meters)
        unknown, before = set(readings.unknown_eids), set(self.unknown_eids)
        if unknown - before:
            self.poll_schedule[Endpoint.METERS].request_refresh()
        for eid in unknown & before - self._logged_eids:
            # The list of meters has been polled again since they were first seen.
            self._logged_eids.add(eid)
            LOGGER.info(
                "%s: ignoring the readings of meter %s, which is not in the list of meters", self.name, eid
            )
        self.unknown_eids = readings.unknown_eids
        # The last meter may have been disabled during the request.
        return readings if self._latest.enabled_meters else Readings(())

    async def _fetch_batteries(self) -> dict[str, Any]:
        batteries = await self.gateway.batteries()
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
            self.ac_battery_levels = await self.gateway.control.ac_battery_levels()
        sleeping = await self.gateway.control.sleeping_ac_batteries()
        return {"ac_battery_sleep": {serial: serial in sleeping for serial in self.ac_battery_levels}}

    async def _fetch_storage(self) -> Storage | None:
        batteries = self._latest.listed_batteries
        if batteries is None or not batteries.units:
            return None
        storage = await self.gateway.control.storage()
        if storage.document is None:
            return None
        if storage.mode is None and self.cloud is not None:
            return replace(storage, mode=await self._fetch_cloud_mode(self.cloud))
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
            LOGGER.debug("%s: Enphase's cloud not read: %s", self.name, error)
            return None
        return None if settings.is_pending else settings.mode

    async def _fetch_info(self) -> Info:
        info = await self.gateway.info()
        dr.async_get(self.hass).async_update_device(self.device_id, sw_version=info.firmware)
        before = self._latest
        if info.firmware != before.info.firmware and before.production_source is not EnergySource.METER:
            # The energy source may differ with another firmware.
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        return info

    async def _log_in(self) -> None:
        if not await self.gateway.login(self.config_entry.data[CONF_TOKEN]):
            raise AuthenticationError("the gateway rejects the token")

    @callback
    def async_check_home_energy(self) -> None:
        """Make home unknown, and create an issue, while its energy decreases again and again."""
        is_decreasing = self.counters.is_decreasing(HOME_ENERGY)
        async_update_home_issue(self.hass, self.config_entry, is_decreasing=is_decreasing)
        self._latest = replace(self._latest, is_home_decreasing=is_decreasing)
