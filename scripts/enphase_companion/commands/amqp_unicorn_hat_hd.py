"""enphase-amqp-unicorn-hat-hd: what RabbitMQ says that an array makes, and the weather, on 16 x 16 LEDs."""

# ruff: noqa: PLC0415 - what is imported inside functions is what --help should not wait for

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.command_line import add_settings, new_parser
from ..config.settings import AMQP_KEYS, DISPLAY_KEYS
from ..displays.options import STATUSES, add_display
from ..runtime.command import serve

if TYPE_CHECKING:
    from ..message import Message
    from ..runtime.service import Service

NAME = "enphase-amqp-unicorn-hat-hd"
KEYS = (*AMQP_KEYS, "gateway_serial_number", *DISPLAY_KEYS)


def parser() -> argparse.ArgumentParser:
    """Return the options of this command."""
    result = new_parser(
        "Show what a solar array makes on a Unicorn HAT HD, as enphase-gateway-amqp-meters publishes it:\n"
        "the weather, the power in scrolling numbers, and as a bar beside that of the home. The gateway\n"
        "is asked nothing.",
        examples=[
            (NAME, "on the HAT of this Raspberry Pi, until Ctrl-C or SIGTERM"),
            (
                f"{NAME} --amqp-host broker.example --peak-power 5320",
                "14 panels of 380 W fill the bars",
            ),
            (f"{NAME} --display terminal", "here"),
            (f"{NAME} --display hat.gif", "one round, as a file"),
        ],
        notes=(
            "Only the newest reading counts: it has a queue of its own, which ends with this command.\n"
            f"Without peak_power, the bars' full height is the highest power so far.\n\n{STATUSES}"
        ),
    )
    add_display(result)
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit status."""
    return serve(parser().parse_args(argv), _show)


async def _show(service: Service, arguments: argparse.Namespace) -> None:
    from ..amqp.broker import Broker
    from ..amqp.newest import Newest
    from ..config.loader import load_settings
    from ..displays.panel import Panel
    from ..displays.playing import play
    from ..displays.readings import UNNAMED, OneGateway, Powers

    settings = load_settings(KEYS, arguments)
    ours = OneGateway(settings.gateway_serial_number)
    panel = Panel(
        lambda: "broker?" if newest.trouble.text else None,
        capacity=settings.peak_power,
        continuous=settings.continuous_power,
    )

    async def take(message: Message) -> None:
        if ours.is_its(message):
            panel.take(Powers.from_message(message))

    def status() -> str:
        return newest.trouble.text or panel.summary

    gateway = settings.gateway_serial_number or UNNAMED
    newest = Newest(Broker.from_settings(settings), take, name=NAME, default_gateway=gateway)
    await play(arguments.display, settings, panel, newest.run, service, status)
