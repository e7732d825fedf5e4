"""Peers that send too much, too slowly or without end, before and after they are trusted."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from enphase_api import CommunicationError, EnphaseError, InvalidAnswerError, UnusableCertificateError
from enphase_api import http as http_module
from enphase_api.http import parse_json
from enphase_api.local import Gateway, fetch_certificate
from enphase_companion.simulator.certificate import Certificate as ShownCertificate
from enphase_companion.simulator.certificate import key_from_seed

from ..servers import (
    CLIENT_HELLO,
    Serve,
    create_certificate,
    run_recorder,
    run_server,
    sign_certificate,
    to_pem,
)

TOKEN = "eyJ0b2tlbg.c2VjcmV0.c2lnbmF0dXJl"
OK = b"HTTP/1.1 200 OK\r\n"
#: Bytes that a peer of these tests sends: more than any request before trust accepts.
FLOOD_SIZE = 200_000


def build_response(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([OK.strip(), b"Content-Length: %d" % len(body), *headers, b"", body])


def flood_with(head: bytes, again: bytes) -> Serve:
    """Answer each request with `head` and a repeated part."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(1) == CLIENT_HELLO:
            return
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + again * (FLOOD_SIZE // len(again)))
        await writer.drain()
        await reader.read()

    return serve


#: The head of an answer, the repeated part, and the client's error.
FLOODS = {
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "has no end"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", "has no end"),
    "chunk extensions": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;a=b\r\na\r\n", "has no end"),
    "body": (OK + b"\r\n", b"a", "larger than 64,000|has no end"),
    "headers": (OK, b"X-A: b\r\n", "did not answer|has no end"),
    "one header": (OK + b"X-A: ", b"a", "did not answer|has no end"),
    "cookies": (OK, b"Set-Cookie: a=b\r\n", "did not answer|has no end"),
}


@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "first look"])
@pytest.mark.parametrize("flood", FLOODS)
async def test_an_endless_answer_of_an_untrusted_peer_is_cut_off(flood: str, pinned: bool) -> None:
    shown = create_certificate()
    head, again, message = FLOODS[flood]
    async with run_server(flood_with(head, again), shown) as url, aiohttp.ClientSession() as session:
        gateway = Gateway(url, None, certificate=shown.pem if pinned else None, session=session)
        with pytest.raises((InvalidAnswerError, CommunicationError), match=message) as caught:
            await gateway.info()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("again", [b"a", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_an_endless_answer_over_plain_http_is_cut_off(again: bytes) -> None:
    async with run_server(flood_with(OK + b"\r\n", again)) as url:
        with pytest.raises(CommunicationError):
            await Gateway(url.replace("http://", "https://"), None).info()


async def test_a_very_slow_answer_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)

    monkeypatch.setattr("enphase_api.local.connection.TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    shown = create_certificate()
    async with run_server(drip, shown) as url, Gateway(url, certificate=shown.pem) as gateway:
        with pytest.raises(CommunicationError, match="/info"):
            await gateway.info()
        with pytest.raises(CommunicationError, match="/auth/check_jwt"):
            await gateway.login(TOKEN)


def create_certificate_with_names(count: int) -> ShownCertificate:
    """Return a certificate with many alternative names."""
    key = key_from_seed("gateway")
    names = x509.SubjectAlternativeName([x509.DNSName(f"{number}.example") for number in range(count)])
    return replace(
        create_certificate(), pem=to_pem(sign_certificate("envoy", key.public_key(), key, extension=names))
    )


async def test_a_certificate_larger_than_any_gateways_is_not_read() -> None:
    async with run_recorder(create_certificate_with_names(1000)) as server:
        with pytest.raises(UnusableCertificateError, match="more than a gateway's"):
            await fetch_certificate(server.url)
        assert server.received == b""
    async with run_recorder(create_certificate_with_names(20)) as server:
        assert (await fetch_certificate(server.url)).subject == "envoy"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_an_unrequested_compressed_answer_is_read_up_to_its_limit(encoding: str, pack: Any) -> None:
    shown, header = create_certificate(), f"Content-Encoding: {encoding}".encode()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        server.answer = build_response(pack(b" " * 999_999 + b"1"), header)
        assert await gateway.api_call("/ivp/meters") == 1
        server.answer = build_response(pack(b" " * 1_000_000 + b"1"), header)
        with pytest.raises(InvalidAnswerError, match="is larger than 1,000,000 bytes"):
            await gateway.api_call("/ivp/meters")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"[]"),
        # Without the time of compression, which would change the name of the test in each process.
        ("gzip", gzip.compress(b"[1]", mtime=0)[:-9]),
        ("br", b"[]"),
        ("gzip, gzip", b""),
        ("\x1b", b""),
    ],
)
async def test_an_answer_that_cannot_be_inflated_is_an_error(encoding: str, body: bytes) -> None:
    shown = create_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        server.answer = build_response(body, f"Content-Encoding: {encoding}".encode())
        with pytest.raises(EnphaseError) as caught:
            await gateway.api_call("/ivp/meters")
        assert str(caught.value).isprintable()


def nest_json(depth: int) -> Iterator[bytes]:
    yield b"[" * depth + b"]" * depth
    yield b'{"a":' * depth + b"1" + b"}" * depth
    yield b'[{"a":' * (depth // 2) + (b"[]" if depth % 2 else b"1") + b"}]" * (depth // 2)


def test_json_is_accepted_up_to_64_levels_deep() -> None:
    for body in nest_json(64):
        assert parse_json(body, "/ivp/x", "the gateway")
    for depth in (65, 100, 2000):
        for body in nest_json(depth):
            with pytest.raises(InvalidAnswerError, match=r"nested too deeply|not with JSON"):
                parse_json(body, "/ivp/x", "the gateway")
    wide = json.dumps([{"a": [1, {}]}] * 1000).encode()
    assert len(parse_json(wide, "/ivp/x", "the gateway")) == 1000


async def test_a_large_answer_is_parsed_outside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def parse(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return parse_json(*args)

    monkeypatch.setattr(http_module, "parse_json", parse)
    shown = create_certificate()
    async with run_recorder(shown) as server, Gateway(server.url, certificate=shown.pem) as gateway:
        assert await gateway.login(TOKEN)
        for size in (100_000, 100_001):
            server.answer = build_response(b" " * (size - 1) + b"1")
            assert await gateway.api_call("/ivp/meters") == 1
    assert [thread == threading.get_ident() for thread in threads] == [True, False]


async def test_a_stream_with_an_endless_line_is_an_error() -> None:
    shown = create_certificate()
    head = OK + b"Content-Type: text/event-stream\r\n\r\n"
    for again in (b"a", b"data: a\n"):
        async with run_server(flood_with(head, again), shown) as url:
            gateway = Gateway(url, certificate=shown.pem)
            async with aclosing(gateway.api_call_stream("/stream/meter")) as stream:
                with pytest.raises(InvalidAnswerError, match="has no end"):
                    await anext(stream)
