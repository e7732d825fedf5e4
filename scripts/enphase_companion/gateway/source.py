"""Where a long-running script gets its messages from: a gateway that it polls, or Home Assistant."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from ..config.settings import Settings
from ..message import Message
from ..runtime.errors import CommandError, join_clauses
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..runtime.service import Service

#: Seconds between two checks of the files while they are invalid.
CHECK_INTERVAL = 1.0

Take = Callable[[Message], Awaitable[None]]


class Source(ABC):
    """Messages of one gateway, through all outages; see `run`."""

    #: What answers, or does not.
    _peer = "gateway"

    def __init__(
        self,
        settings: Settings,
        read_settings: Callable[[], Settings],
        service: Service,
        metrics: Metrics,
        status: Callable[[], str],
    ) -> None:
        """`read_settings` loads the current settings; `status` returns the status line for systemd."""
        self._settings = settings
        self._read_settings = read_settings
        self._service = service
        self._metrics = metrics
        self._status = status
        self._denied = RecurringWarning(f"{self._peer} can be read again")
        self._silent = RecurringWarning(f"{self._peer} responds again")
        self._empty = RecurringWarning("gateway has readings again")

    @property
    def problem(self) -> str | None:
        """What is wrong with the source now; None if nothing is."""
        return self._denied.text or self._silent.text or self._empty.text

    @property
    @abstractmethod
    def name(self) -> str:
        """What is read, with its address."""

    @property
    @abstractmethod
    def pace(self) -> str:
        """How often readings come, as part of a sentence."""

    @property
    @abstractmethod
    def interval(self) -> float:
        """Maximum seconds between two readings of meters, as far as it is known before the first one."""

    @property
    @abstractmethod
    def capacity(self) -> float | None:
        """W: the sum of the highest power of each inverter; None if unknown."""

    @abstractmethod
    async def run(self, take: Take) -> None:
        """Pass each message to `take` until the service stops; then raise Stopped."""

    async def _reload_settings(self) -> None:
        """Load the settings again; if they are invalid, warn and keep the previous ones."""
        try:
            self._settings = await asyncio.to_thread(self._read_settings)
        except CommandError as error:
            self._denied.raise_(str(error))

    def _tell_silence(self, error: Exception) -> None:
        self._metrics.count("polls_failed")
        self._silent.raise_(join_clauses(str(error), "retrying"))

    async def _pause(self, seconds: float) -> None:
        """Wait, and notify the watchdog."""
        end = time.monotonic() + seconds
        while True:
            self._service.alive(self._status())
            left = end - time.monotonic()
            await self._service.sleep(min(max(left, 0), CHECK_INTERVAL))
            if left <= CHECK_INTERVAL:
                return

    async def _wait_for_change(self, longest: float) -> None:
        """Wait until a credentials file or the certificate changes, or for `longest` seconds."""
        before = self._stamps()
        end = time.monotonic() + longest
        while time.monotonic() < end and self._stamps() == before:
            await self._pause(CHECK_INTERVAL)

    def _stamps(self) -> list[tuple[int, int] | None]:
        """Return values that change with the files."""
        stamps: list[tuple[int, int] | None] = []
        for file in (*self._settings.credentials_files, self._settings.certificate_file):
            try:
                status = file.stat()
                stamps.append((status.st_mtime_ns, status.st_ino))
            except OSError:
                stamps.append(None)
        return stamps
