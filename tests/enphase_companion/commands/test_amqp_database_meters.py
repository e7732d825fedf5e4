"""enphase-amqp-database-meters in a separate process, with a real broker and real databases."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from sqlalchemy import make_url
from yarl import URL

from enphase_companion.commands.amqp_database_meters import NAME, main
from enphase_companion.message import encode
from tests.services.disk import SmallDisk
from tests.services.mariadb import MariaDB, execute
from tests.services.rabbitmq import RabbitMQ

from .. import amqp_helpers as broker
from ..amqp_helpers import AT, SERIAL, build_message, wait_until
from ..cli_user import PASSWORD, USERNAME, CliUser
from .running import AnswerRecorder, Command, DatabaseInspector, assert_readings_equal, capture_notifications


def get_timestamps(*numbers: int) -> set[int]:
    """Return the times of measurement of the messages with these numbers."""
    return {(AT + number) * 1000 for number in numbers}


@dataclass
class StoringCommand(Command):
    """The command with the queue that it reads and the database that it writes to."""

    amqp_url: str = ""
    database_url: str = ""
    exchange_name: str = ""
    declared_at: float = 0

    @property
    def queue(self) -> str:
        return f"{self.exchange_name}.Meters"

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(
            **{
                "amqp_url": self.amqp_url,
                "amqp_exchange": self.exchange_name,
                "amqp_queue": self.queue,
                "amqp_queues": self.queue,
                "database_url": self.database_url,
                "flush_interval": 0.2,
                **settings,
            }
        )

    @property
    def inspector(self) -> DatabaseInspector:
        return DatabaseInspector(self.database_url)

    @property
    def broker(self) -> broker.BrokerInspector:
        return broker.BrokerInspector(self.amqp_url)

    async def publish(self, *bodies: bytes) -> None:
        """Publish these messages to its queue, which is declared as publishers declare it."""
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
        async with self.broker.channel() as channel:
            exchange = await channel.declare_exchange(
                self.exchange_name, aio_pika.ExchangeType.TOPIC, durable=True
            )
            queue = await channel.declare_queue(self.queue, durable=True, arguments=arguments)
            await queue.bind(exchange, "MeterStream.#")
            self.declared_at = self.declared_at or time.monotonic()
            for body in bodies:
                await exchange.publish(aio_pika.Message(body, delivery_mode=2), "MeterStream")

    async def wait_until_killable(self) -> None:
        """Wait until the broker may be killed.

        RabbitMQ 3.10 needs some seconds after the first declaration of a quorum queue: if killed before,
        the queue never gets a leader again.
        """
        await asyncio.sleep(max(0, self.declared_at + 8 - time.monotonic()))

    async def wait_until_empty(self, within: float = 20) -> None:
        """Wait until its queue has no ready messages. Unacknowledged ones return when the command stops."""
        async with asyncio.timeout(within):
            while await self.broker.count_ready(self.queue):
                await asyncio.sleep(0.2)

    async def take_dead_letters(self) -> list[tuple[bytes, str]]:
        """Take all dead letters and return their bodies and reasons."""
        letters = await self.broker.take_all(f"{self.exchange_name}.DeadLetter")
        return [(letter.body, str(letter.headers["dead_letter_reason"])) for letter in letters]


def build_bodies(*numbers: int) -> list[bytes]:
    return [encode(build_message(number)) for number in numbers]


def build_enphase_api_body(number: int) -> bytes:
    """Return the body that Enphase-API's script publishes."""
    block = {
        "currW": 5.0, "actPower": 5.0, "apprntPwr": 6.0, "reactPwr": 1.0, "whDlvdCum": 7.0, "whRcvdCum": 8.0,
        "varhLagCum": 0.0, "varhLeadCum": 0.0, "vahCum": 9.0, "rmsVoltage": 230.0, "rmsCurrent": 0.1,
        "pwrFactor": 0.5, "freqHz": 50.0,
    }  # fmt: skip
    reports = [
        {"createdAt": AT + number, "reportType": name, "cumulative": block, "lines": [block]}
        for name in ("production", "net-consumption", "total-consumption")
    ]
    return json.dumps({"timestamp": AT + number + 0.5, "readings": reports}).encode()


