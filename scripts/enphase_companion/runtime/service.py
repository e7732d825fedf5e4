"""A script that runs for years: it ends well on SIGTERM and Ctrl-C, and tells systemd how it is."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from .redaction import redact

_Result = TypeVar("_Result")

#: Seconds between two status lines at least.
_STATUS_EVERY = 1.0

#: Seconds until a terminal is told for the first time how it goes, and then between two lines.
_FIRST_LINE, _LINE_EVERY = 10.0, 60.0


class Stopped(Exception):  # noqa: N818 - no error: what was awaited was given up, since the script shall end
    """The script shall end."""


class Service:
    """One run of such a script: whether it shall end, and what systemd is told. See `run`."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._is_ready = False
        self._next_status = 0.0
        self._next_line = math.inf

    def report(self) -> None:
        """From now on, print a line a minute of how the work goes; only for a person, at a terminal."""
        if sys.stdout.isatty() and "NOTIFY_SOCKET" not in os.environ:
            self._next_line = asyncio.get_running_loop().time() + _FIRST_LINE

    async def unless_stopped(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of `work`; cancel it and raise Stopped as soon as the script is told to stop."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Stopped
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    @asynccontextmanager
    async def beside(self, work: Coroutine[Any, Any, NoReturn]) -> AsyncIterator[None]:
        """Do some work beside the body, until that ends; should the work fail, all ends, with its error."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self.stopping.set())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def sleep(self, seconds: float) -> None:
        """Wait; raises Stopped as soon as the script shall end."""
        await self.unless_stopped(asyncio.sleep(seconds))

    def ready(self) -> None:
        """Tell systemd, once, that the work has begun."""
        if not self._is_ready:
            self._is_ready = True
            notify("READY=1")

    def alive(self, status: str) -> None:
        """Notify systemd's watchdog that the work goes on, and `systemctl status` how; for the work to call.

        A terminal is told too, after `report`.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._next_line:
            self._next_line = now + _LINE_EVERY
            print(redact(f"{datetime.now():%H:%M} {status}"), flush=True)  # noqa: DTZ005 - the reader's clock
        if now >= self._next_status:
            self._next_status = now + _STATUS_EVERY
            notify("WATCHDOG=1", f"STATUS={status}")


def run(work: Callable[[Service], Awaitable[None]]) -> None:
    """Run `work` to its end; SIGTERM and SIGINT set `stopping`, a second one ends all at once."""

    async def main() -> None:
        service = Service()
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            loop.remove_signal_handler(number)
            if number == signal.SIGINT and sys.stderr.isatty():
                # The terminal has written ^C, and a shell would go on behind it.
                print(file=sys.stderr)
            notify("STOPPING=1")
            service.stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)
        with suppress(Stopped):
            await work(service)

    asyncio.run(main())


def state_file(name: str) -> Path:
    """Return where a file of this name lies that shall outlast the script: in its state directory.

    That is systemd's (StateDirectory=), else the user's own.
    """
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0]) / name
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "enphase-iq-gateway" / name


def notify(*lines: str) -> None:
    """Send lines such as READY=1 to systemd, if it started us and listens; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A name that begins with @ is one of Linux's abstract ones.
    target = "\0" + address[1:] if address.startswith("@") else address
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
    ):
        connection.setblocking(False)
        connection.sendto("\n".join(lines).encode(), target)
