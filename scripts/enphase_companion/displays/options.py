"""The option that names a display, and the settings of all of them; loads nothing that --help waits for."""

from __future__ import annotations

import argparse

from .display import HAT, TERMINAL, check_name

#: The exit statuses of both.
STATUSES = (
    "exit status: 0 ended by Ctrl-C or SIGTERM, or a file is written, 1 it cannot work,\n"
    "2 wrong usage or settings"
)


def add_display(parser: argparse.ArgumentParser) -> None:
    """Add the option `--display`."""
    parser.add_argument(
        "--display",
        type=_name,
        default=HAT,
        metavar="DISPLAY",
        help=f"{HAT} (without this option), {TERMINAL}, or a file, FILE.gif or FILE.png: one round as an "
        "animation, and the script ends",
    )


def _name(text: str) -> str:
    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
