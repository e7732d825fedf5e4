"""Small servers that record every received byte or send any answer, which the simulator cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from enphase_companion.simulator.certificate import Certificate, key_from_seed, make_certificate

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SERIAL_NUMBER = "122300000042"


def create_certificate(key: str = "gateway") -> Certificate:
    """Return a self-signed certificate whose key is derived from `key`."""
    return make_certificate(SERIAL_NUMBER, key_from_seed(key))


def create_certificate_and_leaf(key: str, *, is_authority: bool) -> tuple[Certificate, Certificate]:
    """Return a gateway's certificate, optionally an authority, and a certificate signed with its key."""
    own = key_from_seed("gateway")
    authority = x509.BasicConstraints(ca=True, path_length=None) if is_authority else None
    gateway = sign_certificate(SERIAL_NUMBER, own.public_key(), own, extension=authority)
    leaf = sign_certificate("leaf", key_from_seed(key).public_key(), own, issuer=SERIAL_NUMBER)
    return replace(create_certificate(), pem=to_pem(gateway)), replace(
        create_certificate(key), pem=to_pem(leaf)
    )


def sign_certificate(
    name: str,
    public_key: CertificatePublicKeyTypes,
    signer: ec.EllipticCurvePrivateKey,
    *,
    issuer: str | None = None,
    extension: x509.ExtensionType | None = None,
) -> x509.Certificate:
    """Return a long-lived certificate for this key, issued by itself or by `issuer`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    )
    if extension is not None:
        critical = isinstance(extension, x509.BasicConstraints)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, SHA256())


def to_pem(signed: x509.Certificate) -> str:
    """Return a certificate as PEM text."""
    return signed.public_bytes(Encoding.PEM).decode()


#: First byte of a TLS handshake; a plain server rejects it as a bad request.
CLIENT_HELLO = b"\x16"


class Recorder:
    """An HTTPS or HTTP server that records every received byte and answers each request with `answer`."""

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
async def run_server(serve: Serve, certificate: Certificate | None = None) -> AsyncIterator[str]:
    """Serve connections, over TLS if there is a certificate, and yield the URL."""
    writers = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    context = None if certificate is None else certificate.server_context()
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def run_recorder(
    certificate: Certificate | None = None, answer: bytes | None = None
) -> AsyncIterator[Recorder]:
    """Run a Recorder, over TLS if there is a certificate."""
    recording = Recorder()
    if answer is not None:
        recording.answer = answer
    async with run_server(recording.serve, certificate) as recording.url:
        yield recording


@asynccontextmanager
async def run_entrez(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Run a server that answers every request with `answer`, and yield its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
