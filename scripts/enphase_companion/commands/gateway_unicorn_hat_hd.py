"""enphase-gateway-unicorn-hat-hd: show the production of a gateway, and the weather, on 16 x 16 LEDs."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..config.command_line import (
    ACCESS,
    NEVER_ENDS,
    TRUST_FIRST,
    add_settings,
    new_parser,
)
from ..config.settings import DISPLAY_KEYS, SOURCE_KEYS
from ..displays.display import STATUSES, add_display
from ..runtime.main import serve

if TYPE_CHECKING:
    from ..message import Message
    from ..runtime.service import Service

NAME = "enphase-gateway-unicorn-hat-hd"
KEYS = (*SOURCE_KEYS, "interval", *DISPLAY_KEYS)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Show the production of an Enphase IQ Gateway on a Unicorn HAT HD: the weather, the power in\n"
        "scrolling numbers, and as a bar beside the consumption of the home.",
        examples=[
            TRUST_FIRST,
            (NAME, "on the HAT of this Raspberry Pi, until Ctrl-C or SIGTERM"),
            (f"{NAME} --display terminal", "in this terminal"),
            (f"{NAME} --scene day,panels", "the day and a map of the panels"),
            (f"{NAME} --display hat.gif", "one round as a file"),
        ],
        notes=f"{ACCESS}\n{NEVER_ENDS}\n\n{STATUSES}",
    )
    add_display(result)
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return serve(build_parser().parse_args(argv), _show)


async def _show(service: Service, arguments: argparse.Namespace) -> None:
    from ..config.loader import load_settings
    from ..displays.player import play
    from ..displays.state import DisplayState
    from ..home_assistant.source import open_source
    from ..runtime.metrics import Metrics

    settings = load_settings(KEYS, arguments)
    state = DisplayState(
        lambda: "gateway?" if source.problem else None,
        capacity=settings.peak_power,
        continuous=settings.continuous_power,
        keeps_day=True,
    )

    async def take(message: Message) -> None:
        state.capacity = settings.peak_power or source.capacity
        state.take_message(message)

    def status() -> str:
        return source.problem or state.summary

    read_settings = partial(load_settings, KEYS, arguments)
    source = open_source(settings, read_settings, service, Metrics(), status, for_display=True)
    await play(arguments.display, settings, state, partial(source.run, take), service, status)
