"""A long-running script: it stops cleanly on SIGTERM and Ctrl-C, and notifies systemd."""

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

from .main import TERMINATED
from .redaction import redact

_Result = TypeVar("_Result")

#: Minimum seconds between two status lines.
_STATUS_EVERY = 1.0

#: Seconds until the first status line on a terminal, and then between two lines.
_FIRST_LINE, _LINE_EVERY = 10.0, 60.0


class Stopped(Exception):  # noqa: N818 - not an error: the awaited work was cancelled
    """The script has to stop."""


class Service:
    """One run of such a script: its stop request and its notifications to systemd. See `run`."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._is_ready = False
        self._next_status = 0.0
        self._next_line = math.inf

    def report(self) -> None:
        """From now on, print a status line each minute if stdout is a terminal."""
        if sys.stdout.isatty() and "NOTIFY_SOCKET" not in os.environ:
            self._next_line = asyncio.get_running_loop().time() + _FIRST_LINE

    async def unless_stopped(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of `work`; cancel it and raise Stopped when the script has to stop."""
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
        """Run `work` while the body runs; if it fails, the script stops with its error."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self.stopping.set())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def sleep(self, seconds: float) -> None:
        """Wait; raise Stopped when the script has to stop."""
        await self.unless_stopped(asyncio.sleep(seconds))

    def ready(self) -> None:
        """Notify systemd, once, that the script is ready."""
        if not self._is_ready:
            self._is_ready = True
            notify("READY=1")

    def alive(self, status: str) -> None:
        """Notify systemd's watchdog and set the status line; called regularly by the work.

        After `report`, also print it on a terminal.
        """
        now = asyncio.get_running_loop().time()
        if now >= self._next_line:
            self._next_line = now + _LINE_EVERY
            print(redact(f"{datetime.now():%H:%M} {status}"), flush=True)  # noqa: DTZ005 - the reader's clock
        if now >= self._next_status:
            self._next_status = now + _STATUS_EVERY
            notify("WATCHDOG=1", f"STATUS={status}")


def run(work: Callable[[Service], Awaitable[None]]) -> None:
    """Run `work` to its end; SIGTERM and SIGINT set `stopping`, a second one ends it at once."""

    async def main() -> None:
        service = Service()
        loop = asyncio.get_running_loop()

        def stop(number: int) -> None:
            loop.remove_signal_handler(number)
            if number == signal.SIGINT and sys.stderr.isatty():
                # The terminal has printed ^C: end that line.
                print(file=sys.stderr)
            notify("STOPPING=1")
            service.stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)
        with suppress(Stopped):
            await work(service)

    asyncio.run(main())


def run_once(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end and return its result; SIGTERM cancels it, as asyncio.run does at Ctrl-C.

    Cancelled at an await, it closes its connections; `main.run` alone would interrupt it anywhere. Raises
    SystemExit after SIGTERM.
    """

    async def main() -> _Result:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise SystemExit(TERMINATED) from None
    finally:
        # The loop has left the default action behind.
        signal.signal(signal.SIGTERM, before)


def state_file(name: str) -> Path:
    """Return the path of a file in the script's state directory.

    That is systemd's (StateDirectory=), else the user's.
    """
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0]) / name
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "enphase-iq-gateway" / name


def notify(*lines: str) -> None:
    """Send lines such as READY=1 to systemd, if it listens; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A name that begins with @ is an abstract socket.
    target = "\0" + address[1:] if address.startswith("@") else address
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
    ):
        connection.setblocking(False)
        connection.sendto("\n".join(lines).encode(), target)
