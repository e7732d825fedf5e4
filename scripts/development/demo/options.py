"""The options of scripts/demo; standard library only, because `--help` works before set-up."""

from __future__ import annotations

import argparse
from pathlib import Path

from enphase_companion.config.command_line import Parser

from ..steps import PROJECT

_DESCRIPTION = """\
Shows the integration at work: a simulated IQ Gateway and Entrez, a real Home Assistant that is set up with
them, a table of its sensors beside the truth, and where to look at it in a browser. Ctrl-C ends all of it.
"""
_EXAMPLES = """\
examples:
  scripts/demo                               a house with panels on three phases
  scripts/demo --profile battery             another one, with batteries
  scripts/demo --speed 60                    the house's last day in 24 minutes
  scripts/demo --check                       only compare every sensor with the house, then end
  scripts/demo --pipeline                    Home Assistant's readings through RabbitMQ into a database
  scripts/demo --pipeline --check            only compare the energy of a day in both, then end
  scripts/demo --gateway https://envoy.local your own gateway, which you set up in the browser

All it needs is brought into the project's folder: programs to .python/ and .venv/ (once: 1.5 GB, some
minutes; for --pipeline 200 MB more, and RabbitMQ if it is not installed), Home Assistant's configuration to
.demo/, recreated at each start. Without --host, Home Assistant listens on this machine only.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    options = Parser(
        prog="scripts/demo",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--check",
        action="store_true",
        help="compare every sensor with the house, then exit: 0 if all agree within 1 %%, else 1",
    )
    options.add_argument(
        "--pipeline",
        action="store_true",
        help="also start RabbitMQ, and the scripts that bring Home Assistant's readings through it into a "
        "database; with --check, compare the energy of a day in both: 0 if equal within 0.1 %%, else 1",
    )
    options.add_argument(
        "--everything",
        action="store_true",
        help="enable every entity, including those that are disabled by default (implied by --check)",
    )
    options.add_argument("--profile", metavar="NAME", help="the simulated house (default: three-phase)")
    options.add_argument(
        "--speed",
        type=_speed,
        metavar="N",
        help="seconds of house time per real second, from a day ago until now (default: 1; with --pipeline "
        "--check 1440, from four days ago)",
    )
    options.add_argument("--gateway", metavar="ADDRESS", help="a real gateway instead of the simulated one")
    options.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address that Home Assistant listens on (default: %(default)s; 0.0.0.0: the whole network)",
    )
    options.add_argument(
        "--port",
        type=_port,
        default=8123,
        metavar="N",
        help="port of Home Assistant (default: %(default)s; 0: any free port)",
    )
    options.add_argument(
        "--folder",
        type=Path,
        default=PROJECT / ".demo",
        metavar="FOLDER",
        help="folder for Home Assistant's configuration (default: .demo in the project)",
    )
    return options


def _port(text: str) -> int:
    try:
        if 0 <= (port := int(text)) <= 65535:
            return port
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")


def _speed(text: str) -> float:
    try:
        if 0 < (speed := float(text)) < float("inf"):
            return speed
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the parsed options; exit with status 2 for an invalid combination."""
    options = build_parser()
    given = options.parse_args(words)
    if given.pipeline and given.check and given.speed is not None and given.speed <= 1:
        options.error("--speed: a day is to pass with --pipeline --check: set it above 1, or leave it out")
    if given.gateway:
        for name in ("check", "pipeline", "everything", "profile", "speed"):
            if getattr(given, name):
                options.error(f"--{name} is about the simulated house: leave it out with --gateway")
        if not given.gateway.startswith("https://"):
            options.error(f"--gateway: {given.gateway!r} does not begin with https://; gateways need it")
    given.profile = given.profile or "three-phase"
    # A day of the house is to pass while somebody waits.
    given.speed = given.speed or (1440.0 if given.pipeline and given.check else 1.0)
    return given
