"""Storage: readings exactly once in SQLite or MariaDB, rolled up to minutes, quarter-hours and local days."""

from .database import Database
from .errors import StorageError, UnavailableError, UnstorableError
from .history import Energy, Point
from .levels import DAY, MINUTE, QUARTER, SECOND, Level
from .summary import Power

__all__ = [
    "DAY",
    "MINUTE",
    "QUARTER",
    "SECOND",
    "Database",
    "Energy",
    "Level",
    "Point",
    "Power",
    "StorageError",
    "UnavailableError",
    "UnstorableError",
]
