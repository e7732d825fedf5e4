"""What was measured, as a table for a person and as lines of JSON for a script."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median

from rich.table import Table


@dataclass(frozen=True)
class Result:
    """One figure: ours, and that of what it is compared with."""

    benchmark: str
    figure: str
    unit: str
    ours: float
    reference: float

    @property
    def ratio(self) -> float | None:
        """How much of the reference's figure ours is; None where that is nothing."""
        return self.ours / self.reference if self.reference else None

    def as_json(self) -> str:
        """One line."""
        ratio = None if self.ratio is None else round(self.ratio, 4)
        return json.dumps({**asdict(self), "ratio": ratio})


def middle(measured: Iterable[float]) -> float:
    """Return the median, to four digits: more are noise."""
    return float(f"{median(measured):.4g}")


def build_table(results: Iterable[Result]) -> Table:
    """Return all figures side by side."""
    shown = Table(box=None, header_style="bold")
    shown.add_column("figure", no_wrap=True)
    shown.add_column("unit", no_wrap=True)
    for column in ("ours", "reference", "ratio"):
        shown.add_column(column, justify="right")
    for each in results:
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        shown.add_row(each.figure, each.unit, f"{each.ours:g}", f"{each.reference:g}", ratio)
    return shown


def machine(*packages: str) -> str:
    """Return the size of this machine, and the versions of these packages."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{platform.machine()}, {cores} cores, {memory:.0f} GiB of memory, "
        f"Python {platform.python_version()}, {versions}"
    )
