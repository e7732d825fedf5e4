"""Three RabbitMQ nodes on this machine: publisher and consumers outlive the death of any one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from enphase_companion.amqp.broker import Broker, open_channel
from enphase_companion.amqp.consumer import Consumer
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.amqp.topology import declare_exchange, declare_queue
from enphase_companion.delivery.sender import Sender
from enphase_companion.delivery.sink import Sink
from enphase_companion.delivery.spool import Spool
from enphase_companion.runtime.metrics import Metrics
from enphase_companion.storage import Database
from tests.services.rabbitmq import Cluster

from ..amqp_helpers import AT, BrokerInspector, build_message, wait_until
from ..commands.running import DatabaseInspector

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Pipeline:
    """A publisher and two consumers, and what is in their database."""

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
async def run_pipeline(broker: Broker, queue: str, database_url: str, file: Path) -> AsyncIterator[Pipeline]:
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
        yield Pipeline(sender, spool, metrics, DatabaseInspector(database_url))
        stopping.set()
        await asyncio.gather(*consumers)


async def assert_stored_once(cluster: Cluster, broker: Broker, queue: str, url: str, count: int) -> None:
    """Assert that this many readings are in the database, once each, and nothing is left on the cluster."""
    rows = DatabaseInspector(url).query("SELECT COUNT(*), COUNT(DISTINCT measured_at) FROM readings")
    assert rows == [(count * len(build_message(0).samples), count)]
    inspector = BrokerInspector(cluster.find_running().url)
    assert await inspector.count_ready(queue) == 0
    assert await inspector.count_ready(f"{broker.exchange}.DeadLetter") == 0


@pytest.mark.parametrize("is_leader", [True, False], ids=["leader", "follower"])
async def test_a_killed_node_loses_and_doubles_nothing(
    cluster: Cluster, broker: Broker, queue: str, mariadb_url: str, tmp_path: Path, is_leader: bool
) -> None:
    async with run_pipeline(broker, queue, mariadb_url, tmp_path / "spool") as pipeline:
        await pipeline.send(range(200))
        await pipeline.wait_until_stored(100)
        leader = await asyncio.to_thread(cluster.find_leader, queue)
        node = next(each for each in cluster.nodes if (each is leader) == is_leader)
        killing = asyncio.create_task(asyncio.to_thread(node.kill))
        await pipeline.send(range(200, 800))
        await killing
        await pipeline.wait_until_stored(800)
        await wait_until(lambda: not len(pipeline.spool))
    await assert_stored_once(cluster, broker, queue, mariadb_url, 800)


def test_the_queue_of_a_single_broker_gets_replicas_on_nodes_that_join(
    cluster: Cluster, broker: Broker, queue: str
) -> None:
    first, *others = cluster.nodes

    async def declare() -> None:
        async with open_channel(broker.nodes[0], "test") as channel:
            await declare_queue(channel, await declare_exchange(channel), queue)

    asyncio.run(declare())
    for node in others:
        first.control("delete_member", queue, node.node, program="rabbitmq-queues")
    assert cluster.count_members(queue) == 1
    for node in others:
        first.control("grow", node.node, "all", program="rabbitmq-queues")
    assert cluster.count_members(queue) == 3


async def test_readings_wait_in_the_spool_while_the_majority_is_down(
    cluster: Cluster, broker: Broker, queue: str, mariadb_url: str, tmp_path: Path
) -> None:
    async with run_pipeline(broker, queue, mariadb_url, tmp_path / "spool") as pipeline:
        await pipeline.send(range(100))
        await pipeline.wait_until_stored(100)
        for node in cluster.nodes[:2]:
            await asyncio.to_thread(node.kill)
        before = pipeline.metrics["messages_published"]
        await pipeline.send(range(100, 400))
        # Those that were sent while the second node died may be confirmed, but the last one is not.
        assert len(pipeline.spool) > 0
        assert pipeline.metrics["messages_published"] < before + 300
        await asyncio.to_thread(cluster.start_all)
        await pipeline.wait_until_stored(400)
        await wait_until(lambda: not len(pipeline.spool))
    await assert_stored_once(cluster, broker, queue, mariadb_url, 400)


async def test_a_queue_declared_while_a_node_is_down_outlives_the_next_one(
    cluster: Cluster, broker: Broker, queue: str, mariadb_url: str, tmp_path: Path
) -> None:
    await asyncio.to_thread(cluster.nodes[0].kill)
    async with run_pipeline(broker, queue, mariadb_url, tmp_path / "spool") as pipeline:
        await pipeline.send(range(100))
        await pipeline.wait_until_stored(100)
        assert [cluster.count_members(name) for name in (queue, f"{broker.exchange}.DeadLetter")] == [3, 3]
        await asyncio.to_thread(cluster.start_all)
        await asyncio.to_thread(cluster.nodes[1].kill)
        await pipeline.send(range(100, 200))
        await pipeline.wait_until_stored(200)
        await wait_until(lambda: not len(pipeline.spool))
    await assert_stored_once(cluster, broker, queue, mariadb_url, 200)
