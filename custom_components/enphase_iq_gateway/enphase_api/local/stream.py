"""Server-Sent Events of a gateway: lines, events, and the limits of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from ..exceptions import InvalidAnswerError
from ..http import encoding_of, parse_json

#: Seconds without an event before a stream counts as broken; it sends about one per second.
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)

#: Bytes; an event of /stream/meter has about two thousand.
_MAX_EVENT = 100_000


async def read_events(response: aiohttp.ClientResponse, path: str, server: str) -> AsyncIterator[Any]:
    """Yield each event as parsed JSON; an incomplete one is dropped.

    Raises InvalidAnswerError if the stream is compressed, or if an event is not JSON or has no end.
    """
    if encoding_of(response) != "identity":
        raise InvalidAnswerError(f"the stream {path} has an unknown encoding", path=path)
    data: list[bytes] = []
    size = 0
    async for line in _lines(response.content, path):
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:"))
            if (size := size + len(line)) > _MAX_EVENT:
                raise _endless_error(path)
        elif not line:
            if data:
                yield parse_json(b"\n".join(data), path, server)
            data, size = [], 0


async def _lines(content: aiohttp.StreamReader, path: str) -> AsyncIterator[bytes]:
    """Yield each complete line."""
    rest = bytearray()
    async for part in content.iter_any():
        # Only the new part can contain the end of the line.
        start = len(rest)
        rest += part
        while (end := rest.find(b"\n", start)) >= 0:
            yield bytes(rest[:end]).removesuffix(b"\r")
            del rest[: end + 1]
            start = 0
        if len(rest) > _MAX_EVENT:
            raise _endless_error(path)


def _endless_error(path: str) -> InvalidAnswerError:
    return InvalidAnswerError(f"an event of {path} has no end", path=path)
