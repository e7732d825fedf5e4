"""The faults: each strikes the pipeline, lasts for a while, and is over when its function returns."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.services.server import Server

from .gateways import READINGS
from .pipeline import Pipeline
from .programs import Program, run_once
from .proxy import Direction, Proxy

#: Seconds before a stop in which an answer may not have been received.
_IN_TRANSIT = 1.5

#: Seconds of a pause: longer than three heartbeats of AMQP (10 s) and the time-out of a transaction (60 s).
_PAUSE, _PAUSE_OF_DATABASE = 40.0, 70.0

#: The frame basic.ack of AMQP: an acknowledgement to the broker, or a confirmation from it.
_ACK = b"\x00\x3c\x00\x50"
_INSERT, _COMMIT = b"INSERT INTO readings", b"COMMIT"

#: Seconds to wait for such bytes, and for a server to work on what it has got.
_TRAP, _WORK = 15.0, 0.3

_POISON = 1_000

#: Readings that take the consumers a while, and more room than a table has in reserve.
_MANY = 4_000

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


def _choose(programs: list[Program], chance: random.Random) -> Program:
    return chance.choice(programs)


def _kill(pipeline: Pipeline, program: Program) -> None:
    program.kill()
    if program.serial is not None:
        pipeline.ledger.excuse(program.serial, program.at_risk)


def _kill_publisher(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_and_start(pipeline, _choose(pipeline.publishers, chance), chance)


def _kill_direct(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_and_start(pipeline, _choose(pipeline.direct, chance), chance)


def _kill_consumer(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_and_start(pipeline, _choose(pipeline.consumers, chance), chance)


def _kill_and_start(pipeline: Pipeline, program: Program, chance: random.Random) -> None:
    _kill(pipeline, program)
    pipeline.rest(chance.uniform(0, 4))
    program.start()


def _kill_broker(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_server(pipeline, pipeline.broker, chance)


def _kill_database(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_server(pipeline, pipeline.database, chance)


def _kill_server(pipeline: Pipeline, server: Server, chance: random.Random) -> None:
    server.kill()
    pipeline.rest(chance.uniform(0, 6))
    server.start()


def _kill_publisher_in_replay(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_in_replay(pipeline, pipeline.publisher_proxy, pipeline.publishers, chance)


def _kill_direct_in_replay(pipeline: Pipeline, chance: random.Random) -> None:
    _kill_in_replay(pipeline, pipeline.database_proxy, pipeline.direct[:1], chance)


def _kill_in_replay(pipeline: Pipeline, proxy: Proxy, programs: list[Program], chance: random.Random) -> None:
    """Kill programs in an outage, or while they send what has waited in their spools."""
    proxy.cut()
    pipeline.rest(chance.uniform(4, 8))
    is_over = chance.random() < 0.7
    if is_over:
        proxy.restore()
        pipeline.rest(chance.uniform(0, 3))
    for program in programs:
        _kill(pipeline, program)
        program.start()
    proxy.restore()


def _kill_consumer_in_mid_stream(pipeline: Pipeline, chance: random.Random) -> None:
    _drain(pipeline, chance)
    _kill_consumer(pipeline, chance)


def _kill_broker_in_mid_stream(pipeline: Pipeline, chance: random.Random) -> None:
    _drain(pipeline, chance)
    _kill_broker(pipeline, chance)


def _kill_database_in_mid_stream(pipeline: Pipeline, chance: random.Random) -> None:
    _drain(pipeline, chance)
    _kill_database(pipeline, chance)


def _drain(pipeline: Pipeline, chance: random.Random) -> None:
    """Let messages pile up in the queue and in the consumers; return while they are being stored."""
    pipeline.database_proxy.hold(Direction.FROM_SERVER)
    pipeline.sender.send_late(_MANY)
    pipeline.database_proxy.restore()
    time.sleep(chance.uniform(0, 1))


def _kill_consumer_in_transaction(pipeline: Pipeline, _: random.Random) -> None:
    """Kill both consumers when they have sent rows to the database, which are not committed yet."""
    _trap(pipeline, pipeline.database_proxy, _INSERT, Direction.TO_SERVER, Direction.FROM_SERVER)
    pipeline.rest(1)
    for program in pipeline.consumers:
        program.kill()
    pipeline.database_proxy.restore(reset=True)
    for program in pipeline.consumers:
        program.start()


def _kill_consumer_before_ack(pipeline: Pipeline, _: random.Random) -> None:
    """Kill both consumers when a batch is committed and its acknowledgement has not reached the broker."""
    _trap(pipeline, pipeline.consumer_proxy, _ACK, Direction.TO_SERVER, Direction.TO_SERVER)
    for program in pipeline.consumers:
        program.kill()
    pipeline.consumer_proxy.restore(reset=True)
    for program in pipeline.consumers:
        program.start()


def _kill_broker_before_ack(pipeline: Pipeline, chance: random.Random) -> None:
    _trap(pipeline, pipeline.consumer_proxy, _ACK, Direction.TO_SERVER, Direction.TO_SERVER)
    pipeline.broker.kill()
    pipeline.consumer_proxy.restore(reset=True)
    pipeline.rest(chance.uniform(0, 2))
    pipeline.broker.start()


def _kill_publisher_before_confirm(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill both publishers when the broker has a message, and its confirmation has not come."""
    _trap(pipeline, pipeline.publisher_proxy, _ACK, Direction.FROM_SERVER, Direction.FROM_SERVER)
    # So that the next reading waits in vain, and goes to the spool.
    pipeline.rest(chance.uniform(0, 3))
    for program in pipeline.publishers:
        _kill(pipeline, program)
    pipeline.publisher_proxy.restore(reset=True)
    for program in pipeline.publishers:
        program.start()


