"""enphase-gateway-generate-docs: document a gateway's endpoints, from a catalogue and its answers."""

# ruff: noqa: PLC0415 - imports inside functions keep --help fast

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.command_line import CREDENTIALS, ONCE, TRUST_FIRST, add_settings, new_parser
from ..config.settings import GATEWAY_KEYS
from ..runtime.main import run

if TYPE_CHECKING:
    from ..endpoint_docs.answers import Recording
    from ..endpoint_docs.catalogue import Endpoint
    from ..endpoint_docs.diff import Source
    from ..endpoint_docs.diff_report import Comparison
    from ..endpoint_docs.unfinished import UnfinishedRun

NAME = "enphase-gateway-generate-docs"
KEYS = GATEWAY_KEYS

_FOLDER = Path("docs/gateway")
#: Seconds between two requests.
_DELAY, _MAX_DELAY = 1.0, 60.0
#: Formats of pages and of --diff; the first is the default.
_PAGE_FORMATS = ("asciidoc", "markdown")
_DIFF_FORMATS = ("table", "markdown", "json")

_RESUMED = "After an interrupted run, the next one within a day requests only what is missing."


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Write a page about each endpoint of an Enphase IQ Gateway, with fields, types, units, meanings\n"
        "and an anonymized example; its JSON Schema; and an OpenAPI description of all of them. Only\n"
        "endpoints that are safe to read are requested, one at a time.",
        examples=[
            TRUST_FIRST,
            (NAME, f"write pages to {_FOLDER}"),
            (f"{NAME} --format markdown --output pages", "write Markdown to another folder"),
            (f"{NAME} --record answers", "also write an anonymized recording of the answers"),
            (f"{NAME} --from answers", "use recorded answers instead of a gateway"),
            (f"{NAME} --diff answers catalogue", "compare recorded answers with the catalogue"),
        ],
        notes=f"{CREDENTIALS}\nNot required with --from and --diff.\n\n{_RESUMED}\n\n{ONCE};\n"
        "with --diff: 0 no differences, 1 differences, 2 error",
    )
    result.add_argument(
        "--from",
        dest="folders",
        action="append",
        type=Path,
        metavar="DIR",
        help="folder of recorded answers, in files named after their paths (ivp_meters_readings, "
        "production.json_details_1); repeat for several gateways",
    )
    result.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="new folder for an anonymized recording of all answers, which --from and the simulator read",
    )
    result.add_argument(
        "--diff",
        dest="pairs",
        action="append",
        nargs=2,
        metavar=("OLD", "NEW"),
        help="compare two folders of recorded answers instead of writing pages: which endpoints and keys "
        "differ; values are not shown. The word catalogue, or a folder of its TOML files, is one side too; "
        "repeat for several comparisons",
    )
    result.add_argument(
        "--output",
        type=Path,
        default=_FOLDER,
        metavar="DIR",
        help="folder of the pages (default: %(default)s)",
    )
    result.add_argument(
        "--format",
        choices=(*_PAGE_FORMATS, *_DIFF_FORMATS[::2]),
        help="markup language of the pages: asciidoc or markdown (default: asciidoc); with --diff: table, "
        "markdown or json (default: table)",
    )
    result.add_argument(
        "--overwrite",
        action="store_true",
        help="replace pages that were edited, files that this command did not write, and the recording",
    )
    result.add_argument(
        "--delay",
        type=_delay,
        default=_DELAY,
        metavar="SECONDS",
        help=f"delay between two requests (default: {_DELAY:g})",
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    formats = _DIFF_FORMATS if arguments.pairs else _PAGE_FORMATS
    arguments.format = arguments.format or formats[0]
    if arguments.format not in formats:
        without = "" if arguments.pairs else "out"
        parser.error(f"argument --format: with{without} --diff, choose from {', '.join(formats)}")
    if arguments.pairs and (arguments.folders or arguments.record or arguments.output != _FOLDER):
        parser.error(
            "argument --diff: not allowed with --from, --record and --output: it reads OLD and NEW and prints"
        )
    if arguments.record and len(arguments.folders or ()) > 1:
        parser.error("argument --record: writes the recording of one gateway: use --from once")
    return run(arguments, _compare if arguments.pairs else _generate)


def _delay(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _MAX_DELAY:
        raise argparse.ArgumentTypeError(f"must be from 0 to {_MAX_DELAY:g} seconds")
    return seconds


def _generate(arguments: argparse.Namespace) -> int:
    from ..endpoint_docs.anonymize import anonymize
    from ..endpoint_docs.catalogue import load_catalogue
    from ..endpoint_docs.markup import FORMATS
    from ..endpoint_docs.output import write_output
    from ..endpoint_docs.placeholders import Placeholders
    from ..endpoint_docs.recorder import check_target, write_recording
    from ..runtime.errors import CommandError
    from ..runtime.service import run_once

    # Before minutes of requests.
    if arguments.output.exists() and not arguments.output.is_dir():
        raise CommandError(f"--output {arguments.output}: is a file: name a folder")
    if arguments.record is not None:
        check_target(arguments.record, overwrite=arguments.overwrite)
    endpoints, placeholders = load_catalogue(), Placeholders()
    unfinished: UnfinishedRun | None = None
    if arguments.folders:
        recordings = [_load_recording(folder, endpoints) for folder in arguments.folders]
    else:
        recording, unfinished = run_once(_fetch_answers(arguments, endpoints))
        recordings = [recording]
    # Nothing after this line sees private data.
    anonymous = [anonymize(recording, endpoints, placeholders) for recording in recordings]
    summary = write_output(
        endpoints, anonymous, arguments.output, FORMATS[arguments.format], overwrite=arguments.overwrite
    )
    print("\n".join(summary))
    if arguments.record is not None:
        count = write_recording(arguments.record, anonymous[0], endpoints)
        print(f"{arguments.record}: recorded {count} answers")
    if unfinished is not None:
        if unfinished.resumed:
            print(f"resumed: {unfinished.resumed} answers are those of an interrupted run")
        unfinished.remove()
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    """Print the differences of each pair; return 1 if there are any."""
    from ..endpoint_docs.diff_report import render_json, render_markdown, show_table
    from ..runtime.errors import CommandError, UsageError

    try:
        comparisons = [_compare_pair(*pair) for pair in arguments.pairs]
    except (CommandError, OSError, ValueError) as error:
        # Status 1 means that there are differences.
        raise UsageError(f"--diff: {error}") from error
    if arguments.format == "table":
        show_table(comparisons)
    else:
        render = render_json if arguments.format == "json" else render_markdown
        print(render(comparisons), end="")
    return int(any(each.differences for each in comparisons))


def _compare_pair(old: str, new: str) -> Comparison:
    from ..endpoint_docs.anonymize import anonymize
    from ..endpoint_docs.answers import find_unknown_endpoints
    from ..endpoint_docs.catalogue import load_catalogue
    from ..endpoint_docs.diff import CATALOGUE, compare, describe
    from ..endpoint_docs.diff_report import Comparison
    from ..endpoint_docs.placeholders import Placeholders

    catalogues = {
        name: load_catalogue(None if name == CATALOGUE else Path(name))
        for name in (old, new)
        if name == CATALOGUE or any(Path(name).glob("*.toml"))
    }
    known = load_catalogue(), *catalogues.values()
    endpoints = tuple({each.path: each for catalogue in known for each in catalogue}.values())
    placeholders = Placeholders()
    folders = [Path(name) for name in (old, new) if name not in catalogues]
    unknown = [each for folder in folders for each in find_unknown_endpoints(folder, endpoints, placeholders)]
    endpoints += tuple({each.path: each for each in unknown}.values())

    def load(name: str) -> Source:
        if name in catalogues:
            return catalogues[name]
        recording = _load_recording(Path(name), endpoints, keep_invalid=True)
        return anonymize(recording, endpoints, placeholders)

    before, after = load(old), load(new)
    return Comparison(describe(before), describe(after), tuple(compare(before, after, endpoints)))


def _load_recording(
    folder: Path, endpoints: tuple[Endpoint, ...], *, keep_invalid: bool = False
) -> Recording:
    import logging

    from ..endpoint_docs.answers import load_recording

    recording, others = load_recording(folder, endpoints, keep_invalid=keep_invalid)
    if others:
        logging.getLogger(__name__).warning(
            "%s: ignored, as the catalogue has no such endpoint: %s", folder, ", ".join(others)
        )
    return recording


async def _fetch_answers(
    arguments: argparse.Namespace, endpoints: tuple[Endpoint, ...]
) -> tuple[Recording, UnfinishedRun]:
    import asyncio

    from ..config.loader import load_settings
    from ..endpoint_docs.answers import Recording
    from ..endpoint_docs.fetch import fetch_answers
    from ..endpoint_docs.unfinished import UnfinishedRun
    from ..gateway.connection import open_gateway, sign_in

    settings = load_settings(KEYS, arguments)
    async with open_gateway(settings) as (gateway, info):
        unfinished = UnfinishedRun(settings.folder, info, endpoints)
        try:
            await fetch_answers(
                gateway,
                unfinished,
                endpoints,
                delay=arguments.delay,
                sign_in=lambda: sign_in(gateway, info, settings),
            )
        except asyncio.CancelledError:
            if unfinished.is_kept:
                print("interrupted: the next run within a day requests only what is missing", file=sys.stderr)
            raise
        return Recording(info.firmware, unfinished.answers), unfinished
