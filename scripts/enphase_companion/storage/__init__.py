"""Storage: each reading exactly once in a database, rolled up to minutes, quarter-hours and local days."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .buckets import DAY, MINUTE, QUARTER_HOUR, SECOND, Resolution
from .reader import Energy, Point
from .summary import Power

if TYPE_CHECKING:
    from .database import Database
    from .errors import StorageError, UnavailableError, UnstorableError
    from .inverters import InverterDay, InverterHistory

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

#: Imported when they are first needed, because they import SQLAlchemy.
_LATER = {
    "Database": "database",
    "InverterDay": "inverters",
    "InverterHistory": "inverters",
    "StorageError": "errors",
    "UnavailableError": "errors",
    "UnstorableError": "errors",
}


def __getattr__(name: str) -> Any:
    """Return one of the classes that are imported later."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
