"""The interface of a display, and the option that selects one; loads nothing that --help would wait for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .frames import Frame
import argparse

HAT, TERMINAL = "hat", "terminal"

#: What a file's name may end with; both hold an animation.
ENDINGS = (".gif", ".png")


class Display(Protocol):
    """Something with 16 x 16 LEDs. One thread at a time calls it."""

    #: An animation ends after one round, and is not played in real time.
    is_animation: bool
    #: 0 to 1; may change between two frames.
    brightness: float

    def show(self, frame: Frame, seconds: float) -> None:
        """Show a frame for `seconds`; may take a few milliseconds.

        Raises CommandError if the display fails.
        """

    def end_of_round(self) -> None:
        """Finish a round: everything has been shown once.

        Raises CommandError if the display fails.
        """

    def close(self) -> None:
        """Switch everything off."""


def check_name(name: str) -> str:
    """Return a valid name of a display unchanged.

    Raises ValueError, with the valid names, for any other.
    """
    if name in (HAT, TERMINAL) or Path(name).suffix.lower() in ENDINGS:
        return name
    raise ValueError(f"must be {HAT}, {TERMINAL}, or a file that ends with {' or '.join(ENDINGS)}")


def open_display(name: str, brightness: float, rotation: int) -> Display:
    """Return the display of this name.

    `brightness`: 0 to 1; `rotation`: degrees counter-clockwise, in steps of 90.

    Raises CommandError if this machine does not have it.
    """
    if name == HAT:
        from .hat import Hat  # noqa: PLC0415 - only a Raspberry Pi has its library

        return Hat(brightness, rotation)
    if name == TERMINAL:
        from .terminal import Terminal  # noqa: PLC0415

        return Terminal(brightness, rotation)
    from .animation import Animation  # noqa: PLC0415

    return Animation(Path(name), brightness, rotation)


#: The exit statuses of both.
STATUSES = (
    "exit status: 0 stopped by Ctrl-C or SIGTERM, or a file is written, 1 failure,\n"
    "2 usage or configuration error"
)


def add_display(parser: argparse.ArgumentParser) -> None:
    """Add the option `--display`."""
    parser.add_argument(
        "--display",
        type=_name,
        default=HAT,
        metavar="DISPLAY",
        help=f"{HAT}, {TERMINAL}, or a file, FILE.gif or FILE.png, for one round as an animation "
        f"(default: {HAT})",
    )


def _name(text: str) -> str:
    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
