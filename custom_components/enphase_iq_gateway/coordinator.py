"""The coordinator: one request per refresh, and the other endpoints in the background."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_SCAN_INTERVAL, CONF_TOKEN
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
    CONF_BATTERY_SITE,
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
    NotAllowedError,
    ResponseError,
    Silence,
)
from .enphase_api.cloud import BatteryCloud
from .enphase_api.models import (
    MeasurementType,
)
from .error_handling import ErrorMapper
from .fetcher import EndpointFetcher
from .helpers import log_name
from .issues import async_create_live_issue, async_delete_live_issue, async_update_home_issue
from .token_renewal import TokenRenewal

type GatewayConfigEntry = ConfigEntry[GatewayCoordinator]

#: Seconds between a failed request and its retry.
_RETRY_DELAY = 1.5

#: After this time, entities are updated even if their endpoints have not responded: a device may have fallen
#: silent, or a response may no longer count.
_UPDATE_INTERVAL = timedelta(minutes=1)


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
            self.cloud = battery_cloud(hass, entry, entry.data, entry.options.get(CONF_BATTERY_SITE))
        self.commands = CommandRunner(self)
        self.fetcher = EndpointFetcher(self)
        self.counters = GatewayCounters(hass, self.serial_number)
        self._latest: GatewayData
        self._background_poll: asyncio.Task[None] | None = None
        #: The endpoints that have responded since the entities were updated.
        self._responded: set[Endpoint] = set()
        #: When all entities were updated, and whether the gateway was available then.
        self._all_updated: tuple[datetime, bool] | None = None
        #: Whether the source of unmetered production energy is not determined yet.
        self._lacks_energy_source = False

    @property
    def latest(self) -> GatewayData:
        """The latest responses; `data` has those of the latest update of the entities."""
        return self._latest

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
        self.fetcher.request_cloud_mode()
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
        response = await self.fetcher.fetch(endpoint)
        self.poll_schedule[endpoint].mark_received(dt_util.utcnow(), monotonic() - started)
        self._responded.add(endpoint)
        # Replace the latest data only now: other responses may have arrived in the meantime.
        before = self._latest
        self._latest = replace(before, **response, gateway_time=self.gateway.now)
        if endpoint is Endpoint.INFO:
            self._check_firmware(before)
        if endpoint in self._latest.battery_power_endpoints:
            self._integrate_battery_power()

    def _check_firmware(self, before: GatewayData) -> None:
        """Show the firmware with the device, and determine the energy source again if it has changed."""
        firmware = self._latest.info.firmware
        dr.async_get(self.hass).async_update_device(self.device_id, sw_version=firmware)
        if firmware != before.info.firmware and before.production_source is not EnergySource.METER:
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)

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

    async def _log_in(self) -> None:
        if not await self.gateway.login(self.config_entry.data[CONF_TOKEN]):
            raise AuthenticationError("the gateway rejects the token")

    @callback
    def async_check_home_energy(self) -> None:
        """Make home unknown, and create an issue, while its energy decreases again and again."""
        is_decreasing = self.counters.is_decreasing(HOME_ENERGY)
        async_update_home_issue(self.hass, self.config_entry, is_decreasing=is_decreasing)
        self._latest = replace(self._latest, is_home_decreasing=is_decreasing)
