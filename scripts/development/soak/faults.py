"""The faults: each strikes the pipeline, lasts for a while, and is over when its function returns."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import kills
from .gateways import READINGS
from .pipeline import Pipeline
from .programs import run_once
from .proxy import Direction, Proxy

_POISON = 1_000

#: Days to the month before last.
_MONTHS = 62

#: Seconds by which the clock of a gateway may be wrong after a jump.
_MAX_OFFSET = 7_200

#: Seconds for a run of `enphase-database`.
_MAINTENANCE = 120


@dataclass(frozen=True)
class Fault:
    """A kind of fault."""

    strike: Callable[[Pipeline, random.Random], None]
    seconds: float  #: that it takes, with the recovery
    disk: str | None = None  #: the small disk that it needs


def _choose_proxy(pipeline: Pipeline, chance: random.Random) -> Proxy:
    return chance.choice([pipeline.publisher_proxy, pipeline.consumer_proxy, pipeline.database_proxy])


def _cut(pipeline: Pipeline, chance: random.Random) -> None:
    proxy = _choose_proxy(pipeline, chance)
    proxy.cut()
    pipeline.rest(chance.uniform(0, 6))
    proxy.restore()


def _black_hole(pipeline: Pipeline, chance: random.Random) -> None:
    _hold(pipeline, chance, chance.uniform(1, 8))


def _long_black_hole(pipeline: Pipeline, chance: random.Random) -> None:
    _hold(pipeline, chance, kills.PAUSE)


def _hold(pipeline: Pipeline, chance: random.Random, seconds: float) -> None:
    proxy = _choose_proxy(pipeline, chance)
    proxy.hold(*chance.choice([tuple(Direction), (Direction.TO_SERVER,), (Direction.FROM_SERVER,)]))
    pipeline.rest(seconds)
    proxy.restore(reset=chance.random() < 0.5)


def _disk_alarm(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.broker.control("set_disk_free_limit", "100000GB")
    pipeline.rest(chance.uniform(3, 8))
    pipeline.broker.control("set_disk_free_limit", "1MB")


def _spool_disk_full(pipeline: Pipeline, chance: random.Random) -> None:
    """Fill the disk of the spools before or after broker and database become unreachable."""
    disk = pipeline.disks["spools"]
    steps = [disk.fill, pipeline.publisher_proxy.cut, pipeline.database_proxy.cut]
    chance.shuffle(steps)
    for step in steps:
        step()
        pipeline.rest(chance.uniform(0, 3))
    pipeline.rest(chance.uniform(2, 5))
    ends = [disk.free, pipeline.publisher_proxy.restore, pipeline.database_proxy.restore]
    chance.shuffle(ends)
    for end in ends:
        end()
        pipeline.rest(chance.uniform(0, 3))


def _sqlite_disk_full(pipeline: Pipeline, chance: random.Random) -> None:
    """Fill the disk of SQLite's database, sometimes that of the spools too."""
    disks = [pipeline.disks[name] for name in chance.choice([["sqlite"], ["sqlite", "spools"]])]
    for disk in disks:
        disk.fill()
    pipeline.rest(chance.uniform(4, 8))
    for disk in disks:
        disk.free()


def _mariadb_disk_full(pipeline: Pipeline, chance: random.Random) -> None:
    """Fill the disk of MariaDB; a server that ends for it is started again when there is space."""
    disk = pipeline.disks["mariadb"]
    disk.fill()
    # A table grows in large steps: a few readings would find room.
    pipeline.sender.send_late(kills.MANY)
    pipeline.rest(chance.uniform(4, 8))
    disk.free()
    if not pipeline.database.answers():
        pipeline.database.kill()
        pipeline.database.start()


def _poison(pipeline: Pipeline, _: random.Random) -> None:
    pipeline.sender.send_poison(_POISON)


