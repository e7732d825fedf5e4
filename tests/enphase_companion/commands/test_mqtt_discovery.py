"""enphase-gateway-amqp-meters --mqtt-discovery, as an MQTT client sees it through RabbitMQ's plug-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.commands.gateway_amqp_meters import NAME
from tests.services.mosquitto import Subscriber, subscribe
from tests.services.rabbitmq import RabbitMQ

from ..amqp_helpers import wait_until
from ..cli_user import CliUser
from .running import Command

Start = Callable[..., Command]


@pytest.fixture
def start_publishing(mqtt_broker: RabbitMQ, exchange_name: str, tmp_path: Path) -> Iterator[Start]:
    """Yield a function that starts the command for a user, with settings and options."""
    with ExitStack() as stack:

        def start(user: CliUser, *options: str, **settings: Any) -> Command:
            user.trust_gateway()
            user.write_token_settings(
                gateway_token=user.simulator.token(),
                spool_file=str(tmp_path / f"{user.simulator.serial_number}.spool"),
                **{
                    "amqp_url": mqtt_broker.url,
                    "amqp_exchange": exchange_name,
                    # MQTT clients are all that is wanted, which is no reason for a warning.
                    "amqp_queues": ["none"],
                    "mqtt_discovery": True,
                    **settings,
                },
            )
            command = Command(user, NAME, tmp_path / f"{user.simulator.serial_number}.log")
            command.start("--interval", "1", *options)
            stack.callback(command.kill)
            return command

        yield start


@pytest.fixture
def subscriber(mqtt_broker: RabbitMQ, tmp_path: Path) -> Iterator[Subscriber]:
    """Yield an MQTT client that has subscribed to everything."""
    with subscribe(mqtt_broker.mqtt_port, "#", tmp_path / "subscriber") as subscriber:
        yield subscriber


def config_topic(user: CliUser) -> str:
    return f"homeassistant/device/enphase_{user.simulator.serial_number}/config"


def state_topic(user: CliUser) -> str:
    return f"enphase/{user.simulator.serial_number}"


async def test_a_client_gets_a_description_and_the_values_of_the_house(
    create_user: Callable[..., CliUser], start_publishing: Start, subscriber: Subscriber
) -> None:
    user = create_user("battery")
    command = start_publishing(user)
    await wait_until(lambda: len(subscriber.payloads(state_topic(user))) >= 3)
    assert command.stop() == 0
    (config,) = subscriber.payloads(config_topic(user))
    assert config["state_topic"] == state_topic(user)
    assert config["device"]["serial_number"] == user.simulator.serial_number
    states = subscriber.payloads(state_topic(user))
    for state in states:
        assert state.keys() - {"measured_at"} == config["components"].keys()
        truth = user.simulator.house.truth(state["measured_at"] / 1000)
        assert state["grid_power"] == pytest.approx(truth.net_consumption.total.active_power, abs=1)
        assert state["home_power"] == pytest.approx(truth.total_consumption.total.active_power, abs=2)
        assert state["battery_energy_charged"] == pytest.approx(
            truth.storage.total.energy_received / 1000, abs=0.003
        )
        assert state["production_voltage_l2"] == pytest.approx(truth.production.phases[1].voltage, abs=0.1)
    assert command.output.count("warning:") == 0, command.output
