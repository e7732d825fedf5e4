"""enphase-gateway-amqp-meters in a separate process, with a simulated gateway and a real broker."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from enphase_companion.amqp.topology import ROUTING_KEY
from enphase_companion.commands.gateway_amqp_meters import KEYS, NAME, main
from enphase_companion.config.loader import load_settings
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.message import Message, OutgoingMessage, decode, encode
from tests.services.disk import SmallDisk
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import SERIAL, BrokerInspector, build_message, read_as_enphase_api_does, wait_until
from ..cli_user import CliUser
from .running import STOP_TIMEOUT, assert_setting_rejected, read_spool

READINGS = "/ivp/meters/readings"


@dataclass
class PublishingCommand:
    """The command with the user whose gateway it reads and the broker that it publishes to."""

    user: CliUser
    url: str
    exchange_name: str
    log: Path
    spool: Path
    process: subprocess.Popen[str] | None = None

    @property
    def queue(self) -> str:
        return f"{self.exchange_name}.Meters"

    def write_settings(self, **settings: Any) -> None:
        self.user.write_token_settings(
            gateway_host=self.user.simulator.url,
            amqp_url=self.url,
            amqp_exchange=self.exchange_name,
            amqp_queues=[self.queue],
            spool_file=str(self.spool),
            **settings,
        )

    def start(self, *arguments: str) -> None:
        with self.log.open("a") as log:
            self.process = self.user.start(NAME, "--interval", "1", *arguments, stderr=log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(STOP_TIMEOUT)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    @property
    def output(self) -> str:
        return self.log.read_text()

    async def wait_for(self, text: str, within: float = 20) -> None:
        """Wait until the log contains a text."""
        await wait_until(lambda: text in self.output, within)

    async def wait_for_messages(self, inspector: BrokerInspector, count: int, within: float = 30) -> None:
        """Wait until its queue has this many ready messages."""
        async with asyncio.timeout(within):
            while await inspector.count_ready(self.queue) < count:
                await asyncio.sleep(0.2)

    def count_requests(self) -> int:
        """Return the number of requests for readings."""
        return sum(each.path == READINGS for each in self.user.simulator.requests)

    @property
    def command_line(self) -> str:
        """The command line, which every user of the machine can read."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/cmdline").read_text()


@pytest.fixture
def inspector(amqp_url: str) -> BrokerInspector:
    return BrokerInspector(amqp_url)