def _kill_database_in_commit(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill the database when it has got a COMMIT, whose success is not reported."""
    _trap(pipeline, pipeline.database_proxy, _COMMIT, Direction.TO_SERVER, Direction.FROM_SERVER)
    pipeline.database.kill()
    pipeline.database_proxy.restore(reset=True)
    pipeline.rest(chance.uniform(0, 2))
    pipeline.database.start()


def _trap(pipeline: Pipeline, proxy: Proxy, content: bytes, seen_in: Direction, closes: Direction) -> None:
    if not proxy.hold_at(content, seen_in, closes, _TRAP):
        pipeline.problems.append(f"{content!r} did not come within {_TRAP:g} s")
    time.sleep(_WORK)


def _restart(pipeline: Pipeline, chance: random.Random) -> None:
    program = _choose(pipeline.programs, chance)
    if program.serial is not None:
        pipeline.ledger.excuse(program.serial, _IN_TRANSIT, 10)
    program.stop()
    program.start()


def _pause_publisher(pipeline: Pipeline, chance: random.Random) -> None:
    _pause_program(pipeline, _choose(pipeline.publishers, chance))


def _pause_direct(pipeline: Pipeline, chance: random.Random) -> None:
    _pause_program(pipeline, _choose(pipeline.direct, chance))


def _pause_consumer(pipeline: Pipeline, chance: random.Random) -> None:
    _pause_program(pipeline, _choose(pipeline.consumers, chance))


def _pause_program(pipeline: Pipeline, program: Program) -> None:
    program.pause()
    if program.serial is not None:
        # The answer that it waits for may come too late.
        pipeline.ledger.excuse(program.serial, _IN_TRANSIT, _IN_TRANSIT)
    pipeline.rest(_PAUSE)
    program.resume()


def _pause_broker(pipeline: Pipeline, _: random.Random) -> None:
    pipeline.broker.pause()
    pipeline.rest(_PAUSE)
    pipeline.broker.resume()


def _pause_database(pipeline: Pipeline, _: random.Random) -> None:
    pipeline.database.pause()
    time.sleep(_PAUSE_OF_DATABASE)
    pipeline.database.resume()


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
    _hold(pipeline, chance, _PAUSE)


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
    disk = pipeline.disks["sqlite"]
    disk.fill()
    pipeline.rest(chance.uniform(4, 8))
    disk.free()


def _mariadb_disk_full(pipeline: Pipeline, chance: random.Random) -> None:
    """Fill the disk of MariaDB; a server that ends for it is started again when there is space."""
    disk = pipeline.disks["mariadb"]
    disk.fill()
    # A table grows in large steps: a few readings would find room.
    pipeline.sender.send_late(_MANY)
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
    _kill_consumer(pipeline, chance)


def _doubles(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.sender.send_twice(60, chance.randint(2, 4))


def _conflicts(pipeline: Pipeline, chance: random.Random) -> None:
    """Publish several readings of each second twice, and kill a consumer meanwhile."""
    pipeline.sender.send_conflicting(60, chance.randint(2, 5), 2)
    _kill_consumer(pipeline, chance)


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
    "kill-publisher": Fault(_kill_publisher, 10),
    "kill-consumer": Fault(_kill_consumer, 10),
    "kill-direct": Fault(_kill_direct, 10),
    "kill-broker": Fault(_kill_broker, 25),
    "kill-database": Fault(_kill_database, 20),
    "kill-publisher-in-replay": Fault(_kill_publisher_in_replay, 20),
    "kill-direct-in-replay": Fault(_kill_direct_in_replay, 20),
    "kill-consumer-in-mid-stream": Fault(_kill_consumer_in_mid_stream, 15),
    "kill-broker-in-mid-stream": Fault(_kill_broker_in_mid_stream, 30),
    "kill-database-in-mid-stream": Fault(_kill_database_in_mid_stream, 25),
    "kill-consumer-in-transaction": Fault(_kill_consumer_in_transaction, 12),
    "kill-consumer-before-ack": Fault(_kill_consumer_before_ack, 10),
    "kill-broker-before-ack": Fault(_kill_broker_before_ack, 20),
    "kill-publisher-before-confirm": Fault(_kill_publisher_before_confirm, 10),
    "kill-database-in-commit": Fault(_kill_database_in_commit, 15),
    "restart": Fault(_restart, 8),
    "pause-publisher": Fault(_pause_publisher, _PAUSE + 10),
    "pause-consumer": Fault(_pause_consumer, _PAUSE + 10),
    "pause-direct": Fault(_pause_direct, _PAUSE + 10),
    "pause-broker": Fault(_pause_broker, _PAUSE + 20),
    "pause-database": Fault(_pause_database, _PAUSE_OF_DATABASE + 30),
    "cut": Fault(_cut, 15),
    "black-hole": Fault(_black_hole, 20),
    "long-black-hole": Fault(_long_black_hole, _PAUSE + 20),
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
