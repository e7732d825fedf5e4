"""enphase-gateway-pyplot-meters, with a simulated gateway and a window without a screen."""

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
from ..charts.helpers import BACKEND, read_lines
from ..cli_user import CliUser
from .running import Command, assert_setting_rejected

READINGS = "/ivp/meters/readings"


@pytest.fixture
def drawing(
    create_user: Callable[..., CliUser], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Command]:
    """Yield the command, ready to start, with a trusted gateway and a valid token."""
    user = create_user(getattr(request, "param", "battery"))
    user.trust_gateway()
    user.write_token_settings(gateway_token=user.simulator.token())
    user.environment |= {
        "MPLBACKEND": BACKEND,
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "WINDOW_STATE": str(tmp_path / "window"),
        "WINDOW_CLOSE": str(tmp_path / "close"),
    }
    command = Command(user, NAME, tmp_path / "log")
    yield command
    command.kill()


async def wait_for_window(folder: Path, text: str, within: float = 30) -> str:
    """Wait until the window contains a text, and return all its text."""
    file = folder / "window"

    def read_window() -> str:
        # Long texts are wrapped.
        return " ".join(file.read_text().split()) if file.exists() else ""

    await wait_until(lambda: text in read_window(), within)
    return read_window()


def count_turns(folder: Path) -> int:
    """Return the number of turns of the window's main loop so far."""
    lines = (folder / "window").read_text().splitlines()
    return int(lines[0]) if lines else 0


@pytest.mark.slow
def test_live_readings_are_drawn_with_their_values(
    drawing: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = drawing.user
    drawn: dict[str, Any] = {}

    class RecordingChart(Chart):
        def draw(self, view: View) -> None:
            super().draw(view)
            drawn.update(read_lines(self.panels[0].axes))
            if len(drawn.get("Production", [[]])[0]) >= 4:
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(output, "Chart", RecordingChart)
    monkeypatch.setattr(output, "_PAUSE", 0.5)
    result = user.run(main, "--interval", "1", "--output", str(tmp_path / "live.png"))
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
async def test_a_window_shows_the_chart_until_it_is_closed(drawing: Command, tmp_path: Path) -> None:
    drawing.start("--minutes", "5", "--phases")
    shown = await wait_for_window(tmp_path, "Gateway 1223")
    assert "the last 5 minutes" in shown
    (tmp_path / "close").touch()
    assert drawing.process is not None
    assert await asyncio.to_thread(drawing.process.wait, 10) == 0
    assert drawing.output == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_window_stays_responsive_while_the_gateway_hangs(
    drawing: Command, tmp_path: Path, number: signal.Signals
) -> None:
    drawing.start()
    await wait_for_window(tmp_path, "produced")
    drawing.user.simulator.faults.set("silent")
    await wait_for_window(tmp_path, "Not up to date: no answer of the gateway for 1", 40)
    before = count_turns(tmp_path)
    await wait_until(lambda: count_turns(tmp_path) > before + 30, 20)
    assert drawing.stop(number) == 0
    assert drawing.output == ""


@pytest.mark.parametrize("drawing", ["no-meters"], indirect=True)
@pytest.mark.slow
def test_the_sum_of_microinverters_is_drawn_for_a_gateway_without_meters(
    drawing: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = drawing.user
    drawn: dict[str, Any] = {}

    class RecordingChart(Chart):
        def draw(self, view: View) -> None:
            super().draw(view)
            drawn.update(read_lines(self.panels[0].axes), trouble=view.trouble)
            if "Production" in drawn:
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(output, "Chart", RecordingChart)
    monkeypatch.setattr(output, "_PAUSE", 0.5)
    result = user.run(main, "--output", str(tmp_path / "live.png"))
    assert (result.status, result.err) == (0, "")
    (at, *_), watts = drawn["Production"]
    truth = user.simulator.house.truth(at).production.total.active_power
    assert watts == pytest.approx([truth] * len(watts), rel=0.1)
    assert drawn["trouble"] is None


@pytest.mark.slow
async def test_no_token_is_sent_to_an_untrusted_certificate_until_it_is_trusted(
    drawing: Command, tmp_path: Path
) -> None:
    simulator = drawing.user.simulator
    drawing.start()
    await wait_for_window(tmp_path, "produced")
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await wait_for_window(tmp_path, "the gateway now shows another certificate")
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    drawing.user.trust_gateway()
    await drawing.wait_for("gateway can be read again")
    await wait_until(lambda: "Not up to date" not in (tmp_path / "window").read_text())
    assert drawing.stop() == 0


@pytest.mark.slow
async def test_an_expired_token_is_logged_and_its_replacement_is_used(
    drawing: Command, tmp_path: Path
) -> None:
    simulator = drawing.user.simulator
    drawing.start()
    await wait_for_window(tmp_path, "produced")
    drawing.user.write_token_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await wait_for_window(tmp_path, "the token expired on")
    assert drawing.is_running
    simulator.faults.clear()
    drawing.user.write_token_settings(gateway_token=simulator.token())
    await drawing.wait_for("gateway can be read again")
    await wait_until(lambda: "Not up to date" not in (tmp_path / "window").read_text())
    assert drawing.stop() == 0


@pytest.mark.slow
async def test_secrets_never_appear_in_the_debug_log_window_or_command_line(
    drawing: Command, tmp_path: Path
) -> None:
    simulator = drawing.user.simulator
    token = simulator.token()
    drawing.user.write_token_settings(
        gateway_token=token, enphase_password="planted-password", enphase_username="planted@example.com"
    )
    drawing.start("-v")
    shown = await wait_for_window(tmp_path, "produced")
    simulator.faults.set("refuse", path=READINGS)
    await drawing.wait_for("the gateway does not allow")
    everything = drawing.output + drawing.command_line + shown + (tmp_path / "window").read_text()
    assert drawing.stop() == 0
    assert "DEBUG" in everything
    planted = (token, token[-20:], "planted-password", "planted@example.com")
    assert [secret for secret in planted if secret in everything] == []
    assert all(session == "[hidden]" for session in re.findall(r"sessionId=([^;\s]+)", everything))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interval": 0.1}, "interval: must be a number of seconds from 1 to 3600"),
        ({"peak_power": 0}, "peak_power: must be a number of watts"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
    ],
)
def test_the_error_names_an_invalid_setting_before_any_request(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_setting_rejected(user, main, changed, message)


@pytest.mark.parametrize("minutes", ["0", "1441", "soon", "1.5", "-3"])
def test_invalid_minutes_are_rejected(user: CliUser, minutes: str) -> None:
    result = user.run(main, "--minutes", minutes)
    assert result.status == 2
    assert "argument --minutes: " in result.err


def test_a_failed_task_ends_the_chart_with_an_error(
    drawing: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def raise_error(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("enphase_companion.charts.live.LiveData.view", raise_error)
    result = drawing.user.run(main, "--output", str(tmp_path / "live.png"))
    assert result.status == 1
    assert "unexpected error (ZeroDivisionError)" in result.err
