"""The charts of the documentation: days of simulated houses, in a database, drawn by the command itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from enphase_companion.charts.time_range import parse
from enphase_companion.simulator.house import House
from enphase_companion.simulator.profiles import PROFILES

from ..steps import PROJECT
from .house import START, ZONE
from .house_readings import store, store_inverters

#: A house with 24 panels, and what those in the shade produce of what others do.
_PANELS = House(replace(PROFILES["battery"], inverters=24), 1, START, 8.5)
_SHARES = {5: 0.58, 9: 0.74, 17: 0.91}


@dataclass(frozen=True)
class _Picture:
    """Days of a house that is read every `step` seconds, and options of the command."""

    days: str
    step: int
    options: tuple[str, ...] = ()


#: By their names in docs/images.
CHARTS = {
    "database_pyplot_meters.png": _Picture("2026-06-21", 60, ("--peak-power", "4600")),
    "database_pyplot_meters_month.png": _Picture("2026-06-01..2026-06-30", 300),
    "database_pyplot_meters_year.png": _Picture("2025-07-01..2026-06-30", 900, ("--heatmap",)),
    "database_pyplot_meters_panels.png": _Picture("2026-06-01..2026-06-30", 300, ("--panels",)),
    "database_pyplot_meters_costs.png": _Picture("2026-06-01..2026-06-30", 300, ("--costs",)),
}


def draw_chart(name: str, file: Path) -> None:
    """Draw one of the charts into a file."""
    picture, zone = CHARTS[name], ZoneInfo(ZONE)
    span = parse(picture.days).span(zone, START)
    start, end = span.start // 1000, span.end // 1000
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/enphase.db"
        moments = range(start, end + 1, picture.step)
        if "--panels" in picture.options:
            asyncio.run(store_inverters(url, zone, _PANELS, moments, _SHARES, silent=end - 6 * 86_400))
        else:
            asyncio.run(store(url, zone, House(PROFILES["battery"], 1, START, 8.5), moments))
        command = str(Path(sys.executable).with_name("enphase-database-pyplot-meters"))
        shutil.copy(PROJECT / "configuration" / "tariff.json.example", Path(folder, "tariff.json"))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "ENPHASE_CONFIGURATION": folder,
            "ENPHASE_DATABASE_URL": url,
        }
        arguments = ["--range", picture.days, "--output", str(file), *picture.options]
        subprocess.run([command, *arguments], env=environment, check=True)
