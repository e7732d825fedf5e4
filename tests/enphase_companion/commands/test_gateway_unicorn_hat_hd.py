"""enphase-gateway-unicorn-hat-hd in a separate process, with a simulated gateway and the HAT's library."""

from __future__ import annotations

import asyncio
import errno
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enphase_companion import units
from enphase_companion.commands.gateway_unicorn_hat_hd import NAME, main
from enphase_companion.displays.frames import Frame
from enphase_companion.displays.icons import Weather, icon, warning
from enphase_companion.simulator import Simulator

from ..amqp_helpers import wait_until
from ..cli_user import PASSWORD, USERNAME, CliUser
from ..displays.hats import HatRecording, is_text_in, read_frames
from .running import READINGS, Command, assert_setting_rejected

pytestmark = pytest.mark.slow

INVERTERS = "/api/v1/production/inverters"

#: A location whose digits appear in no other text.
LOCATION = {"ENPHASE_LATITUDE": "46.918273", "ENPHASE_LONGITUDE": "7.456789"}


@dataclass
class DisplayCommand(Command):
    """The command with the HAT that it drives."""

    hat: HatRecording | None = None

    @property
    def recording(self) -> HatRecording:
        assert self.hat is not None
        return self.hat

    def count_requests(self, path: str) -> int:
        """Return the number of requests for a path."""
        return sum(each.path == path for each in self.user.simulator.requests)

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(gateway_host=self.user.simulator.url, **settings)


