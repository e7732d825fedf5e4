"""The databases of the soak test, read over connections that no fault touches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from .gateways import Ledger, Moment


class Store:
    """One database, and the serial numbers of the gateways whose readings go there."""

    def __init__(self, name: str, url: URL, ledger: Ledger) -> None:
        """`url`: of a synchronous driver."""
        self.name = name
        self.serials: set[str] = set()
        #: Of gateways with several readings of the same second, which are stored in any order.
        self.unordered: set[str] = set()
        #: What was stored when it was last looked at; `enphase-database prune` may have deleted it since.
        self.seen: set[Moment] = set()
        self._engine = create_engine(url, poolclass=NullPool)
        self._ledger = ledger

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Return the rows of a query. Raises DBAPIError while the database is unavailable."""
        with self._engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def missing(self, moments: Iterable[Moment]) -> set[Moment]:
        """Return which of these moments are due here, and not stored yet."""
        wanted = {
            moment
            for moment in moments
            if moment[0] in self.serials and moment not in self.seen and self._ledger.is_due(moment)
        }
        for serial in {serial for serial, _ in wanted}:
            times = [at for each, at in wanted if each == serial]
            query = (
                "SELECT DISTINCT measured_at FROM readings JOIN gateways ON gateways.id = gateway_id "
                "WHERE serial_number = :serial AND measured_at BETWEEN :first AND :last"
            )
            try:
                found = self.rows(query, serial=serial, first=min(times), last=max(times))
            except DBAPIError:
                continue
            self.seen.update((serial, row[0]) for row in found)
        return wanted - self.seen
