"""What is wrong and may stay so for long: said at once, then at growing intervals, and when it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

#: Seconds: a text is said again after one minute, then after two, four, ... and in the end every hour.
_FIRST, _LONGEST = 60, 3_600

#: Texts that are said each by itself; a peer can make the next one different for ever.
_MOST = 10

#: Stands for all further texts.
_OTHERS = ""


class RecurringWarning:
    """One thing that can be wrong, such as that the broker is away; `over` is said when it is well again."""

    def __init__(self, over: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._over = over
        self._clock = clock
        #: For each text that was said: when it may be said again, and how long the wait for that is.
        self._said: dict[str, tuple[float, float]] = {}
        #: How many of the further texts were not logged since the last one that was.
        self._unlogged = 0
        #: What is wrong now; None where nothing is.
        self.text: str | None = None
        #: When that was told last.
        self._told = 0.0

    def raise_(self, text: str) -> None:
        """Return what is wrong, unless the same was said a short while ago."""
        self.text = text
        now = self._told = self._clock()
        key = text if text in self._said or len(self._said) < _MOST else _OTHERS
        again, wait = self._said.get(key, (now, 0))
        if now < again:
            self._unlogged += key is _OTHERS
            return
        wait = min(wait * 2, _LONGEST) or _FIRST
        self._said[key] = (now + wait, wait)
        if key is _OTHERS and self._unlogged:
            text, self._unlogged = f"{text} ({self._unlogged} others like it were not logged)", 0
        _LOGGER.warning("%s", text)

    def clear(self, quiet: float = 0) -> None:
        """Log that it is over, if it was told, but not in the last `quiet` seconds."""
        if self.text is not None and self._clock() - self._told >= quiet:
            self.text = None
            self._said.clear()
            self._unlogged = 0
            _LOGGER.warning("%s", self._over)
