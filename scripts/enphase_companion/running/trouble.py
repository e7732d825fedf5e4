"""What is wrong and may stay so for long: said at once, then at growing intervals, and when it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

#: Seconds: a text is said again after one minute, then after two, four, ... and in the end every hour.
_FIRST, _LONGEST = 60, 3_600


class Trouble:
    """One thing that can be wrong, such as that the broker is away; `over` is said when it is well again."""

    def __init__(self, over: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._over = over
        self._clock = clock
        #: For each text that was said: when it may be said again, and how long the wait for that is.
        self._said: dict[str, tuple[float, float]] = {}
        #: What is wrong now; None where nothing is.
        self.text: str | None = None
        #: When that was told last.
        self._told = 0.0

    def tell(self, text: str) -> None:
        """Say what is wrong, unless the same was said a short while ago."""
        self.text = text
        now = self._told = self._clock()
        again, wait = self._said.get(text, (now, 0))
        if now < again:
            return
        wait = min(wait * 2, _LONGEST) or _FIRST
        self._said[text] = (now + wait, wait)
        _LOGGER.warning("%s", text)

    def end(self, quiet: float = 0) -> None:
        """Log that it is over, if it was told, but not in the last `quiet` seconds."""
        if self.text is not None and self._clock() - self._told >= quiet:
            self.text = None
            self._said.clear()
            _LOGGER.warning("%s", self._over)
