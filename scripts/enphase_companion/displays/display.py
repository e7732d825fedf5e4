"""What a display is, and the one that an option names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .frames import Frame

HAT, TERMINAL = "hat", "terminal"

#: What a file's name may end with; both hold an animation.
ENDINGS = (".gif", ".png")


class Display(Protocol):
    """Something with 16 x 16 LEDs. One thread at a time calls it."""

    #: A recording is over when everything has been shown once, and nobody watches meanwhile.
    is_recording: bool

    def show(self, frame: Frame, seconds: float) -> None:
        """Show a frame, which will stay for so many seconds; may take a few milliseconds.

        Raises CommandError where the display does not work.
        """

    def end_of_round(self) -> None:
        """Take note that everything has been shown once.

        Raises CommandError where the display does not work.
        """

    def close(self) -> None:
        """Switch everything off."""


def check_name(name: str) -> str:
    """Return the name of a display as it was given.

    Raises ValueError, with what it may be, where it is none.
    """
    if name in (HAT, TERMINAL) or Path(name).suffix.lower() in ENDINGS:
        return name
    raise ValueError(f"must be {HAT}, {TERMINAL}, or a file that ends with {' or '.join(ENDINGS)}")


def open_display(name: str, brightness: float, rotation: int) -> Display:
    """Return the display of this name.

    `brightness`: 0 to 1; `rotation`: degrees against the clock, in steps of 90.

    Raises CommandError where this machine does not have it.
    """
    if name == HAT:
        from .hat import Hat  # noqa: PLC0415 - nothing else may load what only a Raspberry Pi has

        return Hat(brightness, rotation)
    if name == TERMINAL:
        from .terminal import Terminal  # noqa: PLC0415

        return Terminal(brightness, rotation)
    from .recording import Recording  # noqa: PLC0415

    return Recording(Path(name), brightness, rotation)
