"""enphase-gateway-pyplot-meters: what a gateway's meters read now, as a live chart in a window or a file."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from ..charts.options import LIMITS, add_output, add_style
from ..config.command_line import (
    ACCESS,
    NEVER_ENDS,
    TRUST_FIRST,
    add_settings,
    new_parser,
)
from ..config.settings import SOURCE_KEYS
from ..runtime.main import run

if TYPE_CHECKING:
    from ..charts.model import View
    from ..config.settings import Settings
    from ..message import Message
    from ..runtime.service import Service

NAME = "enphase-gateway-pyplot-meters"
KEYS = (*SOURCE_KEYS, "interval", *LIMITS)

#: Minutes.
_SHORTEST, _USUAL, _LONGEST = 1, 30, 1_440

#: Seconds from one view to the next.
_CHECK_INTERVAL = 1.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Draw the readings of an Enphase IQ Gateway's meters as a live chart: production upwards,\n"
        "consumption downwards, the grid as a line, the battery, and totals.",
        examples=[
            TRUST_FIRST,
            (NAME, "the last 30 minutes, in a window"),
            (f"{NAME} --minutes 120 --interval 5", "the last two hours, polled every 5 seconds"),
            (f"{NAME} --output live.png", "a file, updated every 5 seconds"),
        ],
        notes=(
            "Click an entry of the legend to hide or show its line.\n"
            f"{ACCESS}\n{NEVER_ENDS}\n\n"
            "exit status: 0 window closed, Ctrl-C or SIGTERM, 1 failure, 2 usage or configuration error"
        ),
    )
    result.add_argument(
        "--minutes",
        type=_minutes,
        default=_USUAL,
        metavar="MINUTES",
        help=f"length of the chart in minutes, {_SHORTEST} to {_LONGEST} (default: {_USUAL})",
    )
    result.add_argument("--phases", action="store_true", help="also draw each wired phase")
    add_output(result, "write a file (.png, .svg or .pdf) every 5 seconds instead of opening a window")
    add_style(result)
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(build_parser().parse_args(argv), _draw)


def _minutes(text: str) -> int:
    if not text.isdecimal() or not _SHORTEST <= int(text) <= _LONGEST:
        raise argparse.ArgumentTypeError(f"must be a whole number from {_SHORTEST} to {_LONGEST}")
    return int(text)


def _draw(arguments: argparse.Namespace) -> int:
    from ..charts.background import Background
    from ..charts.options import limits
    from ..charts.output import keep_writing, show
    from ..charts.style import STYLES
    from ..config.loader import load_settings

    settings = load_settings(KEYS, arguments)
    style = STYLES[arguments.style]
    with Background(lambda service, put: _follow(settings, arguments, service, put)) as source:
        if arguments.output is not None:
            keep_writing(source.newest, limits(settings), arguments.output, style)
        else:
            show(source.newest, limits(settings), NAME, style)
    return 0


async def _follow(
    settings: Settings, arguments: argparse.Namespace, service: Service, put: Callable[[View], None]
) -> None:
    import asyncio

    from ..charts.live import LiveData
    from ..config.loader import load_settings
    from ..config.rules import system_zone
    from ..home_assistant.source import open_source
    from ..runtime.metrics import Metrics

    history = LiveData(arguments.minutes, settings.interval, system_zone(), phases=arguments.phases)

    async def take(message: Message) -> None:
        history.add(message)

    async def keep_showing() -> NoReturn:
        # Whatever comes or not: a silence is shown while it lasts.
        while True:
            put(history.view(source.problem))
            await asyncio.sleep(_CHECK_INTERVAL)

    source = open_source(
        settings,
        lambda: load_settings(KEYS, arguments),
        service,
        Metrics(),
        lambda: source.problem or "reading",
    )
    # If one of them fails, both end, and the window shows the reason.
    async with service.beside(keep_showing()):
        await source.run(take)
