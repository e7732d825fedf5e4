"""enphase-gateway-unicorn-hat-hd as its owner starts it: a simulated gateway, and the HAT's own library."""

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
from enphase_companion.displays.icons import Weather, icon, warning
from enphase_companion.simulator import Simulator

from ..amqp_helpers import wait_until
from ..cli_user import PASSWORD, USERNAME, CliUser
from ..displays.hats import SeenHat, recorded, say
from .running import READINGS, Command, assert_setting_rejected

pytestmark = pytest.mark.slow

INVERTERS = "/api/v1/production/inverters"

#: Somewhere whose digits stand nowhere else.
PLACE = {"ENPHASE_LATITUDE": "46.918273", "ENPHASE_LONGITUDE": "7.456789"}


@dataclass
class Showing(Command):
    """The command, with the HAT that it drives."""

    hat: SeenHat | None = None

    @property
    def leds(self) -> SeenHat:
        assert self.hat is not None
        return self.hat

    def asked(self, path: str) -> int:
        """How often the gateway was asked for this."""
        return sum(each.path == path for each in self.user.simulator.requests)

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(gateway_host=self.user.simulator.url, **settings)


@pytest.fixture
def showing(
    create_user: Callable[..., CliUser], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Showing]:
    user = create_user(getattr(request, "param", "three-phase"))
    user.trust_gateway()
    hat = SeenHat(tmp_path / "bus")
    user.environment |= {**hat.environment, "ENPHASE_WEATHER_HOST": user.simulator.weather_url}
    running = Showing(user, NAME, tmp_path / "log", hat=hat)
    running.write_settings(gateway_token=user.simulator.token())
    yield running
    running.kill()


def production(simulator: Simulator) -> float:
    return simulator.house.truth(simulator.clock.time()).production.total.active_power


def around(watts: float, off: int) -> set[str]:
    """Return what may be written of a power that has changed meanwhile by so many watts at most."""
    return {units.power(max(watts + each, 0)) for each in range(-off, off + 1)}


async def test_a_hat_shows_weather_power_and_bars_of_the_house_and_is_off_at_the_end(
    showing: Showing,
) -> None:
    simulator, hat = showing.user.simulator, showing.leds
    simulator.weather.code, simulator.weather.wind, simulator.weather.is_day = 61, 0, True
    showing.user.environment |= PLACE
    showing.start("--peak-power", str(2 * production(simulator)))
    await wait_until(lambda: len(hat.bars) > 60, 60)
    assert showing.stop() == 0
    assert hat.is_off
    # The sun that rises until something is known is first; the weather comes when it is known.
    assert hat.shows(icon(Weather.RAIN, 0.4))
    line = hat.bars[-1]
    assert np.count_nonzero(line[1:15, 3].any(axis=1)) in (7, 8), "half of the height"
    assert np.count_nonzero(line[1:15, 11].any(axis=1)) < 14
    assert showing.output == ""
    assert showing.asked(INVERTERS) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("fault", [None, "silent"])
async def test_it_ends_within_five_seconds_with_its_leds_off(
    showing: Showing, number: signal.Signals, fault: str | None
) -> None:
    if fault is not None:
        showing.user.simulator.faults.set(fault)
    showing.start()
    await wait_until(lambda: len(showing.leds.frames) > 15)
    assert any(frame.any() for frame in showing.leds.frames)
    assert showing.stop(number) == 0
    assert showing.leds.is_off


def test_one_round_is_a_file_and_the_end(showing: Showing, tmp_path: Path) -> None:
    simulator = showing.user.simulator
    simulator.weather.code, simulator.weather.wind, simulator.weather.is_day = 71, 0, True
    showing.user.environment |= PLACE
    made = production(simulator)
    result = showing.user.run(main, "--display", str(tmp_path / "hat.gif"))
    assert (result.status, result.out, result.err) == (0, "", "")
    frames = recorded(tmp_path / "hat.gif")
    assert np.abs(frames[0].astype(int) - icon(Weather.SNOW, 0)).mean() < 20
    assert any(say(frames, words) for words in around(made, 100))
    assert frames[-1][15].all(axis=0).any()
    assert "unicornhathd" not in sys.modules
    assert not showing.leds.frames


