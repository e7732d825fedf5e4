"""The command itself, run by scripts/soak: faults one after the other, and the verdict."""

from __future__ import annotations

import logging
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from tests.services import SEARCH_PATH, STARTED, find_unpacked

from .faults import FAULTS
from .messages import find_unexpected
from .options import parse_arguments
from .pipeline import ZONE, Pipeline
from .set_up import run_pipeline
from .verdict import Verdict, judge

#: Seconds for a recovery; the longest pause between two attempts to connect is 30 s.
_RECOVERY = 120

#: Examples of each mistake that are printed.
_EXAMPLES = 5


class Run:
    """The faults of one run and how long each took to recover from."""

    def __init__(self, pipeline: Pipeline, chance: random.Random, kinds: Sequence[str]) -> None:
        self._pipeline = pipeline
        self._chance = chance
        self.kinds = kinds
        #: Seconds by kind; None: not in time.
        self.recoveries: dict[str, list[float | None]] = defaultdict(list)

    def strike(self, seconds: float) -> None:
        """Let faults strike one after the other, for that long; each kind once before any strikes again.

        None takes more than half of the time.
        """
        begun = time.monotonic()
        deck: list[str] = []
        while True:
            left = min(begun + seconds - time.monotonic(), seconds / 2)
            fitting = [kind for kind in self.kinds if FAULTS[kind].seconds <= left]
            if not fitting:
                return
            if not any(kind in fitting for kind in deck):
                deck = [*self.kinds]
                self._chance.shuffle(deck)
            kind = next(kind for kind in deck if kind in fitting)
            deck.remove(kind)
            self._strike_once(kind, time.monotonic() - begun)

    def _strike_once(self, kind: str, at: float) -> None:
        pipeline = self._pipeline
        begun = time.monotonic()
        FAULTS[kind].strike(pipeline, self._chance)
        lasted = time.monotonic() - begun
        recovered = pipeline.wait_until_recovered(_RECOVERY)
        self.recoveries[kind].append(recovered)
        after = "NOT RECOVERED" if recovered is None else f"recovered after {recovered:.1f} s"
        print(f"{at:6.0f} s  {kind}: {lasted:.1f} s, {after}", flush=True)
        pipeline.rest(self._chance.uniform(0.5, 2))


def main() -> int:
    """Run the command and return its exit status."""
    given = parse_arguments()
    programs = ("rabbitmq-server", "mariadbd", "mariadb-install-db")
    if missing := [
        name for name in programs if not (find_unpacked(name) or shutil.which(name, path=SEARCH_PATH))
    ]:
        print(
            f"scripts/soak: not installed: {', '.join(missing)}: install RabbitMQ and MariaDB (Debian: "
            "rabbitmq-server, mariadb-server)",
            file=sys.stderr,
        )
        return 1
    # It warns of confirmations for messages that were published with properties of their own.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    seconds = given.minutes * 60
    print(f"{given.minutes:g} minutes of faults, --seed {given.seed}", flush=True)
    with _folder(given.folder) as folder, run_pipeline(folder, seconds) as pipeline:
        print(", ".join(sorted(STARTED)), flush=True)
        kinds = [kind for kind in given.kinds if FAULTS[kind].disk in {None, *pipeline.disks}]
        for kind in given.kinds:
            if kind not in kinds:
                print(f"skipped, as a disk cannot be mounted here: {kind}")
        run = Run(pipeline, random.Random(given.seed), kinds)
        run.strike(seconds)
        print("Waiting until all readings are stored and rolled up", flush=True)
        if not pipeline.settle(_RECOVERY):
            pipeline.problems.append(f"not all readings are stored {_RECOVERY} s after the last fault")
        now = time.time()
        for program in pipeline.programs:
            program.stop()
        published = pipeline.sender.read_published()
        verdicts = {
            store.name: judge(store, pipeline.ledger, published, ZONE, now) for store in pipeline.stores
        }
        letters = pipeline.sender.read_dead_letters()
        problems = [*_find_problems(pipeline, run, letters)]
        _print_tables(pipeline, run, verdicts, letters)
    for name, verdict in verdicts.items():
        problems += [f"{name}: {problem}" for problem in _describe(verdict)]
    for problem in problems:
        print(problem)
    print("FAILED" if problems else "Nothing is lost, doubled or wrong.", f"--seed {given.seed}")
    return 1 if problems else 0


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            yield Path(folder)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given


