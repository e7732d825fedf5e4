"""enphase-gateway-pyplot-meters as its owner starts it, with a simulated gateway and a window nobody sees."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.charts import output
from enphase_companion.charts.drawing import Chart
from enphase_companion.charts.model import View
from enphase_companion.commands.gateway_pyplot_meters import NAME, main

from ..amqp_helpers import wait_until
from ..charts.helpers import BACKEND, lines
from ..cli_user import CliUser
from .running import Command, assert_setting_rejected

READINGS = "/ivp/meters/readings"


@pytest.fixture
def drawing(
    create_user: Callable[..., CliUser], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Command]:
    """Yield the command as a process to start; its gateway is trusted and its token is valid."""
    user = create_user(getattr(request, "param", "battery"))
    user.trust_gateway()
    user.write_token_settings(gateway_token=user.simulator.token())
    user.environment |= {
        "MPLBACKEND": BACKEND,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "WINDOW_TELLS": str(tmp_path / "window"),
        "WINDOW_CLOSES": str(tmp_path / "close"),
    }
    command = Command(user, NAME, tmp_path / "log")
    yield command
    command.kill()


async def shows(folder: Path, what: str, within: float = 30) -> str:
    """Wait until the window shows this, and give all that it shows."""
    file = folder / "window"

    def shown() -> str:
        # What is long is shown in several lines.
        return " ".join(file.read_text().split()) if file.exists() else ""

    await wait_until(lambda: what in shown(), within)
    return shown()


def turns(folder: Path) -> int:
    """How often the window's loop went round so far."""
    lines = (folder / "window").read_text().splitlines()
    return int(lines[0]) if lines else 0


