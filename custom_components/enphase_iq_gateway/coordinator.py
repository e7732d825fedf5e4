"""The coordinator: one request a refresh, slower pages behind it, and what the client's errors mean."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_HOST, CONF_SCAN_INTERVAL, CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from . import home_issue
from .connection import gateway_client
from .const import (
    CONF_CERTIFICATE,
    CONF_ENERGY_SOURCE,
    CONF_ENERGY_SOURCE_FIRMWARE,
    CONF_PRODUCTION_SOURCE,
    DEFAULT_INTERVAL,
    DOMAIN,
    HOME_ENERGY,
    LOGGER,
    ProductionFrom,
)
from .counter_store import Counters
from .data import GatewayData
from .enphase_api import (
    AuthenticationError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    ResponseError,
    Silence,
)
from .enphase_api.models import Batteries, Info, MeasurementType, Readings
from .failures import Failures
from .naming import log_name
from .pages import Page, Pages
from .renewal import TokenRenewal
from .shared_inverters import async_foreign_inverters

type GatewayConfigEntry = ConfigEntry[GatewayCoordinator]

#: The share of a gateway's time that readings may take: one that takes 2 s is asked every 8 s at most.
_BUSY_SHARE = 0.25

#: Seconds a request after which a slow page is given up, so that the readings behind it are not late: twice
#: what the slowest of them takes a slow gateway.
_SLOW_PAGE_TIMEOUT = 10

#: Seconds after a bad answer until the page is asked once more.
_SECOND_LOOK = 1.5

#: How many requests a page is made of, where it is not one.
_REQUESTS = {Page.BATTERIES: 3}

#: The entries whose gateways were last said to be unavailable; it outlives their reloads.
_AWAY: HassKey[set[str]] = HassKey(f"{DOMAIN}_away")

#: Firmware gives empty lists now and then; batteries that are gone for so long were taken away.
_EMPTY_PATIENCE = timedelta(hours=1)


class GatewayCoordinator(DataUpdateCoordinator[GatewayData]):
    """Reads one gateway."""

    config_entry: GatewayConfigEntry
    #: The gateway's own device; inverters and batteries hang on it.
    device_id: str
    #: What the meters are called in the language of this Home Assistant, by type.
    meter_names: dict[str, str]

    def __init__(self, hass: HomeAssistant, entry: GatewayConfigEntry) -> None:
        """Prepare to read.

        Raises CertificateError or TokenError where the entry holds no certificate or no token.
        """
        self._interval = timedelta(seconds=entry.options.get(CONF_SCAN_INTERVAL, DEFAULT_INTERVAL))
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=log_name(entry),
            update_interval=self._interval,
        )
        self.gateway = gateway_client(hass, entry.data[CONF_HOST], entry.data[CONF_CERTIFICATE])
        self.renewal = TokenRenewal(hass, entry, self.gateway)
        self._failures = Failures(hass, entry, self.gateway, self.renewal, self._interval)
        self.pages = Pages(self._interval)
        self.counters = Counters(hass, self.serial_number)
        #: eids that the list of meters did not know when it was asked for last.
        self.unknown_eids: tuple[int, ...] = ()
        self._told_eids: set[int] = set()
        self._answers: GatewayData
        self._empty_since: datetime | None = None
        self._slow_pages: asyncio.Task[None] | None = None
        #: Whether it is not known yet where production without a meter is counted.
        self._is_undecided = False

    @property
    def serial_number(self) -> str:
        """The gateway's."""
        return str(self.config_entry.unique_id)

    @override
    async def _async_setup(self) -> None:
        """Look whether it is the right gateway, log in, and learn what there is to read."""
        await self.counters.async_load()
        info = await self._failures.mapped(self.gateway.info())
        if info.serial_number != self.serial_number:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="wrong_gateway",
                translation_placeholders={
                    "found": info.serial_number,
                    "wanted": self.serial_number,
                    "host": self.gateway.host,
                },
            )
        await self._failures.mapped(self._log_in())
        now = dt_util.utcnow()
        self._answers = GatewayData(
            info=info,
            at=self.gateway.now,
            meters=await self._failures.mapped(self.gateway.meters()),
            production_from=ProductionFrom(self.config_entry.data[CONF_PRODUCTION_SOURCE]),
        )
        self.async_judge_home()
        for page in (Page.INFO, Page.METERS):
            self.pages.asked(page, now)
            self.pages.answered(page, now, 0)
        if self._answers.production_from is not ProductionFrom.METER:
            await self._find_out_what_counts()
        # Whether there are batteries decides what is home; not to know it does not keep the meters waiting.
        await self._ask_in_turn([Page.BATTERIES])
        found = self._answers.found_batteries
        if found is not None and found.has_ac is not False:
            await self._ask_in_turn([Page.PRODUCTION])

    async def _find_out_what_counts(self) -> None:
        """Decide where production without a meter is counted, unless it was decided with this firmware."""
        entry, firmware = self.config_entry, self._answers.info.firmware
        decided = self._answers.counted_by
        if decided is None and entry.data.get(CONF_ENERGY_SOURCE_FIRMWARE) == firmware:
            decided = ProductionFrom(entry.data[CONF_ENERGY_SOURCE])
            if decided is ProductionFrom.TOTALS:
                await self._ask_in_turn([Page.TOTALS])
        elif decided is None:
            await self._failures.mapped(self._ask(Page.TOTALS))
            if self._answers.counted_by is None:
                await self._failures.mapped(self._ask(Page.PRODUCTION))
            decided = self._answers.counted_by
            if decided is not None:
                found = {CONF_ENERGY_SOURCE: decided, CONF_ENERGY_SOURCE_FIRMWARE: firmware}
                self.hass.config_entries.async_update_entry(entry, data={**entry.data, **found})
        # Totals that say nothing yet show nothing; a gateway without that page has only the sum.
        likely = ProductionFrom.INVERTERS if self._answers.totals is None else ProductionFrom.TOTALS
        self._is_undecided = decided is None
        self._answers = replace(
            self._answers,
            production_from=decided or ProductionFrom(entry.data.get(CONF_ENERGY_SOURCE, likely)),
        )

    @override
    async def _async_update_data(self) -> GatewayData:
        """Ask the one page that everything else waits for, where somebody needs it."""
        page = Page.READINGS if self._answers.enabled_meters else Page.PRODUCTION
        needed, now = self._needed, dt_util.utcnow()
        is_wanted = page in needed if page is Page.READINGS else self.pages.is_due(page, now, needed)
        if not self.last_update_success and page is Page.PRODUCTION:
            # A silence may have been an update of the firmware, after which something else may be counted.
            await self._failures.mapped(self._ask(Page.INFO))
        is_first = self.pages.answered_at(page) is None
        if is_first or is_wanted or not self.last_update_success:
            is_alone = self._slow_pages is None or self._slow_pages.done()
            started = monotonic()
            was_retried = await self._failures.mapped(self._ask_again_after_a_bad_answer(page))
            if page is Page.READINGS and is_alone and not was_retried:
                least = timedelta(seconds=(monotonic() - started) / _BUSY_SHARE)
                self.update_interval = self.pages.interval = max(self._interval, least)
        return self._answers

    async def _ask_again_after_a_bad_answer(self, page: Page) -> bool:
        """Ask a page, and once more where one bad answer comes after good ones; return whether that was so.

        A web server that is just busy with something else answers 503, HTML or half a document, or breaks
        off. Without a second look, everything would be unavailable until the next refresh.
        """
        try:
            await self._ask(page)
        except (ResponseError, CommunicationError) as error:
            is_silent = isinstance(error, CommunicationError) and error.reason is not Silence.BROKEN
            if is_silent or not (error.retryable and self.last_update_success):
                raise
            LOGGER.debug("%s: asking once more after: %s", self.name, error)
        else:
            return False
        await asyncio.sleep(_SECOND_LOOK)
        await self._ask(page)
        return True

    @override
    async def _async_refresh(
        self,
        log_failures: bool = True,
        raise_on_auth_failed: bool = False,
        scheduled: bool = False,
        raise_on_entry_error: bool = False,
    ) -> None:
        """Refresh, and say once that the gateway is away: no error, as it comes back by itself.

        Home Assistant's own line is one; that it is back, it says as information too, but not after a reload,
        such as a new sign-in brings.
        """
        was_there, is_first = self.last_update_success, raise_on_entry_error
        away, entry_id = self.hass.data.setdefault(_AWAY, set()), self.config_entry.entry_id
        await super()._async_refresh(False, raise_on_auth_failed, scheduled, raise_on_entry_error)
        if log_failures and was_there and not self.last_update_success:
            # A refused token asks its owner in a dialog; what nobody has thought of has a traceback besides.
            # Texts are for owners; the client's own words, which they stand for, say more.
            reason = self.last_exception and (self.last_exception.__cause__ or self.last_exception)
            LOGGER.info("%s is unavailable: %s", self.name, reason)
            away.add(entry_id)
        elif self.last_update_success and entry_id in away:
            away.remove(entry_id)
            if is_first:
                LOGGER.info("%s is available again", self.name)

    @override
    @callback
    def _async_refresh_finished(self) -> None:
        if not self.last_update_success:
            return
        self._failures.forget()
        self._keep_renewed_certificate()
        self.renewal.async_renew_if_due()
        if self._slow_pages is None or self._slow_pages.done():
            self._slow_pages = self.config_entry.async_create_background_task(
                self.hass, self._ask_slow_pages(), f"{self.name} slow pages", eager_start=False
            )

    @property
    def _needed(self) -> set[Page]:
        """The pages that the enabled entities are made from."""
        needed: set[Page] = set().union(*self.async_contexts())
        if Page.READINGS in needed:
            # Readings bear eids only: the list says whose they are, and which of them mean anything.
            needed.add(Page.METERS)
        answers = self._answers
        if Page.BATTERIES in needed and answers.has_ac_batteries and answers.has_unmetered_batteries:
            # Home may be older than the discovery of these.
            needed.add(Page.PRODUCTION)
        if answers.batteries is not None and answers.batteries.grid_connected is False:
            # Grid power may be unknown until the grid is back.
            needed.add(Page.BATTERIES)
        return needed

    async def _ask_slow_pages(self) -> None:
        """Ask what is due, page by page: the client sends one request at a time, and readings go between."""
        due = iter(lambda: self.pages.next_due(dt_util.utcnow(), self._needed), None)
        before = self._answers
        is_metered = MeasurementType.STORAGE in before.types
        self.pages.relaxed = frozenset({Page.BATTERIES} if is_metered else ())
        await self._ask_in_turn(due)
        if self.data is not self._answers:
            self.data = self._answers
            self.async_update_listeners()
        if self._answers.lacks_what_was_in(before):
            # Whose meter or batteries are gone can be deleted once nothing provides it any more.
            LOGGER.info("%s: meters or batteries are no longer the same; starting anew", self.name)
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        elif self._is_undecided and self._answers.counted_by is not None:
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)

    async def _ask_in_turn(self, pages: Iterable[Page]) -> None:
        """Ask pages whose failure fails nothing else: what they said last counts for a while."""
        for page in pages:
            try:
                async with asyncio.timeout(_SLOW_PAGE_TIMEOUT * _REQUESTS.get(page, 1)):
                    await self._ask(page)
            except (EnphaseError, TimeoutError) as error:
                LOGGER.debug("%s: %s not read: %r", self.name, page, error)

    async def _ask(self, page: Page) -> None:
        """Ask a page and keep what it answers."""
        started = monotonic()
        self.pages.asked(page, dt_util.utcnow())
        answer = await self._read(page)
        self.pages.answered(page, dt_util.utcnow(), monotonic() - started)
        # Only now: another page may have answered while this one was waited for.
        self._answers = replace(self._answers, **answer, at=self.gateway.now)

    async def _read(self, page: Page) -> dict[str, Any]:
        """Give what a page answers, by the field of GatewayData."""
        match page:
            case Page.READINGS:
                answer: Any = await self._read_readings()
            case Page.METERS:
                return await self._read_meters()
            case Page.PRODUCTION:
                answer = await self.gateway.production()
            case Page.TOTALS:
                answer = await self.gateway.production_totals()
            case Page.INVERTERS:
                return await self._read_inverters()
            case Page.BATTERIES:
                return {"found_batteries": await self._read_batteries()}
            case Page.INFO:
                answer = await self._read_info()
        return {page.value: answer}

    async def _read_inverters(self) -> dict[str, Any]:
        found = {each.serial_number: each for each in await self.gateway.inverters()}
        return {"found_inverters": found, "foreign_inverters": async_foreign_inverters(self, found)}

    async def _read_meters(self) -> dict[str, Any]:
        meters = await self.gateway.meters()
        if self._answers.meters and not meters:
            # A gateway that has just started refuses the list, or answers with an error in its place.
            raise InvalidAnswerError("The gateway lists no meters any more", path="/ivp/meters")
        if any(meter.enabled for meter in meters):
            return {"meters": meters}
        # Nothing is read any more, so nothing may go on being shown.
        return {"meters": meters, "readings": Readings(())}

    async def _read_readings(self) -> Readings:
        readings = await self.gateway.readings(self._answers.meters)
        unknown, before = set(readings.unknown_eids), set(self.unknown_eids)
        if unknown - before:
            self.pages.hurry(Page.METERS)
        for eid in unknown & before - self._told_eids:
            # The list of meters has been asked again by now.
            self._told_eids.add(eid)
            LOGGER.info("%s: readings of meter %s, which it does not list, are left out", self.name, eid)
        self.unknown_eids = readings.unknown_eids
        # The last meter may have been disabled while these were waited for.
        return readings if self._answers.enabled_meters else Readings(())

    async def _read_batteries(self) -> Batteries:
        batteries = await self.gateway.batteries()
        known, now = self._answers.found_batteries, dt_util.utcnow()
        is_empty = known is not None and (
            (bool(known.units) and not batteries.units) or (known.has_ac and not batteries.has_ac)
        )
        self._empty_since = (self._empty_since or now) if is_empty else None
        if self._empty_since is not None and now - self._empty_since < _EMPTY_PATIENCE:
            # With the batteries forgotten, home would be wrong.
            raise InvalidAnswerError(
                "The gateway lists no batteries any more", path="/ivp/ensemble/inventory"
            )
        return batteries

    async def _read_info(self) -> Info:
        info = await self.gateway.info()
        dr.async_get(self.hass).async_update_device(self.device_id, sw_version=info.firmware)
        before = self._answers
        if info.firmware != before.info.firmware and before.production_from is not ProductionFrom.METER:
            # Other firmware may count production elsewhere.
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)
        return info

    async def _log_in(self) -> None:
        if not await self.gateway.login(self.config_entry.data[CONF_TOKEN]):
            raise AuthenticationError("The gateway refuses the token.")

    @callback
    def async_judge_home(self) -> None:
        """Take home for unknown, and say why, while its energy falls again and again."""
        home_falls = self.counters.keeps_falling(HOME_ENERGY)
        if home_falls:
            home_issue.async_create_issue(self.hass, self.config_entry)
        else:
            home_issue.async_delete_issue(self.hass, self.config_entry)
        self._answers = replace(self._answers, home_falls=home_falls)

    @callback
    def _keep_renewed_certificate(self) -> None:
        """Store the certificate that the gateway has renewed with the trusted key."""
        certificate = self.gateway.certificate
        data = self.config_entry.data
        if certificate is not None and certificate.pem != data[CONF_CERTIFICATE]:
            LOGGER.info("%s: the gateway has renewed its certificate: %s", self.name, certificate.fingerprint)
            self.hass.config_entries.async_update_entry(
                self.config_entry, data={**data, CONF_CERTIFICATE: certificate.pem}
            )
