"""Storage: each reading exactly once in a database, rolled up to minutes, quarter-hours and local days."""

from .buckets import DAY, MINUTE, QUARTER_HOUR, SECOND, Resolution
from .database import Database
from .errors import StorageError, UnavailableError, UnstorableError
from .inverters import InverterDay, InverterHistory
from .reader import Energy, Point
from .summary import Power

__all__ = [
    "DAY",
    "MINUTE",
    "QUARTER_HOUR",
    "SECOND",
    "Database",
    "Energy",
    "InverterDay",
    "InverterHistory",
    "Point",
    "Power",
    "Resolution",
    "StorageError",
    "UnavailableError",
    "UnstorableError",
]
