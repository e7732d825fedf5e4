"""A simulated IQ Gateway and Entrez with one simulated house, to run without hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .simulator import Simulator

__all__ = ["Simulator"]


def __getattr__(name: str) -> object:
    """Import the simulator on first use: the command's --help needs no web server."""
    if name == "Simulator":
        from .simulator import Simulator  # noqa: PLC0415 - see the docstring

        return Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
