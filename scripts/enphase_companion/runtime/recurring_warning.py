"""A problem that may last: logged at once, then at growing intervals, and when it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

#: Seconds: a text is logged again after one minute, then after two, four, ... and finally every hour.
_FIRST, _LONGEST = 60, 3_600

#: Texts that are logged individually; a peer can send a different one each time.
_MOST = 10

#: Stands for all further texts.
_OTHERS = ""


class RecurringWarning:
    """One possible problem, such as an unreachable broker; `over` is logged when it is solved."""

    def __init__(self, over: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._over = over
        self._clock = clock
        #: For each logged text: when it may be logged again, and the current wait.
        self._logged: dict[str, tuple[float, float]] = {}
        #: How many further texts were not logged since the last logged one.
        self._unlogged = 0
        #: What is wrong now; None if nothing is.
        self.text: str | None = None
        #: When the problem was raised last.
        self._raised_at = 0.0

    def raise_(self, text: str) -> None:
        """Log the problem, unless the same text was logged a short time ago."""
        self.text = text
        now = self._raised_at = self._clock()
        key = text if text in self._logged or len(self._logged) < _MOST else _OTHERS
        again, wait = self._logged.get(key, (now, 0))
        if now < again:
            self._unlogged += key is _OTHERS
            return
        wait = min(wait * 2, _LONGEST) or _FIRST
        self._logged[key] = (now + wait, wait)
        if key is _OTHERS and self._unlogged:
            text, self._unlogged = f"{text} ({self._unlogged} similar ones were not logged)", 0
        _LOGGER.warning("%s", text)

    def clear(self, quiet: float = 0) -> None:
        """Log that it is over, if it was raised, but not in the last `quiet` seconds."""
        if self.text is not None and self._clock() - self._raised_at >= quiet:
            self.text = None
            self._logged.clear()
            self._unlogged = 0
            _LOGGER.warning("%s", self._over)
