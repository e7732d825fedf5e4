"""Broker connections: they can be cancelled at any time and survive peers that are no broker."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from enphase_companion.amqp.broker import Broker, BrokerError, open_channel
from enphase_companion.amqp.publisher import Publisher
from enphase_companion.config.loader import load_settings
from enphase_companion.config.settings import AMQP_KEYS
from tests.services import find_free_port
from tests.services.rabbitmq import RabbitMQ

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the connection and send nothing."""


def reset_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def close_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def answer_in_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def request_other_version(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"AMQP\x00\x01\x00\x00")
    writer.close()


@asynccontextmanager
async def run_server(answer: Answer) -> AsyncIterator[Broker]:
    writers = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        answer(reader, writer)

    listener = await asyncio.start_server(handle, "127.0.0.1")
    port = listener.sockets[0].getsockname()[1]
    yield Broker(f"amqp://guest:guest@127.0.0.1:{port}/")
    listener.close()
    for writer in writers:
        writer.transport.abort()
    await listener.wait_closed()


@pytest.mark.parametrize(
    "answer", [stay_silent, reset_connection, close_connection, answer_in_http, request_other_version]
)
async def test_a_publisher_can_be_cancelled_at_any_step_of_connecting(answer: Answer) -> None:
    async with run_server(answer) as broker:
        await assert_cancellable_at_every_step(broker, 120)


async def test_a_publisher_can_be_cancelled_at_any_step_of_a_working_connection(
    broker: Broker, queue: str
) -> None:
    await assert_cancellable_at_every_step(broker, 200, queue)


async def assert_cancellable_at_every_step(broker: Broker, steps: int, queue: str = "queue") -> None:
    """Start a publisher repeatedly and cancel it one step of the event loop later each time."""
    for step in range(steps):
        running = asyncio.create_task(Publisher(broker, [queue], "test").run())
        for _ in range(step):
            await asyncio.sleep(0)
        running.cancel()
        # A connection may take a second to close, even if the peer does not answer.
        await asyncio.wait((running,), timeout=5)
        assert running.cancelled(), f"still running after it was cancelled in step {step}"


@pytest.mark.slow
async def test_a_password_may_have_any_characters(rabbitmq: RabbitMQ, queue: str, home_folder: Path) -> None:
    name, password = f"sølar-{queue}", "p€ss wörd/:@%密"
    await asyncio.to_thread(rabbitmq.add_user, name, password)
    file = home_folder / "credentials_token.json"
    url = URL(rabbitmq.url).with_user(name).with_password(password)
    keys = {"amqp_host": url.host, "amqp_port": url.port, "amqp_username": name, "amqp_password": password}
    for content in (keys, {"amqp_url": str(url)}):
        file.write_text(json.dumps(content))
        file.chmod(0o600)
        options = argparse.Namespace(configuration=str(home_folder))
        broker = Broker.from_settings(load_settings(AMQP_KEYS, options))
        async with open_channel(broker, "test") as channel:
            assert not channel.lost.is_set()
        with pytest.raises(BrokerError, match="it rejects amqp_username with amqp_password"):
            async with open_channel(replace(broker, url=str(url.with_password(password + "€"))), "test"):
                pass


