"""A small TCP proxy in front of a server, which can cut its connections or let nothing pass."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

_CHUNK = 65_536

#: Closing sends a reset instead of waiting for what is not sent yet.
_NO_LINGER = struct.pack("ii", 1, 0)


class Direction(StrEnum):
    """Where bytes go."""

    TO_SERVER = "to server"
    FROM_SERVER = "from server"


@dataclass(frozen=True)
class Trap:
    """Bytes that close a direction as soon as they come; they pass only in the other one."""

    content: bytes
    seen_in: Direction
    closes: Direction
    sprung: threading.Event


class Proxy:
    """Passes the connections of a free port on to a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        #: Set while bytes pass.
        self._open = {direction: asyncio.Event() for direction in Direction}
        self._accepts = True
        self._trap: Trap | None = None
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

    def hold(self, *directions: Direction) -> None:
        """Let no byte pass in these directions; connections stay open, as behind a dead switch."""
        self._run(self._set(*(direction for direction in Direction if direction not in directions)))

    def hold_at(self, content: bytes, seen_in: Direction, closes: Direction, within: float) -> bool:
        """Hold one direction as soon as a connection carries these bytes; return whether one does in time."""
        trap = Trap(content, seen_in, closes, threading.Event())
        self._trap = trap
        trap.sprung.wait(within)
        self._trap = None
        return trap.sprung.is_set()

    def cut(self) -> None:
        """Reset all connections, and new ones until `restore`."""
        self._run(self._cut())

    def restore(self, *, reset: bool = False) -> None:
        """Let everything pass; what was held is delivered late, or with `reset` its connections are reset."""
        if reset:
            self._run(self._cut())
        self._accepts = True
        self._run(self._set(*Direction))

    async def _start(self) -> None:
        await self._set(*Direction)
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _set(self, *directions: Direction) -> None:
        """Let bytes pass in these directions only."""
        for direction, event in self._open.items():
            if direction in directions:
                event.set()
            else:
                event.clear()

    async def _cut(self) -> None:
        self._accepts = False
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
            asyncio.ensure_future(self._pass(reader, server_writer, Direction.TO_SERVER)),
            asyncio.ensure_future(self._pass(server_reader, writer, Direction.FROM_SERVER)),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            for each in both:
                each.close()
            self._writers -= both

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        """Pass bytes on while the direction is open, until an end is closed."""
        while chunk := await reader.read(_CHUNK):
            trap = self._trap
            if trap is not None and trap.seen_in is direction and trap.content in chunk:
                self._trap = None
                self._open[trap.closes].clear()
                trap.sprung.set()
            await self._open[direction].wait()
            writer.write(chunk)
            await writer.drain()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()
