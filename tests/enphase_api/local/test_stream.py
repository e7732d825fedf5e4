"""Streams of events, such as /stream/meter."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import aiohttp
import pytest

from enphase_api import (
    AuthenticationError,
    CommunicationError,
    InvalidAnswerError,
    NotAllowedError,
    ResponseError,
)
from enphase_api.local import Gateway
from enphase_companion.simulator import Simulator

from ..servers import create_certificate, run_recorder

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"


async def read_events(body: bytes) -> list[object]:
    """Return the events of a stream with this body."""
    shown = create_certificate()
    async with (
        run_recorder(shown, HEAD + body) as server,
        Gateway(server.url, certificate=shown.pem) as gateway,
    ):
        return [event async for event in gateway.api_call_stream("/stream/meter")]


@pytest.mark.slow
async def test_an_installer_gets_an_event_each_second(gateway: Gateway, sim: Simulator) -> None:
    assert await gateway.login(sim.token(role="installer"))
    async with aclosing(gateway.api_call_stream("/stream/meter")) as stream:
        first = await anext(stream)
        second = await anext(stream)
    assert set(first) == set(second) == {"production", "net-consumption", "total-consumption"}
    assert first["production"]["ph-a"]["v"] == pytest.approx(230, rel=0.1)


@pytest.mark.slow
async def test_a_stream_does_not_block_other_calls(gateway: Gateway, sim: Simulator) -> None:
    assert await gateway.login(sim.token(role="installer"))
    async with aclosing(gateway.api_call_stream("/stream/meter")) as stream:
        await anext(stream)
        assert await gateway.meters()
        assert await anext(stream)


async def test_the_error_for_an_owner_names_the_required_role(logged_in: Gateway) -> None:
    with pytest.raises(NotAllowedError, match="/stream/meter with this token's role"):
        await anext(logged_in.api_call_stream("/stream/meter"))


async def test_a_stream_without_a_login_is_an_error(gateway: Gateway) -> None:
    with pytest.raises(AuthenticationError, match="call login"):
        await anext(gateway.api_call_stream("/stream/meter"))


async def test_a_session_that_ended_is_opened_again(gateway: Gateway, sim: Simulator) -> None:
    assert await gateway.login(sim.token(role="installer"))
    sim.gateway.sessions.end_all()
    async with aclosing(gateway.api_call_stream("/stream/meter")) as stream:
        assert await anext(stream)


async def test_a_gateway_without_a_stream_is_an_error(gateway: Gateway, sim: Simulator) -> None:
    assert await gateway.login(sim.token(role="installer"))
    sim.faults.set("status", "/stream/meter", status=503)
    with pytest.raises(ResponseError, match="status 503"):
        await anext(gateway.api_call_stream("/stream/meter"))


async def test_empty_lines_separate_events() -> None:
    body = b': hello\n\ndata: {"a":\ndata: 1}\r\n\r\nevent: x\nid: 7\ndata:[2]\n\n\n'
    assert await read_events(body) == [{"a": 1}, [2]]


async def test_a_truncated_event_is_ignored() -> None:
    assert await read_events(b'data: {"a": 1}\n\ndata: {"b": 2}') == [{"a": 1}]


async def test_an_event_without_valid_json_is_an_error() -> None:
    with pytest.raises(InvalidAnswerError, match="/stream/meter"):
        await read_events(b"data: <html>\n\n")


async def test_an_endless_event_is_an_error() -> None:
    with pytest.raises(InvalidAnswerError, match="has no end"):
        await read_events(b"data: " + json.dumps("x" * 1_100_000).encode())


async def test_an_unrequested_compressed_stream_is_an_error() -> None:
    shown, head = create_certificate(), HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    async with run_recorder(shown, head) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        with pytest.raises(InvalidAnswerError, match="unknown encoding"):
            await anext(gateway.api_call_stream("/stream/meter"))


async def test_a_stream_that_breaks_off_is_an_error() -> None:
    body = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n"
    shown = create_certificate()
    async with run_recorder(shown, body) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        with pytest.raises(CommunicationError):
            await anext(gateway.api_call_stream("/stream/meter"))


@pytest.mark.slow
async def test_a_silent_stream_times_out(
    gateway: Gateway, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "enphase_api.local.gateway.STREAM_TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.8)
    )
    assert await gateway.login(sim.token(role="installer"))
    async with aclosing(gateway.api_call_stream("/stream/meter")) as stream:
        await anext(stream)
        with pytest.raises(CommunicationError):
            await anext(stream)


async def test_leaving_the_stream_closes_the_connection(sim: Simulator) -> None:
    gateway = Gateway(sim.url, certificate=sim.certificate_pem)
    assert await gateway.login(sim.token(role="installer"))

    async def listen() -> None:
        async for _ in gateway.api_call_stream("/stream/meter"):
            heard.set()

    heard = asyncio.Event()
    task = asyncio.create_task(listen())
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