def _find_problems(pipeline: Pipeline, run: Run, letters: list[str]) -> Iterator[str]:
    """Yield what went wrong besides the readings."""
    yield from pipeline.problems
    for program in pipeline.programs:
        yield from (f"{program.name} ended by itself with status {status}" for status in program.deaths)
        yield from (
            f"{program.name} ended with status {status} on SIGTERM" for status in program.stops if status
        )
        if "Traceback" in program.log.read_text(errors="replace"):
            yield f"{program.name} printed a traceback"
    for kind, recoveries in run.recoveries.items():
        if None in recoveries:
            yield f"{kind}: not recovered within {_RECOVERY} s"
    if missing := len(pipeline.sender.poison - set(letters)):
        yield f"{missing} poison messages are not among the dead letters"
    yield from (
        f"dead letter that is no poison: {each}" for each in find_unexpected(letters, pipeline.sender.poison)
    )


def _describe(verdict: Verdict) -> Iterator[str]:
    """Yield examples of what is lost, doubled or wrong."""
    kinds = {
        "lost": [f"{serial} {at}" for serial, at in verdict.lost],
        "doubled": verdict.doubled,
        "wrong value": verdict.wrong_values,
        "wrong rollup": verdict.wrong_rollups,
    }
    for name, found in kinds.items():
        yield from (f"{name}: {each}" for each in found[:_EXAMPLES])
        if len(found) > _EXAMPLES:
            yield f"{name}: {len(found) - _EXAMPLES} more"


def _print_tables(pipeline: Pipeline, run: Run, verdicts: dict[str, Verdict], letters: list[str]) -> None:
    console = Console(highlight=False)
    table = Table(title="messages")
    table.add_column("")
    for store in verdicts:
        table.add_column(store, justify="right")
    dead = len(set(letters) & pipeline.sender.poison)
    rows: dict[str, list[int]] = {
        "attempted": [each.attempted for each in verdicts.values()],
        "confirmed": [_confirmed(pipeline, store) for store in verdicts],
        "stored": [each.stored for each in verdicts.values()],
        "poison": [len(pipeline.sender.poison) if store == "MariaDB" else 0 for store in verdicts],
        "dead-lettered": [dead if store == "MariaDB" else 0 for store in verdicts],
        "in memory at a kill": [each.excused for each in verdicts.values()],
        "LOST": [len(each.lost) for each in verdicts.values()],
        "DOUBLED": [len(each.doubled) for each in verdicts.values()],
        "WRONG VALUES": [len(each.wrong_values) for each in verdicts.values()],
        "rollups": [each.rollups for each in verdicts.values()],
        "WRONG ROLLUPS": [len(each.wrong_rollups) for each in verdicts.values()],
    }
    for name, numbers in rows.items():
        table.add_row(name, *(f"{number:,}" for number in numbers))
    console.print(table)
    table = Table(title="recovery, seconds")
    for column in ("fault", "times", "median", "longest"):
        table.add_column(column, justify="left" if column == "fault" else "right")
    for kind in run.kinds:
        recoveries = run.recoveries[kind]
        if not recoveries:
            continue
        known = [each for each in recoveries if each is not None]
        middle, longest = (f"{work(known):.1f}" if known else "-" for work in (statistics.median, max))
        table.add_row(kind, str(len(recoveries)), middle, longest)
    console.print(table)
    if unused := [kind for kind in run.kinds if not run.recoveries[kind]]:
        print(f"Not in this run, for lack of time: {', '.join(unused)}")


def _confirmed(pipeline: Pipeline, store: str) -> int:
    """Return the readings that the programs counted as safe, before those of a kill's last second."""
    in_sqlite, in_mariadb = pipeline.direct[1], pipeline.direct[0]
    if store == "SQLite":
        return in_sqlite.total("messages_stored")
    published = sum(each.total("messages_published") for each in pipeline.publishers)
    return published + len(pipeline.sender.confirmed) + in_mariadb.total("messages_stored")


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """End through the context managers, which stop the servers."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    # The background jobs of a shell ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
