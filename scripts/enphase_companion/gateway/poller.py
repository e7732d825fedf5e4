"""Polls one gateway at a fixed rate through all outages.

A rejected token or certificate does not stop it: the problem is logged at growing intervals, and polling
continues when the file changes or a later attempt succeeds. Secrets are sent only as open_gateway allows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from enphase_api import CommunicationError, EnphaseError, ResponseError
from enphase_api.local import Gateway
from enphase_api.models import Info, MeasurementType, Meter, Readings

from ..config.settings import Settings
from ..message import Message, from_readings
from ..runtime.errors import CommandError
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.service import Service
from ..runtime.timing import Backoff, FixedRate
from .connection import AccountError, open_gateway
from .inverters import POLL_INTERVAL, InverterProduction, InverterReports
from .source import Source, Take

#: Seconds between two requests for the installed meters, and the same after none or no answer.
_LIST, _LIST_AGAIN = 3_600, 60

#: Seconds after which settings are loaded and a session starts again, which renews a token in time.
_SESSION = 86_400

#: Seconds until a rejected account is tried again, unless the files change.
_ACCOUNT = 86_400


class Poller(Source):
    """Polls one gateway's meters."""

    def __init__(
        self,
        settings: Settings,
        read_settings: Callable[[], Settings],
        service: Service,
        metrics: Metrics,
        status: Callable[[], str],
        inverters: InverterProduction | None = None,
        reports: InverterReports | None = None,
    ) -> None:
        """`read_settings` loads the current settings; `status` returns the status line for systemd.

        `inverters` adds production to the messages of a gateway without production meter; `reports` reads
        each microinverter, in messages of their own.
        """
        super().__init__(settings, read_settings, service, metrics, status)
        self._inverters = InverterProduction() if inverters is None else inverters
        #: From the first settings, as the rate.
        self._interval = settings.interval
        self._ticks = FixedRate(self._interval)
        self._has_read = False
        self._reports = reports
        self._unreported = RecurringWarning("microinverters can be read again")

    @property
    def problem(self) -> str | None:
        """What is wrong with the gateway now; None if nothing is."""
        return super().problem or self._unreported.text

    @property
    def name(self) -> str:
        """The gateway's address."""
        return self._settings.gateway_host

    @property
    def pace(self) -> str:
        """The interval."""
        return f"every {self._interval:g} s"

    @property
    def interval(self) -> float:
        """Seconds between two polls."""
        return self._interval

    @property
    def capacity(self) -> float | None:
        """W: the sum of the highest power of each inverter; None if unknown."""
        return self._inverters.capacity

    async def run(self, take: Take) -> None:
        """Poll until the service stops, and pass each message to `take`; then raise Stopped."""
        silence = Backoff(1, 60)
        denial = Backoff(60, 3_600)
        while True:
            self._has_read = False
            try:
                async with AsyncExitStack() as stack:
                    opening = stack.enter_async_context(open_gateway(self._settings))
                    gateway, info = await self._service.unless_stopped(opening)
                    silence.reset()
                    await self._session(gateway, info, take)
            except (CommunicationError, ResponseError) as error:
                self._tell_silence(error)
                await self._pause(silence.next())
            except (CommandError, EnphaseError) as error:
                if self._has_read:
                    # It may be renewed already: load the file again before warning.
                    denial.reset()
                else:
                    self._denied.raise_(str(error))
                    refused = isinstance(error, AccountError)
                    await self._wait_for_change(_ACCOUNT if refused else denial.next())
            await self._reload_settings()

    async def _session(self, gateway: Gateway, info: Info, take: Take) -> None:
        """Poll for a day; raise errors that need a new session or other settings."""
        installed = _Installed(gateway)
        failures = Backoff(self._interval, 60)
        pause, only_inverters = 0.0, False
        end = time.monotonic() + _SESSION
        while time.monotonic() < end:
            # Microinverters have no new values at this rate, so no poll counts as skipped.
            await (self._pause(pause) if only_inverters else self._next_tick(pause))
            try:
                message = await self._service.unless_stopped(self._read(gateway, info, installed))
            except (CommunicationError, ResponseError) as error:
                self._tell_silence(error)
                pause = failures.next()
                continue
            self._denied.clear()
            self._has_read = True
            failures.reset()
            only_inverters = not installed.any_enabled and not self._inverters.for_display
            pause = max(self._interval, POLL_INTERVAL) if only_inverters else 0.0
            if not message.samples and not installed.any_enabled:
                self._empty.raise_(
                    f"gateway {info.serial_number} has neither an enabled meter nor microinverters, so there "
                    "is nothing to read; it is looked at again from time to time"
                )
                pause = _LIST_AGAIN
            elif not message.samples:
                self._silent.raise_(
                    "readings have no time of measurement, as after a restart of the gateway: retrying"
                )
            else:
                self._empty.clear()
                self._silent.clear()
                self._metrics.count("polls_succeeded")
                await take(message)
            for each in await self._service.unless_stopped(self._read_reports(gateway, info)):
                await take(each)

    async def _read_reports(self, gateway: Gateway, info: Info) -> list[Message]:
        """Return the microinverters' reports if they are wanted and due.

        What fails is tried next time; a token that is rejected here alone does not end the session.
        """
        if self._reports is None or not self._reports.is_due:
            return []
        try:
            messages = await self._reports.read(gateway, info)
        except EnphaseError as error:
            self._unreported.raise_(f"microinverters cannot be read: {error}")
            return []
        # Also without a new report, as at night.
        self._unreported.clear()
        return messages

    async def _read(self, gateway: Gateway, info: Info, installed: _Installed) -> Message:
        """Return the meters' readings, and the microinverters' production if no meter measures it."""
        await installed.refresh()
        readings = Readings(())
        if installed.any_enabled:
            readings = await gateway.readings(installed.meters)
            installed.note_unknown(readings.unknown_eids)
        unmetered = installed.unmetered_batteries
        message = from_readings(readings, info.serial_number, time.time(), unmetered_batteries=unmetered)
        return await self._inverters.complete(gateway, info, installed.meters, message)

    async def _next_tick(self, pause: float) -> None:
        wait, missed = self._ticks.next(pause)
        self._metrics.count("polls_skipped", missed)
        await self._pause(wait)


