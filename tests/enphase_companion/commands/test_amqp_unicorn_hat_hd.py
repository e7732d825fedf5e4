"""enphase-amqp-unicorn-hat-hd as its owner starts it: a real broker, and the HAT's own library."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import numpy as np
import pytest
from yarl import URL

from enphase_companion.commands.amqp_unicorn_hat_hd import NAME, main
from enphase_companion.displays.icons import Weather, icon, warning
from enphase_companion.message import encode
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import BrokerInspector, build_message, wait_until
from ..cli_user import PASSWORD, CliUser
from ..displays.hats import SeenHat, recorded, say
from .running import Command


@dataclass
class Showing(Command):
    """The command, with the HAT that it drives and the exchange that it listens to."""

    hat: SeenHat | None = None
    url: str = ""
    exchange_name: str = ""

    @property
    def leds(self) -> SeenHat:
        assert self.hat is not None
        return self.hat

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(amqp_url=self.url, amqp_exchange=self.exchange_name, **settings)

    async def publish(self, *bodies: bytes, key: str = "MeterStream") -> None:
        async with BrokerInspector(self.url).channel() as channel:
            exchange = await channel.declare_exchange(
                self.exchange_name, aio_pika.ExchangeType.TOPIC, durable=True
            )
            for body in bodies:
                await exchange.publish(aio_pika.Message(body), key)

    async def publishes_until(
        self, body: Callable[[], bytes], condition: Callable[[], Any], within: float = 60
    ) -> None:
        """Publish again and again, as nothing that came before it listened is kept."""
        async with asyncio.timeout(within):
            while not condition():
                await self.publish(body())
                await asyncio.sleep(0.3)


@pytest.fixture
def showing(amqp_url: str, user: CliUser, tmp_path: Path) -> Iterator[Showing]:
    hat = SeenHat(tmp_path / "bus")
    user.environment |= {**hat.environment, "ENPHASE_WEATHER_HOST": user.simulator.weather_url}
    exchange_name = f"Enphase.{time.time_ns()}"
    running = Showing(user, NAME, tmp_path / "log", hat=hat, url=amqp_url, exchange_name=exchange_name)
    running.write_settings()
    yield running
    running.kill()


def encoded(watts: float, ago: float = 0, gateway: str = "122300000001") -> bytes:
    """Return a message in which the array makes so much, and the home takes twice as much."""
    now = time.time() - ago
    made = build_message(round(now) - 1_764_000_000)
    samples = tuple(
        type(each)(each.measurement, each.phase, each.measured_at, type(each.quantities)(active_power=watts))
        for each in made.samples
    )
    return encode(type(made)(gateway, now, samples, "id"))


def of_enphase_api(production: float, consumption: float) -> bytes:
    """Return a message as Enphase-API's script publishes it."""
    now = time.time()
    reports = [
        {"createdAt": int(now), "reportType": kind, "cumulative": {"actPower": watts}, "lines": []}
        for kind, watts in (
            ("production", production),
            ("net-consumption", consumption - production),
            ("total-consumption", consumption),
        )
    ]
    return json.dumps({"timestamp": now, "readings": reports}).encode()


async def test_what_is_published_is_shown_and_the_gateway_is_asked_nothing(showing: Showing) -> None:
    hat = showing.leds
    showing.start("--peak-power", "4000")
    await showing.publish_until(lambda: encoded(1_000), lambda: len(hat.bars) > 60)
    assert hat.says("1.00 kW")
    last = hat.bars[-1]
    # The bars end in a part of an LED.
    assert np.count_nonzero(last[1:15, 3].any(axis=1)) == 4
    assert np.count_nonzero(last[1:15, 11].any(axis=1)) == 8
    assert showing.stop() == 0
    assert hat.is_off
    assert showing.user.simulator.requests == []
    assert showing.output == ""


async def test_only_the_newest_reading_counts(showing: Showing) -> None:
    hat = showing.leds
    showing.start()
    await showing.publish_until(lambda: encoded(500), lambda: hat.says("500 W"))
    await showing.publish(*[encoded(watts, ago=1) for watts in range(600, 700)], encoded(1_234))
    await wait_until(lambda: hat.says("1.23 kW"), 60)
    assert not any(hat.says(f"{watts} W") for watts in range(600, 700))
    assert showing.stop() == 0


async def test_messages_of_enphase_api_are_shown_too(showing: Showing) -> None:
    hat = showing.leds
    showing.start()
    await showing.publish_until(lambda: of_enphase_api(777, 333), lambda: hat.says("777 W"))
    assert showing.stop() == 0
    assert showing.output == ""


