"""Small servers for what the simulator does not do: record every byte, answer anything at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from enphase_companion.simulator.certificate import Certificate, key_from_seed, make_certificate

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SERIAL_NUMBER = "122300000042"


def certificate(key: str = "gateway") -> Certificate:
    """A self-signed certificate; the same key for the same word."""
    return make_certificate(SERIAL_NUMBER, key_from_seed(key))


def signed_by_the_gateways_key(key: str, *, is_authority: bool) -> tuple[Certificate, Certificate]:
    """A gateway's certificate, which may or may not be one to sign others, and what its key signed."""
    own, other, now = key_from_seed("gateway"), key_from_seed(key), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SERIAL_NUMBER)])
    leaf = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])

    def made(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> str:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        if is_authority and subject is name:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return builder.sign(own, SHA256()).public_bytes(Encoding.PEM).decode()

    return (
        replace(certificate(), pem=made(name, own.public_key())),
        replace(certificate(key), pem=made(leaf, other.public_key())),
    )


#: What a TLS handshake begins with; a plain server answers that it understands nothing.
CLIENT_HELLO = b"\x16"


class Recorder:
    """An HTTPS (or plain) server that keeps every byte it is sent and answers each request with `answer`."""

    def __init__(self) -> None:
        self.url = ""
        self.received = b""
        self.connections = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if (first := await reader.readexactly(1)) == CLIENT_HELLO:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        self.received += first
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.received += head
            writer.write(self.answer)
            await writer.drain()
            if not self.answer or b"Connection: close" in self.answer:
                break


@asynccontextmanager
async def listening(serve: Serve, shown: Certificate | None = None) -> AsyncIterator[str]:
    """Serve connections, over TLS with the certificate to show, else plain, and give the address."""
    writers = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    context = None if shown is None else shown.server_context()
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'http' if shown is None else 'https'}://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def recorder(shown: Certificate | None = None, answer: bytes | None = None) -> AsyncIterator[Recorder]:
    """Run a Recorder: over TLS with the certificate to show, else plain."""
    recording = Recorder()
    if answer is not None:
        recording.answer = answer
    async with listening(recording.serve, shown) as recording.url:
        yield recording


@asynccontextmanager
async def entrez(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Run a server that answers every request as `answer` says, and give its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