@pytest.mark.parametrize("showing", ["no-meters"], indirect=True)
def test_a_gateway_without_meters_shows_what_its_inverters_make(showing: Showing, tmp_path: Path) -> None:
    result = showing.user.run(main, "--display", str(tmp_path / "hat.png"))
    assert (result.status, result.err) == (0, "")
    assert showing.asked(INVERTERS) == 1
    assert showing.asked(READINGS) == 0
    simulator = showing.user.simulator
    made = sum(simulator.house.truth(simulator.clock.time()).inverters.values())
    assert made > 20
    frames = recorded(tmp_path / "hat.png")
    # They report whole watts, some minutes late.
    assert any(say(frames, words) for words in around(made, 600))
    # What the home takes is not known: one bar stands in the middle.
    assert not frames[-1][1:14, :4].any()


@pytest.mark.parametrize("showing", ["production-only"], indirect=True)
def test_a_gateway_that_meters_only_production_shows_one_bar(showing: Showing, tmp_path: Path) -> None:
    assert showing.user.run(main, "--display", str(tmp_path / "hat.png")).status == 0
    last = recorded(tmp_path / "hat.png")[-1]
    assert last[14, 4:12].any(axis=1).all()
    assert not last[1:14, 1:4].any()


def test_a_gateway_that_keeps_its_inverters_to_itself_fills_the_height(
    showing: Showing, tmp_path: Path
) -> None:
    showing.user.simulator.faults.set("status", INVERTERS, status=404)
    assert showing.user.run(main, "--display", str(tmp_path / "hat.png")).status == 0
    last = recorded(tmp_path / "hat.png")[-1]
    assert last[1].any()


def test_without_the_weather_only_its_picture_is_missing(showing: Showing, tmp_path: Path) -> None:
    showing.user.simulator.weather.faults.set("status", status=503)
    showing.user.environment |= PLACE
    result = showing.user.run(main, "--display", str(tmp_path / "hat.png"))
    assert result.status == 0
    (warning,) = result.warnings
    assert "the weather service answered /v1/forecast with status 503; weather is not shown" in warning
    assert recorded(tmp_path / "hat.png")[-1][15].any()


