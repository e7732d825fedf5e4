"""enphase-database: makes the tables, says what is in them, imports, prunes and rebuilds."""

# ruff: noqa: PLC0415 - --help does not wait for what is imported inside functions

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..config.command_line import ONCE, add_settings, new_parser
from ..config.settings import DATABASE_KEYS, option
from ..runtime.main import run

if TYPE_CHECKING:
    from ..config.settings import Settings
    from ..storage import Database
    from ..storage.pruning import Progress

NAME = "enphase-database"
KEEP = ("keep_readings", "keep_minutes", "keep_quarter_hours")

#: What each action knows beside the database.
_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "status": (),
    "upgrade": ("time_zone",),
    "import": ("time_zone", "gateway_serial_number", "import_database_url"),
    "prune": KEEP,
    "rebuild": ("time_zone",),
}
KEYS = (*DATABASE_KEYS, *dict.fromkeys(key for keys in _ACTIONS.values() for key in keys))


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    result = new_parser(
        "Look after the database of readings.",
        examples=[
            (f"{NAME} status", "what is in it"),
            (f"{NAME} upgrade", "make its tables, or bring them up to date; other scripts do so too"),
            (f"{NAME} upgrade --sql", "print the SQL for an administrator of MariaDB"),
            (f"{NAME} import", "bring in what Enphase-API's scripts stored"),
            (f"{NAME} prune --keep-readings 90", "delete readings, but none of the last 90 days"),
            (f"{NAME} rebuild", "make minutes, quarter-hours and days anew from the readings"),
            (f"{NAME} rebuild --time-zone Asia/Tokyo", "and let days begin there from now on"),
        ],
        notes=(
            "Each may be interrupted at any time and begun again, while other scripts go on writing.\n\n"
            f"{ONCE}"
        ),
    )
    result.add_argument("action", choices=tuple(_ACTIONS), help="what to do")
    result.add_argument(
        "--sql", action="store_true", help="with upgrade: print what makes the tables, and do nothing"
    )
    add_settings(result, KEYS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser()
    arguments = options.parse_args(argv)
    if arguments.sql and arguments.action != "upgrade":
        options.error("--sql goes with upgrade")
    for key in KEYS:
        given = getattr(arguments, key, None) is not None
        if given and key not in (*DATABASE_KEYS, *_ACTIONS[arguments.action]):
            actions = " or ".join(action for action, keys in _ACTIONS.items() if key in keys)
            options.error(f"{option(key)} goes with {actions}, not with {arguments.action}")
    return run(arguments, _print_sql if arguments.sql else _do)


def _print_sql(_: argparse.Namespace) -> int:
    from ..storage.schema import sql

    print(sql(), end="")
    return 0


def _do(arguments: argparse.Namespace) -> int:
    import asyncio

    return asyncio.run(_done(arguments))


async def _done(arguments: argparse.Namespace) -> int:
    from ..config.loader import load_settings
    from ..storage import Database
    from ..storage.address import database_address, database_zone

    settings = load_settings((*DATABASE_KEYS, *_ACTIONS[arguments.action]), arguments)
    async with Database(database_address(settings), database_zone(settings)) as database:
        match arguments.action:
            case "status":
                return await _status(database)
            case "upgrade":
                await database.upgrade()
                print(f"{database.place}: the tables are up to date.")
            case "import":
                await _import(database, settings)
            case "prune":
                await _prune(database, settings)
            case "rebuild":
                with _bar("days") as progress:
                    await database.rebuild(progress)
                print(f"{database.place}: minutes, quarter-hours and days are made anew.")
    return 0


async def _status(database: Database) -> int:
    from ..storage import words

    status = await database.status()
    zone = await database.time_zone() if status.is_up_to_date else None
    print(words.status(database.place, status, zone, database.protection))
    return 0 if status.is_up_to_date else 1


async def _import(database: Database, settings: Settings) -> None:
    from ..runtime.errors import SettingsError
    from ..storage.address import parse

    gateway, url = settings.gateway_serial_number, settings.import_database_url
    if gateway is None:
        raise SettingsError(
            f"{settings.where('gateway_serial_number')}: is needed: Enphase-API did not store "
            "whose the readings are."
        )
    await database.upgrade()
    source = parse(url, "import_database_url") if url else None
    with _bar("moments") as progress:
        count = await database.import_enphase_api(source, gateway, progress)
    print(f"{database.place}: {count:,} moments of {gateway} were brought in.")


async def _prune(database: Database, settings: Settings) -> None:
    from ..runtime.errors import SettingsError
    from ..storage import Level

    wanted = {
        level: (name, days)
        for level, name in zip((Level.READING, Level.MINUTE, Level.QUARTER), KEEP, strict=True)
        if (days := getattr(settings, name)) is not None
    }
    if not wanted:
        raise SettingsError(
            f"{settings.where(KEEP[0])}: say how many days are to be kept, here or with {option(KEEP[0])}; "
            f"{KEEP[1]} and {KEEP[2]} are for what readings are rolled up to."
        )
    for level, (name, days) in wanted.items():
        what = name.removeprefix("keep_")
        with _bar(what) as progress:
            count = await database.prune(level, days, progress)
        print(f"{database.place}: {count:,} {what} deleted, those of the last {days} days kept.")


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """Yield what is told how far it is: a bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