class _Installed:
    """The meters and batteries of a gateway; requested rarely."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._next = 0.0
        self._unknown: tuple[int, ...] = ()
        self.meters: tuple[Meter, ...] = ()
        #: Batteries without a meter; also True while unknown.
        self.unmetered_batteries = True

    @property
    def any_enabled(self) -> bool:
        return any(meter.enabled for meter in self.meters)

    def is_enabled(self, measurement_type: str) -> bool:
        """Whether an enabled meter measures this type."""
        return any(meter.enabled and meter.measurement_type == measurement_type for meter in self.meters)

    async def refresh(self) -> None:
        """Request them if due; raises as the gateway does."""
        if time.monotonic() < self._next:
            return
        self.meters = await self._gateway.meters()
        known = await self._look_for_batteries()
        self._next = time.monotonic() + (_LIST if known and self.any_enabled else _LIST_AGAIN)

    def note_unknown(self, eids: tuple[int, ...]) -> None:
        """Request them again after readings of unknown meters; some firmware always has one."""
        if eids != self._unknown:
            self._unknown = eids
            self._next = 0.0

    async def _look_for_batteries(self) -> bool:
        """Check for batteries without a meter; return False if the gateway does not answer that."""
        if self.is_enabled(MeasurementType.STORAGE):
            self.unmetered_batteries = False
            return True
        try:
            batteries = await self._gateway.batteries()
            if batteries.has_ac is None and not batteries.are_there:
                # Only this endpoint reports AC Batteries then; it takes the gateway seconds.
                batteries = batteries.with_ac((await self._gateway.production()).ac_batteries)
        except ResponseError:
            # Keep the known value.
            return False
        self.unmetered_batteries = batteries.are_there
        return True