def test_a_silent_gateway_is_recorded_and_told(
    showing: Showing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enphase_companion.displays.player._FIRST", 1.0)
    showing.user.simulator.faults.set("status", status=503)
    result = showing.user.run(main, "--display", str(tmp_path / "hat.png"))
    assert result.status == 1
    assert "no reading arrived" in result.error
    assert "status 503" in result.warnings[0]
    assert say(recorded(tmp_path / "hat.png"), "gateway?")


async def test_another_certificate_is_shown_before_a_token_leaves_and_trust_sets_it_going(
    showing: Showing,
) -> None:
    simulator, hat = showing.user.simulator, showing.leds
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    showing.start()
    await showing.wait_for("the gateway now shows another certificate")
    assert simulator.fingerprint in showing.output
    await wait_until(lambda: hat.shows(warning(0)))
    assert not any(each.has_authorization or each.has_session for each in simulator.requests)
    showing.user.trust_gateway()
    await showing.wait_for("gateway can be read again")
    await wait_until(lambda: hat.bars, 60)
    assert hat.says("gateway?")
    assert showing.stop() == 0


async def test_a_certificate_that_changes_in_mid_run_stops_it_before_a_token_leaves(showing: Showing) -> None:
    simulator = showing.user.simulator
    showing.start()
    await wait_until(lambda: showing.asked(READINGS) > 1)
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await showing.wait_for("the gateway now shows another certificate")
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    assert showing.is_running
    assert showing.stop() == 0
    assert showing.leds.is_off


async def test_a_token_that_ends_in_mid_run_is_told_and_a_new_one_is_taken(showing: Showing) -> None:
    simulator = showing.user.simulator
    showing.start()
    await wait_until(lambda: showing.asked(READINGS) > 1)
    showing.write_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await showing.wait_for("gateway_token: The token expired on")
    assert showing.is_running
    simulator.faults.clear()
    showing.write_settings(gateway_token=simulator.token())
    await showing.wait_for("gateway can be read again")
    before = showing.asked(READINGS)
    await wait_until(lambda: showing.asked(READINGS) > before)
    assert showing.stop() == 0


async def test_no_secret_is_in_its_log_at_debug_level_nor_in_its_title_nor_with_the_weather(
    showing: Showing,
) -> None:
    simulator = showing.user.simulator
    token = simulator.token()
    showing.write_settings(gateway_token=token, enphase_password=PASSWORD, enphase_username=USERNAME)
    showing.user.environment |= PLACE
    showing.start("-v")
    await wait_until(lambda: showing.asked(READINGS) > 2)
    command_line = showing.command_line
    simulator.faults.set("refuse", path=READINGS)
    await showing.wait_for("The gateway does not allow")
    assert showing.stop() == 0
    everything = showing.output + command_line
    assert "DEBUG" in everything
    planted = (token, token[-20:], PASSWORD, USERNAME, "46.918", "7.4567", "46.92")
    assert [secret for secret in planted if secret in everything] == []
    assert all(each.startswith("[hidden]") for each in re.findall(r"sessionId=([^;\s]+)", showing.output))
    (request,) = simulator.weather.requests
    assert not request.has_authorization
    assert not request.has_session


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"brightness": 1.5}, "brightness: must be a number from 0 to 1"),
        ({"brightness": "bright"}, "brightness: must be a number from 0 to 1"),
        ({"rotation": 45}, "rotation: must be 0, 90, 180 or 270"),
        ({"rotation": 360}, "rotation: must be 0, 90, 180 or 270"),
        ({"scroll_delay": 0}, "scroll_delay: must be a number of seconds from 0.01 to 1"),
        ({"peak_power": -1}, "peak_power: must be a number of watts from 1"),
        ({"latitude": 91, "longitude": 0}, "latitude: must be a number of degrees from -90 to 90"),
        ({"latitude": 0}, "longitude: is missing: the weather needs both"),
        ({"longitude": 0}, "latitude: is missing: the weather needs both"),
        ({"weather_host": "http://weather.example"}, "weather_host: the address must begin with https://"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
        ({"interval": 0}, "interval: must be a number of seconds from 0.5"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named_before_anything_is_done(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_setting_rejected(user, main, changed, message)


def test_the_equator_at_greenwich_is_a_place_too(showing: Showing, tmp_path: Path) -> None:
    showing.write_settings(gateway_token=showing.user.simulator.token(), latitude=0, longitude=0)
    assert showing.user.run(main, "--display", str(tmp_path / "hat.gif")).status == 0
    (request,) = showing.user.simulator.weather.requests
    assert "latitude=0.00&longitude=0.00&" in request.path


def test_what_is_no_display_is_wrong_usage(user: CliUser) -> None:
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
def test_without_a_hat_it_says_what_to_do_and_asks_the_gateway_nothing(
    showing: Showing, environment: dict[str, str], message: str
) -> None:
    showing.user.environment |= environment
    showing.start()
    assert showing.process is not None
    assert showing.process.wait(20) == 1
    assert re.search(rf"^error: .*{message}", showing.output)
    assert showing.output.count("\n") == 1
    assert not showing.user.simulator.requests


def test_a_pipe_is_no_terminal(showing: Showing) -> None:
    result = showing.user.run(main, "--display", "terminal")
    assert result.status == 1
    assert "the output is not a terminal" in result.error


def test_help_waits_for_no_picture_library(showing: Showing) -> None:
    (showing.user.home / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "heavy = {'numpy', 'PIL', 'rich', 'aiohttp', 'unicornhathd'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
    )
    showing.user.environment["PYTHONPATH"] = str(showing.user.home)
    process = showing.user.start(NAME, "--help")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("\n[]\n")
