"""What the scripts that run for years say in a terminal while broker, database or gateway is away."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services import mariadb, rabbitmq

from .house import house, keep
from .shell import Shell
from .terminal import draw_terminal

_COLUMNS = 108

#: Seconds of readings before and after an outage.
_SOME = 6


def gateway_amqp_meters() -> None:
    """Draw a broker that goes and comes back, and what is counted in the end."""
    with folder() as place, rabbitmq.running(place / "broker") as broker, house("battery") as (_, owner):
        with Shell(owner | {"ENPHASE_AMQP_URL": broker.url}, place, _COLUMNS) as shell:
            shell.types("enphase-gateway-amqp-meters --metrics-port 9101 &")
            shell.sees("Ctrl-C ends it.")
            time.sleep(_SOME)
            broker.kill()
            shell.sees("no connection")
            time.sleep(_SOME)
            broker.start()
            shell.sees("connected again")
            time.sleep(_SOME)
            shell.runs("")
            shell.runs("curl -s localhost:9101/metrics | grep ^enphase")
            written = shell.written
        keep("gateway_amqp_meters.svg", draw_terminal(written, _COLUMNS, "enphase-gateway-amqp-meters"))


def amqp_database_meters() -> None:
    """Draw an outage of the database, and the rows in it afterwards."""
    with (
        folder() as place,
        rabbitmq.running(place / "broker") as broker,
        mariadb.running(place / "server") as server,
        house("battery") as (_, owner),
    ):
        mariadb.execute(server.url, "CREATE DATABASE enphase")
        address = str(server.url.set(database="enphase", drivername="mysql"))
        where = owner | {"ENPHASE_AMQP_URL": broker.url, "ENPHASE_DATABASE_URL": address}
        with run_publisher(where, place), Shell(where, place, _COLUMNS) as shell:
            shell.types("enphase-amqp-database-meters")
            shell.sees("Ctrl-C ends it.")
            time.sleep(_SOME)
            server.kill()
            shell.sees("wait in the queue")
            server.start()
            shell.sees("again")
            time.sleep(_SOME)
            shell.presses_ctrl_c()
            shell.runs("enphase-database status")
            written = shell.written
        keep("amqp_database_meters.svg", draw_terminal(written, _COLUMNS, "enphase-amqp-database-meters"))


def gateway_database_meters() -> None:
    """Draw an outage of the gateway, and the rows in an SQLite file afterwards."""
    with folder() as place, house("battery") as (simulator, owner):
        with Shell(owner, place, _COLUMNS) as shell:
            shell.types("enphase-gateway-database-meters")
            shell.sees("Ctrl-C ends it.")
            time.sleep(_SOME)
            simulator.faults.set("status", path="/ivp/meters/readings")
            shell.sees("retrying")
            time.sleep(_SOME)
            simulator.faults.clear()
            shell.sees("responds again")
            time.sleep(_SOME)
            shell.presses_ctrl_c()
            shell.runs("enphase-database status")
            written = shell.written
        keep(
            "gateway_database_meters.svg", draw_terminal(written, _COLUMNS, "enphase-gateway-database-meters")
        )


@contextmanager
def folder() -> Iterator[Path]:
    """Yield an empty folder for servers and what else lies around, until the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for part in ("broker", "server"):
            (Path(name) / part).mkdir()
        yield Path(name)


@contextmanager
def run_publisher(owner: dict[str, str], place: Path) -> Iterator[None]:
    """Have the readings of this owner's gateway published meanwhile."""
    command = str(Path(sys.executable).with_name("enphase-gateway-amqp-meters"))
    state = {"XDG_STATE_HOME": str(place)}
    with subprocess.Popen([command], env=owner | state, stdout=subprocess.DEVNULL) as publisher:
        try:
            yield
        finally:
            publisher.terminate()
