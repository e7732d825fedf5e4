"""The options that both chart commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config.settings import Settings

#: Suffixes of the file formats.
FORMATS = (".png", ".svg", ".pdf")
#: The same of tables.
TABLES = (".csv", ".parquet")

#: Names of styles; `style.STYLES` has their colours, and imports matplotlib.
STYLES = ("light", "dark")

#: What a heat map can show.
HEAT_MAPS = ("production", "consumption", "grid", "battery")

#: Settings that a chart shows as horizontal lines.
LIMITS = ("peak_power", "continuous_power")


def add_output(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add `--output`."""
    parser.add_argument("--output", type=partial(_file, FORMATS), metavar="FILE", help=help_text)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add `--export`."""
    parser.add_argument(
        "--export",
        type=partial(_file, TABLES),
        metavar="FILE",
        help="write what the chart shows as a table (.csv, or .parquet with pyarrow) and open no window; "
        "with --output as well, write both",
    )


def add_style(parser: argparse.ArgumentParser) -> None:
    """Add `--style`."""
    parser.add_argument(
        "--style", choices=STYLES, default=STYLES[0], help=f"colours of the chart (default: {STYLES[0]})"
    )


def _file(suffixes: Sequence[str], text: str) -> Path:
    file = Path(text).expanduser()
    if file.suffix.lower() not in suffixes:
        raise argparse.ArgumentTypeError(f"{text}: the name must end in {', '.join(suffixes)}")
    if not file.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder: {file.parent}")
    return file


def limits(settings: Settings) -> dict[str, float]:
    """Return the horizontal lines that are set, in W, by name."""
    found = {"peak": settings.peak_power, "continuous": settings.continuous_power}
    return {name: watts for name, watts in found.items() if watts is not None}
