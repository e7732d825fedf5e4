"""enphase-gateway-console: print the values of a gateway, trust it, or change one of its settings."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.command_line import ACCESS, ONCE, TRUST_FIRST, add_settings, new_parser
from ..config.settings import GATEWAY_KEYS, SOURCE_KEYS
from ..runtime.main import run, serve

KEYS = (*SOURCE_KEYS, "enphase_site")

if TYPE_CHECKING:
    from ..config.settings import Settings
    from ..runtime.service import Service

#: Seconds.
_DEFAULT_INTERVAL = 5.0
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 1.0, 3600.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Print the current values of an Enphase IQ Gateway: production, consumption,\n"
        "grid, batteries and the devices around them, each meter and wired phase, each\n"
        "microinverter. Or change one of its settings.",
        examples=[
            TRUST_FIRST,
            ("enphase-gateway-console", "print everything once"),
            ("enphase-gateway-console --watch", "a live page, until Ctrl-C"),
            ("enphase-gateway-console --watch 10 >> log", "a line every 10 seconds"),
            ("enphase-gateway-console --json", "one JSON document"),
            ("enphase-gateway-console --set reserve=30", "change a setting, and see whether it holds"),
            ("enphase-gateway-console --set battery-mode=backup --set charge-from-grid=on", "two at once"),
            ("enphase-gateway-console --set battery-mode=economy --cloud --yes", "through the cloud"),
            ("enphase-gateway-console --set NC1=open", "switch a dry contact"),
        ],
        notes=f"{ACCESS}\n\n{ONCE}; --watch exits with 0 on Ctrl-C or SIGTERM, --set with 1 unless the "
        "change has held for a minute",
    )
    result.add_argument(
        "--watch",
        type=_interval,
        nargs="?",
        const=_DEFAULT_INTERVAL,
        metavar="SECONDS",
        help="keep running: poll the meters every SECONDS "
        f"(default: {_DEFAULT_INTERVAL:g}), everything else every 5 minutes",
    )
    result.add_argument("--json", action="store_true", help="print JSON; with --watch one document per line")
    result.add_argument(
        "--trust", action="store_true", help="show the gateway's certificate and store it after confirmation"
    )
    result.add_argument(
        "--fingerprint",
        type=_fingerprint,
        metavar="SHA256",
        help="with --trust: store the certificate without confirmation if it has this fingerprint",
    )
    result.add_argument(
        "--set",
        action="append",
        metavar="KEY=VALUE",
        help="change a setting after confirmation, and report what the gateway says after seconds and after "
        "a minute: battery-mode (self-consumption, economy, backup), reserve, shutdown-level (in %%), "
        "charge-from-grid (on, off), grid (on, off), generator (on, off, auto), "
        "generator-charging (of the batteries: on, off), production (on, off; needs an installer's token), "
        "NC1, NC2, NO1, NO2 (open, closed), and of these contacts NC1.mode (manual, "
        "soc), NC1.soc-low, NC1.soc-high, NC1.grid-action, NC1.off-grid-action, NC1.generator-action "
        "(apply, shed, schedule, none), and sleep.SERIAL of an AC Battery (two levels such as 5-10, or off). "
        "Repeat it for several settings of the batteries or of one contact",
    )
    result.add_argument("--yes", action="store_true", help="with --set: do not ask")
    result.add_argument(
        "--cloud",
        action="store_true",
        help="with --set: use Enphase's cloud if the battery controller ignores the gateway (needs the "
        "Enphase account in the credentials file, and --enphase-site if it has several sites)",
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = build_parser()
    arguments = options.parse_args(argv)
    if arguments.trust and (arguments.json or arguments.watch):
        options.error("--trust cannot be combined with --json or --watch")
    if arguments.fingerprint and not arguments.trust:
        options.error("--fingerprint requires --trust")
    if arguments.trust and not arguments.fingerprint and not (sys.stdin and sys.stdin.isatty()):
        options.error("--trust asks for confirmation on a terminal: without one, add --fingerprint")
    if (arguments.yes or arguments.cloud) and not arguments.set:
        options.error("--yes and --cloud require --set")
    if arguments.set and (arguments.trust or arguments.watch):
        options.error("--set cannot be combined with --trust or --watch")
    if arguments.set and not arguments.yes and not (sys.stdin and sys.stdin.isatty()):
        options.error("--set asks for confirmation on a terminal: without one, add --yes")
    if arguments.set:
        return run(arguments, _change)
    if arguments.watch is not None:
        return serve(arguments, _watch)
    return run(arguments, _trust if arguments.trust else _show)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not _SHORTEST_INTERVAL <= seconds <= _LONGEST_INTERVAL:
        raise argparse.ArgumentTypeError(
            f"must be from {_SHORTEST_INTERVAL:g} to {_LONGEST_INTERVAL:g} seconds"
        )
    return seconds


def _fingerprint(text: str) -> str:
    digits = re.sub(r"[\s:]", "", text).upper()
    if not re.fullmatch(r"[0-9A-F]{64}", digits):
        raise argparse.ArgumentTypeError(
            "must be the 64 hexadecimal digits of SHA-256, with or without colons"
        )
    return ":".join(re.findall("..", digits))


def _trust(arguments: argparse.Namespace) -> int:
    from ..config.loader import load_settings
    from ..console.trust import trust

    return trust(load_settings(("gateway_host", "gateway_serial_number"), arguments), arguments.fingerprint)


def _change(arguments: argparse.Namespace) -> int:
    from ..config.loader import load_settings
    from ..console.changes import Change, change

    wanted = Change.parse(arguments.set)
    return change(
        # Home Assistant's actions have their own permissions: what this sends goes to the gateway.
        load_settings((*GATEWAY_KEYS, "enphase_site"), arguments),
        wanted,
        yes=arguments.yes,
        cloud=arguments.cloud,
        as_json=arguments.json,
    )


def _show(arguments: argparse.Namespace) -> int:
    from ..runtime.service import run_once

    run_once(_read_and_show(arguments))
    return 0


async def _watch(service: Service, arguments: argparse.Namespace) -> None:
    await service.unless_stopped(_read_and_show(arguments))


async def _read_and_show(arguments: argparse.Namespace) -> None:
    from ..config.loader import load_settings
    from ..console.follow import follow
    from ..console.output import open_output, show
    from ..console.overview import Overview
    from ..gateway.connection import open_gateway, sign_in

    settings = load_settings(KEYS, arguments)
    if settings.home_assistant_url is not None:
        await _show_home_assistant(settings, arguments)
        return
    async with open_gateway(settings) as (gateway, info):
        overview = await Overview.read(gateway, info)
        if arguments.watch is None:
            show(overview, as_json=arguments.json)
            return
        with open_output(as_json=arguments.json) as show_state:
            async for state in follow(
                gateway, overview, arguments.watch, lambda: sign_in(gateway, info, settings)
            ):
                show_state(state)


async def _show_home_assistant(settings: Settings, arguments: argparse.Namespace) -> None:
    from ..console.home_assistant import follow, read_overview
    from ..console.output import open_output, show

    if arguments.watch is None:
        show(await read_overview(settings), as_json=arguments.json)
        return
    with open_output(as_json=arguments.json) as show_state:
        async for state in follow(settings, arguments.watch):
            show_state(state)
