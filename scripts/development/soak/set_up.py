"""Starts what the soak test needs: servers, proxies, disks, gateways and the commands of the project."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL

from tests.services import mariadb, rabbitmq
from tests.services.disk import DiskError, SmallDisk, mount_disk

from .gateways import Gateway, Ledger, fast_start, run_gateway
from .messages import CONFLICTING, Sender
from .pipeline import USUAL, ZONE, Pipeline
from .programs import Program
from .proxy import Proxy
from .stores import Store

#: Seconds after the declaration of a queue until RabbitMQ 3.10 may be killed; see docs/pipeline.md.
_SETTLING = 8

#: Seconds of the house's time by which the clocks of two gateways differ from this machine's.
_BEHIND, _AHEAD = -90, 45

#: Seconds that a reading waits in memory for its batch, in the direct writers.
_FLUSH_INTERVAL = 2

#: Seconds of readings that a kill may cost: those in memory, and those that are being read or written.
_PUBLISHER_AT_RISK, _DIRECT_AT_RISK = 3.0, _FLUSH_INTERVAL + 3.0

#: Seconds until the first readings are stored.
_FIRST = 60

#: By what is on a small disk: megabytes that it always has, and bytes for each second of the run.
_SIZES = {"spools": (12, 0), "sqlite": (16, 20_000), "mariadb": (320, 40_000)}


@contextmanager
def run_pipeline(folder: Path, seconds: float) -> Iterator[Pipeline]:
    """Start everything, and yield it when readings of each gateway are stored.

    `seconds`: how long it will run.
    """
    ledger = Ledger()
    with ExitStack() as stack:
        disks = _mount(stack, folder, seconds)
        for name in ("rabbitmq", *(_SIZES.keys() - disks.keys())):
            (folder / name).mkdir()
        broker = stack.enter_context(rabbitmq.running(folder / "rabbitmq"))
        database = stack.enter_context(mariadb.running(folder / "mariadb"))
        mariadb.execute(database.url, "CREATE DATABASE enphase CHARACTER SET utf8mb4")
        gateways = _run_gateways(stack, ledger, folder, seconds)
        to_broker, from_broker = (stack.enter_context(Proxy(broker.port)) for _ in range(2))
        to_database = stack.enter_context(Proxy(database.port))
        server = database.url.set(database="enphase", drivername="mysql")
        file = folder / "sqlite" / "enphase.db"
        databases = [
            _database(server.set(port=to_database.port)),
            _database(URL.create("sqlite", database=str(file))),
        ]
        north, south, east, west = gateways
        in_mariadb = Store("MariaDB", server.set(drivername="mysql+pymysql"), ledger)
        in_mariadb.serials |= {each.serial for each in (north, south, east)}
        in_mariadb.unordered.add(CONFLICTING)
        in_sqlite = Store("SQLite", URL.create("sqlite", database=str(file)), ledger)
        in_sqlite.serials.add(west.serial)
        pipeline = Pipeline(
            folder=folder,
            ledger=ledger,
            broker=broker,
            database=database,
            sender=Sender(broker.url, ledger, in_mariadb.serials),
            publisher_proxy=to_broker,
            consumer_proxy=from_broker,
            database_proxy=to_database,
            gateways=gateways,
            publishers=[_publisher(gateway, folder, to_broker) for gateway in (north, south)],
            consumers=[
                Program(
                    "amqp-database-meters", f"consumer-{number}", folder, _amqp(from_broker) | databases[0]
                )
                for number in (1, 2)
            ],
            direct=[_direct(east, folder, databases[0]), _direct(west, folder, databases[1])],
            stores=[in_mariadb, in_sqlite],
            database_environments=databases,
            disks=disks,
        )
        for program in pipeline.programs:
            stack.callback(program.kill)
            program.start()
        begun = time.monotonic()
        pipeline.sender.keep_published()
        pipeline.rest(USUAL)
        if not ledger.said or pipeline.wait_until_recovered(_FIRST) is None:
            raise RuntimeError(f"the first readings are not stored: see the logs in {folder}")
        pipeline.rest(begun + _SETTLING - time.monotonic())
        yield pipeline


def _mount(stack: ExitStack, folder: Path, seconds: float) -> dict[str, SmallDisk]:
    """Return the small disks, below the folder; none if mounting is not permitted."""
    disks: dict[str, SmallDisk] = {}
    for name, (megabytes, each_second) in _SIZES.items():
        size = megabytes * 2**20 + round(each_second * seconds)
        try:
            disks[name] = stack.enter_context(mount_disk(folder / name, str(size)))
        except DiskError:
            (folder / name).rmdir() if (folder / name).exists() else None
    return disks


def _run_gateways(stack: ExitStack, ledger: Ledger, folder: Path, seconds: float) -> list[Gateway]:
    now = time.time()
    start, speed = fast_start(seconds)
    wanted = (
        ("north", "three-phase", now, 1.0),
        ("south", "battery", now + _BEHIND, 1.0),
        ("east", "single-phase", now + _AHEAD, 1.0),
        ("west", "three-phase", start, speed),
    )
    return [
        stack.enter_context(run_gateway(number, name, profile, ledger, folder, *clock))
        for number, (name, profile, *clock) in enumerate(wanted, start=1)
    ]


def _publisher(gateway: Gateway, folder: Path, proxy: Proxy) -> Program:
    environment = {**gateway.environment, **_amqp(proxy), **_spool(folder, gateway)}
    name = f"publisher-{gateway.name}"
    return Program(
        "gateway-amqp-meters", name, folder, environment, serial=gateway.serial, at_risk=_PUBLISHER_AT_RISK
    )


def _direct(gateway: Gateway, folder: Path, database: Mapping[str, str]) -> Program:
    environment = {
        **gateway.environment,
        **database,
        **_spool(folder, gateway),
        "ENPHASE_FLUSH_INTERVAL": str(_FLUSH_INTERVAL),
    }
    name = f"direct-{gateway.name}"
    return Program(
        "gateway-database-meters", name, folder, environment, serial=gateway.serial, at_risk=_DIRECT_AT_RISK
    )


def _amqp(proxy: Proxy) -> dict[str, str]:
    return {"ENPHASE_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{proxy.port}/"}


def _database(url: URL) -> dict[str, str]:
    return {
        "ENPHASE_DATABASE_URL": url.render_as_string(hide_password=False),
        "ENPHASE_TIME_ZONE": ZONE.key,
    }


def _spool(folder: Path, gateway: Gateway) -> dict[str, str]:
    return {"ENPHASE_SPOOL_FILE": str(folder / "spools" / f"{gateway.name}.spool")}
