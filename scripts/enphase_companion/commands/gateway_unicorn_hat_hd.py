"""enphase-gateway-unicorn-hat-hd: what a gateway's array makes, and the weather, on 16 x 16 LEDs."""

# ruff: noqa: PLC0415 - what is imported inside functions is what --help should not wait for

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..displays.options import DISPLAY_KEYS, STATUSES, add_display
from ..settings.options import add_settings, new_parser

if TYPE_CHECKING:
    from ..message import Message
    from ..running.service import Service

NAME = "enphase-gateway-unicorn-hat-hd"
FILE = "credentials_token.json"
KEYS = ("gateway_host", "gateway_serial_number", "gateway_token", "interval", *DISPLAY_KEYS)


def parser() -> argparse.ArgumentParser:
    """Give the options of this command."""
    result = new_parser(
        "Show what the array of an Enphase IQ Gateway makes on a Unicorn HAT HD: the weather, the\n"
        "power in scrolling numbers, and as a bar beside that of the home.",
        examples=[
            ("enphase-gateway-console --trust", "first of all: see the gateway's certificate and trust it"),
            (NAME, "on the HAT of this Raspberry Pi, until Ctrl-C or SIGTERM"),
            (f"{NAME} --display terminal", "here"),
            (f"{NAME} --display hat.gif", "one round, as a file"),
        ],
        notes=(
            f"{FILE} holds the gateway's token. A refused token or certificate does not end this\n"
            f"command: it says so, sends nothing, and goes on when the file has changed.\n\n{STATUSES}"
        ),
    )
    add_display(result)
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit status."""
    arguments = parser().parse_args(argv)
    from ..running.command import run

    return run(arguments, _show)


def _show(arguments: argparse.Namespace) -> int:
    from ..running.service import run

    run(lambda service: _shown(service, arguments))
    return 0


async def _shown(service: Service, arguments: argparse.Namespace) -> None:
    from ..displays.display import open_display
    from ..displays.forecast import Forecast
    from ..displays.panel import Panel
    from ..displays.player import Player, until_one_ends
    from ..displays.readings import Powers
    from ..running.figures import Figures
    from ..settings.reading import read
    from ..source.array import Array
    from ..source.polling import Poller

    settings = read(FILE, KEYS, arguments)
    forecast = Forecast.from_settings(settings)
    array = Array()
    panel = Panel(
        lambda: "gateway?" if poller.trouble else None,
        capacity=settings.peak_limit,
        continuous=settings.continuous_limit,
    )

    async def take(message: Message) -> None:
        panel.capacity = settings.peak_limit or array.capacity
        panel.take(Powers.from_message(message))

    def status() -> str:
        return poller.trouble or panel.summary

    poller = Poller(
        settings,
        lambda: read(FILE, KEYS, arguments),
        settings.interval,
        service,
        Figures(),
        status,
        array.completed,
    )
    display = open_display(arguments.display, settings.brightness, settings.rotation)
    player = Player(display, panel, service, status, settings.scroll_delay)
    works = [player.run(wants_weather=forecast is not None), poller.run(take)]
    if forecast is not None:
        works.append(forecast.follow(panel))
    await until_one_ends(*works)
