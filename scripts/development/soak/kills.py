"""Faults of processes: killed at bad moments, paused, restarted."""

from __future__ import annotations

import random
import time

from tests.services.server import Server

from .pipeline import Pipeline
from .programs import Program
from .proxy import Direction, Proxy

#: Seconds before a stop in which an answer may not have been received.
_IN_TRANSIT = 1.5

#: Seconds of a pause: longer than three heartbeats of AMQP (10 s) and the time-out of a transaction (60 s).
PAUSE, PAUSE_OF_DATABASE = 40.0, 70.0

#: The frame basic.ack of AMQP: an acknowledgement to the broker, or a confirmation from it.
_ACK = b"\x00\x3c\x00\x50"
_INSERT, _COMMIT = b"INSERT INTO readings", b"COMMIT"

#: Seconds to wait for such bytes, and for a server to work on what it has got.
_TRAP, _WORK = 15.0, 0.3

#: Readings that take the consumers a while, and more room than a table has in reserve.
MANY = 4_000


def _choose(programs: list[Program], chance: random.Random) -> Program:
    return chance.choice(programs)


def _kill(pipeline: Pipeline, program: Program) -> None:
    program.kill()
    if program.serial is not None:
        pipeline.ledger.excuse(program.serial, program.at_risk)


def kill_publisher(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill a publisher."""
    _kill_and_start(pipeline, _choose(pipeline.publishers, chance), chance)


def kill_direct(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill a gateway_database_meters."""
    _kill_and_start(pipeline, _choose(pipeline.direct, chance), chance)


def kill_consumer(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill a consumer."""
    _kill_and_start(pipeline, _choose(pipeline.consumers, chance), chance)


def _kill_and_start(pipeline: Pipeline, program: Program, chance: random.Random) -> None:
    _kill(pipeline, program)
    pipeline.rest(chance.uniform(0, 4))
    program.start()


def kill_broker(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill RabbitMQ."""
    _kill_server(pipeline, pipeline.broker, chance)


def kill_database(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill MariaDB."""
    _kill_server(pipeline, pipeline.database, chance)


def _kill_server(pipeline: Pipeline, server: Server, chance: random.Random) -> None:
    server.kill()
    pipeline.rest(chance.uniform(0, 6))
    server.start()


def kill_publisher_in_replay(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill both publishers in an outage of the broker, or just after it."""
    _kill_in_replay(pipeline, pipeline.publisher_proxy, pipeline.publishers, chance)


def kill_direct_in_replay(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill the direct writer in an outage of MariaDB, or just after it."""
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


def kill_consumer_in_mid_stream(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill a consumer while it stores many messages."""
    _drain(pipeline, chance)
    kill_consumer(pipeline, chance)


def kill_broker_in_mid_stream(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill RabbitMQ while many messages are stored."""
    _drain(pipeline, chance)
    kill_broker(pipeline, chance)


def kill_database_in_mid_stream(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill MariaDB while many messages are stored."""
    _drain(pipeline, chance)
    kill_database(pipeline, chance)


def _drain(pipeline: Pipeline, chance: random.Random) -> None:
    """Let messages pile up in the queue and in the consumers; return while they are being stored."""
    pipeline.database_proxy.hold(Direction.FROM_SERVER)
    pipeline.sender.send_late(MANY)
    pipeline.database_proxy.restore()
    time.sleep(chance.uniform(0, 1))


def kill_consumer_in_transaction(pipeline: Pipeline, _: random.Random) -> None:
    """Kill both consumers when they have sent rows to the database, which are not committed yet."""
    _trap(pipeline, pipeline.database_proxy, _INSERT, Direction.TO_SERVER, Direction.FROM_SERVER)
    pipeline.rest(1)
    _kill_consumers(pipeline, pipeline.database_proxy)


def kill_consumer_before_ack(pipeline: Pipeline, _: random.Random) -> None:
    """Kill both consumers when a batch is committed and its acknowledgement has not reached the broker."""
    _trap(pipeline, pipeline.consumer_proxy, _ACK, Direction.TO_SERVER, Direction.TO_SERVER)
    _kill_consumers(pipeline, pipeline.consumer_proxy)


def kill_broker_before_ack(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill RabbitMQ when a batch is committed and its acknowledgement has not come."""
    _trap(pipeline, pipeline.consumer_proxy, _ACK, Direction.TO_SERVER, Direction.TO_SERVER)
    _kill_trapped_server(pipeline, pipeline.broker, pipeline.consumer_proxy, chance)


def kill_publisher_before_confirm(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill both publishers when the broker has a message, and its confirmation has not come."""
    _trap(pipeline, pipeline.publisher_proxy, _ACK, Direction.FROM_SERVER, Direction.FROM_SERVER)
    # So that the next reading waits in vain, and goes to the spool.
    pipeline.rest(chance.uniform(0, 3))
    for program in pipeline.publishers:
        _kill(pipeline, program)
    pipeline.publisher_proxy.restore(reset=True)
    for program in pipeline.publishers:
        program.start()


def kill_database_in_commit(pipeline: Pipeline, chance: random.Random) -> None:
    """Kill the database when it has got a COMMIT, whose success is not reported."""
    _trap(pipeline, pipeline.database_proxy, _COMMIT, Direction.TO_SERVER, Direction.FROM_SERVER)
    _kill_trapped_server(pipeline, pipeline.database, pipeline.database_proxy, chance)


def _kill_consumers(pipeline: Pipeline, proxy: Proxy) -> None:
    """Kill both consumers while the proxy holds their connections, and start them again."""
    for program in pipeline.consumers:
        program.kill()
    proxy.restore(reset=True)
    for program in pipeline.consumers:
        program.start()


def _kill_trapped_server(pipeline: Pipeline, server: Server, proxy: Proxy, chance: random.Random) -> None:
    """Kill a server while the proxy holds its connections, and start it again within two seconds."""
    server.kill()
    proxy.restore(reset=True)
    pipeline.rest(chance.uniform(0, 2))
    server.start()


def _trap(pipeline: Pipeline, proxy: Proxy, content: bytes, seen_in: Direction, closes: Direction) -> None:
    if not proxy.hold_at(content, seen_in, closes, _TRAP):
        pipeline.problems.append(f"{content!r} did not come within {_TRAP:g} s")
    time.sleep(_WORK)


def restart(pipeline: Pipeline, chance: random.Random) -> None:
    """Stop a script with SIGTERM and start it again."""
    program = _choose(pipeline.programs, chance)
    if program.serial is not None:
        pipeline.ledger.excuse(program.serial, _IN_TRANSIT, 10)
    program.stop()
    program.start()


def pause_publisher(pipeline: Pipeline, chance: random.Random) -> None:
    """Pause a publisher."""
    _pause_program(pipeline, _choose(pipeline.publishers, chance))


def pause_direct(pipeline: Pipeline, chance: random.Random) -> None:
    """Pause a direct writer."""
    _pause_program(pipeline, _choose(pipeline.direct, chance))


def pause_consumer(pipeline: Pipeline, chance: random.Random) -> None:
    """Pause a consumer."""
    _pause_program(pipeline, _choose(pipeline.consumers, chance))


def _pause_program(pipeline: Pipeline, program: Program) -> None:
    program.pause()
    if program.serial is not None:
        # The answer that it waits for may come too late.
        pipeline.ledger.excuse(program.serial, _IN_TRANSIT, _IN_TRANSIT)
    pipeline.rest(PAUSE)
    program.resume()


def pause_broker(pipeline: Pipeline, _: random.Random) -> None:
    """Pause RabbitMQ."""
    pipeline.broker.pause()
    pipeline.rest(PAUSE)
    pipeline.broker.resume()


def pause_database(pipeline: Pipeline, _: random.Random) -> None:
    """Pause MariaDB."""
    pipeline.database.pause()
    time.sleep(PAUSE_OF_DATABASE)
    pipeline.database.resume()