@pytest.fixture
def create_storing(amqp_url: str, user: CliUser, tmp_path: Path) -> Iterator[Callable[..., StoringCommand]]:
    """Yield a function that creates the command, or another worker, for a database URL."""
    created: list[StoringCommand] = []
    exchange_name = f"Enphase.{time.time_ns()}"

    def create(url: str) -> StoringCommand:
        storing = StoringCommand(
            user,
            NAME,
            tmp_path / f"log-{len(created)}",
            amqp_url=amqp_url,
            database_url=url,
            exchange_name=exchange_name,
        )
        storing.write_settings()
        created.append(storing)
        return storing

    yield create
    for storing in created:
        storing.kill()


@pytest.mark.slow
async def test_messages_wait_in_the_queue_while_the_databases_disk_is_full(
    create_storing: Callable[..., StoringCommand], small_disk: SmallDisk
) -> None:
    storing = create_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    await storing.start_and_wait()
    await storing.publish(*build_bodies(1, 2))
    await storing.inspector.wait_for(get_timestamps(1, 2))
    small_disk.fill()
    await storing.publish(*build_bodies(*range(3, 100)))
    await storing.wait_for("the disk is full; readings wait in the queue")
    small_disk.free()
    await storing.inspector.wait_for(get_timestamps(*range(1, 100)), within=60)
    assert storing.stop() == 0
    assert await storing.take_dead_letters() == []


