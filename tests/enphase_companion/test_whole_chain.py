"""The whole chain as docs/pipeline.md has it, from the gateway to chart and display, through three kills."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.services.mariadb import MariaDB
from tests.services.rabbitmq import RabbitMQ

from . import amqp_helpers as broker
from .amqp_helpers import wait_until
from .cli_user import CliUser
from .commands.running import AnswerRecorder, Command, DatabaseInspector, assert_readings_equal

#: Seconds after which RabbitMQ 3.10 may be killed without losing a quorum queue that was just declared.
_SETTLED = 8


@dataclass
class Chain:
    """What belongs together: an owner's commands and servers, and what the gateway gave."""

    user: CliUser
    given: AnswerRecorder
    folder: Path
    queue: str
    inspector: DatabaseInspector

    def __post_init__(self) -> None:
        self.publisher, self.consumer, self.display, self.chart = self.commands = [
            Command(self.user, f"enphase-{name}", self.folder / name)
            for name in (
                "gateway-amqp-meters",
                "amqp-database-meters",
                "amqp-unicorn-hat-hd",
                "database-pyplot-meters",
            )
        ]

    async def goes_on(self) -> None:
        """Wait until the gateway has given some more readings."""
        before = len(self.given)
        await wait_until(lambda: len(self.given) >= before + 4)

    async def all_is_stored(self) -> None:
        """Wait until what it has given so far stands in the database."""
        await self.inspector.wait_for(self.given.timestamps, within=60)

    async def ends_well(self, command: Command) -> None:
        """Wait until a command has done all of its work."""
        assert command.process is not None
        assert await asyncio.to_thread(command.process.wait, 60) == 0, command.output


@pytest.fixture
def chain(
    rabbitmq: RabbitMQ, mariadb_url: str, create_user: Callable[..., CliUser], tmp_path: Path
) -> Iterator[Chain]:
    # Ten house seconds between two readings, which all have a moment of their own that way, and all are past.
    user = create_user("battery", speed=20, start=time.time() - 3 * 3600)
    user.trust_gateway()
    exchange_name = f"Enphase.{time.time_ns()}"
    queue = f"{exchange_name}.Meters"
    user.write_token_settings(
        gateway_token=user.simulator.token(),
        interval=0.5,
        amqp_url=rabbitmq.url,
        amqp_exchange=exchange_name,
        amqp_queues=queue,
        amqp_queue=queue,
        database_url=mariadb_url,
    )
    given = AnswerRecorder.attach(user.simulator, user.patch)
    running = Chain(user, given, tmp_path, queue, DatabaseInspector(mariadb_url))
    yield running
    for each in running.commands:
        each.kill()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_all_that_the_gateway_gave_stands_in_the_database_exactly_once_though_each_part_was_killed(
    rabbitmq: RabbitMQ, mariadb: MariaDB, chain: Chain, tmp_path: Path
) -> None:
    await chain.publisher.start_and_wait()
    await chain.consumer.start_and_wait()
    begun = time.monotonic()
    chain.display.start("--display", str(tmp_path / "day.gif"))
    await chain.inspector.wait_for_count(4)

    chain.consumer.kill()
    await chain.goes_on()
    await chain.consumer.start_and_wait()
    await chain.all_is_stored()
    await chain.ends_well(chain.display)

    await asyncio.sleep(max(0, begun + _SETTLED - time.monotonic()))
    await asyncio.to_thread(rabbitmq.kill)
    await chain.goes_on()
    await asyncio.to_thread(rabbitmq.start)
    await chain.all_is_stored()

    await asyncio.to_thread(mariadb.kill)
    await chain.goes_on()
    await asyncio.to_thread(mariadb.start)
    await chain.all_is_stored()

    assert chain.publisher.stop() == 0
    # It may have been ended while an answer was on its way to it.
    last = max(chain.given.timestamps)
    await chain.inspector.wait_for(chain.given.timestamps - {last})
    rolled_up = "SELECT SUM(reading_count) FROM minutes"
    await wait_until(lambda: chain.inspector.query(rolled_up) == [(len(chain.inspector.stored),)])
    assert chain.consumer.stop() == 0

    stored, truth = chain.inspector.stored, chain.given.truth
    assert_readings_equal(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    at_the_broker = broker.BrokerInspector(rabbitmq.url)
    assert await at_the_broker.count_ready(chain.queue) == 0
    assert await at_the_broker.count_ready(chain.queue.replace("Meters", "DeadLetter")) == 0

    chain.chart.start("--range", "day", "--output", str(tmp_path / "day.png"))
    await chain.ends_well(chain.chart)
    with Image.open(tmp_path / "day.png") as drawn, Image.open(tmp_path / "day.gif") as shown:
        assert (drawn.format, shown.format) == ("PNG", "GIF")
        assert min(drawn.size) > 400
        assert getattr(shown, "n_frames", 1) > 10


@pytest.mark.parametrize(
    "command",
    ["amqp_database_meters", "gateway_amqp_meters", "amqp_unicorn_hat_hd", "database_pyplot_meters"],
)
def test_each_part_of_the_chain_is_one_documented_command(command: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "pipeline.md").read_text()
    assert re.search(
        rf"^enphase-{command.replace('_', '-')}( --output day.png| --display day.gif)?$", text, re.MULTILINE
    )
