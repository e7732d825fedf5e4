"""enphase-amqp-database-meters as its owner starts it, with a real broker and real databases."""

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


def timestamps(*numbers: int) -> set[int]:
    """When the messages of these numbers were measured."""
    return {(AT + number) * 1000 for number in numbers}


@dataclass
class Storing(Command):
    """The command, with the queue that it reads and the database that it writes to."""

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
        """Put these messages into its queue, which is declared as publishers declare it."""
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

    async def settles(self) -> None:
        """Wait until the broker may be killed.

        RabbitMQ 3.10 that is killed within five seconds of a quorum queue's first declaration never finds a
        leader for it again.
        """
        await asyncio.sleep(max(0, self.declared_at + 8 - time.monotonic()))

    async def empties(self, within: float = 20) -> None:
        """Wait until nothing is in its queue, acknowledged or not: both are back when it has ended."""
        async with asyncio.timeout(within):
            while await self.broker.count_ready(self.queue):
                await asyncio.sleep(0.2)

    async def buried(self) -> list[tuple[bytes, str]]:
        """Take the dead letters: what they hold, and the reason."""
        letters = await self.broker.take_all(f"{self.exchange_name}.DeadLetter")
        return [(letter.body, str(letter.headers["dead_letter_reason"])) for letter in letters]


def bodies(*numbers: int) -> list[bytes]:
    return [encode(build_message(number)) for number in numbers]


def of_enphase_api(number: int) -> bytes:
    """Return a message as Enphase-API's script sends it."""
    block = {
        "currW": 5.0, "actPower": 5.0, "apprntPwr": 6.0, "reactPwr": 1.0, "whDlvdCum": 7.0, "whRcvdCum": 8.0,
        "varhLagCum": 0.0, "varhLeadCum": 0.0, "vahCum": 9.0, "rmsVoltage": 230.0, "rmsCurrent": 0.1,
        "pwrFactor": 0.5, "freqHz": 50.0,
    }  # fmt: skip
    reports = [
        {"createdAt": AT + number, "reportType": word, "cumulative": block, "lines": [block]}
        for word in ("production", "net-consumption", "total-consumption")
    ]
    return json.dumps({"timestamp": AT + number + 0.5, "readings": reports}).encode()


@pytest.fixture
def new_storing(amqp_url: str, user: CliUser, tmp_path: Path) -> Iterator[Callable[..., Storing]]:
    """Yield what makes the command, or another one beside it, with a database at this address."""
    made: list[Storing] = []
    exchange_name = f"Enphase.{time.time_ns()}"

    def make(url: str) -> Storing:
        storing = Storing(
            user,
            NAME,
            tmp_path / f"log-{len(made)}",
            amqp_url=amqp_url,
            database_url=url,
            exchange_name=exchange_name,
        )
        storing.write_settings()
        made.append(storing)
        return storing

    yield make
    for storing in made:
        storing.kill()


@pytest.mark.slow
async def test_what_the_databases_full_disk_does_not_take_waits_in_the_queue(
    new_storing: Callable[..., Storing], small_disk: SmallDisk
) -> None:
    storing = new_storing(f"sqlite:///{small_disk.path / 'lite.db'}")
    await storing.start_and_wait()
    await storing.publish(*bodies(1, 2))
    await storing.inspector.wait_for(timestamps(1, 2))
    small_disk.fill()
    await storing.publish(*bodies(*range(3, 100)))
    await storing.wait_for("the disk is full; readings wait in the queue")
    small_disk.free()
    await storing.inspector.wait_for(timestamps(*range(1, 100)), within=60)
    assert storing.stop() == 0
    assert await storing.buried() == []


