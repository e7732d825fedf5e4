"""Waits between attempts: they grow, and differ by chance, so that not all come back at once."""

from __future__ import annotations

import random


class Backoff:
    """Waits of `first` seconds, then of twice as long each time up to `longest`; all a bit less by chance."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """Return the seconds to wait now: between half and all of what this attempt's turn is."""
        wait, self._next = self._next, min(self._next * 2, self._longest)
        return wait * random.uniform(0.5, 1)  # noqa: S311 - chance, not a secret

    def reset(self) -> None:
        """Begin again with `first`: the attempt went well."""
        self._next = self._first
