"""The database of a long-running script: creates the tables when needed and rolls up the readings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import NoReturn

from ..message import Message
from ..runtime.metrics import Metrics
from ..runtime.recurring_warning import RecurringWarning
from ..storage import SECOND, Database, StorageError, UnavailableError, UnstorableError

_LOGGER = logging.getLogger(__name__)

#: Seconds between two roll-ups, but at least this many flush intervals: who writes rarely, to spare an SD
#: card, rolls up several minutes at once, because each roll-up rewrites a page for every meter and phase.
_ROLL_UP, _INTERVALS = 5.0, 5

#: Seconds without a refused reading until that problem counts as over.
_QUIET = 60.0


class Sink:
    """Writes to a database that may be unavailable, or another one when it is back."""

    def __init__(self, database: Database, metrics: Metrics, flush_interval: float = 0) -> None:
        """`flush_interval`: seconds that messages wait, at most, before they are written."""
        self._flush_interval = flush_interval
        self._database = database
        self._metrics = metrics
        self._has_tables = False
        self._refused = RecurringWarning("all readings can be stored again")
        self._not_rolling = RecurringWarning("readings are rolled up again")

    async def begin(self) -> None:
        """Connect to the database; start even if it is unavailable now.

        Raises StorageError if waiting does not help.
        """
        try:
            await self._prepare()
        except UnavailableError as error:
            _LOGGER.debug("starting without the database: %s", error)

    async def write(self, messages: Sequence[Message]) -> None:
        """Write all messages or none; when this returns, they are on the database's disk.

        Raises StorageError, and UnstorableError if the database can never store one of them.
        """
        try:
            await self._prepare()
            refused = await self._database.write(messages)
        except UnstorableError:
            raise
        except StorageError:
            # The next connection may be to a new server without tables.
            self._has_tables = False
            raise
        for reason, count in refused.items():
            self._metrics.count("readings_refused", count)
            self._refused.raise_(f"readings refused: {reason}")
        self._refused.clear(_QUIET)

    async def roll_up(self) -> NoReturn:
        """Roll up complete intervals regularly."""
        while True:
            await asyncio.sleep(max(_ROLL_UP, _INTERVALS * self._flush_interval))
            if not self._has_tables:
                continue
            try:
                # A minute is complete when its last messages are written.
                await self._database.roll_up(round((time.time() - self._flush_interval) * SECOND))
            except UnavailableError as error:
                # The writer logs it if it lasts.
                _LOGGER.debug("Not rolled up: %s", error)
            except StorageError as error:
                self._not_rolling.raise_(f"readings are not rolled up: {error}")
            else:
                self._not_rolling.clear()

    async def _prepare(self) -> None:
        if not self._has_tables:
            try:
                await self._database.upgrade()
            except UnstorableError as error:
                # Not the fault of a message.
                raise StorageError(str(error)) from error
            self._has_tables = True
