"""The day in a file: a restart continues it, and an animation shows what a running script has stored."""

from __future__ import annotations

import logging
from pathlib import Path

import orjson

from enphase_api.files import write_file

from ..runtime.service import state_file
from .day import Day

_LOGGER = logging.getLogger(__name__)

#: Bytes; a whole day has about five thousand.
_MAX_SIZE = 64_000


class DayFile:
    """The file of a gateway's day, in the state directory; written each quarter-hour, to spare SD cards."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._file: Path | None = None
        self._written = 0
        self._failed = False

    def open(self, gateway: str) -> None:
        """Restore the day from the file of this gateway, at the first call; a damaged file is ignored."""
        if self._file is not None:
            return
        self._file = state_file(f"hat-{gateway}.json")
        try:
            if self._file.stat().st_size <= _MAX_SIZE:
                self._day.restore(orjson.loads(self._file.read_bytes()))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            _LOGGER.info("%s: the day begins now: %s", self._file, error)
        self._written = self._day.quarter_hour

    @property
    def is_due(self) -> bool:
        """Whether a quarter-hour has ended since the day was written."""
        return self._file is not None and self._day.quarter_hour != self._written

    def write(self) -> None:
        """Write the day, whole or not at all; the first failure is logged."""
        if self._file is None:
            return
        self._written = self._day.quarter_hour
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._file, orjson.dumps(self._day.as_content()))
        except OSError as error:
            if not self._failed:
                self._failed = True
                _LOGGER.warning(
                    "%s: cannot be written (%s): a restart begins the day again", self._file, error.strerror
                )
