"""Everything that the soak test starts: servers, proxies, gateways and the project's commands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from tests.services import mariadb, rabbitmq

from .gateways import Gateway, Ledger, Moment, fast_start, run_gateway
from .programs import Program
from .proxy import Proxy
from .stores import Store

ZONE = ZoneInfo("Europe/Vienna")

#: Seconds after the declaration of a queue until RabbitMQ 3.10 may be killed; see docs/pipeline.md.
_SETTLING = 8

#: Seconds of the house's time by which the clocks of the gateways differ from this machine's.
_BEHIND, _AHEAD = -90, 45

#: Seconds in which a reading that was said is normally stored.
_USUAL = 5.0

#: Seconds between two looks at the databases.
_LOOK = 0.25


@dataclass
class Pipeline:
    """The running pipeline."""

    folder: Path
    ledger: Ledger
    broker: rabbitmq.RabbitMQ
    database: mariadb.MariaDB
    publisher_proxy: Proxy
    consumer_proxy: Proxy
    database_proxy: Proxy
    gateways: list[Gateway]
    publishers: list[Program]
    consumers: list[Program]
    direct: list[Program]
    stores: list[Store]

    @property
    def programs(self) -> list[Program]:
        """All commands that run all the time."""
        return [*self.publishers, *self.consumers, *self.direct]

    def serial_of(self, program: Program) -> str:
        """Return the serial number of the gateway that a program reads."""
        return next(each.serial for each in self.gateways if program.name.endswith(each.name))

    def missing(self, moments: list[Moment]) -> set[Moment]:
        """Return which of these moments must be stored and are not."""
        return {moment for store in self.stores for moment in store.missing(moments)}

    def wait_until_stored(self, moments: list[Moment], within: float) -> float | None:
        """Wait until all of these that must be are stored; return the seconds that took, None if too long."""
        begun = time.monotonic()
        while self.missing(moments):
            if time.monotonic() - begun > within:
                return None
            time.sleep(_LOOK)
            for program in self.programs:
                program.revive()
        return time.monotonic() - begun

    def rest(self, seconds: float) -> None:
        """Let the pipeline work."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(_LOOK, max(0, end - time.monotonic())))
            for program in self.programs:
                program.revive()

    def settle(self, within: float) -> bool:
        """End the flow of readings and wait until each is stored and rolled up; return whether all are."""
        for gateway in self.gateways:
            gateway.be_silent()
        self.rest(_USUAL)
        is_stored = self.wait_until_stored(self.ledger.moments(), within) is not None
        end = time.monotonic() + within
        while self._pending(time.time() - _USUAL) and time.monotonic() < end:
            self.rest(1)
        return is_stored

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


@contextmanager
def run_pipeline(folder: Path, seconds: float) -> Iterator[Pipeline]:
    """Start everything, and yield it when readings of each gateway are stored.

    `seconds`: how long it will run.
    """
    ledger = Ledger()
    with ExitStack() as stack:
        places = {name: folder / name for name in ("rabbitmq", "mariadb", "data")}
        for place in places.values():
            place.mkdir()
        broker = stack.enter_context(rabbitmq.running(places["rabbitmq"]))
        database = stack.enter_context(mariadb.running(places["mariadb"]))
        mariadb.execute(database.url, "CREATE DATABASE enphase CHARACTER SET utf8mb4")
        now = time.time()
        start, speed = fast_start(seconds)
        gateways = [
            stack.enter_context(run_gateway(number, name, profile, ledger, folder, *clock))
            for number, (name, profile, clock) in enumerate(
                (
                    ("north", "three-phase", (now,)),
                    ("south", "battery", (now + _BEHIND,)),
                    ("east", "single-phase", (now + _AHEAD,)),
                    ("west", "three-phase", (start, speed)),
                ),
                start=1,
            )
        ]
        north, south, east, west = gateways
        to_broker, from_broker = (stack.enter_context(Proxy(broker.port)) for _ in range(2))
        to_database = stack.enter_context(Proxy(database.port))
        server = database.url.set(database="enphase", drivername="mysql")
        file = places["data"] / "enphase.db"
        in_mariadb = _database(server.set(port=to_database.port))
        in_sqlite = _database(URL.create("sqlite", database=str(file)))
        pipeline = Pipeline(
            folder,
            ledger,
            broker,
            database,
            to_broker,
            from_broker,
            to_database,
            gateways,
            [
                _program("gateway-amqp-meters", gateway, folder, _amqp(to_broker), _spool(places, gateway))
                for gateway in (north, south)
            ],
            [
                Program("amqp-database-meters", f"consumer-{number}", folder, _amqp(from_broker) | in_mariadb)
                for number in (1, 2)
            ],
            [
                _program("gateway-database-meters", east, folder, in_mariadb, _spool(places, east)),
                _program("gateway-database-meters", west, folder, in_sqlite, _spool(places, west)),
            ],
            [
                Store("MariaDB", server.set(drivername="mysql+pymysql"), ledger),
                Store("SQLite", URL.create("sqlite", database=f"{file}"), ledger),
            ],
        )
        for store, serials in zip(pipeline.stores, ([north, south, east], [west]), strict=True):
            store.serials.update(gateway.serial for gateway in serials)
        for program in pipeline.programs:
            stack.callback(program.kill)
            program.start()
        begun = time.monotonic()
        pipeline.rest(_USUAL)
        if pipeline.wait_until_stored(ledger.moments(), 60) is None:
            raise RuntimeError("the first readings are not stored: see the logs")
        pipeline.rest(begun + _SETTLING - time.monotonic())
        yield pipeline


def _program(command: str, gateway: Gateway, folder: Path, *environments: Mapping[str, str]) -> Program:
    environment = {name: value for each in environments for name, value in each.items()}
    return Program(command, f"{command}-{gateway.name}", folder, {**gateway.environment, **environment})


def _amqp(proxy: Proxy) -> dict[str, str]:
    return {"ENPHASE_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{proxy.port}/"}


def _database(url: URL) -> dict[str, str]:
    return {
        "ENPHASE_DATABASE_URL": url.render_as_string(hide_password=False),
        "ENPHASE_TIME_ZONE": ZONE.key,
    }


def _spool(places: Mapping[str, Path], gateway: Gateway) -> dict[str, str]:
    return {"ENPHASE_SPOOL_FILE": str(places["data"] / f"{gateway.name}.spool")}
