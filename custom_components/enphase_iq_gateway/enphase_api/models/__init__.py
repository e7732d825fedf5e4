"""Answers of a gateway as frozen dataclasses with units and signs; each parses its own JSON.

Missing or implausible values are None, never zero. An answer of another structure raises InvalidAnswerError.
"""

from .batteries import AcBatteries, Batteries, Battery
from .commands import Command, CommandResult, Evidence, Outcome, Reason, Value, Way
from .ensemble import Collar, Combiner, DryContact, Generator, Relay, SystemController
from .info import Info
from .live import Live
from .meters import MeasurementType, Meter
from .microinverters import INVERTER_ENERGY_LIMIT, DeviceData, InverterDetails
from .production import (
    MAX_INVERTER_POWER,
    Inverter,
    Production,
    ProductionSource,
    ProductionTotals,
    has_energy_in_totals,
    unmetered_lifetime_energy,
)
from .readings import Quantities, Reading, Readings, Report
from .site import Site
from .storage import Storage, StorageMode, StorageSettings
from .tariff import Tariff

__all__ = [
    "INVERTER_ENERGY_LIMIT",
    "MAX_INVERTER_POWER",
    "AcBatteries",
    "Batteries",
    "Battery",
    "Collar",
    "Combiner",
    "Command",
    "CommandResult",
    "DeviceData",
    "DryContact",
    "Evidence",
    "Generator",
    "Info",
    "Inverter",
    "InverterDetails",
    "Live",
    "MeasurementType",
    "Meter",
    "Outcome",
    "Production",
    "ProductionSource",
    "ProductionTotals",
    "Quantities",
    "Reading",
    "Readings",
    "Reason",
    "Relay",
    "Report",
    "Site",
    "Storage",
    "StorageMode",
    "StorageSettings",
    "SystemController",
    "Tariff",
    "Value",
    "Way",
    "has_energy_in_totals",
    "unmetered_lifetime_energy",
]
