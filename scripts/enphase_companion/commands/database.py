"""enphase-database: look after the database, and exchange history with Home Assistant."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..charts.time_range import Range, parse
from ..config.command_line import ONCE, add_settings, new_parser
from ..config.settings import DATABASE_KEYS, HOME_ASSISTANT_KEYS, option
from ..runtime.main import run

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ..config.settings import Settings
    from ..home_assistant.statistics import Request
    from ..storage import Database
    from ..storage.maintenance import Progress

NAME = "enphase-database"
#: In the order of `Resolution`; days are never deleted.
KEEP = ("keep_readings", "keep_minutes", "keep_quarter_hours")

#: The actions that exchange history with Home Assistant, and their options that are no settings.
_EXPORT, _IMPORT = "export-home-assistant", "import-home-assistant"
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "--sql": ("upgrade",),
    "--from": (_EXPORT, _IMPORT),
    "--to": (_EXPORT, _IMPORT),
    "--replace": (_EXPORT,),
    "--dry-run": (_EXPORT, _IMPORT),
}

#: No reading of a gateway is older.
_EARLIEST = "2008-01-01"

#: The settings of each action, besides the database.
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "upgrade": ("time_zone",),
    "import": ("time_zone", "gateway_serial_number", "import_database_url"),
    "prune": KEEP,
    "rebuild": ("time_zone",),
    "partition": (),
    _EXPORT: ("gateway_serial_number", *HOME_ASSISTANT_KEYS),
    _IMPORT: ("time_zone", "gateway_serial_number", *HOME_ASSISTANT_KEYS),
}
KEYS = (*DATABASE_KEYS, *dict.fromkeys(key for keys in _ACTIONS.values() for key in keys))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Maintain the database of readings.",
        examples=[
            (f"{NAME} status", "show version, size, gateways and pending rollups"),
            (f"{NAME} upgrade", "create or upgrade its tables; scripts that write do so too"),
            (f"{NAME} upgrade --sql", "print the SQL that creates them in MariaDB"),
            (f"{NAME} import", "import the readings of Enphase-API's scripts"),
            (f"{NAME} prune --keep-readings 90", "delete readings older than 90 days"),
            (f"{NAME} rebuild", "rebuild minutes, quarter-hours and days from the readings"),
            (f"{NAME} rebuild --time-zone Asia/Tokyo", "the same, and change the time zone of days"),
            (f"{NAME} partition", "partition the readings by month: prune drops whole months"),
            (f"{NAME} {_EXPORT} --from 2026-06-01 --dry-run", "show which hours Home Assistant lacks"),
            (f"{NAME} {_EXPORT} --from 2026-06-01 --to 2026-06-14", "write them to Home Assistant"),
            (f"{NAME} {_IMPORT}", "import the years that only Home Assistant has"),
        ],
        notes=(
            f"Each action can be interrupted and repeated at any time, while other scripts write.\n\n{ONCE}"
        ),
    )
    result.add_argument(
        "action", choices=tuple(_ACTIONS), metavar="ACTION", help=f"one of {', '.join(_ACTIONS)}"
    )
    result.add_argument(
        "--sql", action="store_true", help="with upgrade: only print the SQL that creates the tables"
    )
    group = result.add_argument_group(f"with {_EXPORT} and {_IMPORT}")
    group.add_argument(
        "--from",
        dest="start",
        type=_time,
        metavar="TIME",
        help="first day, or time such as 2026-06-21T08:00, in local time (default: all)",
    )
    group.add_argument(
        "--to", dest="end", type=_time, metavar="TIME", help="last day, or time (default: now)"
    )
    group.add_argument(
        "--replace",
        action="store_true",
        help=f"with {_EXPORT}: also write hours that Home Assistant has, and adjust its later sums",
    )
    group.add_argument("--dry-run", action="store_true", help="change nothing, and print a table")
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = build_parser()
    arguments = options.parse_args(argv)
    given = {
        "--sql": arguments.sql,
        "--from": arguments.start,
        "--to": arguments.end,
        "--replace": arguments.replace,
        "--dry-run": arguments.dry_run,
    }
    for name, actions in _OPTIONS.items():
        if given[name] and arguments.action not in actions:
            options.error(f"{name} is an option of {' and '.join(actions)}")
    try:
        arguments.range = _range(arguments.start, arguments.end)
    except ValueError as error:
        options.error(f"--to: {error}")
    for key in KEYS:
        if getattr(arguments, key, None) is not None and key not in (
            *DATABASE_KEYS,
            *_ACTIONS[arguments.action],
        ):
            others = " or ".join(action for action, keys in _ACTIONS.items() if key in keys)
            options.error(f"{option(key)} is an option of {others}, not of {arguments.action}")
    return run(arguments, _print_sql if arguments.sql else _run_action)


def _time(text: str) -> str:
    try:
        parse(f"{text}..")
    except ValueError:
        raise argparse.ArgumentTypeError(
            "must be a date such as 2026-06-21, or a time such as 2026-06-21T08:00, in local time"
        ) from None
    return text


def _range(start: str | None, end: str | None) -> Range:
    return parse(f"{start or _EARLIEST}..{end or ''}")


def _print_sql(_: argparse.Namespace) -> int:
    from ..storage.schema import render_sql

    print(render_sql(), end="")
    return 0


def _run_action(arguments: argparse.Namespace) -> int:
    from ..runtime.service import run_once

    return run_once(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from ..config.loader import load_settings
    from ..storage import Database
    from ..storage.address import database_address, database_zone

    settings = load_settings((*DATABASE_KEYS, *_ACTIONS[arguments.action]), arguments)
    async with Database(database_address(settings), database_zone(settings)) as database:
        match arguments.action:
            case "status":
                return await _print_status(database)
            case "upgrade":
                await database.upgrade()
                print(f"{database.name}: the tables are up to date")
            case "import":
                await _import(database, settings)
            case "prune":
                await _prune(database, settings)
            case "rebuild":
                with _bar("days") as progress:
                    await database.rebuild(progress)
                print(f"{database.name}: rebuilt minutes, quarter-hours and days")
            case "partition":
                await database.partition()
                print(f"{database.name}: the readings are partitioned by month, for a year ahead")
            case _ if arguments.action == _EXPORT:
                await _export_home_assistant(database, settings, arguments)
            case _ if arguments.action == _IMPORT:
                await _import_home_assistant(database, settings, arguments)
    return 0


async def _print_status(database: Database) -> int:
    from ..storage.status import format_status

    status = await database.status()
    zone = await database.time_zone() if status.is_up_to_date else None
    print(format_status(database.name, status, zone, database.protection))
    return 0 if status.is_up_to_date else 1


async def _import(database: Database, settings: Settings) -> None:
    from ..runtime.errors import SettingsError
    from ..storage.address import parse_url

    gateway, url = settings.gateway_serial_number, settings.import_database_url
    if gateway is None:
        raise SettingsError(
            f"{settings.where('gateway_serial_number')}: missing: Enphase-API did not store which gateway "
            "the readings are from"
        )
    await database.upgrade()
    source = parse_url(url, "import_database_url") if url else None
    with _bar("readings") as progress:
        count = await database.import_enphase_api(source, gateway, progress)
    print(f"{database.name}: imported {count:,} readings of gateway {gateway}")


async def _export_home_assistant(
    database: Database, settings: Settings, arguments: argparse.Namespace
) -> None:
    from ..home_assistant.client import connect
    from ..home_assistant.export import export_statistics
    from ..home_assistant.text import count_export, format_export
    from ..runtime.errors import CommandError

    zone = await database.time_zone()
    gateways = (
        [settings.gateway_serial_number] if settings.gateway_serial_number else await database.gateways()
    )
    if not gateways:
        raise CommandError(f"{database.name}: contains no readings yet")
    request = _request(arguments, zone)
    async with connect(settings) as home_assistant:
        with _bar("sensors") as progress:
            report = await export_statistics(
                database, home_assistant, gateways, request, progress, dry_run=arguments.dry_run
            )
    for line in format_export(report, zone):
        print(line)
    hours, sensors = count_export(report)
    done = "would write" if arguments.dry_run else "wrote"
    print(f"{database.name}: {done} {hours:,} hours of {sensors} sensors to Home Assistant")


async def _import_home_assistant(
    database: Database, settings: Settings, arguments: argparse.Namespace
) -> None:
    from ..home_assistant.client import connect
    from ..home_assistant.history import import_statistics
    from ..home_assistant.sensors import find_gateways
    from ..home_assistant.text import format_import

    if not arguments.dry_run:
        await database.upgrade()
    zone = await database.time_zone()
    async with connect(settings) as home_assistant:
        gateways = (
            [settings.gateway_serial_number]
            if settings.gateway_serial_number
            else find_gateways(await home_assistant.command("config/entity_registry/list"))
        )
        with _bar("sensors") as progress:
            report = await import_statistics(
                database,
                home_assistant,
                gateways,
                _request(arguments, zone),
                progress,
                dry_run=arguments.dry_run,
            )
    for line in format_import(report, zone):
        print(line)
    count = sum(len(each.starts) for each in report.imported)
    done = "would import" if arguments.dry_run else "imported"
    print(f"{database.name}: {done} {count:,} quarter-hours from Home Assistant")


def _request(arguments: argparse.Namespace, zone: ZoneInfo) -> Request:
    """Return the whole hours of UTC that the requested time touches, until now."""
    import time

    from ..home_assistant.statistics import Request
    from ..storage import SECOND
    from ..storage.buckets import HOUR

    now = time.time()
    span = arguments.range.span(zone, now)
    newest = round(now * SECOND) // HOUR * HOUR
    return Request(span.start - span.start % HOUR, min(span.end, newest), replace=arguments.replace)


async def _prune(database: Database, settings: Settings) -> None:
    from ..runtime.errors import SettingsError
    from ..storage import Resolution

    wanted = {
        resolution: (name, days)
        for resolution, name in zip(Resolution, KEEP, strict=False)
        if (days := getattr(settings, name)) is not None
    }
    if not wanted:
        raise SettingsError(
            f"{settings.where(KEEP[0])}: missing: set the number of days to keep, here or by "
            f"{option(KEEP[0])}, or {KEEP[1]} or {KEEP[2]} for rollups"
        )
    for resolution, (name, days) in wanted.items():
        what = name.removeprefix("keep_").replace("_", "-")
        with _bar(what) as progress:
            count = await database.prune(resolution, days, progress)
        print(f"{database.name}: deleted {count:,} {what}, kept the last {days} days")


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """Show a progress bar on a terminal, and yield the callback that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