async def test_readings_of_a_gateway_reach_the_database_through_the_queue(
    create_storing: Callable[..., StoringCommand],
    create_user: Callable[..., CliUser],
    database_url: str,
    tmp_path: Path,
) -> None:
    house = create_user("battery", speed=20, seed=2)
    house.trust_gateway()
    recorder = AnswerRecorder.attach(house.simulator, house.patch)
    storing = create_storing(database_url)
    publishing = Command(house, "enphase-gateway-amqp-meters", tmp_path / "publishing")
    house.write_token_settings(
        gateway_token=house.simulator.token(),
        amqp_url=storing.amqp_url,
        amqp_exchange=storing.exchange_name,
        amqp_queues=storing.queue,
        interval=1,
    )
    storing.start()
    publishing.start()
    await storing.inspector.wait_for_count(6)
    assert publishing.stop() == 0
    await storing.wait_until_empty()
    assert storing.stop() == 0
    stored = storing.inspector.stored
    truth = recorder.truth
    last = max(recorder.timestamps)
    assert_readings_equal(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    assert {row[0] for row in storing.inspector.query("SELECT serial_number FROM gateways")} == {
        house.simulator.serial_number
    }
    assert len(storing.output.splitlines()) == 1, "nothing but where the readings go"


async def test_ended_buckets_are_rolled_up(
    create_storing: Callable[..., StoringCommand], database_url: str
) -> None:
    storing = create_storing(database_url)
    await storing.publish(*build_bodies(*range(0, 1000, 10)))
    storing.start()
    # A late message of another day belongs to a minute that ended long ago.
    await wait_until(lambda: len(storing.inspector.query("SELECT DISTINCT bucket_start FROM days")) == 1)
    await storing.publish(*build_bodies(-86_400))
    await wait_until(lambda: len(storing.inspector.query("SELECT DISTINCT bucket_start FROM days")) == 2)
    assert len(storing.inspector.query("SELECT DISTINCT bucket_start FROM minutes")) == 18
    assert storing.inspector.query("SELECT * FROM pending_rollups") == []
    assert storing.stop() == 0


async def test_messages_of_enphase_api_are_stored_for_the_configured_gateway(lite: StoringCommand) -> None:
    lite.write_settings(gateway_serial_number=SERIAL)
    await lite.publish(build_enphase_api_body(1), *build_bodies(2), build_enphase_api_body(3))
    lite.start()
    await lite.inspector.wait_for(get_timestamps(1, 2, 3))
    assert lite.stop() == 0
    assert lite.inspector.query("SELECT serial_number FROM gateways") == [(SERIAL,)]
    assert lite.inspector.stored[(AT + 1) * 1000, "total-consumption", 1] == (5.0, 7.0, 8.0)
    assert await lite.take_dead_letters() == []


async def test_messages_without_a_gateway_are_dead_lettered_and_logged_once(
    lite: StoringCommand,
) -> None:
    foreign = [build_enphase_api_body(number) for number in range(5)]
    await lite.publish(*foreign, *build_bodies(10))
    lite.start()
    await lite.inspector.wait_for(get_timestamps(10))
    await lite.wait_until_empty()
    assert lite.stop() == 0
    reason = "it names no gateway: for messages of Enphase-API's scripts, set gateway_serial_number"
    assert await lite.take_dead_letters() == [(body, reason) for body in foreign]
    assert lite.output.count("warning:") == 1
    assert f"messages go to {lite.exchange_name}.DeadLetter: {reason}" in lite.output


@pytest.mark.parametrize("url", ["sqlite", "mariadb"])
async def test_no_message_stops_the_command(
    create_storing: Callable[..., StoringCommand], request: pytest.FixtureRequest, tmp_path: Path, url: str
) -> None:
    storing = create_storing(
        request.getfixturevalue("mariadb_url") if url == "mariadb" else f"sqlite:///{tmp_path / 'lite.db'}"
    )
    good = json.loads(encode(build_message(1)))

    def change_message(number: int, **other: Any) -> bytes:
        entries = [{**entry, "measured_at": (AT + number) * 1000} for entry in good["meters"]]
        return json.dumps({**good, "meters": entries, **other}).encode()

    def change_entry(number: int, **other: Any) -> bytes:
        return change_message(
            number, meters=[{**good["meters"][0], "measured_at": (AT + number) * 1000, **other}]
        )

    unreadable = [
        b"",
        b"null",
        b"[1]",
        b'"text"',
        b"\xff\xfe",
        b'{"timestamp": 1764000000.5',
        b"[" * 100_000,
        change_message(1, schema_version=2),
        change_message(1, schema_version=None),
        change_message(1, gateway_serial_number="x" * 33),
        change_message(1, gateway_serial_number=5),
        change_message(1, gateway_serial_number="☀"),
        change_message(1, gateway_serial_number="12\u0000"),
        change_message(1, gateway_serial_number="'; DROP TABLE readings; --"),
        change_message(1, gateway_serial_number="A"),
        change_entry(1, measurement_type="Ünicode 🌞"),
        change_entry(1, measurement_type="evse\x1b[2J"),
        change_entry(1, measurement_type="ev\u202ese"),
        change_message(1, meters=good["meters"] * 17),
        change_message(1, more="x" * 64_000),
        change_message(1, timestamp="now"),
        change_message(1, meters={}),
        change_message(1, meters=[1]),
        change_entry(1, phase=4),
        change_entry(1, phase=0.5),
        change_entry(1, measurement_type="x" * 33),
        change_entry(1, measured_at=None),
        change_entry(1, measured_at=-5),
        change_entry(1, measured_at=10**400),
    ]
    strange = [
        change_message(2, gateway_serial_number="1" * 32),
        change_message(3, gateway_serial_number=" 12 "),
        change_message(4, gateway_serial_number="0"),
        change_entry(5, measurement_type="EVSE-2"),
        change_entry(6, actPower=1e300),
        change_entry(7, actPower="much"),
        change_entry(8, whDlvdCum=-1, rmsVoltage=True),
        change_entry(9, actPower=-0.0),
        change_message(10, gateway_serial_number="1") + b"\n",
        change_message(11, gateway_serial_number="01"),
        change_message(12, gateway_serial_number="2"),
        change_message(13, meters=[]),
        change_entry(14, measurement_type="Production"),
        change_entry(15, measurement_type="PRODUCTION"),
    ]
    await storing.publish(*unreadable, *strange, *build_bodies(20))
    storing.start()
    await storing.inspector.wait_for(get_timestamps(*range(2, 13), 14, 15, 20))
    await storing.wait_until_empty()
    assert storing.stop() == 0
    assert [body for body, _ in await storing.take_dead_letters()] == unreadable
    names = {row[0] for row in storing.inspector.query("SELECT serial_number FROM gateways")}
    assert names == {"1" * 32, "12", "0", "1", "01", "2", SERIAL}
    stored = storing.inspector.stored
    for number in (6, 7):
        [absurd] = [values for (at, _, _), values in stored.items() if at == (AT + number) * 1000]
        assert absurd[0] is None, "unknown, not zero"


@pytest.mark.parametrize("how", ["names", "an old table"])
async def test_only_unstorable_messages_are_dead_lettered(maria: StoringCommand, how: str) -> None:
    maria.start()
    await maria.wait_for("Ctrl-C ends it.")
    await maria.publish(*build_bodies(1))
    await maria.inspector.wait_for(get_timestamps(1))
    good = json.loads(encode(build_message(2)))
    if how == "names":
        # Many invented names, in one message and in many.
        entries = [{**good["meters"][0], "measurement_type": f"m{number}"} for number in range(65)]
        bad = [json.dumps({**good, "meters": entries}).encode()]
        bad += [json.dumps({**good, "meters": entries[first : first + 60]}).encode() for first in (0, 60)]
        left_out, reason = [bad[0]], "65 elements of `meters`"
    else:
        # The id of the next measurement is beyond the range of its column in `readings`.
        execute(make_url(maria.database_url), "ALTER TABLE measurements AUTO_INCREMENT = 40000")
        bad = left_out = [
            json.dumps({**good, "meters": [{**good["meters"][0], "measurement_type": "evse"}]}).encode()
        ]
        reason = "Out of range value for column 'measurement_id'"
    await maria.publish(*build_bodies(*range(3, 20)), *bad, *build_bodies(*range(20, 40)))
    await maria.inspector.wait_for(get_timestamps(*range(3, 40)))
    await maria.wait_until_empty()
    assert maria.stop() == 0
    buried = await maria.take_dead_letters()
    assert [body for body, _ in buried] == left_out
    assert reason in buried[0][1]


async def test_workers_share_a_queue_and_create_the_tables_of_an_empty_database(
    create_storing: Callable[..., StoringCommand], database_url: str
) -> None:
    workers = [create_storing(database_url) for _ in range(3)]
    workers[0].write_settings(batch_size=10)
    for worker in workers:
        worker.start()
    for worker in workers:
        await worker.wait_for("Ctrl-C ends it.")
    # Each message twice, as after a lost confirmation.
    await workers[0].publish(*[body for number in range(150) for body in build_bodies(number) * 2])
    await workers[0].inspector.wait_for(get_timestamps(*range(150)))
    workers[1].kill()
    await workers[0].publish(*build_bodies(*range(150, 200)))
    await workers[0].inspector.wait_for(get_timestamps(*range(200)))
    await workers[0].wait_until_empty()
    assert [workers[0].stop(), workers[2].stop()] == [0, 0]
    assert workers[0].inspector.stored.keys() == {
        (at, name, phase)
        for at in get_timestamps(*range(200))
        for name in ("production", "net-consumption")
        for phase in (0, 1)
    }
    assert [worker.output.count("warning:") for worker in workers] == [0, 0, 0]


async def test_messages_held_by_a_killed_worker_are_stored_by_the_next(lite: StoringCommand) -> None:
    lite.write_settings(batch_size=20)
    await lite.publish(*build_bodies(*range(400)))
    lite.start()
    await lite.inspector.wait_for_count(20)
    lite.kill()
    await lite.start_and_wait()
    await lite.inspector.wait_for(get_timestamps(*range(400)))
    await lite.wait_until_empty()
    assert lite.stop() == 0
    assert len(lite.inspector.stored) == 1600


@pytest.mark.slow
async def test_the_command_continues_after_broker_and_database_were_killed_and_restarted(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: StoringCommand
) -> None:
    await maria.publish(*build_bodies(*range(10)))
    maria.start()
    await maria.inspector.wait_for(get_timestamps(*range(10)))
    await asyncio.to_thread(mariadb.kill)
    await maria.publish(*build_bodies(*range(10, 30)))
    await maria.wait_for("readings wait in the queue")
    await asyncio.to_thread(mariadb.start)
    await maria.inspector.wait_for(get_timestamps(*range(30)), within=60)
    await maria.wait_until_killable()
    await asyncio.to_thread(rabbitmq.kill)
    await maria.wait_for("the connection was lost")
    await asyncio.to_thread(rabbitmq.start)
    await maria.publish(*build_bodies(*range(30, 40)))
    await maria.inspector.wait_for(get_timestamps(*range(40)), within=60)
    await maria.wait_until_empty()
    assert maria.stop() == 0
    assert len(maria.inspector.stored) == 160
    assert maria.output.count("warning:") < 10, maria.output


@pytest.mark.slow
async def test_the_command_starts_without_broker_and_database(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: StoringCommand
) -> None:
    await maria.publish(*build_bodies(*range(5)))
    await asyncio.to_thread(mariadb.kill)
    await maria.wait_until_killable()
    await asyncio.to_thread(rabbitmq.kill)
    maria.start()
    await maria.wait_for("no connection")
    await asyncio.to_thread(rabbitmq.start)
    await maria.wait_for("readings wait in the queue", within=60)
    await asyncio.to_thread(mariadb.start)
    await maria.inspector.wait_for(get_timestamps(*range(5)), within=60)
    assert maria.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("hanging", [("database",), ("broker",), ("database", "broker")])
async def test_the_command_stops_while_a_server_hangs(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: StoringCommand, hanging: tuple[str, ...]
) -> None:
    servers: dict[str, MariaDB | RabbitMQ] = {"database": mariadb, "broker": rabbitmq}
    await maria.publish(*build_bodies(1))
    maria.start()
    await maria.inspector.wait_for(get_timestamps(1))
    for name in hanging:
        if name == "database":
            mariadb.pause()
        await maria.publish(*build_bodies(*range(2, 8)))
        await asyncio.sleep(0.7)
        servers[name].pause()
    await asyncio.sleep(0.5)
    try:
        assert maria.stop() == 0
    finally:
        for name in hanging:
            servers[name].resume()
    await maria.start_and_wait()
    await maria.inspector.wait_for(get_timestamps(*range(1, 8)))
    await maria.wait_until_empty()
    assert maria.stop() == 0


async def test_the_command_stops_while_the_database_is_locked(
    lite: StoringCommand,
) -> None:
    await lite.publish(*build_bodies(1))
    lite.start()
    await lite.inspector.wait_for(get_timestamps(1))
    locking = sqlite3.connect(str(make_url(lite.database_url).database), isolation_level=None)
    try:
        locking.execute("BEGIN IMMEDIATE")
        await lite.publish(*build_bodies(2))
        await asyncio.sleep(1)
        assert lite.stop() == 0
    finally:
        locking.close()
    await lite.start_and_wait()
    await lite.inspector.wait_for(get_timestamps(2))
    assert lite.stop() == 0


async def test_secrets_never_appear_in_the_debug_log_or_command_line(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: StoringCommand
) -> None:
    token = maria.user.simulator.token()
    secrets = {"gateway_token": token, "enphase_password": PASSWORD, "enphase_username": USERNAME}
    database = make_url(maria.database_url)
    password = "hunter2/@ %secret"
    execute(database, f"CREATE OR REPLACE USER planted IDENTIFIED BY '{password}'")
    execute(database, f"GRANT ALL ON {database.database}.* TO planted")
    planted_url = database.set(username="planted", password=password)
    wrong_broker = str(URL(maria.amqp_url).with_password(password))
    maria.write_settings(
        **secrets, database_url=planted_url.render_as_string(hide_password=False), amqp_url=wrong_broker
    )
    maria.start("-v")
    await maria.wait_for("it rejects amqp_username with amqp_password: correct them")
    command_line = maria.command_line
    assert maria.stop() == 0
    maria.write_settings(**secrets, database_url=planted_url.render_as_string(hide_password=False))
    await maria.publish(*build_bodies(1), b"{}")
    maria.start("-v")
    await maria.inspector.wait_for(get_timestamps(1))
    await asyncio.to_thread(mariadb.kill)
    await maria.publish(*build_bodies(2))
    await maria.wait_for("readings wait in the queue")
    assert maria.stop() == 0
    everything = maria.output + command_line
    assert "DEBUG" in everything
    planted = (token, token[-20:], "hunter2", "secret", PASSWORD, USERNAME, "guest:guest")
    assert [secret for secret in planted if secret in everything] == []
    for body, reason in await maria.take_dead_letters():
        assert not any(secret in body.decode() + reason for secret in planted)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"amqp_port": 70_000}, "amqp_port: must be a number from 1 to 65535"),
        ({"amqp_url": "http://broker"}, "amqp_url: must be an address such as amqps://"),
        ({"amqp_queue": "amq.mine"}, "amqp_queue: must be a name of at most 200 bytes"),
        ({"batch_size": 0}, "batch_size: must be a number from 1 to 10000"),
        ({"flush_interval": "long"}, "flush_interval: must be a number of seconds from 0 to 60"),
        ({"gateway_serial_number": "12"}, "gateway_serial_number: must be the 12 digits"),
        ({"metrics_port": 0}, "metrics_port: must be a number from 1"),
    ],
)
def test_the_error_names_an_invalid_setting(user: CliUser, changed: dict[str, Any], message: str) -> None:
    user.write_token_settings(**changed)
    result = user.run(main)
    assert result.status == 2
    assert f"{user.folder}/credentials_token.json: {message}" in result.error