async def test_the_readings_of_a_house_go_through_the_queue_into_the_database(
    new_storing: Callable[..., Storing],
    create_user: Callable[..., CliUser],
    database_url: str,
    tmp_path: Path,
) -> None:
    house = create_user("battery", speed=20, seed=2)
    house.trust_gateway()
    given = AnswerRecorder.attach(house.simulator, house.patch)
    storing = new_storing(database_url)
    publishing = Command(house, "enphase-gateway-amqp-meters", tmp_path / "publishing")
    house.write_token_settings(
        gateway_token=house.simulator.token(),
        amqp_url=storing.amqp_url,
        amqp_exchange=storing.exchange_name,
        amqp_queues=storing.queue,
        interval=0.5,
    )
    storing.start()
    publishing.start()
    await storing.inspector.wait_for_count(6)
    assert publishing.stop() == 0
    await storing.empties()
    assert storing.stop() == 0
    stored = storing.inspector.stored
    truth = given.truth
    last = max(given.timestamps)
    assert_readings_equal(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    assert {row[0] for row in storing.inspector.query("SELECT serial_number FROM gateways")} == {
        house.simulator.serial_number
    }
    assert len(storing.output.splitlines()) == 1, "nothing but where the readings go"


async def test_what_has_ended_is_rolled_up(new_storing: Callable[..., Storing], database_url: str) -> None:
    storing = new_storing(database_url)
    await storing.publish(*bodies(*range(0, 1000, 10)))
    storing.start()
    # Another day's message comes later, for a minute that ended long ago.
    await wait_until(lambda: len(storing.inspector.query("SELECT DISTINCT bucket_start FROM days")) == 1)
    await storing.publish(*bodies(-86_400))
    await wait_until(lambda: len(storing.inspector.query("SELECT DISTINCT bucket_start FROM days")) == 2)
    assert len(storing.inspector.query("SELECT DISTINCT bucket_start FROM minutes")) == 18
    assert storing.inspector.query("SELECT * FROM pending_rollups") == []
    assert storing.stop() == 0


async def test_messages_of_enphase_api_are_stored_as_the_set_gateways(lite: Storing) -> None:
    lite.write_settings(gateway_serial_number=SERIAL)
    await lite.publish(of_enphase_api(1), *bodies(2), of_enphase_api(3))
    lite.start()
    await lite.inspector.wait_for(timestamps(1, 2, 3))
    assert lite.stop() == 0
    assert lite.inspector.query("SELECT serial_number FROM gateways") == [(SERIAL,)]
    assert lite.inspector.stored[(AT + 1) * 1000, "total-consumption", 1] == (5.0, 7.0, 8.0)
    assert await lite.buried() == []


async def test_without_a_set_gateway_they_are_kept_as_dead_letters_and_that_is_said_once(
    lite: Storing,
) -> None:
    foreign = [of_enphase_api(number) for number in range(5)]
    await lite.publish(*foreign, *bodies(10))
    lite.start()
    await lite.inspector.wait_for(timestamps(10))
    await lite.empties()
    assert lite.stop() == 0
    reason = "it names no gateway: for messages of Enphase-API's scripts, set gateway_serial_number"
    assert await lite.buried() == [(body, reason) for body in foreign]
    assert lite.output.count("warning:") == 1
    assert f"messages go to {lite.exchange_name}.DeadLetter: {reason}" in lite.output


@pytest.mark.parametrize("url", ["sqlite", "mariadb"])
async def test_no_message_ends_it(
    new_storing: Callable[..., Storing], request: pytest.FixtureRequest, tmp_path: Path, url: str
) -> None:
    storing = new_storing(
        request.getfixturevalue("mariadb_url") if url == "mariadb" else f"sqlite:///{tmp_path / 'lite.db'}"
    )
    good = json.loads(encode(build_message(1)))

    def changed(number: int, **other: Any) -> bytes:
        entries = [{**entry, "measured_at": (AT + number) * 1000} for entry in good["meters"]]
        return json.dumps({**good, "meters": entries, **other}).encode()

    def entry(number: int, **other: Any) -> bytes:
        return changed(number, meters=[{**good["meters"][0], "measured_at": (AT + number) * 1000, **other}])

    unreadable = [
        b"",
        b"null",
        b"[1]",
        b'"text"',
        b"\xff\xfe",
        b'{"timestamp": 1764000000.5',
        b"[" * 100_000,
        changed(1, schema_version=2),
        changed(1, schema_version=None),
        changed(1, gateway_serial_number="x" * 33),
        changed(1, gateway_serial_number=5),
        changed(1, gateway_serial_number="☀"),
        changed(1, gateway_serial_number="12\u0000"),
        changed(1, gateway_serial_number="'; DROP TABLE readings; --"),
        changed(1, gateway_serial_number="A"),
        entry(1, measurement_type="Ünicode 🌞"),
        entry(1, measurement_type="evse\x1b[2J"),
        entry(1, measurement_type="ev\u202ese"),
        changed(1, meters=good["meters"] * 17),
        changed(1, more="x" * 64_000),
        changed(1, timestamp="now"),
        changed(1, meters={}),
        changed(1, meters=[1]),
        entry(1, phase=4),
        entry(1, phase=0.5),
        entry(1, measurement_type="x" * 33),
        entry(1, measured_at=None),
        entry(1, measured_at=-5),
        entry(1, measured_at=10**400),
    ]
    strange = [
        changed(2, gateway_serial_number="1" * 32),
        changed(3, gateway_serial_number=" 12 "),
        changed(4, gateway_serial_number="0"),
        entry(5, measurement_type="EVSE-2"),
        entry(6, actPower=1e300),
        entry(7, actPower="much"),
        entry(8, whDlvdCum=-1, rmsVoltage=True),
        entry(9, actPower=-0.0),
        changed(10, gateway_serial_number="1") + b"\n",
        changed(11, gateway_serial_number="01"),
        changed(12, gateway_serial_number="2"),
        changed(13, meters=[]),
        entry(14, measurement_type="Production"),
        entry(15, measurement_type="PRODUCTION"),
    ]
    await storing.publish(*unreadable, *strange, *bodies(20))
    storing.start()
    await storing.inspector.wait_for(timestamps(*range(2, 13), 14, 15, 20))
    await storing.empties()
    assert storing.stop() == 0
    assert [body for body, _ in await storing.buried()] == unreadable
    names = {row[0] for row in storing.inspector.query("SELECT serial_number FROM gateways")}
    assert names == {"1" * 32, "12", "0", "1", "01", "2", SERIAL}
    stored = storing.inspector.stored
    for number in (6, 7):
        [absurd] = [values for (at, _, _), values in stored.items() if at == (AT + number) * 1000]
        assert absurd[0] is None, "unknown, not zero"


@pytest.mark.parametrize("how", ["words", "an old table"])
async def test_only_what_the_server_can_never_hold_is_left_out(maria: Storing, how: str) -> None:
    maria.start()
    await maria.wait_for("Ctrl-C ends it.")
    await maria.publish(*bodies(1))
    await maria.inspector.wait_for(timestamps(1))
    good = json.loads(encode(build_message(2)))
    if how == "words":
        # In a message as a whole, and in many.
        entries = [{**good["meters"][0], "measurement_type": f"m{number}"} for number in range(65)]
        bad = [json.dumps({**good, "meters": entries}).encode()]
        bad += [json.dumps({**good, "meters": entries[first : first + 60]}).encode() for first in (0, 60)]
        left_out, reason = [bad[0]], "65 elements of `meters`"
    else:
        # The number of the next word is beyond what its column in `readings` holds.
        execute(make_url(maria.database_url), "ALTER TABLE measurements AUTO_INCREMENT = 40000")
        bad = left_out = [
            json.dumps({**good, "meters": [{**good["meters"][0], "measurement_type": "evse"}]}).encode()
        ]
        reason = "Out of range value for column 'measurement_id'"
    await maria.publish(*bodies(*range(3, 20)), *bad, *bodies(*range(20, 40)))
    await maria.inspector.wait_for(timestamps(*range(3, 40)))
    await maria.empties()
    assert maria.stop() == 0
    buried = await maria.buried()
    assert [body for body, _ in buried] == left_out
    assert reason in buried[0][1]


async def test_workers_share_a_queue_and_make_the_tables_of_an_empty_database_together(
    new_storing: Callable[..., Storing], database_url: str
) -> None:
    workers = [new_storing(database_url) for _ in range(3)]
    workers[0].write_settings(batch_size=10)
    for worker in workers:
        worker.start()
    for worker in workers:
        await worker.wait_for("Ctrl-C ends it.")
    # Each message twice, as after a confirmation that was lost on its way.
    await workers[0].publish(*[body for number in range(150) for body in bodies(number) * 2])
    await workers[0].inspector.wait_for(timestamps(*range(150)))
    workers[1].kill()
    await workers[0].publish(*bodies(*range(150, 200)))
    await workers[0].inspector.wait_for(timestamps(*range(200)))
    await workers[0].empties()
    assert [workers[0].stop(), workers[2].stop()] == [0, 0]
    assert workers[0].inspector.stored.keys() == {
        (at, word, phase)
        for at in timestamps(*range(200))
        for word in ("production", "net-consumption")
        for phase in (0, 1)
    }
    assert [worker.output.count("warning:") for worker in workers] == [0, 0, 0]


async def test_what_it_had_when_it_was_killed_is_stored_by_the_next(lite: Storing) -> None:
    lite.write_settings(batch_size=20)
    await lite.publish(*bodies(*range(400)))
    lite.start()
    await lite.inspector.wait_for_count(20)
    lite.kill()
    await lite.start_and_wait()
    await lite.inspector.wait_for(timestamps(*range(400)))
    await lite.empties()
    assert lite.stop() == 0
    assert len(lite.inspector.stored) == 1600


@pytest.mark.slow
async def test_it_goes_on_when_broker_and_database_were_killed_and_are_back(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: Storing
) -> None:
    await maria.publish(*bodies(*range(10)))
    maria.start()
    await maria.inspector.wait_for(timestamps(*range(10)))
    await asyncio.to_thread(mariadb.kill)
    await maria.publish(*bodies(*range(10, 30)))
    await maria.wait_for("readings wait in the queue")
    await asyncio.to_thread(mariadb.start)
    await maria.inspector.wait_for(timestamps(*range(30)), within=60)
    await maria.settles()
    await asyncio.to_thread(rabbitmq.kill)
    await maria.wait_for("the connection was lost")
    await asyncio.to_thread(rabbitmq.start)
    await maria.publish(*bodies(*range(30, 40)))
    await maria.inspector.wait_for(timestamps(*range(40)), within=60)
    await maria.empties()
    assert maria.stop() == 0
    assert len(maria.inspector.stored) == 160
    assert maria.output.count("warning:") < 10, maria.output


@pytest.mark.slow
async def test_it_begins_without_broker_and_database(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: Storing
) -> None:
    await maria.publish(*bodies(*range(5)))
    await asyncio.to_thread(mariadb.kill)
    await maria.settles()
    await asyncio.to_thread(rabbitmq.kill)
    maria.start()
    await maria.wait_for("no connection")
    await asyncio.to_thread(rabbitmq.start)
    await maria.wait_for("readings wait in the queue", within=60)
    await asyncio.to_thread(mariadb.start)
    await maria.inspector.wait_for(timestamps(*range(5)), within=60)
    assert maria.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("hanging", [("database",), ("broker",), ("database", "broker")])
async def test_it_ends_within_five_seconds_whatever_hangs_and_nothing_is_lost(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: Storing, hanging: tuple[str, ...]
) -> None:
    servers: dict[str, MariaDB | RabbitMQ] = {"database": mariadb, "broker": rabbitmq}
    await maria.publish(*bodies(1))
    maria.start()
    await maria.inspector.wait_for(timestamps(1))
    for name in hanging:
        if name == "database":
            mariadb.pause()
        await maria.publish(*bodies(*range(2, 8)))
        await asyncio.sleep(0.7)
        servers[name].pause()
    await asyncio.sleep(0.5)
    try:
        assert maria.stop() == 0
    finally:
        for name in hanging:
            servers[name].resume()
    await maria.start_and_wait()
    await maria.inspector.wait_for(timestamps(*range(1, 8)))
    await maria.empties()
    assert maria.stop() == 0


async def test_it_ends_within_five_seconds_while_another_program_locks_the_database(lite: Storing) -> None:
    await lite.publish(*bodies(1))
    lite.start()
    await lite.inspector.wait_for(timestamps(1))
    locking = sqlite3.connect(str(make_url(lite.database_url).database), isolation_level=None)
    try:
        locking.execute("BEGIN IMMEDIATE")
        await lite.publish(*bodies(2))
        await asyncio.sleep(1)
        assert lite.stop() == 0
    finally:
        locking.close()
    await lite.start_and_wait()
    await lite.inspector.wait_for(timestamps(2))
    assert lite.stop() == 0


async def test_no_secret_is_in_its_log_at_debug_level_nor_in_its_title(
    rabbitmq: RabbitMQ, mariadb: MariaDB, maria: Storing
) -> None:
    token = maria.user.simulator.token()
    secrets = {"gateway_token": token, "enphase_password": PASSWORD, "enphase_username": USERNAME}
    database = make_url(maria.database_url)
    password = "hunter2/@ %secret"
    execute(database, f"CREATE OR REPLACE USER planted IDENTIFIED BY '{password}'")
    execute(database, f"GRANT ALL ON {database.database}.* TO planted")
    theirs = database.set(username="planted", password=password)
    wrong_broker = str(URL(maria.amqp_url).with_password(password))
    maria.write_settings(
        **secrets, database_url=theirs.render_as_string(hide_password=False), amqp_url=wrong_broker
    )
    maria.start("-v")
    await maria.wait_for("it rejects amqp_username with amqp_password: correct them")
    command_line = maria.command_line
    assert maria.stop() == 0
    maria.write_settings(**secrets, database_url=theirs.render_as_string(hide_password=False))
    await maria.publish(*bodies(1), b"{}")
    maria.start("-v")
    await maria.inspector.wait_for(timestamps(1))
    await asyncio.to_thread(mariadb.kill)
    await maria.publish(*bodies(2))
    await maria.wait_for("readings wait in the queue")
    assert maria.stop() == 0
    everything = maria.output + command_line
    assert "DEBUG" in everything
    planted = (token, token[-20:], "hunter2", "secret", PASSWORD, USERNAME, "guest:guest")
    assert [secret for secret in planted if secret in everything] == []
    for body, reason in await maria.buried():
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
def test_a_setting_that_cannot_be_right_is_named(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
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
def test_a_database_that_cannot_be_is_named_without_its_password(
    user: CliUser, url: str, status: int, message: str
) -> None:
    user.write_token_settings(database_url=url)
    result = user.run(main)
    assert (result.status, message in result.error) == (status, True)
    assert "hunter2" not in result.error


async def test_systemd_is_told_when_it_listens_and_how_it_goes_on(lite: Storing, tmp_path: Path) -> None:
    with capture_notifications(lite.user, tmp_path) as told:
        lite.start()
        assert await asyncio.to_thread(lambda: "READY=1" in told), "though nobody has sent anything"
        await lite.publish(*bodies(1, 2), b"{}")
        status = re.compile(r"STATUS=2 stored, 1 dead-lettered$")
        assert await asyncio.to_thread(
            lambda: any("WATCHDOG=1" in each and status.search(each) for each in told)
        )
        assert lite.stop() == 0
        assert await asyncio.to_thread(lambda: "STOPPING=1" in told)
