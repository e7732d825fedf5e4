"""Connections: they can be given up at any moment, whatever stands at the other end."""

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
from tests.services import free_port
from tests.services.rabbitmq import RabbitMQ

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, and say nothing."""


def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def speaking_otherwise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def wanting_another_version(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"AMQP\x00\x01\x00\x00")
    writer.close()


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[Broker]:
    writers = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        answer(reader, writer)

    listening = await asyncio.start_server(handle, "127.0.0.1")
    port = listening.sockets[0].getsockname()[1]
    yield Broker(f"amqp://guest:guest@127.0.0.1:{port}/")
    listening.close()
    for writer in writers:
        writer.transport.abort()
    await listening.wait_closed()


@pytest.mark.parametrize(
    "answer", [silent, resetting, hanging_up, speaking_otherwise, wanting_another_version]
)
async def test_a_script_ends_at_whatever_moment_of_connecting_it_is_asked_to(answer: Answer) -> None:
    async with server(answer) as broker:
        await ends_at_every_step(broker, 120)


async def test_a_script_ends_at_whatever_moment_of_a_connection_that_is_well(
    broker: Broker, queue: str
) -> None:
    await ends_at_every_step(broker, 200, queue)


async def ends_at_every_step(broker: Broker, steps: int, queue: str = "queue") -> None:
    """Begin again and again, and end it one step of the event loop later each time."""
    for step in range(steps):
        running = asyncio.create_task(Publisher(broker, [queue], "test").run())
        for _ in range(step):
            await asyncio.sleep(0)
        running.cancel()
        # A connection has a second to say goodbye; a peer that says nothing would be waited for far longer.
        await asyncio.wait((running,), timeout=5)
        assert running.cancelled(), f"asked in step {step}, it runs on"


@pytest.mark.slow
async def test_a_password_may_have_any_letters(rabbitmq: RabbitMQ, queue: str, elsewhere: Path) -> None:
    name, password = f"sølar-{queue}", "p€ss wörd/:@%密"
    await asyncio.to_thread(rabbitmq.add_user, name, password)
    file = elsewhere / "credentials_token.json"
    url = URL(rabbitmq.url).with_user(name).with_password(password)
    keys = {"amqp_host": url.host, "amqp_port": url.port, "amqp_username": name, "amqp_password": password}
    for written in (keys, {"amqp_url": str(url)}):
        file.write_text(json.dumps(written))
        file.chmod(0o600)
        options = argparse.Namespace(configuration=str(elsewhere))
        broker = Broker.from_settings(load_settings(AMQP_KEYS, options))
        async with open_channel(broker, "test") as channel:
            assert not channel.lost.is_set()
        with pytest.raises(BrokerError, match="it rejects amqp_username with amqp_password"):
            async with open_channel(replace(broker, url=str(url.with_password(password + "€"))), "test"):
                pass


async def test_nobody_there_is_said_in_words_and_not_in_numbers() -> None:
    with pytest.raises(BrokerError, match=r"no connection \(Connection refused: check that RabbitMQ runs"):
        async with open_channel(Broker(f"amqp://guest:guest@localhost:{free_port()}/"), "test"):
            pass
    with pytest.raises(BrokerError, match=r"no connection \([A-Z][a-z ,]+\)$"):
        async with open_channel(Broker("amqp://guest:guest@no-such-host.invalid/"), "test"):
            pass


@pytest.mark.parametrize(
    "answer",
    [
        resetting,
        hanging_up,
        wanting_another_version,
        # Given up only after ten seconds.
        pytest.param(speaking_otherwise, marks=pytest.mark.slow),
    ],
)
async def test_whoever_is_no_broker_is_told_and_tried_again(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    async with server(answer) as broker:
        publisher = Publisher(broker, ["queue"], "test")
        running = asyncio.create_task(publisher.run())
        async with asyncio.timeout(30):
            while publisher.problem.text is None:
                await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()
        await asyncio.wait((running,))
    assert all("\n" not in text for text in caplog.messages)


def test_a_connection_that_failed_leaves_no_warning_behind(recwarn: pytest.WarningsRecorder) -> None:
    """The library would begin to close it when nothing runs any more that could do so."""

    async def fails() -> None:
        with pytest.raises(BrokerError):
            async with open_channel(Broker(f"amqp://guest:guest@localhost:{free_port()}/"), "test"):
                pass

    loop = asyncio.new_event_loop()
    gc.disable()
    try:
        loop.run_until_complete(fails())
        gc.collect()
    finally:
        gc.enable()
        loop.close()
    assert [warning.message for warning in recwarn] == []


@pytest.mark.parametrize(
    ("set_to", "is_plain"),
    [
        ({"amqp_host": "broker.example"}, True),
        ({"amqp_host": "192.0.2.1", "amqp_password": "secret"}, True),
        ({"amqp_url": "amqp://me:secret@broker.example/"}, True),
        ({"amqp_url": "amqp://me:secret@[2001:db8::1]/"}, True),
        ({"amqp_url": "amqps://me:secret@broker.example/"}, False),
        ({"amqp_url": "amqp://broker.example/"}, False),
        ({"amqp_host": "localhost"}, False),
        ({"amqp_host": "127.0.0.2"}, False),
        ({"amqp_url": "amqp://me:secret@[::1]:5672/"}, False),
    ],
)
def test_a_password_that_crosses_the_network_in_plain_text_is_warned_of(
    set_to: dict[str, Any], is_plain: bool, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings(AMQP_KEYS, argparse.Namespace(configuration=str(elsewhere)))
    Broker.from_settings(replace(settings, **set_to))
    assert ("plain text; use TLS" in caplog.text) is is_plain
    assert "secret" not in caplog.text
