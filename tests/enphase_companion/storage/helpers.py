"""A database of Enphase-API, created from the known definitions of its tables and columns."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import URL

from tests.services.mariadb import execute

_PHASES = [
    f"{name}_Phase_{phase}_ID"
    for name in ("Production", "NetConsumption", "TotalConsumption")
    for phase in "ABC"
]
_RESULTS = (
    "CREATE TABLE MeterReading_Result (ResultID INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
    " p DECIMAL(9,3) NOT NULL, q DECIMAL(9,3) NOT NULL, s DECIMAL(9,3) NOT NULL,"
    " v DECIMAL(6,3) UNSIGNED NOT NULL, i DECIMAL(5,3) NOT NULL, pf DECIMAL(3,2) NOT NULL,"
    " f DECIMAL(4,2) UNSIGNED NOT NULL)"
)
_READINGS = (
    "CREATE TABLE MeterReading (ReadingID INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,"
    " Timestamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, "
    + ", ".join(f"{name} INT UNSIGNED REFERENCES MeterReading_Result (ResultID)" for name in _PHASES)
    + ")"
)


class EnphaseApiDatabase:
    """A database as Enphase-API's scripts fill it."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.count = 0
        for statement in (_RESULTS, _READINGS):
            execute(url, statement)

    def add(
        self, timestamps: Sequence[int], *, phases: int = 1, watts: float = 1850.25, volts: float = 238.61
    ) -> None:
        """Store a reading at each timestamp (milliseconds), with equal values on each phase."""
        results, readings = [], []
        for at in timestamps:
            first = self.count * len(_PHASES) + 1
            wired = [number for number in range(len(_PHASES)) if number % 3 < phases]
            for number in wired:
                # Results 4 to 6 are net consumption, which exports here.
                sign, size = -1 if number // 3 == 1 else 1, watts * (number % 3 + 1)
                values = (first + number, sign * size, -210.4, size + 20, volts, 7.85, sign * 0.99, 50)
                results.append(str(values))
            ids = [str(first + number) if number in wired else "NULL" for number in range(len(_PHASES))]
            self.count += 1
            readings.append(f"({self.count}, FROM_UNIXTIME({at / 1000}), {', '.join(ids)})")
        execute(self.url, f"INSERT INTO MeterReading_Result VALUES {', '.join(results)}")
        execute(self.url, f"INSERT INTO MeterReading VALUES {', '.join(readings)}")
