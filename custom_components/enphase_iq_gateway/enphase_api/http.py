"""What both clients share: a session that is lent, kept open, or opened for one call; addresses; no stray cookies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from .exceptions import InvalidHostError

#: Hosts that plain http may be spoken to: nothing of it leaves this machine.
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


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
    except ValueError as error:
        raise InvalidHostError("The address is not valid. Use one such as https://envoy.local") from error
    plain = url.scheme == "http" and plain_on_loopback and name in _LOOPBACK
    if url.scheme != "https" and not plain:
        raise InvalidHostError("The address must begin with https://, as nothing secret is sent without encryption.")
    if not name or not port or url.user or url.password or url.path not in ("", "/") or url.query or url.fragment:
        raise InvalidHostError("Give only the name or address of the host, such as https://envoy.local")
    return url.origin()


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
        session = self._lent or self._kept
        if session is not None:
            yield session
            return
        async with _new_session() as session:
            yield session


def _new_session() -> aiohttp.ClientSession:
    # The clients keep their cookies themselves: a jar would send them on its own idea of the host.
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


def forget_cookie(session: aiohttp.ClientSession, name: str, host: str | None) -> None:
    """Take a secret cookie out of a session's jar, so that nobody else who uses the session sends it."""
    session.cookie_jar.clear(lambda morsel: morsel.key == name and morsel["domain"] == (host or ""))
