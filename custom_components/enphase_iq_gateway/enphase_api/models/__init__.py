"""Answers of a gateway as frozen dataclasses with units and signs; each parses its own JSON.

Missing or implausible values are None, never zero. An answer of another structure raises InvalidAnswerError.
"""

from .batteries import AcBatteries, Batteries, Battery
from .info import Info
from .live import Live
from .meters import MeasurementType, Meter
from .production import (
    Inverter,
    Production,
    ProductionSource,
    ProductionTotals,
    has_energy_in_totals,
    unmetered_lifetime_energy,
)
from .readings import Quantities, Reading, Readings, Report
from .site import Site

__all__ = [
    "AcBatteries",
    "Batteries",
    "Battery",
    "Info",
    "Inverter",
    "Live",
    "MeasurementType",
    "Meter",
    "Production",
    "ProductionSource",
    "ProductionTotals",
    "Quantities",
    "Reading",
    "Readings",
    "Report",
    "Site",
    "has_energy_in_totals",
    "unmetered_lifetime_energy",
]
