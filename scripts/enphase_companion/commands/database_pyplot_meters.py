"""enphase-database-pyplot-meters: any stretch of time from the database as a chart, in a window or a file."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..charts.options import HEAT_MAPS, LIMITS, add_export, add_output, add_style
from ..charts.time_range import Range, parse
from ..config.command_line import add_settings, new_parser
from ..config.settings import DATABASE_KEYS, GATEWAY_KEYS
from ..runtime.main import run

if TYPE_CHECKING:
    from enphase_api.models import Tariff

    from ..charts.load import Request
    from ..charts.model import View
    from ..config.settings import Settings
    from ..runtime.service import Service
    from ..storage import Database
    from ..storage.readable import ReadableDatabase

NAME = "enphase-database-pyplot-meters"
#: What a chart needs without the gateway's own tariff.
_CHART_KEYS = ("gateway_serial_number", *DATABASE_KEYS, *LIMITS, "tariff_file")
KEYS = (*_CHART_KEYS, *(name for name in GATEWAY_KEYS if name not in _CHART_KEYS))

#: Seconds between two looks at the database.
_PAUSE = 10.0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Draw the readings of an Enphase IQ Gateway's meters from the database: production upwards,\n"
        "consumption downwards, the grid as a line, the battery, and totals.",
        examples=[
            (NAME, "today, in a window"),
            (f"{NAME} --range week --output week.png", "the last seven days, as a file"),
            (f"{NAME} --range 2026-06-01..2026-06-14", "from the first to the last of these days"),
            (f"{NAME} --follow --phases", "today, updated every 10 seconds, with each phase"),
            (f"{NAME} --range month --compare previous", "this month over last year's"),
            (f"{NAME} --heatmap --output year.png", "a year's production: days across, hours up"),
            (f"{NAME} --panels --range month", "the energy of each panel in a month"),
            (f"{NAME} --range month --costs", "what each day cost and saved, by the tariff"),
            (f"{NAME} --range year --export year.csv", "the numbers of a chart, for a spreadsheet"),
        ],
        notes=(
            "Click an entry of the legend to hide or show its line.\n"
            "Charts of more than ten days show the energy of each day.\n\n"
            "Only --costs without a file tariff.json reads the gateway, for its tariff, and needs its "
            "settings.\n\n"
            "exit status: 0 success, 1 failure, 2 usage or configuration error, 130 Ctrl-C, 143 SIGTERM"
        ),
    )
    result.add_argument(
        "--range",
        type=_range,
        metavar="RANGE",
        help="today, day (24 hours), week, month or year up to now, a date, or FROM..TO with dates or times "
        "such as 2026-06-21T08:00, in local time; FROM.. ends now (default: today; with --heatmap: year)",
    )
    result.add_argument(
        "--heatmap",
        nargs="?",
        const=HEAT_MAPS[0],
        choices=HEAT_MAPS,
        metavar="QUANTITY",
        help="days across, hours up, power as colour: of production, consumption, grid or battery "
        "(default: production)",
    )
    result.add_argument(
        "--compare",
        choices=["previous"],
        help="also draw, dotted, what was before: the days before, or for energies of days and months the "
        "last year's",
    )
    result.add_argument(
        "--panels",
        action="store_true",
        help="energy of each panel on whole days, the most first, if keep_panels has stored them",
    )
    result.add_argument(
        "--costs",
        action="store_true",
        help="money instead of energy, by the tariff: what import cost, export earned and self-consumption "
        "saved, in each hour, day, month or year",
    )
    result.add_argument("--phases", action="store_true", help="also draw each wired phase")
    result.add_argument(
        "--follow", action="store_true", help="keep running: check for new readings every 10 seconds"
    )
    add_output(
        result, "write a file (.png, .svg or .pdf) instead of opening a window; with --follow, repeatedly"
    )
    add_export(result)
    add_style(result)
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = build_parser()
    arguments = options.parse_args(argv)
    if arguments.range is None:
        arguments.range = parse("year" if arguments.heatmap else "today")
    if arguments.costs and (arguments.heatmap or arguments.phases or arguments.panels):
        options.error("--costs cannot be combined with --heatmap, --panels or --phases")
    if arguments.heatmap and (arguments.phases or arguments.export or arguments.compare):
        options.error("--heatmap cannot be combined with --phases, --export or --compare")
    if arguments.panels and (arguments.heatmap or arguments.phases or arguments.compare):
        options.error("--panels cannot be combined with --heatmap, --phases or --compare")
    if arguments.follow and not arguments.range.moves:
        options.error("--follow requires a --range that ends now")
    if arguments.follow and arguments.export is not None:
        options.error("--export cannot be combined with --follow")
    return run(arguments, _draw)


def _range(text: str) -> Range:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _draw(arguments: argparse.Namespace) -> int:
    from ..charts.background import Background
    from ..charts.options import limits
    from ..charts.output import keep_writing, show, write
    from ..charts.style import STYLES
    from ..config.loader import load_settings
    from ..runtime.service import run_once

    settings = load_settings(_CHART_KEYS, arguments)
    if arguments.costs:
        arguments.tariff = _load_tariff(settings, arguments)
    lines, style = limits(settings), STYLES[arguments.style]
    if arguments.follow:
        with Background(lambda service, put: _follow(settings, arguments, service, put)) as source:
            if arguments.output is not None:
                keep_writing(source.newest, lines, arguments.output, style)
            else:
                show(source.newest, lines, NAME, style)
        return 0
    view = run_once(_load_once(settings, arguments))
    if arguments.export is not None:
        from ..charts.export import export

        export(view, arguments.export)
    if arguments.output is not None:
        write(view, lines, arguments.output, style)
    elif arguments.export is None:
        views = [view]
        show(lambda _: views.pop() if views else None, lines, NAME, style)
    return 0


def _load_tariff(settings: Settings, arguments: argparse.Namespace) -> tuple[Tariff, str]:
    """Return the prices of the tariff file, or else of the gateway, and how a chart names them."""
    from enphase_api import EnphaseError

    from ..config.loader import load_settings
    from ..config.tariff_file import TARIFF_FILE, read_tariff
    from ..runtime.errors import CommandError, SettingsError
    from ..runtime.service import run_once

    file = settings.tariff_file or settings.folder / TARIFF_FILE
    if settings.tariff_file is not None or file.exists():
        return read_tariff(file), file.name
    write = f"copy configuration/{TARIFF_FILE}.example to {file}, and write your prices"
    try:
        tariff, serial_number = run_once(_ask_for_tariff(load_settings(GATEWAY_KEYS, arguments)))
    except (CommandError, EnphaseError) as error:
        wrong = SettingsError if isinstance(error, SettingsError) else CommandError
        raise wrong(f"--costs needs prices: {write}; the gateway's cannot be read: {error}") from None
    if tariff is None:
        raise CommandError(f"--costs needs prices, and none were entered in the Enphase app: {write}")
    return tariff, f"gateway {serial_number}'s tariff"


async def _ask_for_tariff(settings: Settings) -> tuple[Tariff | None, str]:
    """Return the prices of the gateway, and its serial number."""
    from ..gateway.connection import open_gateway

    async with open_gateway(settings) as (gateway, info):
        return await gateway.tariff(), info.serial_number


async def _load_once(settings: Settings, arguments: argparse.Namespace) -> View:
    """Load one view; of a file without SQLAlchemy, which takes as long to import as all the rest."""
    import sqlite3
    from contextlib import suppress

    from ..storage.sqlite_file import SqliteFile, find_file

    if not arguments.panels and (file := find_file(settings)) is not None:
        # What goes wrong here goes wrong again below, which retries it, or says why.
        with suppress(sqlite3.Error), SqliteFile(file) as readings:
            return await _load_meters(readings, settings, arguments)
    async with _database(settings) as database:
        return await _load(database, settings, arguments)


async def _follow(
    settings: Settings, arguments: argparse.Namespace, service: Service, put: Callable[[View], None]
) -> None:
    """Load views repeatedly; while the database is not available, the last view stays, with a note."""
    from dataclasses import replace

    from ..storage import UnavailableError

    async with _database(settings) as database:
        view = await service.unless_stopped(_load(database, settings, arguments))
        while True:
            put(view)
            await service.sleep(_PAUSE)
            try:
                view = await service.unless_stopped(_load(database, settings, arguments))
            except UnavailableError as error:
                view = replace(view, trouble=str(error))


async def _load(database: Database, settings: Settings, arguments: argparse.Namespace) -> View:
    if arguments.panels:
        import time

        from ..charts.load_inverters import load_inverters

        return await load_inverters(database, _request(settings, arguments), time.time())
    return await _load_meters(database, settings, arguments)


async def _load_meters(database: ReadableDatabase, settings: Settings, arguments: argparse.Namespace) -> View:
    import time

    from ..charts.load import load, load_heat_map
    from ..charts.model import Quantity

    request = _request(settings, arguments)
    if arguments.costs:
        from ..charts.load_costs import load_costs

        tariff, source = arguments.tariff
        return await load_costs(database, request, tariff, source, time.time())
    if arguments.heatmap:
        quantity = Quantity("net" if arguments.heatmap == "grid" else arguments.heatmap)
        return await load_heat_map(database, request, time.time(), quantity)
    return await load(database, request, time.time())


def _request(settings: Settings, arguments: argparse.Namespace) -> Request:
    from ..charts.drawing import DOTS_WIDE
    from ..charts.load import Request

    return Request(
        arguments.range,
        settings.gateway_serial_number,
        arguments.phases,
        DOTS_WIDE,
        comparison=arguments.compare is not None,
    )


def _database(settings: Settings) -> Database:
    from ..storage import Database
    from ..storage.address import database_address

    return Database(database_address(settings))
