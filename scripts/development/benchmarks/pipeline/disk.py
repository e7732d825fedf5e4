"""What gateway_database_meters writes to a disk at one reading a second, beside the data that it stores."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from enphase_companion.simulator import Simulator

from ..results import Result, middle
from . import commands
from .run import Run

#: Seconds that are measured, and to check that it works.
_SECONDS, _QUICK = 300, 15

#: Seconds of the beginning that are left out: tables are made.
_WARM_UP = 15

_DAY = 86_400


def bytes_written(run: Run) -> Iterator[Result]:
    """Yield gigabytes a day, as installed and with a flush interval of 60 s, beside the growth of the file.

    With `against`, that build runs at the same time, and is the reference of a third figure.
    """
    seconds = _QUICK if run.quick else _SECONDS
    # Each has a gateway and a folder of its own; an earlier build gets the defaults.
    builds: list[tuple[Path | None, tuple[str, ...]]] = [(None, ()), (None, ("--flush-interval", "60"))]
    if run.against is not None:
        builds.append((run.against, ()))
    with ExitStack() as stack:
        found = []
        for build, words in builds:
            gateway = stack.enter_context(Simulator("three-phase"))
            folder = run.servers.new_folder()
            (folder / "gateway.cer").write_text(gateway.certificate_pem)
            settings = {
                "ENPHASE_GATEWAY_HOST": gateway.url,
                "ENPHASE_GATEWAY_TOKEN": gateway.token(),
                "ENPHASE_DATABASE_URL": f"sqlite:///{folder / 'enphase.db'}",
                "ENPHASE_SPOOL_FILE": str(folder / "spool.db"),
            }
            command = stack.enter_context(
                commands.running("gateway_database_meters", settings, folder, build, words=words)
            )
            found.append((command, folder / "enphase.db"))
        time.sleep(_WARM_UP)
        before = [(command.written, _stored(file)) for command, file in found]
        for _ in run.progress.track(range(seconds), description="writing"):
            time.sleep(1)
        after = [(command.written, _stored(file)) for command, file in found]
    a_day = _DAY / seconds / 1e9
    written = [(end[0] - begin[0]) * a_day for begin, end in zip(before, after, strict=True)]
    data = [(end[1] - begin[1]) * a_day for begin, end in zip(before, after, strict=True)]
    yield Result("pipeline", "bytes_written_per_day", "GB", middle(written[:1]), middle(data[:1]))
    yield Result("pipeline", "bytes_written_per_day_60_s", "GB", middle(written[1:2]), middle(data[:1]))
    if run.against is not None:
        yield Result(
            "pipeline", "bytes_written_against_build", "GB", middle(written[:1]), middle(written[2:])
        )


def _stored(file: Path) -> int:
    """Return the bytes of a database's pages, those in its WAL included."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        [pages], [size] = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
    return int(pages) * int(size)