async def test_one_documented_command_makes_a_file_with_the_weather_in_it(
    showing: Showing, tmp_path: Path
) -> None:
    simulator = showing.user.simulator
    simulator.weather.code, simulator.weather.wind = 3, 0
    showing.write_settings(latitude=47.1, longitude=8.2)
    file = tmp_path / "day.gif"
    showing.start("--display", str(file))
    assert showing.process is not None
    process = showing.process
    await showing.publish_until(lambda: encoded(2_500), lambda: process.poll() is not None)
    assert process.returncode == 0, showing.output
    frames = recorded(file)
    assert np.abs(frames[0].astype(int) - icon(Weather.CLOUDY, 0)).mean() < 20
    assert say(frames, "2.50 kW")
    assert simulator.requests == []
    assert not showing.leds.frames, "no HAT is touched"


def test_a_file_of_a_broker_without_messages_shows_that_and_says_so(showing: Showing, tmp_path: Path) -> None:
    showing.start("--display", str(tmp_path / "hat.gif"))
    assert showing.process is not None
    assert showing.process.wait(60) == 1
    assert "error: no reading arrived" in showing.output
    assert (tmp_path / "hat.gif").exists()


async def test_a_broker_that_is_away_is_shown_and_it_goes_on_when_it_is_back(
    rabbitmq: RabbitMQ, showing: Showing
) -> None:
    hat = showing.leds
    rabbitmq.kill()
    showing.start()
    await wait_until(lambda: hat.says("broker?"), 60)
    assert hat.shows(warning(0))
    assert "warning: " in showing.output
    await asyncio.to_thread(rabbitmq.start)
    await showing.publish_until(lambda: encoded(321), lambda: hat.says("321 W"), 90)
    await asyncio.to_thread(rabbitmq.kill)
    await wait_until(lambda: showing.output.count("warning: ") >= 3)
    assert showing.is_running
    await asyncio.to_thread(rabbitmq.start)
    await showing.publish_until(lambda: encoded(654), lambda: hat.says("654 W"), 90)
    assert showing.stop() == 0
    assert hat.is_off


async def test_a_reading_that_waited_for_hours_is_shown_as_old(showing: Showing) -> None:
    hat = showing.leds
    showing.start()
    await showing.publish_until(lambda: encoded(500, ago=3 * 3600 + 300), lambda: hat.says("no data 3 h"))
    assert showing.stop() == 0


async def test_of_two_gateways_the_one_that_is_set_is_shown(showing: Showing) -> None:
    hat = showing.leds
    showing.write_settings(gateway_serial_number="122300000002")
    showing.start()
    other = encoded(111, gateway="122300000001")

    def both() -> bytes:
        return encoded(222, gateway="122300000002")

    async with asyncio.timeout(60):
        while not hat.says("222 W"):
            await showing.publish(other)
            await asyncio.sleep(0.3)
            await showing.publish(both())
            await asyncio.sleep(0.3)
    assert not hat.says("111 W")
    await showing.wait_for("readings of gateway 122300000001 are ignored")
    assert showing.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_within_five_seconds_with_its_leds_off_while_the_broker_hangs(
    rabbitmq: RabbitMQ, showing: Showing, number: signal.Signals
) -> None:
    showing.start()
    await showing.publish_until(lambda: encoded(1_000), lambda: showing.leds.bars)
    rabbitmq.pause()
    await asyncio.sleep(1)
    assert showing.stop(number) == 0
    assert showing.leds.is_off


async def test_no_secret_is_in_its_log_at_debug_level_nor_in_its_title(showing: Showing) -> None:
    good, password = showing.url, "hunter2/€ %secret"
    showing.url = str(URL(good).with_password(password))
    showing.write_settings(gateway_token="eyJplanted.token.here", enphase_password=PASSWORD)
    showing.start("-v")
    await showing.wait_for("it rejects amqp_username with amqp_password: correct them")
    command_line = showing.command_line
    assert showing.stop() == 0
    showing.url = good
    showing.write_settings(latitude=46.918273, longitude=7.456789)
    showing.start("-v")
    await showing.publish_until(lambda: encoded(1_000), lambda: showing.leds.bars)
    assert showing.stop() == 0
    everything = showing.output + command_line
    assert "DEBUG" in everything
    planted = ("hunter2", "%secret", "eyJplanted", PASSWORD, "46.918", "46.92", "7.4567")
    assert [secret for secret in planted if secret in everything] == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"amqp_url": "http://broker"}, "amqp_url: must be an address such as amqps://"),
        ({"amqp_port": 0}, "amqp_port: must be a number from 1 to 65535"),
        ({"gateway_serial_number": "12"}, "gateway_serial_number: must be the 12 digits"),
        ({"brightness": -0.1}, "brightness: must be a number from 0 to 1"),
        ({"rotation": 89}, "rotation: must be 0, 90, 180 or 270"),
        ({"continuous_power": "much"}, "continuous_power: must be a number of watts"),
        ({"latitude": 1}, "longitude: is missing"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    user.write_token_settings(**changed)
    result = user.run(main)
    assert result.status == 2
    assert f"{user.folder}/credentials_token.json: {message}" in result.error