@pytest.fixture
def display(
    create_user: Callable[..., CliUser], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[DisplayCommand]:
    user = create_user(getattr(request, "param", "three-phase"))
    user.trust_gateway()
    hat = HatRecording(tmp_path / "bus")
    user.environment |= {
        **hat.environment,
        "ENPHASE_WEATHER_HOST": user.simulator.weather_url,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    running = DisplayCommand(user, NAME, tmp_path / "log", hat=hat)
    running.write_settings(gateway_token=user.simulator.token())
    yield running
    running.kill()


def get_production(simulator: Simulator) -> float:
    return simulator.house.truth(simulator.clock.time()).production.total.active_power


def format_around(watts: float, off: int) -> set[str]:
    """Return the texts of all powers within a number of watts."""
    return {units.format_power(max(watts + each, 0)) for each in range(-off, off + 1)}


async def test_a_hat_shows_weather_power_and_bars_and_is_off_at_the_end(
    display: DisplayCommand,
) -> None:
    simulator, hat = display.user.simulator, display.recording
    simulator.weather.code, simulator.weather.wind, simulator.weather.is_day = 61, 0, True
    display.user.environment |= LOCATION
    display.start("--peak-power", str(2 * get_production(simulator)))
    await wait_until(lambda: len(hat.bars) > 60, 60)
    assert display.stop() == 0
    assert hat.is_off
    assert [file.name for file in display.log.parent.rglob("hat-*.json")] == [
        f"hat-{simulator.serial_number}.json"
    ]
    # The rising sun is shown until the first reading, the weather once it is known.
    assert hat.has_shown(icon(Weather.RAIN, 0.4))
    line = hat.bars[-1]
    assert np.count_nonzero(line[1:15, 3].any(axis=1)) in (7, 8), "half of the height"
    assert np.count_nonzero(line[1:15, 11].any(axis=1)) < 14
    assert display.output == ""
    assert display.count_requests(INVERTERS) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("fault", [None, "silent"])
async def test_the_command_stops_with_leds_off(
    display: DisplayCommand, number: signal.Signals, fault: str | None
) -> None:
    if fault is not None:
        display.user.simulator.faults.set(fault)
    display.start()
    await wait_until(lambda: len(display.recording.frames) > 15)
    assert any(frame.any() for frame in display.recording.frames)
    assert display.stop(number) == 0
    assert display.recording.is_off


def test_recording_ends_after_one_round(display: DisplayCommand, tmp_path: Path) -> None:
    simulator = display.user.simulator
    simulator.weather.code, simulator.weather.wind, simulator.weather.is_day = 71, 0, True
    display.user.environment |= LOCATION
    watts = get_production(simulator)
    result = display.user.run(main, "--display", str(tmp_path / "hat.gif"))
    assert (result.status, result.out, result.err) == (0, "", "")
    frames = read_frames(tmp_path / "hat.gif")
    assert np.abs(frames[0].astype(int) - icon(Weather.SNOW, 0)).mean() < 20
    assert any(is_text_in(frames, text) for text in format_around(watts, 100))
    assert frames[-1][15].all(axis=0).any()
    assert "unicornhathd" not in sys.modules
    assert not display.recording.frames


@pytest.mark.parametrize("display", ["no-meters"], indirect=True)
def test_a_gateway_without_meters_shows_the_production_of_its_inverters(
    display: DisplayCommand, tmp_path: Path
) -> None:
    result = display.user.run(main, "--display", str(tmp_path / "hat.png"))
    assert (result.status, result.err) == (0, "")
    assert display.count_requests(INVERTERS) == 1
    assert display.count_requests(READINGS) == 0
    simulator = display.user.simulator
    watts = sum(simulator.house.truth(simulator.clock.time()).inverters.values())
    assert watts > 20
    frames = read_frames(tmp_path / "hat.png")
    # Inverters report whole watts, some minutes late.
    assert any(is_text_in(frames, text) for text in format_around(watts, 600))
    # Consumption is unknown: there is one bar in the middle.
    assert not frames[-1][1:14, :4].any()


@pytest.mark.parametrize("display", ["production-only"], indirect=True)
def test_a_gateway_that_meters_only_production_shows_one_bar(display: DisplayCommand, tmp_path: Path) -> None:
    assert display.user.run(main, "--display", str(tmp_path / "hat.png")).status == 0
    last = read_frames(tmp_path / "hat.png")[-1]
    assert last[14, 4:12].any(axis=1).all()
    assert not last[1:14, 1:4].any()


def test_bars_fill_the_height_if_the_inverters_are_unknown(display: DisplayCommand, tmp_path: Path) -> None:
    display.user.simulator.faults.set("status", INVERTERS, status=404)
    assert display.user.run(main, "--display", str(tmp_path / "hat.png")).status == 0
    last = read_frames(tmp_path / "hat.png")[-1]
    assert last[1].any()


def test_everything_but_the_weather_is_shown_without_a_forecast(
    display: DisplayCommand, tmp_path: Path
) -> None:
    display.user.simulator.weather.faults.set("status", status=503)
    display.user.environment |= LOCATION
    result = display.user.run(main, "--display", str(tmp_path / "hat.png"))
    assert result.status == 0
    (warning,) = result.warnings
    assert "the weather service answered /v1/forecast with status 503; weather is not shown" in warning
    assert read_frames(tmp_path / "hat.png")[-1][15].any()


def test_a_silent_gateway_is_recorded_and_logged(
    display: DisplayCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enphase_companion.displays.player._FIRST", 1.0)
    display.user.simulator.faults.set("status", status=503)
    result = display.user.run(main, "--display", str(tmp_path / "hat.png"))
    assert result.status == 1
    assert "no reading arrived" in result.error
    assert "status 503" in result.warnings[0]
    assert is_text_in(read_frames(tmp_path / "hat.png"), "gateway?")


async def test_no_token_is_sent_to_an_untrusted_certificate_until_it_is_trusted(
    display: DisplayCommand,
) -> None:
    simulator, hat = display.user.simulator, display.recording
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    display.start()
    await display.wait_for("the gateway now shows another certificate")
    assert simulator.fingerprint in display.output
    await wait_until(lambda: hat.has_shown(warning(0)))
    assert not any(each.has_authorization or each.has_session for each in simulator.requests)
    display.user.trust_gateway()
    await display.wait_for("gateway can be read again")
    await wait_until(lambda: hat.bars, 60)
    assert hat.has_shown_text("gateway?")
    assert display.stop() == 0


async def test_no_token_is_sent_after_the_certificate_changed_during_a_run(display: DisplayCommand) -> None:
    simulator = display.user.simulator
    display.start()
    await wait_until(lambda: display.count_requests(READINGS) > 1)
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await display.wait_for("the gateway now shows another certificate")
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    assert display.is_running
    assert display.stop() == 0
    assert display.recording.is_off


async def test_an_expired_token_is_logged_and_its_replacement_is_used(display: DisplayCommand) -> None:
    simulator = display.user.simulator
    display.start()
    await wait_until(lambda: display.count_requests(READINGS) > 1)
    display.write_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await display.wait_for("gateway_token: the token expired on")
    assert display.is_running
    simulator.faults.clear()
    display.write_settings(gateway_token=simulator.token())
    await display.wait_for("gateway can be read again")
    before = display.count_requests(READINGS)
    await wait_until(lambda: display.count_requests(READINGS) > before)
    assert display.stop() == 0


async def test_secrets_never_appear_in_the_debug_log_command_line_or_weather_requests(
    display: DisplayCommand,
) -> None:
    simulator = display.user.simulator
    token = simulator.token()
    display.write_settings(gateway_token=token, enphase_password=PASSWORD, enphase_username=USERNAME)
    display.user.environment |= LOCATION
    display.start("-v")
    await wait_until(lambda: display.count_requests(READINGS) > 2)
    command_line = display.command_line
    simulator.faults.set("refuse", path=READINGS)
    await display.wait_for("the gateway does not allow")
    assert display.stop() == 0
    everything = display.output + command_line
    assert "DEBUG" in everything
    planted = (token, token[-20:], PASSWORD, USERNAME, "46.918", "7.4567", "46.92")
    assert [secret for secret in planted if secret in everything] == []
    assert all(each.startswith("[hidden]") for each in re.findall(r"sessionId=([^;\s]+)", display.output))
    (request,) = simulator.weather.requests
    assert not request.has_authorization
    assert not request.has_session


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"brightness": 1.5}, "brightness: must be a number from 0 to 1"),
        ({"brightness": "bright"}, "brightness: must be a number from 0 to 1"),
        ({"night_brightness": 2}, "night_brightness: must be a number from 0 to 1"),
        ({"scene": "panel"}, "scene: must be one or more of weather, power, bars, energy, day, panels"),
        ({"scene": "panels,,day"}, "scene: must be one or more of"),
        ({"scene": ["bars", 5]}, "scene: must be one or more of"),
        ({"scene": []}, "scene: must be one or more of"),
        ({"rotation": 45}, "rotation: must be 0, 90, 180 or 270"),
        ({"rotation": 360}, "rotation: must be 0, 90, 180 or 270"),
        ({"scroll_delay": 0}, "scroll_delay: must be a number of seconds from 0.01 to 1"),
        ({"peak_power": -1}, "peak_power: must be a number of watts from 1"),
        ({"latitude": 91, "longitude": 0}, "latitude: must be a number of degrees from -90 to 90"),
        ({"latitude": 0}, "longitude: is missing: the weather needs both"),
        ({"longitude": 0}, "latitude: is missing: the weather needs both"),
        ({"weather_host": "http://weather.example"}, "weather_host: the address must begin with https://"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
        ({"interval": 0}, "interval: must be a number of seconds from 1"),
    ],
)
def test_the_error_names_an_invalid_setting_before_any_request(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_setting_rejected(user, main, changed, message)


def test_latitude_and_longitude_may_be_zero(display: DisplayCommand, tmp_path: Path) -> None:
    display.write_settings(gateway_token=display.user.simulator.token(), latitude=0, longitude=0)
    assert display.user.run(main, "--display", str(tmp_path / "hat.gif")).status == 0
    (request,) = display.user.simulator.weather.requests
    assert "latitude=0.00&longitude=0.00&" in request.path


def test_an_unknown_display_is_a_usage_error(user: CliUser) -> None:
    result = user.run(main, "--display", "hat.jpg")
    assert result.status == 2
    assert "must be hat, terminal, or a file that ends with .gif or .png" in result.err


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"FAKE_SPI_ERROR": str(errno.EACCES)},
            r"over SPI \(Permission denied\): enable SPI with raspi-config",
        ),
        ({"PYTHONPATH": ""}, r"--display hat: the Python package spidev is missing"),
    ],
)
def test_the_error_of_a_missing_hat_names_the_remedy_before_any_request(
    display: DisplayCommand, environment: dict[str, str], message: str
) -> None:
    display.user.environment |= environment
    display.start()
    assert display.process is not None
    assert display.process.wait(20) == 1
    assert re.search(rf"^error: .*{message}", display.output)
    assert display.output.count("\n") == 1
    assert not display.user.simulator.requests


def test_a_pipe_is_not_a_terminal(display: DisplayCommand) -> None:
    result = display.user.run(main, "--display", "terminal")
    assert result.status == 1
    assert "the output is not a terminal" in result.error


def test_help_does_not_import_the_image_library(display: DisplayCommand) -> None:
    (display.user.home / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "heavy = {'numpy', 'PIL', 'rich', 'aiohttp', 'unicornhathd'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
    )
    display.user.environment["PYTHONPATH"] = str(display.user.home)
    process = display.user.start(NAME, "--help")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("\n[]\n")


async def test_the_panels_of_the_gateway_are_shown_as_a_map(display: DisplayCommand) -> None:
    hat = display.recording
    display.start("--scene", "panels")
    # Twelve panels: four columns and three rows of rectangles, of which the last LED is dark.
    columns = [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]
    rows = [1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14]

    def is_map(frame: Frame) -> bool:
        lit = frame.any(axis=2)
        return [*np.flatnonzero(lit.any(axis=0))] == columns and [*np.flatnonzero(lit.any(axis=1))] == rows

    await wait_until(lambda: any(map(is_map, hat.frames)), 60)
    assert display.stop() == 0
    assert hat.is_off
    assert display.output == ""
