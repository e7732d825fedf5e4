"""One listening port: a web server that can be stopped and restarted, and the requests it received."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Request:
    """One received request."""

    path: str  #: with its query
    method: str
    time: float  #: house time at the gateway, real time at Entrez
    has_authorization: bool
    has_session: bool


def note(requests: list[Request], request: web.Request, at: float, session_cookie: str) -> None:
    """Record a request."""
    requests.append(
        Request(
            request.path_qs,
            request.method,
            at,
            "Authorization" in request.headers,
            session_cookie in request.cookies,
        )
    )


#: Seconds for some iterations of the loop.
_TURNS = 0.01
#: Seconds that a client gets for the TLS shutdown: short, so that a stop leaves no connections open.
_TLS_SHUTDOWN_TIMEOUT = _TURNS / 2
#: Seconds that running answers get when the server stops; some, by design, never end.
_GRACE = 0.1


#: Wrapped, so that tools that freeze time in tests do not replace it.
_monotonic = partial(time.monotonic)


class ServerLoop(asyncio.SelectorEventLoop):
    """An event loop for servers; its waits end even while a test has stopped `time.monotonic`."""

    def time(self) -> float:
        """Return monotonic seconds."""
        return _monotonic()

    async def create_server(self, *where: Any, **options: Any) -> asyncio.Server:
        """Listen as any loop does, but do not wait for a client's close_notify."""
        if options.get("ssl") is not None:
            options["ssl_shutdown_timeout"] = _TLS_SHUTDOWN_TIMEOUT
        return await super().create_server(*where, **options)


class Server:
    """A web server that passes every request to one handler."""

    def __init__(
        self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str, port: int
    ) -> None:
        self._handle = handle
        self._host = host
        self.port = port
        self._runner: web.AppRunner | None = None
        #: The listening sockets.
        self._listening: Sequence[Any] = ()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen; port 0 becomes one that is free, and stays. Raise OSError if the port is in use."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_GRACE, handler_cancellation=True
        )
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, self._host, self.port, ssl_context=context, reuse_address=True)
        await site.start()
        # aiohttp does not publish it.
        server = site._server
        self._listening = server.sockets if isinstance(server, asyncio.Server) else ()
        self.port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection; nothing if it never started."""
        runner, self._runner = self._runner, None
        if runner is None or runner.server is None:
            return
        # A connection that is accepted while the server closes gets no protocol: asyncio leaves its socket to
        # the garbage collector, and the client waits. So accepting ends first.
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await asyncio.sleep(_TURNS)
        open_connections = [connection.transport for connection in runner.server.connections]
        await runner.cleanup()
        for transport in open_connections:
            # TLS would wait for the client's close_notify.
            if transport is not None:
                # Python 3.11's TLS transports cannot be aborted once they are closed.
                with suppress(AttributeError):
                    transport.abort()
        # Handshakes that a client broke off end in the loop's next iterations.
        await asyncio.sleep(_TURNS)
