"""The commands and files of docs/mqtt.md, on a private broker with Debian's MQTT clients."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from enphase_companion.amqp.broker import Broker
from tests.services import find_free_port, rabbitmq
from tests.services.mosquitto import publish, subscribe

from ..amqp_helpers import build_message, wait_until
from .mqtt_helpers import config_topic, publish_reading, run_publishers, state_topic

PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs" / "mqtt.md").read_text()
MQTT_CONFIGURATION = PROJECT / "configuration" / "mqtt"

# Each starts a broker of its own.
pytestmark = [pytest.mark.services("mosquitto_sub", "mosquitto_pub", "openssl"), pytest.mark.timeout(300)]

#: The lines of all shell commands of the page, each command in one line.
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]


def run_page(broker: rabbitmq.RabbitMQ, program: str) -> None:
    """Run the commands of the page that call this program; the password of a new user is its name."""
    found = [shlex.split(line) for line in COMMANDS if line.startswith(f"{program} ")]
    assert found
    for _, *words in found:
        password = words[-1:] if words[0] == "add_user" else []
        arguments = [str(PROJECT / word) if word.startswith("configuration/") else word for word in words]
        broker.control(*arguments, *password, program=program)


async def test_the_users_of_the_page_can_do_what_they_need_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with rabbitmq.running(tmp_path / "broker") as broker:
        run_page(broker, "rabbitmq-plugins")
        run_page(broker, "rabbitmqctl")
        port = broker.mqtt_port
        with subscribe(port, "#", tmp_path / "subscriber", user="homeassistant") as subscriber:
            url = broker.url.replace("guest:guest", "enphase:enphase")
            async with run_publishers(Broker(url)) as (publisher, mqtt):
                mqtt.update(build_message(1))
                await publish_reading(publisher, build_message(1))
                await wait_until(lambda: subscriber.payloads(state_topic()))
                await wait_until(lambda: subscriber.payloads("MeterStream"))
                publish(port, "homeassistant/status", "online", user="homeassistant")
                await wait_until(lambda: len(subscriber.payloads(config_topic())) == 2)
                assert mqtt.problem.text is None
            before = len(subscriber.payloads(state_topic()))
            with pytest.raises(subprocess.CalledProcessError):
                publish(port, state_topic(), "{}", "-q", "1", user="homeassistant")
            publish(port, "homeassistant/last", "{}", user="homeassistant")
            await wait_until(lambda: subscriber.payloads("homeassistant/last"))
            assert len(subscriber.payloads(state_topic())) == before


def test_the_lines_for_tls_admit_no_client_without_tls_or_password(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (create,) = [line for line in COMMANDS if line.startswith("openssl ")]
    names = create.replace("/etc/rabbitmq", str(tmp_path)).replace("broker.example", "localhost")
    subprocess.run(shlex.split(names), check=True, capture_output=True)
    lines = (MQTT_CONFIGURATION / "rabbitmq.conf").read_text().replace("/etc/rabbitmq", str(tmp_path))
    port = str(find_free_port())
    lines = lines.replace("8883", f"127.0.0.1:{port}")
    with rabbitmq.running(tmp_path / "broker", "rabbitmq_mqtt", mqtt_settings=lines):
        secure = ["mosquitto_pub", "-h", "localhost", "-p", port, "-t", "a", "-m", "b"]
        trusting = [*secure, "--cafile", str(tmp_path / "mqtt.pem")]
        user = ["-u", "guest", "-P", "guest"]
        statuses = [
            subprocess.run(command, capture_output=True, timeout=30, check=False).returncode
            for command in ([*trusting, *user], trusting, [*secure, *user])
        ]
    assert statuses[0] == 0
    assert 0 not in statuses[1:]
