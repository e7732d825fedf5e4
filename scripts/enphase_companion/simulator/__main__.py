"""The command: start a simulated gateway and Entrez, print how to reach them, and serve until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import date
from typing import TYPE_CHECKING, NoReturn

from ..config.command_line import Parser
from .profiles import PROFILES, QUIRKS, Profile, find

if TYPE_CHECKING:
    from .simulator import Simulator

_EXAMPLES = """\
examples:
  python -m enphase_companion.simulator
      a house with three phases, at https://127.0.0.1:8443
  python -m enphase_companion.simulator --profile battery --day 2026-06-21 --hour-of-day 13
      a house with batteries, starting on an early afternoon in June
  python -m enphase_companion.simulator --speed 60
      an hour of the house in a minute
  python -m enphase_companion.simulator --profile battery+nightly-silence --fault slow-gateway
      a gateway that is slow all day and does not answer from 23:00 to 23:05
  python -m enphase_companion.simulator --profile cloud-controlled
      batteries that obey the cloud only, whose settings are at the address of Entrez
  python -m enphase_companion.simulator --replay recordings/8.2.127
      answers recorded from a real gateway
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 if a port or the recording is unavailable."""
    options = _options(arguments)
    if options.list:
        print(_lists())
        return 0
    from .simulator import Simulator  # noqa: PLC0415 - --help needs no web server

    for ending in (signal.SIGINT, signal.SIGTERM):
        # Set for SIGINT too: shells start background processes with SIGINT ignored.
        signal.signal(ending, _end)
    try:
        simulator = Simulator(
            options.profile,
            seed=options.seed,
            speed=options.speed,
            host=options.host,
            port=options.port,
            entrez_port=options.entrez_port,
            hour_of_day=options.hour_of_day,
            day=options.day,
            replay=options.replay,
        )
        for name, path in options.fault:
            simulator.faults.set(name, path)
        with simulator:
            print(_introduction(simulator), flush=True)
            threading.Event().wait()
    except OSError as error:
        print(f"error: cannot listen ({error}): set another --port or --entrez-port", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe simulated gateway has stopped.")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m enphase_companion.simulator",
        description="Simulates an IQ Gateway, with Entrez beside it, to try things without hardware.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--profile",
        type=_profile,
        default="three-phase",
        metavar="NAME[+QUIRK...]",
        help="installed devices and firmware bugs (see --list; default: three-phase)",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[@PATH]",
        help="fault of the gateway, for one path or for all (see --list; can be repeated)",
    )
    parser.add_argument("--list", action="store_true", help="list profiles, quirks and faults, then exit")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="seed of the house's weather and load (default: 1)"
    )
    parser.add_argument(
        "--speed",
        type=_positive,
        default=1.0,
        metavar="N",
        help="seconds of house time per real second (default: 1)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=_port, default=8443, help="port of the gateway, 0 for any free port (default: 8443)"
    )
    parser.add_argument(
        "--entrez-port", type=_port, default=8080, metavar="PORT", help="port of Entrez (default: 8080)"
    )
    parser.add_argument(
        "--hour-of-day",
        type=_hour,
        metavar="H",
        help="solar hour in the house at the start: 13 is early afternoon (default: now)",
    )
    parser.add_argument(
        "--day",
        type=_day,
        metavar="YYYY-MM-DD",
        help="day in the house at the start (default: today)",
    )
    parser.add_argument(
        "--replay", metavar="DIR", help="serve the recorded responses in this folder, one file per path"
    )
    return parser.parse_args(arguments)


def _lists() -> str:
    """Return all names that the options take, with their descriptions."""
    from .faults import FAULTS  # noqa: PLC0415 - --help needs no web server

    profiles = {profile.name: profile.description for profile in PROFILES.values()}
    lists = {
        "profiles (--profile)": profiles,
        "quirks (--profile PROFILE+QUIRK)": QUIRKS,
        "faults (--fault)": FAULTS,
    }
    width = max(len(name) for names in lists.values() for name in names)
    parts = (
        "\n".join([f"{title}:", *(f"  {name:{width}}  {meaning}" for name, meaning in names.items())])
        for title, names in lists.items()
    )
    return "\n\n".join(parts)


def _introduction(simulator: Simulator) -> str:
    return f"""\
A simulated IQ Gateway is running; Ctrl-C ends it.

  gateway      {simulator.url}
  serial       {simulator.serial_number}
  certificate  SHA-256 {simulator.fingerprint}
  Entrez       {simulator.entrez_url}
  account      {simulator.username}, password {simulator.password}

To try it, in another terminal:

  export ENPHASE_CONFIGURATION=$(mktemp -d)
  export ENPHASE_GATEWAY_HOST={simulator.url}
  export ENPHASE_WEATHER_HOST={simulator.weather_url}
  export ENPHASE_USERNAME={simulator.username} ENPHASE_PASSWORD={simulator.password}
  enphase-gateway-console --trust
  enphase-gateway-console --entrez-host {simulator.entrez_url}
"""


def _profile(text: str) -> Profile:
    try:
        return find(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _fault(text: str) -> tuple[str, str | None]:
    """Return the name and path of a fault."""
    from .faults import FAULTS  # noqa: PLC0415 - --help needs no web server

    name, _, path = text.partition("@")
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"unknown fault {name!r}: choose one of {', '.join(FAULTS)}")
    return name, path or None


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 0 to 65535")
    return value


def _hour(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 24:
        raise argparse.ArgumentTypeError(f"{text} is no hour of the day: 0 to 24")
    return value


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no day such as 2026-06-21") from None


def _end(signal_number: int, _frame: object) -> NoReturn:
    """End through `main`, so that the ports are closed."""
    raise KeyboardInterrupt(signal_number)


if __name__ == "__main__":
    sys.exit(main())
