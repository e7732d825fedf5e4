"""enphase-gateway-generate-docs: pages about a gateway's endpoints, from a catalogue and its own answers."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.command_line import CREDENTIALS, ONCE, TRUST_FIRST, add_settings, new_parser
from ..config.settings import GATEWAY_KEYS
from ..runtime.main import run

if TYPE_CHECKING:
    from ..endpoint_docs.answers import Source
    from ..endpoint_docs.catalogue import Endpoint
    from ..endpoint_docs.markup import Markup
    from ..endpoint_docs.page import Page
    from ..endpoint_docs.writing import Written

NAME = "enphase-gateway-generate-docs"
KEYS = GATEWAY_KEYS

_FOLDER = Path("docs/gateway")
#: Seconds between two requests.
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Write a page about each endpoint of an Enphase IQ Gateway: fields with types, units and\n"
        "meanings, and an anonymised example. Only what reads is asked, one thing at a time.",
        examples=[
            TRUST_FIRST,
            (NAME, f"pages in {_FOLDER}"),
            (f"{NAME} --format markdown --output pages", "in Markdown, elsewhere"),
            (f"{NAME} --from answers", "from recorded answers, without a gateway"),
        ],
        notes=f"{CREDENTIALS}\nWith --from none is needed.\n\n{ONCE}",
    )
    result.add_argument(
        "--from",
        dest="folders",
        action="append",
        type=Path,
        metavar="DIR",
        help="take recorded answers of a gateway from this folder, whose files have the names of paths "
        "(ivp_meters_readings, production.json_details_1); more than once for several gateways",
    )
    result.add_argument("--output", type=Path, default=_FOLDER, metavar="DIR", help=f"without it {_FOLDER}")
    result.add_argument(
        "--format", choices=("asciidoc", "markdown"), default="asciidoc", help="without it asciidoc"
    )
    result.add_argument(
        "--overwrite", action="store_true", help="also overwrite pages that were edited, and files of others"
    )
    result.add_argument(
        "--pause",
        type=_pause,
        default=_PAUSE,
        metavar="SECONDS",
        help=f"between two requests to the gateway; without it {_PAUSE:g}",
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(parser().parse_args(argv), _generate)


def _pause(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _LONGEST_PAUSE:
        raise argparse.ArgumentTypeError(f"must be from 0 to {_LONGEST_PAUSE:g} seconds")
    return seconds


def _generate(arguments: argparse.Namespace) -> int:
    import asyncio

    from ..endpoint_docs.anonymous import without_owners
    from ..endpoint_docs.catalogue import catalogue
    from ..endpoint_docs.index import index
    from ..endpoint_docs.markup import FORMATS
    from ..endpoint_docs.page import page
    from ..endpoint_docs.patterns import Substitutes

    endpoints, markup, substitutes = catalogue(), FORMATS[arguments.format], Substitutes()
    if arguments.folders:
        sources = _recorded(arguments.folders, endpoints)
    else:
        sources = [asyncio.run(_asked(arguments, endpoints))]
    # From here on nobody knows any more whose they are.
    nobodys = [without_owners(source, endpoints, substitutes) for source in sources]
    pages = [page(endpoint, nobodys, markup) for endpoint in endpoints]
    _write([*pages, index(endpoints, pages, nobodys, markup)], markup, arguments)
    return 0


def _recorded(folders: Sequence[Path], endpoints: tuple[Endpoint, ...]) -> list[Source]:
    import logging

    from ..endpoint_docs.answers import recorded

    sources = []
    for folder in folders:
        source, others = recorded(folder, endpoints)
        if others:
            logging.getLogger(__name__).warning(
                "%s: no endpoint of the catalogue has %s.", folder, ", ".join(others)
            )
        sources.append(source)
    return sources


async def _asked(arguments: argparse.Namespace, endpoints: tuple[Endpoint, ...]) -> Source:
    from ..config.loader import load_settings
    from ..endpoint_docs.asking import asked
    from ..endpoint_docs.progress import progress
    from ..gateway.connection import open_gateway, sign_in

    settings = load_settings(KEYS, arguments)
    async with open_gateway(settings) as (gateway, info):
        with progress(sum(len(each.requests) for each in endpoints)) as step:
            return await asked(
                gateway,
                info.firmware,
                endpoints,
                pause=arguments.pause,
                sign_in=lambda: sign_in(gateway, info, settings),
                step=step,
            )


def _write(pages: Sequence[Page], markup: Markup, arguments: argparse.Namespace) -> None:
    """Write all pages and say what became of them."""
    import logging

    from ..endpoint_docs.answers import Outcome
    from ..endpoint_docs.writing import Written, write

    became: Counter[Written] = Counter()
    for page in pages:
        result = write(page, arguments.output, markup, overwrite=arguments.overwrite)
        became[result] += 1
        if result is Written.EDITED:
            logging.getLogger(__name__).warning(
                "%s: edited, or not made by this command, so it is left alone. --overwrite replaces it.",
                arguments.output / f"{page.name}{markup.ending}",
            )
    outcomes = Counter(page.outcome for page in pages[:-1])
    print(f"{arguments.output}: {_counts(became, Written)}. Endpoints: {_counts(outcomes, Outcome)}.")


def _counts(counter: Counter[Any], kinds: Iterable[Enum]) -> str:
    return ", ".join(f"{counter[kind]} {kind.value}" for kind in kinds if counter[kind])
