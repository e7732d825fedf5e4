"""The pipeline of docs/pipeline.md from the gateway to chart and display, with three kills."""

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

#: Seconds after the declaration of a quorum queue until RabbitMQ 3.10 may be killed without losing it.
_SETTLING_TIME = 8


@dataclass
class Pipeline:
    """The commands of a user, with the recorded answers of the gateway and the database."""

    user: CliUser
    recorder: AnswerRecorder
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

    async def wait_for_answers(self) -> None:
        """Wait until the gateway has answered some more times."""
        before = len(self.recorder)
        await wait_until(lambda: len(self.recorder) >= before + 4)

    async def wait_until_stored(self) -> None:
        """Wait until all readings so far are in the database."""
        await self.inspector.wait_for(self.recorder.timestamps, within=60)

    async def wait_for_success(self, command: Command) -> None:
        """Wait until a command ends with exit status 0."""
        assert command.process is not None
        assert await asyncio.to_thread(command.process.wait, 60) == 0, command.output


@pytest.fixture
def pipeline(
    rabbitmq: RabbitMQ, mariadb_url: str, create_user: Callable[..., CliUser], tmp_path: Path
) -> Iterator[Pipeline]:
    # Readings are twenty simulated seconds apart, so that their times differ, and lie in the past.
    user = create_user("battery", speed=20, start=time.time() - 3 * 3600)
    user.trust_gateway()
    exchange_name = f"Enphase.{time.time_ns()}"
    queue = f"{exchange_name}.Meters"
    user.write_token_settings(
        gateway_token=user.simulator.token(),
        interval=1,
        amqp_url=rabbitmq.url,
        amqp_exchange=exchange_name,
        amqp_queues=queue,
        amqp_queue=queue,
        database_url=mariadb_url,
    )
    recorder = AnswerRecorder.attach(user.simulator, user.patch)
    running = Pipeline(user, recorder, tmp_path, queue, DatabaseInspector(mariadb_url))
    yield running
    for each in running.commands:
        each.kill()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_reading_is_stored_once_although_each_part_is_killed(
    rabbitmq: RabbitMQ, mariadb: MariaDB, pipeline: Pipeline, tmp_path: Path
) -> None:
    await pipeline.publisher.start_and_wait()
    await pipeline.consumer.start_and_wait()
    begun = time.monotonic()
    pipeline.display.start("--display", str(tmp_path / "day.gif"))
    await pipeline.inspector.wait_for_count(4)

    pipeline.consumer.kill()
    await pipeline.wait_for_answers()
    await pipeline.consumer.start_and_wait()
    await pipeline.wait_until_stored()
    await pipeline.wait_for_success(pipeline.display)

    await asyncio.sleep(max(0, begun + _SETTLING_TIME - time.monotonic()))
    await asyncio.to_thread(rabbitmq.kill)
    await pipeline.wait_for_answers()
    await asyncio.to_thread(rabbitmq.start)
    await pipeline.wait_until_stored()

    await asyncio.to_thread(mariadb.kill)
    await pipeline.wait_for_answers()
    await asyncio.to_thread(mariadb.start)
    await pipeline.wait_until_stored()

    assert pipeline.publisher.stop() == 0
    # The publisher may have stopped during the last answer.
    last = max(pipeline.recorder.timestamps)
    await pipeline.inspector.wait_for(pipeline.recorder.timestamps - {last})
    rolled_up = "SELECT SUM(reading_count) FROM minutes"
    await wait_until(lambda: pipeline.inspector.query(rolled_up) == [(len(pipeline.inspector.stored),)])
    assert pipeline.consumer.stop() == 0

    stored, truth = pipeline.inspector.stored, pipeline.recorder.truth
    assert_readings_equal(stored, {key: truth[key] for key in truth if key[0] != last or key in stored})
    inspector = broker.BrokerInspector(rabbitmq.url)
    assert await inspector.count_ready(pipeline.queue) == 0
    assert await inspector.count_ready(pipeline.queue.replace("Meters", "DeadLetter")) == 0

    pipeline.chart.start("--range", "day", "--output", str(tmp_path / "day.png"))
    await pipeline.wait_for_success(pipeline.chart)
    with Image.open(tmp_path / "day.png") as drawn, Image.open(tmp_path / "day.gif") as shown:
        assert (drawn.format, shown.format) == ("PNG", "GIF")
        assert min(drawn.size) > 400
        assert getattr(shown, "n_frames", 1) > 10


@pytest.mark.parametrize(
    "command",
    ["amqp_database_meters", "gateway_amqp_meters", "amqp_unicorn_hat_hd", "database_pyplot_meters"],
)
def test_every_part_of_the_pipeline_is_one_documented_command(command: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "pipeline.md").read_text()
    assert re.search(
        rf"^enphase-{command.replace('_', '-')}( --output day.png| --display day.gif)?$", text, re.MULTILINE
    )
