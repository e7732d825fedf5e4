"""Build the command lines: the parser, the options and the help texts that all commands share.

Nothing is imported here that `--help` would have to wait for.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from .settings import CONFIGURATION_VARIABLE, SETTINGS, option, variable

#: The first of the examples of each command that reads a gateway.
TRUST_FIRST = (
    "enphase-gateway-console --trust",
    "first: see the gateway's certificate and trust it",
)

#: Exit statuses of scripts that run until they are stopped.
UNTIL_ENDED = "exit status: 0 stopped by Ctrl-C or SIGTERM, 1 failure, 2 usage or configuration error"

#: The exit statuses of what does one thing.
ONCE = "exit status: 0 success, 1 failure, 2 usage or configuration error, 130 interrupted"

#: The files of every script that reads a gateway.
CREDENTIALS = (
    "credentials_token.json or credentials.json holds the gateway's token, or the user name and password\n"
    "of the Enphase account: then a token is requested, and renewed before it expires."
)

#: The same of those that can get readings from Home Assistant.
ACCESS = (
    f"{CREDENTIALS} Or it holds home_assistant_url and home_assistant_token: then the readings are those\n"
    "that Home Assistant has polled, and gateway, certificate and account are not needed."
)

#: What a script does that reads the gateway for years.
NEVER_ENDS = (
    "A rejected token or certificate does not stop this command: it logs the problem, sends nothing, and\n"
    "continues when the file has changed."
)

#: Columns of a terminal.
_WIDTH = 79


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print the version; looked up only now, as that takes a while."""
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            number = version("enphase-iq-gateway")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"{parser.prog} {number}")
        parser.exit()


class _Secret(argparse.Action):
    def __init__(self, *arguments: Any, key: str, **options: Any) -> None:
        self._key = key
        super().__init__(*arguments, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Exit: other users can read a command line. The value is not repeated."""
        parser.error(
            f"{self._key} is a secret, and other users can read a command line: set it in the credentials "
            f"file or as {variable(self._key)}"
        )


class Parser(argparse.ArgumentParser):
    """Parser whose usage errors are one line, as all other errors are."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and where to read more; exit with status 2."""
        self.exit(2, f"error: {message}. Options and examples: {self.prog} --help\n")


def new_parser(summary: str, *, examples: Sequence[tuple[str, str]], notes: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every command; `examples` are command lines and their meanings.

    `summary` and `notes` are wrapped to a terminal's width; an empty line in them begins a paragraph.
    """
    parser = Parser(
        description=_wrap(summary),
        epilog="\n".join(["examples:", *_format(examples), "", _wrap(notes)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # An option that comes later must not change what a shortened one means.
        allow_abbrev=False,
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log each step, without secrets, to stderr"
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add `--configuration` and the options of these settings; a secret has none."""
    group = parser.add_argument_group(
        "settings",
        "Each can also be set in the credentials file under its name (gateway_host),\n"
        "or in the environment under the name in square brackets.",
    )
    group.add_argument(
        "--configuration",
        metavar="DIR",
        help="folder with the credentials file and gateway.cer (default: ./configuration or "
        f"~/.config/enphase-iq-gateway) [{CONFIGURATION_VARIABLE}]",
    )
    secrets = []
    for name in names:
        about = SETTINGS[name].metadata
        if about["secret"]:
            secrets.append(f"  {name} [{variable(name)}]")
            continue
        default = SETTINGS[name].default
        shown = f" (default: {_format_default(default)})" if default not in (None, False) else ""
        named = f" [{variable(name)}]" if about["has_variable"] else ""
        text = f"{about['meaning']}{shown}{named}"
        if default is False:
            group.add_argument(option(name), action="store_const", const=True, help=text)
        else:
            group.add_argument(option(name), metavar=about["metavar"], help=text)
    group.description = "\n".join([f"{group.description}", "Secrets are never an option:", *secrets])
    for name, setting in SETTINGS.items():
        if setting.metadata["secret"]:
            # Hidden, but known: the error for an unknown option would show its value.
            group.add_argument(option(name), action=_Secret, key=name, help=argparse.SUPPRESS)


def _format(examples: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines of examples: side by side if they fit, else each meaning below its command."""
    width = max(len(command) for command, _ in examples)
    lines = [f"  {command.ljust(width)}  {meaning}" for command, meaning in examples]
    if max(map(len, lines)) > _WIDTH:
        lines = [line for command, meaning in examples for line in (f"  {command}", f"      {meaning}")]
    return lines


def _wrap(text: str) -> str:
    return "\n\n".join(textwrap.fill(" ".join(part.split()), _WIDTH) for part in text.split("\n\n"))


def _format_default(default: Any) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)
