"""HTTP for both clients: sessions, addresses, bodies and errors."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
import weakref
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from .exceptions import CommunicationError, InvalidAnswerError, InvalidHostError, ResponseError, Silence
from .json_values import is_too_deep

#: Hosts for which plain http is allowed: nothing leaves this machine.
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_SCHEME = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?//", re.IGNORECASE)
_PATH = re.compile(r"[/\\?#]")

#: Bytes, after decompression; more than a grid profile, the largest documented answer.
MAX_BODY = 4_000_000

#: Bytes of JSON from which on it is not parsed in the event loop.
_LARGE = 100_000

#: The value of a cookie (RFC 6265, quoted or not); that of a session has some hundred characters.
_COOKIE = re.compile(r"[!-:<-~]{1,4096}")
_COOKIE_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]{1,64}", re.ASCII)
_MAX_COOKIES = 32


def parse_host(host: str, *, plain_on_loopback: bool = False) -> URL:
    """Return the https address of a host: a name or address, with or without "https://" and a port.

    Raises InvalidHostError for any other scheme, a path, a query or a user name in it.
    """
    text = host.strip()
    if "://" not in text:
        # An IPv6 address needs brackets.
        text = f"https://[{text}]" if text.count(":") > 1 and not text.startswith("[") else f"https://{text}"
    try:
        url = URL(text)
        name, port = url.host, url.port
        # Python resolves names in this form, which rejects empty and long labels that URL accepts.
        (name or "").encode("idna")
    except ValueError as error:
        raise InvalidHostError("the address is invalid: use one such as https://envoy.local") from error
    plain = url.scheme == "http" and plain_on_loopback and name in _LOOPBACK
    if url.scheme != "https" and not plain:
        raise InvalidHostError("the address must begin with https://, as secrets are only sent encrypted")
    more = url.user or url.password or url.path not in ("", "/") or url.query or url.fragment
    if not name or not name.isprintable() or not port or more:
        raise InvalidHostError(
            "the address contains more than a host: use only its name or address, such as https://envoy.local"
        )
    return url.origin()


def read_host(text: str) -> str:
    """Return the https address of a host that a user entered, or copied from a browser.

    White space, path, query and the port of plain http are removed; http becomes https.

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
    """Hold the aiohttp session of a client.

    A session that is passed is used and never closed. `async with` opens one and closes it at the end.
    Without either, each call opens and closes its own.
    """

    def __init__(self, session: aiohttp.ClientSession | None) -> None:
        self._lent = session
        self._kept: aiohttp.ClientSession | None = None
        #: The session that uses the connections of the lent one.
        self._sharing: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        if self._lent is None and self._kept is None:
            self._kept = new_session()
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
        if self._lent is not None:
            yield self._share(self._lent)
        elif self._kept is not None:
            yield self._kept
        else:
            async with new_session() as session:
                yield session

    def _share(self, lent: aiohttp.ClientSession) -> aiohttp.ClientSession:
        """Return a session with the connections of the lent one.

        Nothing else is shared: cookies, headers and hooks of the lent session are for other requests, and the
        ones here are not for those.
        """
        if lent.closed:
            raise CommunicationError("the session passed to this client is closed")
        if self._sharing is None:
            self._sharing = new_session(lent)
            # There is nothing to close: the connections belong to the lent session.
            weakref.finalize(self, self._sharing.detach)
        return self._sharing


def new_session(lent: aiohttp.ClientSession | None = None) -> aiohttp.ClientSession:
    """Return a session without cookie jar, which requests uncompressed answers.

    Close it, unless it uses the connections of a `lent` session.
    """
    headers = {"Accept-Encoding": "identity"}
    if lent is not None and "User-Agent" in lent.headers:
        headers["User-Agent"] = lent.headers["User-Agent"]
    return aiohttp.ClientSession(
        connector=None if lent is None else lent.connector,
        connector_owner=lent is None,
        # The clients keep their cookies themselves: a jar would send them by its own rules for hosts.
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        # A few bytes can expand without limit: `read_body` limits them.
        auto_decompress=False,
        trust_env=lent is not None and lent.trust_env,
    )


