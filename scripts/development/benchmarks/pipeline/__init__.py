"""Readings from the publisher through the broker into a database, beside what one would write by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.progress import Progress

from ..results import Result
from . import disk, drains, fleet, publishers, stores
from .run import Run
from .servers import Servers

#: Packages whose versions are printed below the figures.
PACKAGES = ("SQLAlchemy", "aiosqlite", "aiomysql", "aio-pika", "orjson")

_PARTS: dict[str, Callable[[Run], Iterator[Result]]] = {
    "store_against_one_commit_a_message": drains.one_commit_a_message,
    "store_against_executemany": drains.executemany,
    "store_against_bare_inserts": stores.bare_inserts,
    "consumers_two": drains.two,
    "consumers_three": drains.three,
    "publish_against_bare_publish": publishers.publish,
    "spool_replay": publishers.replay,
    "fleet_1000": fleet.thousand,
    "fleet_ceiling": fleet.ceiling,
    "bytes_written_per_day": disk.bytes_written,
    "memory": stores.memory,
    "against": drains.against,
}


def run(
    parts: Iterable[str], progress: Progress, *, quick: bool, against: Path | None, messages: int | None
) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    with Servers() as servers:
        shared = Run(servers, progress, quick, messages, against)
        for part in parts:
            if part != "against" or against is not None:
                yield from _PARTS[part](shared)
