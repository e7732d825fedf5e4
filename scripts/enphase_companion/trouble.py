"""What is wrong and may stay so for long: said at once, then at growing intervals, and when it is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)

#: Seconds: after the first time it is said after one minute, then after two, four, ... and then every hour.
_FIRST, _LONGEST = 60, 3_600


class Trouble:
    """One thing that can be wrong, such as that the broker is away; `over` is said when it is well again."""

    def __init__(self, over: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._over = over
        self._clock = clock
        self._text: str | None = None
        self._wait: float = _FIRST
        self._again = 0.0

    @property
    def text(self) -> str | None:
        """What is wrong now; None where nothing is."""
        return self._text

    def tell(self, text: str) -> None:
        """Say what is wrong, unless it was said a short while ago; what is another thing is said at once."""
        now = self._clock()
        if text != self._text:
            self._wait = _FIRST
        elif now < self._again:
            return
        else:
            self._wait = min(self._wait * 2, _LONGEST)
        self._text = text
        self._again = now + self._wait
        _LOGGER.warning("%s", text)

    def end(self) -> None:
        """Say that it is over, if it was told."""
        if self._text is not None:
            self._text = None
            _LOGGER.warning("%s", self._over)