@pytest.fixture
def publishing(
    amqp_url: str, create_user: Callable[..., CliUser], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[PublishingCommand]:
    user = create_user(getattr(request, "param", "battery"))
    user.trust_gateway()
    exchange_name = f"Enphase.{time.time_ns()}"
    running = PublishingCommand(
        user, amqp_url, exchange_name, tmp_path / "log", user.home / "state" / "spool"
    )
    running.log.touch()
    running.write_settings(gateway_token=user.simulator.token())
    yield running
    if running.process is not None and running.process.poll() is None:
        running.process.kill()
        running.process.wait(STOP_TIMEOUT)
        if running.process.stdout is not None:
            running.process.stdout.close()


def get_times(messages: list[Message]) -> list[int]:
    return [each.samples[0].measured_at for each in messages]


async def take_messages(publishing: PublishingCommand, inspector: BrokerInspector) -> list[Message]:
    return [decode(each.body) for each in await inspector.take_all(publishing.queue)]


async def test_the_queue_contains_the_readings_of_the_house(
    publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    publishing.start()
    await publishing.wait_for_messages(inspector, 6)
    assert publishing.stop() == 0
    bodies = [each.body for each in await inspector.take_all(publishing.queue)]
    simulator = publishing.user.simulator
    for body in bodies:
        read_as_enphase_api_does(body)
        message = decode(body)
        assert message.gateway == simulator.serial_number
        truth = simulator.house.truth(message.samples[0].measured_at / 1000)
        reports = {each["reportType"]: each for each in json.loads(body)["readings"]}
        home = reports["total-consumption"]
        assert home["cumulative"]["actPower"] == pytest.approx(
            truth.total_consumption.total.active_power, abs=1
        )
        assert [line["actPower"] for line in home["lines"]] == pytest.approx(
            [phase.active_power for phase in truth.total_consumption.phases], abs=1
        )
        storage = next(each for each in message.samples if (each.measurement, each.phase) == ("storage", 0))
        assert storage.quantities.energy_received == pytest.approx(truth.storage.total.energy_received, abs=2)
    assert publishing.output == ""


@pytest.mark.slow
async def test_no_reading_is_lost_while_the_broker_is_killed_and_restarted(
    rabbitmq: RabbitMQ, publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    publishing.start()
    await publishing.wait_for_messages(inspector, 3)
    await asyncio.to_thread(rabbitmq.kill)
    before = publishing.count_requests()
    await wait_until(lambda: publishing.count_requests() >= before + 8)
    await asyncio.to_thread(rabbitmq.start)
    await publishing.wait_for("connected again", within=60)
    await publishing.wait_for_messages(inspector, publishing.count_requests())
    assert publishing.stop() == 0
    requests = publishing.count_requests()
    left = len(read_spool(publishing.spool))
    messages = await take_messages(publishing, inspector)
    assert len({each.timestamp for each in messages}) + left in (requests, requests - 1), (
        "the last may have been cut off"
    )
    seen = list(dict.fromkeys(each.timestamp for each in messages))
    assert seen == sorted(seen)
    assert publishing.output.count("warning:") < 8, publishing.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_stops_without_losses_while_the_broker_hangs(
    rabbitmq: RabbitMQ, publishing: PublishingCommand, inspector: BrokerInspector, number: signal.Signals
) -> None:
    publishing.start()
    await publishing.wait_for_messages(inspector, 2)
    rabbitmq.pause()
    before = publishing.count_requests()
    await wait_until(lambda: publishing.count_requests() >= before + 4)
    assert publishing.stop(number) == 0
    rabbitmq.resume()
    spooled = [decode(message.body).timestamp for message in read_spool(publishing.spool)]
    sent = [each.timestamp for each in await take_messages(publishing, inspector)]
    requests = publishing.count_requests()
    assert len({*spooled, *sent}) in (requests, requests - 1), (
        "the last may have been cut off before it was read"
    )
    assert len(spooled) >= 3


@pytest.mark.slow
async def test_spooled_readings_are_sent_first_at_the_next_start(
    rabbitmq: RabbitMQ, publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    rabbitmq.kill()
    publishing.start()
    await wait_until(lambda: publishing.count_requests() >= 4)
    assert publishing.stop() == 0
    spooled = [decode(message.body).timestamp for message in read_spool(publishing.spool)]
    assert len(spooled) >= 3
    await asyncio.to_thread(rabbitmq.start)
    publishing.start()
    await publishing.wait_for_messages(inspector, len(spooled) + 2)
    assert publishing.stop() == 0
    assert [each.timestamp for each in await take_messages(publishing, inspector)][: len(spooled)] == spooled


@pytest.mark.slow
async def test_no_reading_is_lost_on_a_full_disk_while_the_broker_hangs(
    rabbitmq: RabbitMQ, publishing: PublishingCommand, inspector: BrokerInspector, small_disk: SmallDisk
) -> None:
    publishing.spool = small_disk.path / "spool"
    publishing.write_settings(gateway_token=publishing.user.simulator.token())
    publishing.start()
    await publishing.wait_for_messages(inspector, 3)
    small_disk.fill()
    rabbitmq.pause()
    await publishing.wait_for("cannot be written (database or disk is full)")
    before = publishing.count_requests()
    await wait_until(lambda: publishing.count_requests() >= before + 6)
    rabbitmq.resume()
    await publishing.wait_for_messages(inspector, publishing.count_requests())
    small_disk.free()
    await publishing.wait_for(f"{publishing.spool}: takes all readings again")
    assert publishing.stop() == 0
    requests = publishing.count_requests()
    sent = {each.timestamp for each in await take_messages(publishing, inspector)}
    assert len(sent) in (requests, requests - 1), "the last may have been cut off"
    assert "lost." not in publishing.output, publishing.output


@pytest.mark.slow
async def test_the_command_starts_on_a_full_disk_and_publishes(
    publishing: PublishingCommand, inspector: BrokerInspector, small_disk: SmallDisk
) -> None:
    publishing.spool = small_disk.path / "spool"
    publishing.write_settings(gateway_token=publishing.user.simulator.token())
    small_disk.fill()
    publishing.start()
    await publishing.wait_for_messages(inspector, 5)
    assert publishing.stop() == 0
    requests = publishing.count_requests()
    assert len(await take_messages(publishing, inspector)) in (requests, requests - 1)


@pytest.mark.slow
async def test_a_spool_that_filled_its_disk_is_sent_once_before_newer_readings(
    publishing: PublishingCommand, inspector: BrokerInspector, small_disk: SmallDisk
) -> None:
    publishing.spool = small_disk.path / "spool"
    publishing.write_settings(gateway_token=publishing.user.simulator.token())
    count = 0
    with closing(SpoolFile(publishing.spool)) as spool, suppress(OSError):
        while True:
            body = encode(build_message(count)) + os.urandom(5_000).hex().encode()
            spool.append([OutgoingMessage(f"spooled-{count}", SERIAL, ROUTING_KEY, body)], 10**9)
            count += 1
    small_disk.fill()
    publishing.start()
    await publishing.wait_for_messages(inspector, count + 5)
    assert publishing.stop() == 0
    identities = [each.message_id or "" for each in await inspector.take_all(publishing.queue)]
    assert identities[:count] == [f"spooled-{number}" for number in range(count)]
    newer = identities[count:]
    assert len(set(newer)) == len(newer)
    requests = publishing.count_requests()
    assert len(newer) in (requests, requests - 1)
    assert publishing.spool.stat().st_size < 100_000, "it gave the room back"


@pytest.mark.parametrize("publishing", ["no-meters"], indirect=True)
async def test_the_sum_of_microinverters_is_published_for_a_gateway_without_meters(
    publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    publishing.start()
    await publishing.wait_for_messages(inspector, 1)
    assert publishing.stop() == 0
    (message,) = await take_messages(publishing, inspector)
    (sample,) = message.samples
    assert (sample.measurement, sample.phase) == ("production", 0)
    truth = publishing.user.simulator.house.truth(sample.measured_at / 1000)
    assert sample.quantities.active_power == pytest.approx(truth.production.total.active_power, rel=0.1)


@pytest.mark.parametrize("publishing", ["production-only"], indirect=True)
async def test_incomplete_messages_have_another_routing_key(
    publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    publishing.start()
    await publishing.wait_for_messages(inspector, 2)
    assert publishing.stop() == 0
    keys = {each.routing_key for each in await inspector.take_all(publishing.queue)}
    assert keys == {"MeterStream.partial"}


async def test_no_token_is_sent_to_an_untrusted_certificate_until_it_is_trusted(
    publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    simulator = publishing.user.simulator
    publishing.start()
    await publishing.wait_for_messages(inspector, 2)
    await asyncio.to_thread(simulator.renew_certificate, same_key=False)
    await publishing.wait_for("the gateway now shows another certificate")
    assert simulator.fingerprint in publishing.output
    heard = len(simulator.requests)
    await asyncio.sleep(1.5)
    assert len(simulator.requests) == heard
    publishing.user.trust_gateway()
    await publishing.wait_for("gateway can be read again")
    assert publishing.stop() == 0


async def test_an_expired_token_is_logged_and_its_replacement_is_used(
    publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    simulator = publishing.user.simulator
    publishing.start()
    await publishing.wait_for_messages(inspector, 2)
    publishing.write_settings(gateway_token=simulator.token(issued_ago=90_000, lifetime=86_400))
    for path in (READINGS, "/auth/check_jwt"):
        simulator.faults.set("refuse", path=path)
    await publishing.wait_for("gateway_token: the token expired on")
    assert publishing.process is not None
    assert publishing.process.poll() is None
    simulator.faults.clear()
    publishing.write_settings(gateway_token=simulator.token())
    await publishing.wait_for("gateway can be read again")
    count = await inspector.count_ready(publishing.queue)
    await publishing.wait_for_messages(inspector, count + 2)
    assert publishing.stop() == 0


async def test_secrets_never_appear_in_the_debug_log_messages_or_command_line(
    publishing: PublishingCommand, inspector: BrokerInspector
) -> None:
    simulator = publishing.user.simulator
    token = simulator.token()
    password = "hunter2/€ %secret"
    publishing.url = str(URL(publishing.url).with_password(password))
    publishing.write_settings(
        gateway_token=token, enphase_password="planted-password", enphase_username="planted@example.com"
    )
    publishing.start("-v")
    assert publishing.process is not None
    await publishing.wait_for("it rejects amqp_username with amqp_password: correct them")
    await publishing.wait_for("messages wait on disk")
    command_line = publishing.command_line
    simulator.faults.set("refuse", path=READINGS)
    await publishing.wait_for("the gateway does not allow")
    simulator.faults.clear()
    assert publishing.stop() == 0
    # With the correct password, the log also covers a working connection.
    publishing.url = inspector.url
    publishing.write_settings(gateway_token=token)
    publishing.start("-v")
    await publishing.wait_for_messages(inspector, 4)
    assert publishing.stop() == 0
    sessions = re.findall(r"sessionId=([^;\s]+)", publishing.output)
    everything = publishing.output + command_line
    assert "DEBUG" in everything
    planted = (token, token[-20:], "hunter2", "planted-password", "planted@example.com")
    assert [secret for secret in planted if secret in everything] == []
    assert all(session.startswith("[hidden]") for session in sessions)
    for body in [each.body for each in await inspector.take_all(publishing.queue)]:
        assert not any(secret.encode() in body for secret in planted)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interval": 0.1}, "interval: must be a number of seconds from 1 to 3600"),
        ({"interval": "often"}, "interval: must be a number of seconds"),
        ({"amqp_port": 70_000}, "amqp_port: must be a number from 1 to 65535"),
        ({"amqp_port": 5672.5}, "amqp_port: must be a whole number"),
        ({"amqp_url": "http://broker"}, "amqp_url: must be an address such as amqps://"),
        ({"amqp_url": "amqp://"}, "amqp_url: must be an address such as amqps://"),
        ({"amqp_url": "amqp://u:p@host:port/"}, "amqp_url: must be an address such as amqps://"),
        ({"amqp_queues": ["amq.mine"]}, "amqp_queues: must be a name of at most 200 bytes"),
        ({"amqp_queues": [1]}, "amqp_queues: must be a text"),
        ({"amqp_queues": "a,,b"}, "amqp_queues: must be a text"),
        ({"amqp_password": 5}, "amqp_password: must be a text"),
        ({"spool_limit": 0}, "spool_limit: must be a number from 1"),
        ({"metrics_port": "yes"}, "metrics_port: must be a number from 1"),
        ({"gateway_host": "ftp://envoy.local"}, "gateway_host: the address must begin with https://"),
    ],
)
def test_the_error_names_an_invalid_setting_before_any_request(
    user: CliUser, changed: dict[str, Any], message: str
) -> None:
    assert_setting_rejected(user, main, changed, message)


def test_the_error_names_an_impossible_spool_file(user: CliUser) -> None:
    (user.home / "file").write_text("")
    user.write_token_settings(
        gateway_token=user.simulator.token(), spool_file=str(user.home / "file" / "spool")
    )
    result = user.run(main)
    assert result.status == 1
    assert "set spool_file" in result.error


def test_queues_in_the_environment_are_separated_by_commas_or_none(user: CliUser) -> None:
    user.write_token_settings(gateway_token=user.simulator.token())

    def load_queues(text: str) -> tuple[str, ...]:
        user.patch.setenv("ENPHASE_AMQP_QUEUES", text)
        options = argparse.Namespace(configuration=str(user.folder))
        return load_settings(KEYS, options).amqp_queues

    assert load_queues("Enphase.Meters, Other") == ("Enphase.Meters", "Other")
    assert load_queues("none") == ()


def test_systemd_is_notified_once_the_first_reading_is_safe(
    publishing: PublishingCommand, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        publishing.user.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        publishing.start()
        notifications = []
        while "READY=1" not in notifications:
            notifications.append(systemd.recv(4096).decode())
        while not re.search(r"STATUS=[1-9]\d* published, 0 in the spool, 0 dropped$", notifications[-1]):
            notifications.append(systemd.recv(4096).decode())
        assert publishing.stop() == 0
        while notifications[-1] != "STOPPING=1":
            notifications.append(systemd.recv(4096).decode())
