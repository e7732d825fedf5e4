"""The readings that Home Assistant's integration has polled, through all outages of Home Assistant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from enphase_api.json_values import number
from enphase_api.models import MeasurementType

from ..config.settings import Settings
from ..gateway.inverters import InverterProduction, InverterReports
from ..gateway.poller import Poller
from ..gateway.source import CHECK_INTERVAL, Source, Take
from ..message import Message, MessageError, from_content
from ..runtime.errors import CommandError, join_clauses
from ..runtime.metrics import Metrics
from ..runtime.service import Service
from ..runtime.timing import Backoff
from .client import RefusedError, TokenRefusedError, UnavailableError, connect
from .stream import ReadingsStream

#: Seconds that a reload of the entry may take until it is a problem.
_RELOAD = 15.0

#: Seconds that a restart of Home Assistant may take.
_RESTART = 300.0

#: Seconds by which Home Assistant's clock may differ from this one's without being corrected.
_CLOCKS = 2.0

#: Seconds; the integration's MAX_SCAN_INTERVAL.
_LONGEST_INTERVAL = 300.0


def open_source(
    settings: Settings,
    read_settings: Callable[[], Settings],
    service: Service,
    metrics: Metrics,
    status: Callable[[], str],
    *,
    for_display: bool = False,
) -> Source:
    """Return the source of these settings: Home Assistant if it is set, else the gateway.

    `for_display`: the microinverters' production is in every message, see InverterProduction.
    """
    panels = settings.keep_panels or "panels" in settings.scene
    if settings.home_assistant_url is not None:
        return HomeAssistantSource(
            settings, read_settings, service, metrics, status, for_display=for_display, panels=panels
        )
    inverters = InverterProduction(for_display=for_display)
    reports = InverterReports() if panels else None
    return Poller(settings, read_settings, service, metrics, status, inverters, reports)


class HomeAssistantSource(Source):
    """The messages of the integration's websocket commands, see docs/messages.md."""

    _peer = "Home Assistant"

    def __init__(
        self,
        settings: Settings,
        read_settings: Callable[[], Settings],
        service: Service,
        metrics: Metrics,
        status: Callable[[], str],
        *,
        for_display: bool = False,
        panels: bool = False,
    ) -> None:
        super().__init__(settings, read_settings, service, metrics, status)
        self._for_display = for_display
        self._panels = panels
        self._capacity: float | None = None
        #: Whether this connection, or the latest one, has had readings.
        self._has_read = False
        #: Seconds that Home Assistant's clock is ahead of this one's; None: not known for these events.
        self._ahead: float | None = None
        #: When Home Assistant was told to be silent.
        self._silent_since = 0.0
        #: When a state without readings becomes a problem, and its text.
        self._waiting: tuple[float, str] | None = None

    @property
    def name(self) -> str:
        """The address of Home Assistant."""
        return f"Home Assistant at {self._settings.home_assistant_url}"

    @property
    def pace(self) -> str:
        """At each refresh of its integration."""
        return "at each of its refreshes"

    @property
    def interval(self) -> float:
        """Seconds: the longest interval that the integration's options allow."""
        return _LONGEST_INTERVAL

    @property
    def capacity(self) -> float | None:
        """W: the sum of the highest power of each inverter; None if unknown."""
        return self._capacity

    async def run(self, take: Take) -> None:
        """Pass on messages until the service stops; then raise Stopped."""
        silence, denial = Backoff(1, 60), Backoff(60, 3_600)
        while True:
            try:
                async with AsyncExitStack() as stack:
                    opening = stack.enter_async_context(connect(self._settings))
                    home_assistant = await self._service.unless_stopped(opening)
                    self._denied.clear()
                    subscribing = ReadingsStream.open(home_assistant, self._settings, panels=self._panels)
                    stream = await self._service.unless_stopped(subscribing)
                    await self._follow(stream, take, silence)
            except TokenRefusedError as error:
                # Home Assistant bans an address after some attempts.
                self._denied.raise_(str(error))
                await self._wait_for_change(denial.next())
            except (UnavailableError, RefusedError) as error:
                # The next attempt knows why a connection ended: a restart, or a revoked token.
                if not self._has_read:
                    self._tell_silence(error)
                self._has_read = False
                await self._pause(silence.next())
            except CommandError as error:
                self._denied.raise_(str(error))
                await self._wait_for_change(denial.next())
            await self._reload_settings()

    async def _follow(self, stream: ReadingsStream, take: Take, silence: Backoff) -> None:
        """Pass on the messages of a stream until it ends, which raises UnavailableError."""
        self._ahead = self._waiting = None
        while True:
            event = await self._next(stream)
            self._silent.clear()
            if "state" in event:
                # After it, the entry may have another configuration.
                self._ahead = None
                grace = _RELOAD if event["state"] == "not_loaded" else 0
                text = join_clauses(stream.reason_of(event), "waiting")
                self._waiting = time.monotonic() + grace, text
                continue
            if self._ahead is None:
                self._note_info(await self._service.unless_stopped(stream.info()))
            self._waiting = None
            try:
                message = self._correct(from_content(event))
            except MessageError as error:
                self._empty.raise_(f"{self.name} sends an invalid message: {error}")
                continue
            self._has_read = True
            silence.reset()
            self._empty.clear()
            if message.samples:
                self._metrics.count("polls_succeeded")
            await take(message)

    async def _next(self, stream: ReadingsStream) -> Mapping[str, Any]:
        """Return the next event; notify the watchdog until then."""
        while True:
            self._service.alive(self._status())
            if self._waiting is not None and time.monotonic() >= self._waiting[0]:
                self._empty.raise_(self._waiting[1])
            try:
                return await self._service.unless_stopped(asyncio.wait_for(stream.next(), CHECK_INTERVAL))
            except TimeoutError:
                continue

    def _tell_silence(self, error: Exception) -> None:
        """Log it, but one reason only for a restart, which fails in several ways one after the other."""
        text = self._silent.text
        if text is None:
            self._silent_since = time.monotonic()
        if (
            text is None
            or not isinstance(error, UnavailableError)
            or time.monotonic() - self._silent_since > _RESTART
        ):
            super()._tell_silence(error)
        else:
            self._metrics.count("polls_failed")

    def _note_info(self, info: Mapping[str, Any]) -> None:
        now = time.time()
        ahead = (number(info, "timestamp", low=0, high=1e11) or now) - now
        self._ahead = 0.0 if abs(ahead) <= _CLOCKS else round(ahead)
        self._capacity = number(info, "peak_power", low=0, high=1e9) or None

    def _correct(self, message: Message) -> Message:
        """Return a message with Home Assistant's times by this clock, and the production that is wanted."""
        ahead = self._ahead or 0.0
        message = replace(message, timestamp=message.timestamp - ahead)
        if not message.has_unmetered_production:
            return message
        production = str(MeasurementType.PRODUCTION)
        if message.metered and not self._for_display:
            # It is some minutes old, and would be added to meters' readings.
            others = tuple(sample for sample in message.samples if sample.measurement != production)
            return replace(message, samples=others, has_unmetered_production=False)
        return replace(
            message,
            samples=tuple(
                sample._replace(measured_at=sample.measured_at - round(1000 * ahead))
                if sample.measurement == production
                else sample
                for sample in message.samples
            ),
        )