def cookies_of(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the cookies that a response sets, for `cookie_header`; invalid ones are dropped."""
    found = {name: morsel.coded_value for name, morsel in response.cookies.items()}
    usable = (
        (name, value)
        for name, value in found.items()
        if _COOKIE_NAME.fullmatch(name) and _COOKIE.fullmatch(value)
    )
    return dict(list(usable)[:_MAX_COOKIES])


def cookie_header(cookies: Mapping[str, str]) -> dict[str, str]:
    """Return the header for these cookies; no header without cookies."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


@contextmanager
def translate_errors(server: str, path: str) -> Iterator[None]:
    """Raise CommunicationError if `server` does not answer `path`."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        # Errors of aiohttp can contain the headers of a request or response: keep only their class.
        cause = error if isinstance(error, OSError) else None
        raise CommunicationError(
            f"{server} did not answer {path} ({type(error).__name__})", path=path, reason=silence_of(error)
        ) from cause


def silence_of(error: Exception) -> Silence:
    """Return the reason of a connection error."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        # Some resolvers, such as Home Assistant's, raise another OSError than Python's.
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
            # For a host with several addresses, Python reports the errors as text only.
            numbers = {error.errno, *map(int, re.findall(r"\[Errno (\d+)\]", str(error)))}
            if errno.ECONNREFUSED in numbers:
                return Silence.REFUSED
            if numbers & {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT}:
                return Silence.TIMEOUT
    return Silence.BROKEN


def encoding_of(response: aiohttp.ClientResponse) -> str:
    """Return the compression of a body; "identity" is none, as requested."""
    return response.headers.get("Content-Encoding", "").strip().lower() or "identity"


async def read_body(response: aiohttp.ClientResponse, path: str, limit: int = MAX_BODY) -> bytes:
    """Return the body of a response, decompressed if necessary.

    Raises InvalidAnswerError if it is larger than `limit`, or compressed in an unknown way.
    """
    status = response.status
    if (response.content_length or 0) > limit:
        raise _too_large(path, limit, status)
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > limit:
            raise _too_large(path, limit, status)
    encoding = encoding_of(response)
    if encoding == "identity":
        return bytes(body)
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise InvalidAnswerError(f"the answer of {path} has an unknown encoding", path=path, status=status)
    inflated = await asyncio.to_thread(_inflate, body, limit)
    if inflated is None:
        raise InvalidAnswerError(f"the compressed answer of {path} is damaged", path=path, status=status)
    if len(inflated) > limit:
        raise _too_large(path, limit, status)
    return inflated


def _too_large(path: str, limit: int, status: int) -> InvalidAnswerError:
    return InvalidAnswerError(
        f"the answer of {path} is larger than {limit:,} bytes", path=path, status=status
    )


def _inflate(body: bytes | bytearray, limit: int) -> bytes | None:
    """Decompress gzip or zlib, at most one byte more than `limit`; return None if the body is damaged."""
    stream = zlib.decompressobj(wbits=47)  # of either format
    try:
        inflated = stream.decompress(body, limit + 1)
    except zlib.error:
        return None
    return inflated if stream.eof or len(inflated) > limit else None


async def read_json(body: bytes, path: str, server: str) -> Any:
    """Return a body as parsed JSON; a large one is parsed in a thread. Raises as `parse_json` does."""
    if len(body) <= _LARGE:
        return parse_json(body, path, server)
    return await asyncio.to_thread(parse_json, body, path, server)


def parse_json(body: bytes, path: str, server: str) -> Any:
    """Return a body as parsed JSON.

    Raises InvalidAnswerError if it is invalid, or nested too deeply.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Without the cause, which contains the whole body.
        raise InvalidAnswerError(f"{server} answered {path}, but not with JSON", path=path) from None
    if is_too_deep(body, value):
        raise InvalidAnswerError(f"{server} answered {path} with JSON that is nested too deeply", path=path)
    return value


def status_error(server: str, path: str, status: int) -> ResponseError:
    """Return the error for an unsuccessful status."""
    return ResponseError(
        f"{server} answered {path} with status {status}",
        path=path,
        status=status,
        # 429 and 5xx are temporary: a gateway returns 503 for minutes while it starts.
        retryable=status == 429 or status >= 500,
    )
