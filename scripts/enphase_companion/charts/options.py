"""The options that both chart commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config.settings import Settings

#: Suffixes of the file formats.
FORMATS = (".png", ".svg", ".pdf")

#: Settings that a chart shows as horizontal lines.
LIMITS = ("peak_power", "continuous_power")


def add_output(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add `--output`."""
    parser.add_argument("--output", type=_file, metavar="FILE", help=help_text)


def _file(text: str) -> Path:
    file = Path(text).expanduser()
    if file.suffix.lower() not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text}: the name must end in {', '.join(FORMATS)}")
    if not file.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder: {file.parent}")
    return file


def limits(settings: Settings) -> dict[str, float]:
    """Return the horizontal lines that are set, in W, by name."""
    found = {"peak": settings.peak_power, "continuous": settings.continuous_power}
    return {name: watts for name, watts in found.items() if watts is not None}
