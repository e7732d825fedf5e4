"""Three RabbitMQ nodes on this machine: publisher and consumers outlive the death of any one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from enphase_companion.amqp.broker import Broker
from enphase_companion.amqp.consumer import Consumer
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.delivery.sender import Sender
from enphase_companion.delivery.sink import Sink
from enphase_companion.delivery.spool import Spool
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.storage import Database
from tests.services.rabbitmq import Cluster, RabbitMQ

from ..amqp_helpers import AT, BrokerInspector, build_message, wait_until
from ..commands.running import DatabaseInspector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Pipeline:
    """A publisher and two consumers on a cluster, and what is in their database."""

    cluster: Cluster
    queue: str
    sender: Sender
    spool: Spool
    metrics: Metrics
    inspector: DatabaseInspector

    async def send(self, numbers: Sequence[int]) -> None:
        """Send these readings, about a hundred per second."""
        for number in numbers:
            await self.sender.send(build_message(number))
            await asyncio.sleep(0.01)

    async def wait_until_stored(self, count: int) -> None:
        await self.inspector.wait_for({(AT + number) * 1000 for number in range(count)}, within=90)


@pytest.fixture
def broker(cluster: Cluster, exchange_name: str) -> Broker:
    return Broker(cluster.url, exchange_name)


@asynccontextmanager
async def run_pipeline(
    cluster: Cluster, broker: Broker, queue: str, database_url: str, file: Path
) -> AsyncIterator[Pipeline]:
    metrics = Metrics()
    stopping = asyncio.Event()
    async with AsyncExitStack() as running:
        spool = await running.enter_async_context(Spool(file, 10**9, metrics))
        consumers = []
        for number in (1, 2):
            database = await running.enter_async_context(Database(make_url(database_url)))
            sink = Sink(database, metrics)
            await sink.begin()
            consumer = Consumer(
                broker, queue, sink.write, metrics, name=f"consumer {number}", batch=50, age=0.1
            )
            consumers.append(asyncio.create_task(consumer.run(stopping)))
        sender = Sender(Publisher(broker, [queue], "publisher"), spool, metrics)
        await running.enter_async_context(sender)
        yield Pipeline(cluster, queue, sender, spool, metrics, DatabaseInspector(database_url))
        stopping.set()
        await asyncio.gather(*consumers)


def find_node(pipeline: Pipeline, victim: str) -> RabbitMQ:
    """Return the queue's leader, or the node that the publisher uses, or one that it does not use."""
    leader = pipeline.cluster.find_leader(pipeline.queue)
    if victim == "leader":
        return leader
    return next(node for node in pipeline.cluster.nodes if node is not leader)


@pytest.mark.parametrize("victim", ["leader", "follower"])
async def test_a_killed_node_loses_and_doubles_nothing(
    cluster: Cluster, broker: Broker, queue: str, mariadb_url: str, tmp_path: Path, victim: str
) -> None:
    async with run_pipeline(cluster, broker, queue, mariadb_url, tmp_path / "spool") as pipeline:
        await pipeline.send(range(200))
        await pipeline.wait_until_stored(100)
        node = await asyncio.to_thread(find_node, pipeline, victim)
        killing = asyncio.create_task(asyncio.to_thread(node.kill))
        await pipeline.send(range(200, 800))
        await killing
        await pipeline.wait_until_stored(800)
        await wait_until(lambda: not len(pipeline.spool))
    rows = DatabaseInspector(mariadb_url).query("SELECT COUNT(*), COUNT(DISTINCT measured_at) FROM readings")
    assert rows == [(800 * len(build_message(0).samples), 800)]
    assert pipeline.metrics["messages_dead_lettered"] == 0
    living = next(each for each in cluster.nodes if each.is_running)
    assert await BrokerInspector(living.url).count_ready(queue) == 0
