"""A simulated IQ Gateway, Entrez beside it, and a house for both: to try things without hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .simulator import Simulator

__all__ = ["Simulator"]


def __getattr__(name: str) -> object:
    """Load the simulator when it is first wanted: the command's --help does without a web server."""
    if name == "Simulator":
        from .simulator import Simulator  # noqa: PLC0415 - see the docstring

        return Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
