"""A small TCP proxy in front of a server, which can cut its connections or let nothing pass."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

_CHUNK = 65_536

#: Closing sends a reset instead of waiting for what is not sent yet.
_NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """Passes the connections of a free port on to a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        #: Whether bytes to the server and bytes from it pass.
        self._to_server, self._from_server = asyncio.Event(), asyncio.Event()
        self._accepts = True
        self.port = 0

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hold(self, *, to_server: bool = True, from_server: bool = True) -> None:
        """Let no byte pass in these directions; connections stay open, as behind a dead switch."""
        self._run(self._set(to_server=not to_server, from_server=not from_server))

    def cut(self) -> None:
        """Reset all connections, and new ones until `restore`."""
        self._run(self._cut(accepts=False))

    def restore(self, *, reset: bool = False) -> None:
        """Let everything pass; what was held is delivered late, or with `reset` its connections are reset."""
        if reset:
            self._run(self._cut(accepts=False))
        self._accepts = True
        self._run(self._set(to_server=True, from_server=True))

    async def _start(self) -> None:
        await self._set(to_server=True, from_server=True)
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        await self._cut(accepts=False)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _set(self, *, to_server: bool, from_server: bool) -> None:
        for event, is_open in ((self._to_server, to_server), (self._from_server, from_server)):
            if is_open:
                event.set()
            else:
                event.clear()

    async def _cut(self, *, accepts: bool) -> None:
        self._accepts = accepts
        for writer in self._writers:
            _reset(writer)
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepts:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        both = {writer, server_writer}
        self._writers |= both
        passing = [
            asyncio.ensure_future(_pass(reader, server_writer, self._to_server)),
            asyncio.ensure_future(_pass(server_reader, writer, self._from_server)),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            for each in both:
                _reset(each)
            self._writers -= both

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
    """Pass bytes on while the event is set, until an end is closed."""
    while chunk := await reader.read(_CHUNK):
        await is_open.wait()
        writer.write(chunk)
        await writer.drain()
