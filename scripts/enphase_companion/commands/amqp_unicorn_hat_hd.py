"""enphase-amqp-unicorn-hat-hd: show the production from RabbitMQ, and the weather, on 16 x 16 LEDs."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.command_line import add_settings, new_parser
from ..config.settings import AMQP_KEYS, DISPLAY_KEYS
from ..displays.display import STATUSES, add_display
from ..runtime.main import serve

if TYPE_CHECKING:
    from ..message import Message
    from ..runtime.service import Service

NAME = "enphase-amqp-unicorn-hat-hd"
KEYS = (*AMQP_KEYS, "gateway_serial_number", *DISPLAY_KEYS)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Show the production that enphase-gateway-amqp-meters publishes on a Unicorn HAT HD: the weather,\n"
        "the power in scrolling numbers, and as a bar beside the consumption of the home. It sends no\n"
        "request to the gateway.",
        examples=[
            (NAME, "on the HAT of this Raspberry Pi, until Ctrl-C or SIGTERM"),
            (
                f"{NAME} --amqp-host broker.example --peak-power 5320",
                "14 panels of 380 W fill the bars",
            ),
            (f"{NAME} --display terminal", "in this terminal"),
            (f"{NAME} --scene day,panels", "the day and a map of the panels"),
            (f"{NAME} --display hat.gif", "one round as a file"),
        ],
        notes=(
            "Only the latest reading is shown; its exclusive queue is deleted when this command stops.\n"
            f"Without peak_power, the full height of the bars is the highest power so far.\n\n{STATUSES}"
        ),
    )
    add_display(result)
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return serve(build_parser().parse_args(argv), _show)


async def _show(service: Service, arguments: argparse.Namespace) -> None:
    from ..amqp.broker import Broker
    from ..amqp.latest import LatestConsumer
    from ..config.loader import load_settings
    from ..displays.player import play
    from ..displays.state import UNNAMED, DisplayState, GatewayFilter

    settings = load_settings(KEYS, arguments)
    ours = GatewayFilter(settings.gateway_serial_number)
    state = DisplayState(
        lambda: "broker?" if consumer.problem.text else None,
        capacity=settings.peak_power,
        continuous=settings.continuous_power,
        keeps_day=True,
    )

    async def take(message: Message) -> None:
        if ours.accepts(message):
            state.take_message(message)

    def status() -> str:
        return consumer.problem.text or state.summary

    gateway = settings.gateway_serial_number or UNNAMED
    consumer = LatestConsumer(Broker.from_settings(settings), take, name=NAME, default_gateway=gateway)
    await play(arguments.display, settings, state, consumer.run, service, status)
