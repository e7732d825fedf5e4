"""The running pipeline: what can be done to it, and whether it has recovered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from aio_pika.exceptions import AMQPError
from sqlalchemy.exc import DBAPIError

from tests.services.disk import SmallDisk
from tests.services.mariadb import MariaDB
from tests.services.rabbitmq import RabbitMQ

from .gateways import Gateway, Ledger, Moment
from .messages import Sender
from .programs import Program
from .proxy import Proxy
from .stores import Store

ZONE = ZoneInfo("Europe/Vienna")

#: Seconds in which a reading that was said is normally stored.
USUAL = 5.0

#: Seconds between two looks at the databases.
_LOOK = 0.25


@dataclass
class Pipeline:
    """The running pipeline."""

    folder: Path
    ledger: Ledger
    broker: RabbitMQ
    database: MariaDB
    sender: Sender
    #: In front of the broker, for publishers and for consumers; and in front of the database.
    publisher_proxy: Proxy
    consumer_proxy: Proxy
    database_proxy: Proxy
    gateways: list[Gateway]
    publishers: list[Program]
    consumers: list[Program]
    direct: list[Program]
    stores: list[Store]
    #: The environments with which `enphase-database` finds each of the stores, in their order.
    database_environments: Sequence[Mapping[str, str]]
    #: Small disks by what is on them; none where mounting is not permitted.
    disks: Mapping[str, SmallDisk]
    #: What else went wrong.
    problems: list[str] = field(default_factory=list)

    @property
    def programs(self) -> list[Program]:
        """All commands that run all the time."""
        return [*self.publishers, *self.consumers, *self.direct]

    def missing(self, moments: list[Moment]) -> set[Moment]:
        """Return which of these moments must be stored and are not."""
        return {moment for store in self.stores for moment in store.missing(moments)}

    def wait_until_recovered(self, within: float) -> float | None:
        """Wait until all readings so far are stored, and poison is dead-lettered.

        Returns the seconds that took; None if too long.
        """
        begun = time.monotonic()
        moments = self.ledger.moments()
        while self.missing(moments) or self._lacks_dead_letters():
            if time.monotonic() - begun > within:
                return None
            self.rest(_LOOK)
        return time.monotonic() - begun

    def rest(self, seconds: float) -> None:
        """Let the pipeline work."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(_LOOK, max(0, end - time.monotonic())))
            for program in self.programs:
                program.revive()

    def settle(self, within: float) -> bool:
        """End the flow of readings and wait until each is stored and rolled up; return whether it is."""
        for gateway in self.gateways:
            gateway.be_silent()
        self.rest(USUAL)
        is_recovered = self.wait_until_recovered(within) is not None
        end = time.monotonic() + within
        while self._pending(time.time() - USUAL) and time.monotonic() < end:
            self.rest(1)
        return is_recovered

    def _lacks_dead_letters(self) -> bool:
        try:
            return bool(self.sender.poison) and self.sender.count_dead_letters() < len(self.sender.poison)
        except (OSError, AMQPError):
            # The queue of a broker that has just started has no leader yet.
            return True

    def _pending(self, before: float) -> int:
        """Return how many buckets that ended before a time (epoch seconds) are not rolled up yet."""
        query = (
            "SELECT COUNT(*) FROM pending_rollups WHERE bucket_start + "
            "CASE resolution WHEN 1 THEN 60000 WHEN 2 THEN 900000 ELSE 86400000 END < :before"
        )
        try:
            return sum(store.rows(query, before=round(before * 1000))[0][0] for store in self.stores)
        except DBAPIError:
            return 1