@pytest.mark.parametrize(
    ("setting", "value", "nodes"),
    [
        ("amqp_host", "one.example", ["one.example:5672"]),
        ("amqp_host", "one.example, two.example:5673", ["one.example:5672", "two.example:5673"]),
        ("amqp_host", "2001:db8::1,[2001:db8::2]:5673", ["2001:db8::1:5672", "2001:db8::2:5673"]),
        ("amqp_url", "amqps://me:a,b@one.example,two:5673/solar", ["one.example:5671", "two:5673"]),
    ],
)
def test_a_setting_may_name_several_nodes(
    setting: str, value: str, nodes: list[str], home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENPHASE_AMQP_USERNAME", "me")
    monkeypatch.setenv("ENPHASE_AMQP_PASSWORD", "a,b")
    monkeypatch.setenv("ENPHASE_AMQP_VIRTUAL_HOST", "solar")
    monkeypatch.setenv(f"ENPHASE_{setting.upper()}", value)
    broker = Broker.from_settings(
        load_settings(AMQP_KEYS, argparse.Namespace(configuration=str(home_folder)))
    )
    assert [str(node) for node in broker.nodes] == nodes
    assert str(broker) == ", ".join(map(str, broker.nodes))
    for node in broker.nodes:
        url = URL(node.url)
        assert (url.user, url.password, url.path) == ("me", "a,b", "/solar")


async def test_a_publisher_uses_the_next_node_when_one_is_down_or_no_broker(
    rabbitmq: RabbitMQ, broker: Broker, queue: str
) -> None:
    async with run_server(close_connection) as other:
        ports = [find_free_port(), URL(other.url).port, rabbitmq.port]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        publisher = Publisher(replace(broker, url=f"amqp://guest:guest@{hosts}/"), [queue], "test")
        running = asyncio.create_task(publisher.run())
        async with asyncio.timeout(20):
            await publisher.connected.wait()
        running.cancel()
        await asyncio.wait((running,))


async def test_the_error_of_an_unreachable_broker_has_words_instead_of_error_numbers() -> None:
    with pytest.raises(BrokerError, match=r"no connection \(Connection refused: check that RabbitMQ runs"):
        async with open_channel(Broker(f"amqp://guest:guest@localhost:{find_free_port()}/"), "test"):
            pass
    with pytest.raises(BrokerError, match=r"no connection \([A-Z][a-z ,]+\)$"):
        async with open_channel(Broker("amqp://guest:guest@no-such-host.invalid/"), "test"):
            pass


@pytest.mark.parametrize(
    "answer",
    [
        reset_connection,
        close_connection,
        request_other_version,
        # The connection attempt times out only after ten seconds.
        pytest.param(answer_in_http, marks=pytest.mark.slow),
    ],
)
async def test_a_peer_that_is_no_broker_is_reported_and_retried(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_server(answer) as broker:
        publisher = Publisher(broker, ["queue"], "test")
        running = asyncio.create_task(publisher.run())
        async with asyncio.timeout(30):
            while publisher.problem.text is None:
                await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()
        await asyncio.wait((running,))
    assert all("\n" not in text for text in caplog.messages)


def test_a_failed_connection_causes_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    """The library would try to close the connection after the event loop has stopped."""

    async def connect() -> None:
        with pytest.raises(BrokerError):
            async with open_channel(Broker(f"amqp://guest:guest@localhost:{find_free_port()}/"), "test"):
                pass

    loop = asyncio.new_event_loop()
    gc.disable()
    try:
        loop.run_until_complete(connect())
        gc.collect()
    finally:
        gc.enable()
        loop.close()
    assert [warning.message for warning in recwarn] == []


@pytest.mark.parametrize(
    ("changed", "is_plain"),
    [
        ({"amqp_host": "broker.example"}, True),
        ({"amqp_host": "192.0.2.1", "amqp_password": "secret"}, True),
        ({"amqp_url": "amqp://me:secret@broker.example/"}, True),
        ({"amqp_url": "amqp://me:secret@[2001:db8::1]/"}, True),
        ({"amqp_url": "amqps://me:secret@broker.example/"}, False),
        ({"amqp_url": "amqp://broker.example/"}, False),
        ({"amqp_host": "localhost"}, False),
        ({"amqp_host": "127.0.0.2"}, False),
        ({"amqp_host": "127.0.0.2,broker.example"}, True),
        ({"amqp_url": "amqp://me:secret@[::1]:5672/"}, False),
    ],
)
def test_a_password_sent_over_the_network_in_plain_text_causes_a_warning(
    changed: dict[str, Any], is_plain: bool, home_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(AMQP_KEYS, argparse.Namespace(configuration=str(home_folder)))
    Broker.from_settings(replace(settings, **changed))
    assert ("plain text; use TLS" in caplog.text) is is_plain
    assert "secret" not in caplog.text
