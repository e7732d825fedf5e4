"""Options of scripts/benchmark; standard library only, since `--help` needs no environment."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from enphase_companion.config.command_line import Parser


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: the module of this name here, what it compares, where it runs, and its parts."""

    about: str
    environment: str
    parts: tuple[str, ...]
    needs_build: bool = False  #: whether only an earlier build can be its reference
    also: str | None = None  #: another environment, of what it starts
    takes_messages: bool = False  #: whether it has rounds of messages whose number can be set
    takes_days: bool = False  #: whether it reads a database, whose days and kind can be set


BENCHMARKS = {
    "refresh": Benchmark(
        "one refresh of the integration, beside Home Assistant's built-in enphase_envoy and its pyenphase",
        "locked",
        ("requests", "busy", "cpu", "set-up", "load", "memory"),
    ),
    "hostile": Benchmark(
        "strangers that announce themselves as gateways, beside an earlier build (--against)",
        "locked",
        ("one", "minute"),
        needs_build=True,
    ),
    "dashboard": Benchmark(
        "the map of the panels in Chromium, beside as many plain buttons",
        "newest",
        ("render", "update"),
    ),
    "hat": Benchmark(
        "frames of the Unicorn HAT HD beside ones drawn LED by LED, and the script for a minute",
        "scripts-3.14",
        ("frame", "minute"),
    ),
    "pipeline": Benchmark(
        "readings through broker and database, beside programs written by hand (private servers)",
        "scripts-3.14",
        (
            "store_against_one_commit_a_message",
            "store_against_executemany",
            "store_against_bare_inserts",
            "consumers_two",
            "consumers_three",
            "publish_against_bare_publish",
            "spool_replay",
            "fleet_1000",
            "fleet_ceiling",
            "bytes_written_per_day",
            "memory",
            "against",
        ),
        takes_messages=True,
    ),
    "one-poll": Benchmark(
        "Home Assistant and scripts that read from it, beside an earlier build whose scripts poll as well",
        "newest",
        ("requests", "latency", "event-loop", "memory"),
        needs_build=True,
        also="scripts-3.14",
    ),
    "consumer": Benchmark(
        "messages of a queue into a database, beside an earlier build (--against)",
        "scripts-3.14",
        ("store",),
        needs_build=True,
    ),
    "docs": Benchmark(
        "pages and schemas of a recorded gateway, and their inference, beside genson",
        "scripts-3.14",
        ("pages", "inference", "diff"),
    ),
    "charts": Benchmark(
        "charts of a year of one-second readings, beside bare matplotlib scripts of the same points",
        "scripts-3.14",
        ("year", "month", "day", "heatmap", "raw"),
        takes_days=True,
    ),
}

_EXAMPLES = """\
examples:
  scripts/benchmark refresh                  all figures, in a table: a quarter of an hour
  scripts/benchmark refresh --part requests  only the number of requests
  scripts/benchmark refresh --json           one line of JSON a figure, for a script
  scripts/benchmark refresh --quick          whether it works: a minute, and figures that mean little
  scripts/benchmark refresh --against ../v1  beside an earlier build of this project, in a checkout of it
  scripts/benchmark hostile --against ../v1  strangers on the network, beside an earlier build
  scripts/benchmark pipeline                 the way from gateway to database: a quarter of an hour
  scripts/benchmark pipeline --part store_against_bare_inserts --part memory --messages 1000000
  scripts/benchmark pipeline --part against --against ../v1  beside an earlier build
  scripts/benchmark one-poll --against ../v1 one poll for Home Assistant and all scripts: half an hour
  scripts/benchmark consumer --against ../v1 messages into a database, beside an earlier build
  scripts/benchmark docs                     pages and schemas of a recorded gateway, beside genson
  scripts/benchmark charts                   charts of a year; the first time it fills 4 GB, in .cache
  scripts/benchmark charts --days 31 --mariadb  a month of readings, in a private MariaDB

A simulated gateway answers both sides in the same run. docs/benchmarks.md describes each figure.
"""


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the options: name, parts, against, messages, days, mariadb, json, quick."""
    about = "\n".join(f"  {name:10} {benchmark.about}" for name, benchmark in BENCHMARKS.items())
    parts = "\n".join(f"  {name:10} {', '.join(each.parts)}" for name, each in BENCHMARKS.items())
    options = Parser(
        prog="scripts/benchmark",
        description=f"Measures what this project costs beside what others cost, on this machine.\n\n{about}",
        epilog=f"parts:\n{parts}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("name", choices=BENCHMARKS, metavar="NAME", help="the benchmark")
    options.add_argument(
        "--part",
        action="append",
        dest="parts",
        metavar="PART",
        help="only this part, of those below; may be repeated",
    )
    options.add_argument(
        "--against",
        type=lambda folder: Path(folder).resolve(),
        metavar="CHECKOUT",
        help="compare with the build in this folder (git worktree add CHECKOUT COMMIT makes one)",
    )
    options.add_argument(
        "--messages",
        type=int,
        metavar="COUNT",
        help="messages of a round of pipeline, instead of each part's own number",
    )
    options.add_argument(
        "--days", type=int, metavar="COUNT", help="days of readings of charts, instead of a year"
    )
    options.add_argument(
        "--mariadb", action="store_true", help="charts of a private MariaDB instead of an SQLite file"
    )
    options.add_argument("--json", action="store_true", help="print a line of JSON per figure, not the table")
    options.add_argument("--quick", action="store_true", help="as short as possible, to check that it works")
    given = options.parse_args(words)
    known = BENCHMARKS[given.name].parts
    if given.messages is not None and not BENCHMARKS[given.name].takes_messages:
        options.error(f"{given.name} has no messages: leave out --messages")
    if (given.days is not None or given.mariadb) and not BENCHMARKS[given.name].takes_days:
        options.error(f"{given.name} reads no database: leave out --days and --mariadb")
    if given.against is None and (BENCHMARKS[given.name].needs_build or "against" in (given.parts or ())):
        options.error(f"{given.name} compares with an earlier build: give --against CHECKOUT")
    if given.against is not None and not (given.against / "custom_components/enphase_iq_gateway").is_dir():
        options.error(f"{given.against} is no checkout of this project")
    if unknown := sorted(set(given.parts or ()) - set(known)):
        options.error(f"{given.name} has no part {', '.join(unknown)}; it has {', '.join(known)}")
    given.parts = [part for part in known if not given.parts or part in given.parts]
    return given
