"""The database of a script that runs for years: its tables are made in time, and its readings rolled up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn

from ..message import Message
from ..runtime.recurring_warning import RecurringWarning
from ..storage import Database, StorageError, UnavailableError, UnstorableError

_LOGGER = logging.getLogger(__name__)

#: Seconds between two looks at what has ended and can be rolled up.
_ROLL_UP = 5.0


class Sink:
    """Writes into a database that may be away, or be another one when it is back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_tables = False
        self._not_rolling = RecurringWarning("readings are rolled up again")

    async def begin(self) -> None:
        """Look at the database; that it is only away now is no reason not to begin.

        Raises StorageError where waiting changes nothing.
        """
        try:
            await self._prepare()
        except UnavailableError as error:
            _LOGGER.debug("Beginning without the database: %s", error)

    async def write(self, messages: Sequence[Message]) -> None:
        """Write all or nothing; when this returns, they are on the database's disk.

        Raises StorageError, and UnstorableError where the database can never hold one of them.
        """
        try:
            await self._prepare()
            await self._database.write(messages)
        except UnstorableError:
            raise
        except StorageError:
            # What answers next may be a new server, whose tables are still to be made.
            self._has_tables = False
            raise

    async def roll_up(self) -> NoReturn:
        """Roll up what has ended, again and again."""
        while True:
            await asyncio.sleep(_ROLL_UP)
            if not self._has_tables:
                continue
            try:
                await self._database.roll_up()
            except UnavailableError as error:
                # Whoever writes says so, if it lasts.
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
                # That is no message's fault.
                raise StorageError(str(error)) from error
            self._has_tables = True