@pytest.mark.slow
def test_what_the_meters_read_is_drawn_as_they_read_it(
    drawing: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = drawing.user
    drawn: dict[str, Any] = {}

    class Seen(Chart):
        def draw(self, view: View) -> None:
            super().draw(view)
            drawn.update(lines(self.panels[0].axes))
            if len(drawn.get("Production", [[]])[0]) >= 4:
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(output, "Chart", Seen)
    monkeypatch.setattr(output, "_PAUSE", 0.5)
    result = user.run(main, "--interval", "0.5", "--output", str(tmp_path / "live.png"))
    assert (result.status, result.err) == (0, "")
    assert (tmp_path / "live.png").read_bytes().startswith(b"\x89PNG")
    times, watts = drawn["Production"]
    truth = [user.simulator.house.truth(at) for at in times]
    assert watts == pytest.approx([each.production.total.active_power for each in truth], abs=0.01)
    assert drawn["Consumption"][1] == pytest.approx(
        [-each.total_consumption.total.active_power for each in truth], abs=0.01
    )
    assert drawn["Grid"][1] == pytest.approx(
        [-each.net_consumption.total.active_power for each in truth], abs=0.01
    )
    assert drawn["Battery"][1] == pytest.approx([each.storage.total.active_power for each in truth], abs=0.01)


@pytest.mark.slow
async def test_a_window_shows_it_until_it_is_closed(drawing: Command, tmp_path: Path) -> None:
    drawing.start("--minutes", "5", "--phases")
    shown = await shows(tmp_path, "Gateway 1223")
    assert "the last 5 minutes" in shown
    (tmp_path / "close").touch()
    assert drawing.process is not None
    assert await asyncio.to_thread(drawing.process.wait, 10) == 0
    assert drawing.output == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_window_never_waits_for_a_gateway_that_hangs_and_ends_in_time(
    drawing: Command, tmp_path: Path, number: signal.Signals
) -> None:
    drawing.start()
    await shows(tmp_path, "produced")
    drawing.user.simulator.faults.set("silent")
    await shows(tmp_path, "Not up to date: no answer of the gateway for 1", 40)
    before = turns(tmp_path)
    await wait_until(lambda: turns(tmp_path) > before + 30, 20)
    assert drawing.stop(number) == 0
    assert drawing.output == ""


@pytest.mark.parametrize("drawing", ["no-meters"], indirect=True)
@pytest.mark.slow
def test_of_a_gateway_without_meters_the_microinverters_sum_is_drawn(
    drawing: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = drawing.user
    drawn: dict[str, Any] = {}

    class Seen(Chart):
        def draw(self, view: View) -> None:
            super().draw(view)
            drawn.update(lines(self.panels[0].axes), trouble=view.trouble)
            if "Production" in drawn:
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(output, "Chart", Seen)
    monkeypatch.setattr(output, "_PAUSE", 0.5)
    result = user.run(main, "--output", str(tmp_path / "live.png"))
    assert (result.status, result.err) == (0, "")
    (at, *_), watts = drawn["Production"]
    truth = user.simulator.house.truth(at).production.total.active_power
    assert watts == pytest.approx([truth] * len(watts), rel=0.1)
    assert drawn["trouble"] is None


@pytest.mark.slow
async def test_another_certificate_stops_it_before_a_token_leaves_and_trust_sets_it_going(
    drawing: Command, tmp_path: Path
) -> None:
    simulator = drawing.user.simulator
    drawing.start()
    await shows(tmp_path, "produced")
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await shows(tmp_path, "the gateway now shows another certificate")
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    drawing.user.trust_gateway()
    await drawing.wait_for("gateway can be read again")
    await wait_until(lambda: "Not up to date" not in (tmp_path / "window").read_text())
    assert drawing.stop() == 0


@pytest.mark.slow
async def test_a_token_that_ends_in_mid_run_is_told_and_a_new_one_is_taken(
    drawing: Command, tmp_path: Path
) -> None:
    simulator = drawing.user.simulator
    drawing.start()
    await shows(tmp_path, "produced")
    drawing.user.write_token_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await shows(tmp_path, "The token expired on")
    assert drawing.is_running
    simulator.faults.clear()
    drawing.user.write_token_settings(gateway_token=simulator.token())
    await drawing.wait_for("gateway can be read again")
    await wait_until(lambda: "Not up to date" not in (tmp_path / "window").read_text())
    assert drawing.stop() == 0


@pytest.mark.slow
async def test_no_secret_is_in_its_log_at_debug_level_nor_in_window_or_title(
    drawing: Command, tmp_path: Path
) -> None:
    simulator = drawing.user.simulator
    token = simulator.token()
    drawing.user.write_token_settings(
        gateway_token=token, enphase_password="planted-password", enphase_username="planted@example.com"
    )
    drawing.start("-v")
    shown = await shows(tmp_path, "produced")
    simulator.faults.set("refuse", path=READINGS)
    await drawing.wait_for("The gateway does not allow")
    everything = drawing.output + drawing.command_line + shown + (tmp_path / "window").read_text()
    assert drawing.stop() == 0
    assert "DEBUG" in everything
    planted = (token, token[-20:], "planted-password", "planted@example.com")
    assert [secret for secret in planted if secret in everything] == []
    assert all(session == "[hidden]" for session in re.findall(r"sessionId=([^;\s]+)", everything))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interval": 0.1}, "interval: must be a number of seconds from 0.5 to 3600"),
        ({"peak_power": 0}, "peak_power: must be a number of watts"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named_before_anything_is_done(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_setting_rejected(user, main, changed, message)


@pytest.mark.parametrize("minutes", ["0", "1441", "soon", "1.5", "-3"])
def test_minutes_that_cannot_be_shown_are_refused(user: CliUser, minutes: str) -> None:
    result = user.run(main, "--minutes", minutes)
    assert result.status == 2
    assert "argument --minutes: " in result.err


def test_a_chart_whose_task_fails_ends_and_says_so(
    drawing: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("enphase_companion.charts.live.LiveData.view", fails)
    result = drawing.user.run(main, "--output", str(tmp_path / "live.png"))
    assert result.status == 1
    assert "unexpected error (ZeroDivisionError)" in result.err
