"""Long-running scripts: they stop cleanly on signals and notify systemd of their status."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from enphase_companion.runtime.service import Service, Stopped, run, run_once, state_file


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Yield the socket on which systemd would receive notifications."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def receive_notifications(systemd: socket.socket) -> list[str]:
    """Return the notifications sent so far, one per datagram."""
    lines = []
    while True:
        try:
            lines.append(systemd.recv(4096).decode())
        except BlockingIOError:
            return lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_service_after_its_cleanup(number: signal.Signals, systemd: socket.socket) -> None:
    steps = []

    async def work(service: Service) -> None:
        os.kill(os.getpid(), number)
        try:
            await service.sleep(600)
            steps.append("never")
        finally:
            await asyncio.sleep(0.05)
            steps.append("cleanup")

    run(work)
    assert steps == ["cleanup"]
    assert receive_notifications(systemd) == ["STOPPING=1"]


def test_a_second_ctrl_c_stops_the_service_at_once() -> None:
    async def work(service: Service) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await service.stopping.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        run(work)


def test_an_error_of_the_work_is_raised() -> None:
    async def work(service: Service) -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        run(work)


def create_terminal_service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Return a service whose output is a terminal and that does not run under systemd."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("enphase_companion.runtime.service._FIRST_LINE", 0)
    return Service()


async def test_a_terminal_shows_the_status_once_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = create_terminal_service(monkeypatch)
    service.report()
    for count in range(3):
        service.alive(f"{count} stored, at amqp://me:hunter2@host")
    assert re.fullmatch(r"\d\d:\d\d 0 stored, at amqp://\[hidden\]@host\n", capsys.readouterr().out)
    monkeypatch.setattr(service, "_next_line", asyncio.get_running_loop().time())
    service.alive("3 stored")
    assert "3 stored" in capsys.readouterr().out


async def test_a_service_that_draws_on_the_terminal_prints_no_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_terminal_service(monkeypatch).alive("a picture")
    assert not capsys.readouterr().out


@pytest.mark.parametrize("is_file", [True, False])
async def test_no_status_is_printed_to_a_file_or_the_journal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_file: bool
) -> None:
    service = create_terminal_service(monkeypatch)
    if is_file:
        monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    service.report()
    service.alive("1 stored")
    assert not capsys.readouterr().out


async def test_an_awaited_result_is_returned_or_cancelled_on_stop() -> None:
    service = Service()
    cancelled = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    assert await service.unless_stopped(asyncio.sleep(0, "a result")) == "a result"
    asyncio.get_running_loop().call_later(0.05, service.stopping.set)
    with pytest.raises(Stopped):
        await service.unless_stopped(slow())
    assert cancelled.is_set()


async def test_an_error_of_an_awaited_task_is_raised() -> None:
    async def raise_error() -> None:
        raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        await Service().unless_stopped(raise_error())


async def test_systemd_is_notified_of_readiness_once_and_of_the_status_at_intervals(
    systemd: socket.socket,
) -> None:
    service = Service()
    service.ready()
    service.ready()
    for number in range(10):
        service.alive(f"{number} published")
    assert receive_notifications(systemd) == ["READY=1", "WATCHDOG=1\nSTATUS=0 published"]


async def test_an_abstract_socket_of_systemd_is_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"enphase-test-{os.getpid()}"
        listener.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        Service().ready()
        assert listener.recv(100) == b"READY=1"


async def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "missing"))
    Service().ready()
    monkeypatch.delenv("NOTIFY_SOCKET")
    Service().alive("well")


def test_files_are_stored_in_the_state_directory_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/enphase:/var/lib/other")
    assert state_file("a.spool") == Path("/var/lib/enphase/a.spool")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/user/state")
    assert state_file("a.spool") == Path("/home/user/state/enphase-iq-gateway/a.spool")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/user")
    assert state_file("a.spool") == Path("/home/user/.local/state/enphase-iq-gateway/a.spool")


async def test_background_work_is_cancelled_after_the_body() -> None:
    service, ended = Service(), []

    async def work_in_background() -> NoReturn:
        try:
            while True:
                await asyncio.sleep(60)
        finally:
            ended.append(True)

    async with service.beside(work_in_background()):
        await asyncio.sleep(0)
        assert not ended
    assert ended


def test_failed_background_work_raises_its_error() -> None:
    async def work_in_background() -> NoReturn:
        raise ValueError("a fault of the program's")

    async def work(service: Service) -> None:
        async with service.beside(work_in_background()):
            await service.sleep(60)

    with pytest.raises(ValueError, match="a fault"):
        run(work)


def test_sigterm_cancels_work_at_its_await_and_exits_with_143() -> None:
    ended = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            # An open connection can still be closed properly here.
            await asyncio.sleep(0)
            ended.append("closed")

    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as ending:
            run_once(work())
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ending.value.code == 143
    assert ended == ["closed"]


def test_work_that_ends_returns_its_result() -> None:
    async def work() -> int:
        return 3

    assert run_once(work()) == 3
