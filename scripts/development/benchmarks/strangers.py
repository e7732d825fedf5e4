"""Peers on loopback that claim to be gateways, and answer /info with too much, too slowly, or as another.

Each answer is what one device on an owner's network could send; all are repetitions of harmless text.
"""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from enphase_companion.simulator.certificate import Certificate, key_from_seed, make_certificate
from enphase_companion.simulator.server import ServerLoop

#: Bytes of /info that the client reads, and nearly as many as it read in earlier builds.
INFO_LIMIT, LARGE = 64_000, 15_000_000

_DEPTH = 1000
_NAMES = 500
#: Seconds between two bytes of an answer that never comes whole.
_DRIP_PACE = 0.1

#: An answer in pieces: most of a large one is the same for all serial numbers, and in memory once.
Pieces = tuple[bytes, ...]

_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<envoy_info><time>1782043200</time><device><sn>%s</sn>'
_SOFTWARE = b"<pn>800-00654-r08</pn><software>D8.2.127"
_SOFTWARE_END = b"</software><imeter>true</imeter></device>"
_END = b"</envoy_info>"


def _info(serial_number: str, *, firmware: bytes = b"", more: bytes = b"") -> Pieces:
    return (_HEAD % serial_number.encode(), _SOFTWARE, firmware, _SOFTWARE_END, more, _END)


@lru_cache
def _repeat(unit: bytes, size: int) -> bytes:
    """Return this size of repetitions of a unit, padded with spaces."""
    return (unit * (size // len(unit))).ljust(size)


def _build_answer(serial_number: str, size: int, unit: bytes) -> Pieces:
    """Return an answer of exactly this size."""
    return _info(serial_number, more=_repeat(unit, size - sum(map(len, _info(serial_number)))))


#: The answer of each kind of peer to /info, for the serial number that it announces.
KINDS: dict[str, Callable[[str], Pieces]] = {
    "gateway": _info,
    "impostor": _info,  # with the serial number of the gateway that is set up
    "certificate": _info,  # with hundreds of names in it
    "drip": _info,  # byte for byte
    "at_limit": lambda serial: _build_answer(serial, INFO_LIMIT, b" "),
    "over_limit": lambda serial: _build_answer(serial, INFO_LIMIT + 1, b" "),
    "nested": lambda serial: _info(serial, more=b"<a>" * _DEPTH + b"</a>" * _DEPTH),
    "firmware": lambda serial: _info(serial, firmware=_repeat(b".1", LARGE)),
    "elements": lambda serial: _build_answer(serial, LARGE, b"<a/>"),
    "compressed": lambda serial: (gzip.compress(b"".join(_build_answer(serial, LARGE, b"<a/>")), 1),),
}


@dataclass(frozen=True)
class Stranger:
    """A peer of a kind, and the serial number that it announces."""

    kind: str
    serial_number: str
    #: Seconds after which one that drips ends.
    drip: float

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request of a connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await self._answer(writer)
                if self.kind == "drip":
                    break
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        pieces = KINDS[self.kind](self.serial_number)
        encoding = b"Content-Encoding: gzip\r\n" if self.kind == "compressed" else b""
        writer.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (encoding, sum(map(len, pieces))))
        if self.kind == "drip":
            for byte in b"".join(pieces)[: int(self.drip / _DRIP_PACE)]:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(_DRIP_PACE)
            return
        for piece in pieces:
            writer.write(piece)
            await writer.drain()


@contextmanager
def listen_on_loopback(strangers: Sequence[Stranger]) -> Iterator[list[int]]:
    """Let these listen on loopback inside the `with`, and yield their ports."""
    loop = ServerLoop()
    thread = threading.Thread(target=loop.run_forever, name="strangers", daemon=True)
    thread.start()
    servers = asyncio.run_coroutine_threadsafe(_listen(strangers), loop).result()
    try:
        yield [server.sockets[0].getsockname()[1] for server in servers]
    finally:
        asyncio.run_coroutine_threadsafe(_end(servers), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(strangers: Sequence[Stranger]) -> list[asyncio.Server]:
    small, large = (certificate.server_context() for certificate in (_certificate(1), _certificate(_NAMES)))
    return [
        await asyncio.start_server(
            each.serve, "127.0.0.1", 0, ssl=large if each.kind == "certificate" else small
        )
        for each in strangers
    ]


async def _end(servers: Sequence[asyncio.Server]) -> None:
    """Close the servers, and cancel all that still runs in this loop."""
    for server in servers:
        server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _certificate(names: int) -> Certificate:
    """Return a certificate with this number of names."""
    key, begin = key_from_seed("stranger"), datetime.now(UTC) - timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    others = [x509.DNSName(f"gateway-{number}.example") for number in range(names)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(names)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Certificate(pem, make_certificate("gateway", key).key_pem)
