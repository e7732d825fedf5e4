"""What both clients share: sessions that are lent, kept open, or opened for one call; addresses; answers."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.cookies import Morsel
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from .exceptions import CommunicationError, InvalidAnswerError, InvalidHostError, ResponseError, Silence

#: Hosts that plain http may be spoken to: nothing of it leaves this machine.
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_SCHEME = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?//", re.IGNORECASE)
_PATH = re.compile(r"[/\\?#]")

#: Bytes. A grid profile, the largest answer documented, stays far below.
_MAX_BODY = 16_000_000


def parse_host(host: str, *, plain_on_loopback: bool = False) -> URL:
    """Give the https address of a host: a name or address, with or without "https://" and a port.

    Raises InvalidHostError for any other scheme, a path, a query or a user name in it.
    """
    text = host.strip()
    if "://" not in text:
        # A bare IPv6 address needs its brackets.
        text = f"https://[{text}]" if text.count(":") > 1 and not text.startswith("[") else f"https://{text}"
    try:
        url = URL(text)
        name, port = url.host, url.port
        # Python looks names up in this form: it refuses empty and endless labels, which URL takes.
        (name or "").encode("idna")
    except ValueError as error:
        raise InvalidHostError("The address is not valid. Use one such as https://envoy.local") from error
    plain = url.scheme == "http" and plain_on_loopback and name in _LOOPBACK
    if url.scheme != "https" and not plain:
        raise InvalidHostError(
            "The address must begin with https://: nothing secret is sent without encryption."
        )
    more = url.user or url.password or url.path not in ("", "/") or url.query or url.fragment
    if not name or not port or more:
        raise InvalidHostError("Give only the name or address of the host, such as https://envoy.local")
    return url.origin()


def read_host(text: str) -> str:
    """Return the https address of the host that an owner means, who may have copied it from a browser.

    White space, a path and what follows it, and the port of plain http are left out; http becomes https.

    Raises InvalidHostError for any other scheme, a user name or no host.
    """
    text = "".join(text.split())
    found = _SCHEME.match(text)
    scheme = (found[1] or "https").lower() if found else "https"
    host = _PATH.split(text[found.end() if found else 0 :], maxsplit=1)[0]
    if scheme not in ("http", "https"):
        host = f"{scheme}://{host}"
    elif host.count(":") == 1 or host.startswith("["):
        host = host.removesuffix(":80")
    return str(parse_host(host)).rstrip("/")


class SessionHolder:
    """Keeps the aiohttp session of a client.

    A session that was handed in is used and never closed. `async with` opens one and closes it at the end.
    Without either, each call opens and closes its own.
    """

    def __init__(self, session: aiohttp.ClientSession | None) -> None:
        self._lent = session
        self._kept: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        if self._lent is None and self._kept is None:
            self._kept = _new_session()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session that `async with` opened, if any."""
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.close()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        session = self._kept if self._lent is None else self._lent
        if session is not None:
            if session.closed:
                raise CommunicationError("The session that was handed in is closed already.")
            yield session
            return
        async with _new_session() as session:
            yield session


def _new_session() -> aiohttp.ClientSession:
    # The clients keep their cookies themselves: a jar would send them on its own idea of the host.
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


@contextmanager
def asking(who: str, path: str) -> Iterator[None]:
    """Raise CommunicationError where `who` does not answer `path`."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        # Of aiohttp's own errors, which can hold the headers of a request or response, only the kind is told.
        cause = error if isinstance(error, OSError) else None
        raise CommunicationError(
            f"{who} did not answer {path} ({type(error).__name__})", path=path, reason=silence_of(error)
        ) from cause


def silence_of(error: Exception) -> Silence:
    """Return what an error of a connection means."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        # Some resolvers, Home Assistant's among them, raise another OSError than Python's.
        error = socket.gaierror()
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    match error:
        case socket.gaierror() | UnicodeError():
            return Silence.UNKNOWN_HOST
        case TimeoutError():
            return Silence.TIMEOUT
        case ssl.SSLError():
            return Silence.NO_TLS
        case OSError():
            # Of a host with several addresses, Python tells the errors as a text only.
            numbers = {error.errno, *map(int, re.findall(r"\[Errno (\d+)\]", str(error)))}
            if errno.ECONNREFUSED in numbers:
                return Silence.REFUSED
            if numbers & {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT}:
                return Silence.TIMEOUT
    return Silence.BROKEN


def forget_cookie(session: aiohttp.ClientSession, response: aiohttp.ClientResponse, name: str) -> None:
    """Take a secret cookie that a response set out of the session's jar: no other user of it may send it."""
    if name in response.cookies:
        host = f".{response.url.host}"

        # A cookie can be set for the host's whole domain, too.
        def is_it(morsel: Morsel[str]) -> bool:
            return morsel.key == name and host.endswith(f".{morsel['domain'].lstrip('.')}")

        session.cookie_jar.clear(is_it)


async def read_body(response: aiohttp.ClientResponse, path: str) -> bytes:
    """Give the body of a response.

    Raises InvalidAnswerError where it is larger than any answer that is known.
    """
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > _MAX_BODY:
            raise InvalidAnswerError(f"The answer of {path} has no end", path=path, status=response.status)
    return bytes(body)


def parse_json(body: bytes, path: str, who: str) -> Any:
    """Give a body as parsed JSON.

    Raises InvalidAnswerError where it is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # Without the cause, which holds the whole body.
        raise InvalidAnswerError(f"{who} answered {path}, but not with JSON", path=path) from None


def refused(who: str, path: str, status: int) -> ResponseError:
    """Give the error for a status that is no success."""
    return ResponseError(
        f"{who} answered {path} with status {status}",
        path=path,
        status=status,
        # 429 and all of 5xx pass: a gateway gives 503 for minutes while it starts.
        retryable=status == 429 or status >= 500,
    )