def _poison_and_kill(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill a consumer while it moves poison to the dead letters."""
    pipeline.sender.send_poison(_POISON)
    kills.kill_consumer(pipeline, chance)


def _doubles(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.sender.send_twice(60, chance.randint(2, 4))


def _conflicts(pipeline: Pipeline, chance: random.Random) -> None:
    """Publish several readings of each second twice, and kill a consumer meanwhile."""
    pipeline.sender.send_conflicting(60, chance.randint(2, 5), 2)
    kills.kill_consumer(pipeline, chance)


def _late(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.sender.send_late(chance.randint(30, 150), chance.choice([2, _MONTHS]))


def _strange(pipeline: Pipeline, _: random.Random) -> None:
    pipeline.sender.send_strange()


def _clock_jump(pipeline: Pipeline, chance: random.Random) -> None:
    """Set the clock of a gateway back or ahead."""
    gateway = chance.choice(pipeline.gateways[:-1])
    offset = gateway.simulator.clock.time() - time.time()
    jump = chance.choice([30, 300, 3_600]) * chance.uniform(0.5, 1.5)
    gateway.simulator.clock.advance(-jump if offset > 0 or offset + jump > _MAX_OFFSET else jump)
    pipeline.rest(3)


def _gateway_fails(pipeline: Pipeline, chance: random.Random) -> None:
    """Let a gateway answer nothing, break connections off, or answer with errors."""
    gateway = chance.choice(pipeline.gateways)
    gateway.simulator.faults.set(chance.choice(["silent", "reset", "status", "html"]), READINGS)
    pipeline.rest(chance.uniform(2, 6))
    gateway.simulator.faults.clear()


def _upgrade(pipeline: Pipeline, chance: random.Random) -> None:
    _maintain(pipeline, chance, "upgrade")


def _rebuild(pipeline: Pipeline, chance: random.Random) -> None:
    _maintain(pipeline, chance, "rebuild")


def _prune(pipeline: Pipeline, chance: random.Random) -> None:
    """Delete the late readings of two days ago, once they are known to be stored."""
    _maintain(pipeline, chance, "prune", "--keep-readings", "1")


def _partition(pipeline: Pipeline, chance: random.Random) -> None:
    """Divide the readings into months; prune drops whole months from then on."""
    _maintain(pipeline, chance, "partition")


def _maintain(pipeline: Pipeline, chance: random.Random, *words: str) -> None:
    """Maintain the databases while readings are written; sometimes kill it, and do it again."""
    for store, environment in zip(pipeline.stores, pipeline.database_environments, strict=True):
        # SQLite has no partitions, and the clock of the fast gateway is in the past: its readings would be
        # pruned before they are seen.
        if words[0] in {"prune", "partition"} and store is not pipeline.stores[0]:
            continue
        if chance.random() < 0.3:
            process = run_once("database", pipeline.folder, environment, *words)
            pipeline.rest(chance.uniform(0.5, 2))
            process.kill()
            process.wait()
        if status := run_once("database", pipeline.folder, environment, *words).wait(_MAINTENANCE):
            pipeline.problems.append(f"enphase-database {words[0]} on {store.name}: status {status}")


FAULTS = {
    "kill-publisher": Fault(kills.kill_publisher, 10),
    "kill-consumer": Fault(kills.kill_consumer, 10),
    "kill-direct": Fault(kills.kill_direct, 10),
    "kill-broker": Fault(kills.kill_broker, 25),
    "kill-database": Fault(kills.kill_database, 20),
    "kill-publisher-in-replay": Fault(kills.kill_publisher_in_replay, 20),
    "kill-direct-in-replay": Fault(kills.kill_direct_in_replay, 20),
    "kill-consumer-in-mid-stream": Fault(kills.kill_consumer_in_mid_stream, 15),
    "kill-broker-in-mid-stream": Fault(kills.kill_broker_in_mid_stream, 30),
    "kill-database-in-mid-stream": Fault(kills.kill_database_in_mid_stream, 25),
    "kill-consumer-in-transaction": Fault(kills.kill_consumer_in_transaction, 12),
    "kill-consumer-before-ack": Fault(kills.kill_consumer_before_ack, 10),
    "kill-broker-before-ack": Fault(kills.kill_broker_before_ack, 20),
    "kill-publisher-before-confirm": Fault(kills.kill_publisher_before_confirm, 10),
    "kill-database-in-commit": Fault(kills.kill_database_in_commit, 15),
    "restart": Fault(kills.restart, 8),
    "pause-publisher": Fault(kills.pause_publisher, kills.PAUSE + 10),
    "pause-consumer": Fault(kills.pause_consumer, kills.PAUSE + 10),
    "pause-direct": Fault(kills.pause_direct, kills.PAUSE + 10),
    "pause-broker": Fault(kills.pause_broker, kills.PAUSE + 20),
    "pause-database": Fault(kills.pause_database, kills.PAUSE_OF_DATABASE + 30),
    "cut": Fault(_cut, 15),
    "black-hole": Fault(_black_hole, 20),
    "long-black-hole": Fault(_long_black_hole, kills.PAUSE + 20),
    "disk-alarm": Fault(_disk_alarm, 20),
    "spool-disk-full": Fault(_spool_disk_full, 25, "spools"),
    "sqlite-disk-full": Fault(_sqlite_disk_full, 15, "sqlite"),
    "mariadb-disk-full": Fault(_mariadb_disk_full, 20, "mariadb"),
    "poison": Fault(_poison, 15),
    "poison-and-kill": Fault(_poison_and_kill, 20),
    "doubles": Fault(_doubles, 5),
    "conflicts": Fault(_conflicts, 10),
    "late": Fault(_late, 5),
    "strange": Fault(_strange, 5),
    "clock-jump": Fault(_clock_jump, 6),
    "gateway-fails": Fault(_gateway_fails, 10),
    "upgrade": Fault(_upgrade, 8),
    "rebuild": Fault(_rebuild, 12),
    "prune": Fault(_prune, 10),
    "partition": Fault(_partition, 10),
}
