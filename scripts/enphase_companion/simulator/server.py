"""One listening port: a web server that can be stopped and started again, and the requests it has seen."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Request:
    """One request, as it came in."""

    path: str  #: with its query
    method: str
    time: float  #: house time at the gateway, real time at Entrez
    has_authorization: bool
    has_session: bool


def note(requests: list[Request], request: web.Request, at: float, session_cookie: str) -> None:
    """Add a request to those seen."""
    requests.append(
        Request(
            request.path_qs,
            request.method,
            at,
            "Authorization" in request.headers,
            session_cookie in request.cookies,
        )
    )


#: Seconds for some turns of the loop.
_TURNS = 0.01
#: Seconds that a client gets for its part of the TLS farewell: less, lest a stop leaves connections behind.
_FAREWELL = _TURNS / 2
#: Seconds that running answers get when the server stops; some, by design, never end.
_GRACE = 0.1


#: Wrapped, so that what freezes time for a test does not find and replace it.
_monotonic = partial(time.monotonic)


class ServerLoop(asyncio.SelectorEventLoop):
    """A loop for servers, whose waits end even while a test has stopped `time.monotonic`."""

    def time(self) -> float:
        """Seconds since some moment."""
        return _monotonic()

    async def create_server(self, *where: Any, **options: Any) -> asyncio.Server:
        """Listen as any loop does, but wait for no client's farewell."""
        if options.get("ssl") is not None:
            options["ssl_shutdown_timeout"] = _FAREWELL
        return await super().create_server(*where, **options)


class Server:
    """Hands every request to one handler."""

    def __init__(
        self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> None:
        self._handle = handle
        self._host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen; port 0 becomes one that is free, and stays. Raises OSError if the port is taken."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_GRACE, handler_cancellation=True
        )
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, self._host, self.port, ssl_context=context, reuse_address=True)
        await site.start()
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection; nothing if it never started."""
        runner, self._runner = self._runner, None
        if runner is None or runner.server is None:
            return
        open_connections = [connection.transport for connection in runner.server.connections]
        await runner.cleanup()
        for transport in open_connections:
            # TLS would wait for the client's farewell.
            if transport is not None:
                # Python 3.11's TLS transports cannot be aborted once they are closed.
                with suppress(AttributeError):
                    transport.abort()
        # What a client broke off in its handshake ends in the loop's next turns.
        await asyncio.sleep(_TURNS)
