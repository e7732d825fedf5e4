"""Readings from the publisher through the broker into a database, beside what one would write by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..results import Result
    from .run import Run

#: Packages whose versions are printed below the figures.
PACKAGES = ("SQLAlchemy", "aiosqlite", "aiomysql", "aio-pika", "orjson")


def run(
    parts: Iterable[str], progress: Progress, *, quick: bool, against: Path | None, messages: int | None
) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError."""
    # Here, because each process that is measured imports this package, and its memory is a figure.
    from . import disk, drains, fleet, publishers, stores  # noqa: PLC0415
    from .run import Run  # noqa: PLC0415
    from .servers import Servers  # noqa: PLC0415

    figures: dict[str, Callable[[Run], Iterator[Result]]] = {
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
    with Servers() as servers:
        shared = Run(servers, progress, quick, messages, against)
        for part in parts:
            if part != "against" or against is not None:
                yield from figures[part](shared)
