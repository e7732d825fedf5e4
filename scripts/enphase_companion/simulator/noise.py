"""Smooth random curves that are the same for the same seed, whatever part of them is asked first."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def _hash(seed: int, index: int) -> float:
    """Return a number from 0 to 1 that depends on `seed` and `index` alone (the splitmix64 mixer)."""
    mixed = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


class Noise:
    """A curve over time: random between 0 and 1, smooth, with about one hill a `period` (seconds)."""

    def __init__(self, seed: int, name: str, period: float) -> None:
        self._seed = (seed * 0x100000001B3 + int.from_bytes(name.encode(), "big")) & _MASK
        self._period = period

    def __call__(self, at: float) -> float:
        """Return the value at `at` (seconds)."""
        position = at / self._period
        index = int(position // 1)
        fraction = position - index
        before, after = _hash(self._seed, index), _hash(self._seed, index + 1)
        return before + (after - before) * fraction * fraction * (3 - 2 * fraction)
