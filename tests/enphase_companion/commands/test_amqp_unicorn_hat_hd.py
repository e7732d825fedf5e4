"""enphase-amqp-unicorn-hat-hd in a separate process, with a real broker and the HAT's library."""

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
from enphase_companion.displays.panels import Array, draw_panels
from enphase_companion.message import InverterSample, Message, encode
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import BrokerInspector, build_message, wait_until
from ..cli_user import PASSWORD, CliUser
from ..displays.hats import HatRecording, is_text_in, read_frames
from .running import Command


@dataclass
class DisplayCommand(Command):
    """The command with the HAT that it drives and the exchange that it consumes from."""

    hat: HatRecording | None = None
    url: str = ""
    exchange_name: str = ""

    @property
    def recording(self) -> HatRecording:
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

    async def publish_until(
        self, body: Callable[[], bytes], condition: Callable[[], Any], within: float = 60
    ) -> None:
        """Publish repeatedly until a condition is true: messages before the consumer is ready are lost."""
        async with asyncio.timeout(within):
            while not condition():
                await self.publish(body())
                await asyncio.sleep(0.3)


@pytest.fixture
def display(amqp_url: str, user: CliUser, tmp_path: Path) -> Iterator[DisplayCommand]:
    hat = HatRecording(tmp_path / "bus")
    user.environment |= {
        **hat.environment,
        "ENPHASE_WEATHER_HOST": user.simulator.weather_url,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    exchange_name = f"Enphase.{time.time_ns()}"
    running = DisplayCommand(user, NAME, tmp_path / "log", hat=hat, url=amqp_url, exchange_name=exchange_name)
    running.write_settings()
    yield running
    running.kill()


def encode_power(watts: float, ago: float = 0, gateway: str = "122300000001") -> bytes:
    """Encode a message with this production and twice as much consumption."""
    now = time.time() - ago
    message = build_message(round(now) - 1_764_000_000)
    samples = tuple(
        type(each)(each.measurement, each.phase, each.measured_at, type(each.quantities)(active_power=watts))
        for each in message.samples
    )
    return encode(type(message)(gateway, now, samples, "id"))


def encode_enphase_api_message(production: float, consumption: float) -> bytes:
    """Encode the message that Enphase-API's script publishes."""
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


async def test_published_readings_are_shown_without_requests_to_the_gateway(display: DisplayCommand) -> None:
    hat = display.recording
    display.start("--peak-power", "4000")
    await display.publish_until(lambda: encode_power(1_000), lambda: len(hat.bars) > 60)
    assert hat.has_shown_text("1.00 kW")
    last = hat.bars[-1]
    # The bars end within an LED.
    assert np.count_nonzero(last[1:15, 3].any(axis=1)) == 4
    assert np.count_nonzero(last[1:15, 11].any(axis=1)) == 8
    assert display.stop() == 0
    assert hat.is_off
    assert display.user.simulator.requests == []
    assert display.output == ""


async def test_only_the_newest_reading_is_shown(display: DisplayCommand) -> None:
    hat = display.recording
    display.start()
    await display.publish_until(lambda: encode_power(500), lambda: hat.has_shown_text("500 W"))
    await display.publish(*[encode_power(watts, ago=1) for watts in range(600, 700)], encode_power(1_234))
    await wait_until(lambda: hat.has_shown_text("1.23 kW"), 60)
    assert not any(hat.has_shown_text(f"{watts} W") for watts in range(600, 700))
    assert display.stop() == 0


async def test_published_panels_are_shown_as_a_map_beside_a_flood_of_readings(
    display: DisplayCommand,
) -> None:
    hat = display.recording
    display.start("--scene", "bars,panels", "--peak-power", "600")
    # Once a reading has arrived, both queues are there.
    await display.publish_until(lambda: encode_power(500), lambda: hat.bars)
    now = round(time.time())
    samples = tuple(
        InverterSample(f"48210000000{number}", 1000 * now, power, None)
        for number, power in enumerate((300.0, 300.0))
    )
    panels = encode(Message("122300000001", now, (), inverters=samples))
    await display.publish(panels, key="Inverters")
    await display.publish(*[encode_power(500) for _ in range(50)])
    expected = draw_panels(Array((300.0, 300.0), 300.0), 0)
    await wait_until(lambda: hat.has_shown(expected), 60)
    assert display.stop() == 0
    assert display.output == ""


async def test_messages_of_enphase_api_are_shown(display: DisplayCommand) -> None:
    hat = display.recording
    display.start()
    await display.publish_until(
        lambda: encode_enphase_api_message(777, 333), lambda: hat.has_shown_text("777 W")
    )
    assert display.stop() == 0
    assert display.output == ""


async def test_a_documented_command_records_a_file_with_the_weather(
    display: DisplayCommand, tmp_path: Path
) -> None:
    simulator = display.user.simulator
    simulator.weather.code, simulator.weather.wind = 3, 0
    display.write_settings(latitude=47.1, longitude=8.2)
    file = tmp_path / "day.gif"
    display.start("--display", str(file))
    assert display.process is not None
    process = display.process
    await display.publish_until(lambda: encode_power(2_500), lambda: process.poll() is not None)
    assert process.returncode == 0, display.output
    frames = read_frames(file)
    assert np.abs(frames[0].astype(int) - icon(Weather.CLOUDY, 0)).mean() < 20
    assert is_text_in(frames, "2.50 kW")
    assert simulator.requests == []
    assert not display.recording.frames, "no HAT is touched"


def test_a_recording_without_messages_shows_and_logs_the_problem(
    display: DisplayCommand, tmp_path: Path
) -> None:
    display.start("--display", str(tmp_path / "hat.gif"))
    assert display.process is not None
    assert display.process.wait(60) == 1
    assert "error: no reading arrived" in display.output
    assert (tmp_path / "hat.gif").exists()


async def test_an_unavailable_broker_is_shown_until_it_is_back(
    rabbitmq: RabbitMQ, display: DisplayCommand
) -> None:
    hat = display.recording
    rabbitmq.kill()
    display.start()
    await wait_until(lambda: hat.has_shown_text("broker?"), 60)
    assert hat.has_shown(warning(0))
    assert "warning: " in display.output
    await asyncio.to_thread(rabbitmq.start)
    await display.publish_until(lambda: encode_power(321), lambda: hat.has_shown_text("321 W"), 90)
    await asyncio.to_thread(rabbitmq.kill)
    await wait_until(lambda: display.output.count("warning: ") >= 3)
    assert display.is_running
    await asyncio.to_thread(rabbitmq.start)
    await display.publish_until(lambda: encode_power(654), lambda: hat.has_shown_text("654 W"), 90)
    assert display.stop() == 0
    assert hat.is_off


async def test_an_hours_old_reading_is_shown_as_old(display: DisplayCommand) -> None:
    hat = display.recording
    display.start()
    await display.publish_until(
        lambda: encode_power(500, ago=3 * 3600 + 300), lambda: hat.has_shown_text("no data 3 h")
    )
    assert display.stop() == 0


async def test_the_configured_one_of_two_gateways_is_shown(display: DisplayCommand) -> None:
    hat = display.recording
    display.write_settings(gateway_serial_number="122300000002")
    display.start()
    other = encode_power(111, gateway="122300000001")

    def publish_both() -> bytes:
        return encode_power(222, gateway="122300000002")

    async with asyncio.timeout(60):
        while not hat.has_shown_text("222 W"):
            await display.publish(other)
            await asyncio.sleep(0.3)
            await display.publish(publish_both())
            await asyncio.sleep(0.3)
    assert not hat.has_shown_text("111 W")
    await display.wait_for("readings of gateway 122300000001 are ignored")
    assert display.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_stops_with_leds_off_while_the_broker_hangs(
    rabbitmq: RabbitMQ, display: DisplayCommand, number: signal.Signals
) -> None:
    display.start()
    await display.publish_until(lambda: encode_power(1_000), lambda: display.recording.bars)
    rabbitmq.pause()
    await asyncio.sleep(1)
    assert display.stop(number) == 0
    assert display.recording.is_off


async def test_secrets_never_appear_in_the_debug_log_or_command_line(display: DisplayCommand) -> None:
    good, password = display.url, "hunter2/€ %secret"
    display.url = str(URL(good).with_password(password))
    display.write_settings(gateway_token="eyJplanted.token.here", enphase_password=PASSWORD)
    display.start("-v")
    await display.wait_for("it rejects amqp_username with amqp_password: correct them")
    command_line = display.command_line
    assert display.stop() == 0
    display.url = good
    display.write_settings(latitude=46.918273, longitude=7.456789)
    display.start("-v")
    await display.publish_until(lambda: encode_power(1_000), lambda: display.recording.bars)
    assert display.stop() == 0
    everything = display.output + command_line
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
def test_the_error_names_an_invalid_setting(user: CliUser, changed: dict[str, Any], message: str) -> None:
    user.write_token_settings(**changed)
    result = user.run(main)
    assert result.status == 2
    assert f"{user.folder}/credentials_token.json: {message}" in result.error