@pytest.mark.parametrize(
    ("url", "status", "message"),
    [
        ("oracle://user:hunter2@host/db", 2, "database_url: "),
        ("sqlite:////nowhere/at/all.db", 1, "cannot be opened: check that its folder exists"),
    ],
)
def test_the_error_of_an_invalid_database_url_hides_its_password(
    user: CliUser, url: str, status: int, message: str
) -> None:
    user.write_token_settings(database_url=url)
    result = user.run(main)
    assert (result.status, message in result.error) == (status, True)
    assert "hunter2" not in result.error


async def test_systemd_is_notified_of_readiness_and_status(lite: StoringCommand, tmp_path: Path) -> None:
    with capture_notifications(lite.user, tmp_path) as notifications:
        lite.start()
        assert await asyncio.to_thread(lambda: "READY=1" in notifications), (
            "ready although no message was published"
        )
        of_wrong_clock = encode(build_message(3, timestamp=AT + 60 * 86_400.0))
        await lite.publish(*build_bodies(1, 2), of_wrong_clock, b"{}")
        status = re.compile(r"STATUS=3 stored, 1 dead-lettered, 4 readings refused$")
        assert await asyncio.to_thread(
            lambda: any("WATCHDOG=1" in each and status.search(each) for each in notifications)
        )
        assert lite.stop() == 0
        assert await asyncio.to_thread(lambda: "STOPPING=1" in notifications)
