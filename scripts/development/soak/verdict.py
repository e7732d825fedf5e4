"""The verdict: what the gateways said beside what the databases hold, and rollups recomputed from it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from .gateways import COLUMNS, Ledger, Moment, Values
from .stores import Store

#: Milliseconds after its end from which a bucket must be rolled up.
_GRACE = 10_000

#: MariaDB returns six digits of a FLOAT.
_TOLERANCE = 5e-6

#: Columns that hold a sum over the phases in the answer, and a quotient in the database.
_NOT_OF_THE_WHOLE = {"voltage", "power_factor"}

_ROLLUP = (
    "reading_count, first_measured_at, last_measured_at, power_reading_count, power_min, power_max, "
    "power_mean, energy_delivered_first, energy_delivered_last, energy_received_first, energy_received_last, "
    "segments"
)
_JOINED = "JOIN gateways ON gateways.id = gateway_id JOIN measurements ON measurements.id = measurement_id"


class Series(NamedTuple):
    """The key of a series of readings."""

    serial: str
    measurement: str
    phase: int


#: As `Values`, from a database.
Stored = dict[tuple[str, int], tuple[float | None, ...]]

#: Of one series, in order of time: milliseconds, W, and the two counters in Wh.
Course = list[tuple[int, float, float, float]]


@dataclass
class Verdict:
    """What was found in one database."""

    attempted: int = 0
    stored: int = 0
    #: Missing readings, as documented for a script that is killed.
    excused: int = 0
    lost: list[Moment] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong_values: list[str] = field(default_factory=list)
    wrong_rollups: list[str] = field(default_factory=list)
    rollups: int = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing is lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong_values or self.wrong_rollups)


def judge(store: Store, ledger: Ledger, published: set[Moment], zone: ZoneInfo, now: float) -> Verdict:
    """Compare a database, in which nothing is written any more, with what was said.

    `published`: what reached the broker, which no kill excuses; `now`: epoch seconds at which the last
    program could roll up.
    """
    verdict = Verdict()
    found = _sort_seconds(_read(store, verdict), store.unordered)
    said = {moment: values for moment, values in ledger.said.items() if moment[0] in store.serials}
    verdict.attempted = len(said)
    for moment in said:
        if moment in found or moment in store.seen:
            verdict.stored += 1
        elif moment in published or ledger.is_due(moment):
            verdict.lost.append(moment)
        else:
            verdict.excused += 1
    for (serial, at), stored in found.items():
        # The writer puts another reading of the same second some milliseconds later.
        if (serial, at) not in said and (serial, at // 1000 * 1000) in said:
            verdict.doubled.append(f"{serial} {at}: of the second {at // 1000 * 1000}")
        else:
            verdict.wrong_values += _differences((serial, at), said.get((serial, at)), stored)
    present = {moment: values for moment, values in said.items() if moment in found or moment in store.seen}
    _judge_rollups(store, present, zone, round(now * 1000) - _GRACE, verdict)
    return verdict


def _read(store: Store, verdict: Verdict) -> dict[Moment, Stored]:
    """Return all readings of a database, and note those that are there twice."""
    found: dict[Moment, Stored] = defaultdict(dict)
    query = f"SELECT serial_number, measured_at, name, phase, {', '.join(COLUMNS.values())} FROM readings"
    for serial, at, measurement, phase, *values in store.rows(f"{query} {_JOINED}"):
        rows = found[serial, at]
        if (measurement, phase) in rows:
            verdict.doubled.append(f"{serial} {at} {measurement} {phase}")
        rows[measurement, phase] = tuple(values)
    return found


def _sort_seconds(found: dict[Moment, Stored], serials: set[str]) -> dict[Moment, Stored]:
    """Return the readings with those of the same second in the order of their powers, as they were said."""
    seconds: dict[Moment, list[Stored]] = defaultdict(list)
    for (serial, at), stored in found.items():
        seconds[serial, at // 1000 * 1000 if serial in serials else at].append(stored)
    return {
        (serial, at + number): stored
        for (serial, at), several in seconds.items()
        for number, stored in enumerate(sorted(several, key=_get_power))
    }


def _get_power(stored: Stored) -> float:
    """Return the active power of the first meter."""
    return min(stored.items())[1][0] or 0.0


def _differences(moment: Moment, said: Values | None, stored: Stored) -> Iterator[str]:
    where = f"{moment[0]} {moment[1]}"
    if said is None:
        yield f"{where}: stored, but never said"
        return
    if said.keys() != stored.keys():
        yield f"{where}: {sorted(stored)} stored, {sorted(said)} said"
        return
    for (measurement, phase), values in said.items():
        pairs = zip(COLUMNS.values(), values, stored[measurement, phase], strict=True)
        for column, true, held in pairs:
            if phase == 0 and column in _NOT_OF_THE_WHOLE:
                continue
            if held is None or not math.isclose(true, held, rel_tol=_TOLERANCE, abs_tol=1e-6):
                yield f"{where} {measurement} {phase} {column}: {held} stored, {true} said"


def _judge_rollups(
    store: Store, present: dict[Moment, Values], zone: ZoneInfo, end: int, verdict: Verdict
) -> None:
    courses: dict[Series, Course] = defaultdict(list)
    columns = [*COLUMNS.values()]
    picked = [columns.index(name) for name in ("active_power", "energy_delivered", "energy_received")]
    for (serial, at), values in sorted(present.items()):
        for (measurement, phase), each in values.items():
            power, delivered, received = (each[index] for index in picked)
            courses[Series(serial, measurement, phase)].append((at, power, delivered, received))
    for table in ("minutes", "quarter_hours", "days"):
        query = f"SELECT serial_number, name, phase, bucket_start, {_ROLLUP} FROM {table} {_JOINED}"
        held = {
            (Series(serial, name, phase), start): row
            for serial, name, phase, start, *row in store.rows(query)
        }
        expected = {
            (series, start): part
            for series, course in courses.items()
            for start, part in _buckets(table, course, zone, end)
        }
        verdict.rollups += len(expected)
        for key, part in expected.items():
            verdict.wrong_rollups += _compare_rollup(f"{table} {key}", part, held.get(key))
        known = {key for key in held if key in expected or _bucket_end(table, key[1], zone) > end}
        verdict.wrong_rollups += [f"{table} {key}: without readings" for key in held.keys() - known]


def _buckets(table: str, course: Course, zone: ZoneInfo, end: int) -> Iterator[tuple[int, Course]]:
    """Yield the buckets that ended before `end`, each with its readings."""
    parts: dict[int, Course] = defaultdict(list)
    for reading in course:
        parts[_bucket_start(table, reading[0], zone)].append(reading)
    for start, part in parts.items():
        if _bucket_end(table, start, zone) <= end:
            yield start, part


def _bucket_start(table: str, at: int, zone: ZoneInfo) -> int:
    if table == "days":
        local = datetime.fromtimestamp(at // 1000, zone)
        return round(local.replace(hour=0, minute=0, second=0).timestamp()) * 1000
    width = {"minutes": 60_000, "quarter_hours": 900_000}[table]
    return at // width * width


def _bucket_end(table: str, start: int, zone: ZoneInfo) -> int:
    if table == "days":
        following = datetime.fromtimestamp(start // 1000, zone) + timedelta(days=1)
        return round(following.timestamp()) * 1000
    return start + {"minutes": 60_000, "quarter_hours": 900_000}[table]


def _compare_rollup(where: str, part: Course, held: Sequence[Any] | None) -> Iterator[str]:
    """Yield what is wrong with a rollup of these readings."""
    if held is None:
        yield f"{where}: missing, {len(part)} readings"
        return
    powers = [power for _, power, _, _ in part]
    expected: list[float] = [len(part), part[0][0], part[-1][0], len(part), min(powers), max(powers)]
    if [*held[:6]] != expected:
        yield f"{where}: {[*held[:6]]} instead of {expected}"
    if not math.isclose(held[6], math.fsum(powers) / len(powers), rel_tol=1e-9, abs_tol=1e-9):
        yield f"{where}: mean {held[6]} instead of {math.fsum(powers) / len(powers)}"
    counters = [part[0][2], part[-1][2], part[0][3], part[-1][3]]
    # With gaps or falls of the counter, the energy is in its segments.
    if held[11] is None and [*held[7:11]] != counters:
        yield f"{where}: counters {[*held[7:11]]} instead of {counters}"


def count(moments: Sequence[Moment]) -> str:
    """Return how many moments each gateway has, for a message."""
    return ", ".join(f"{serial}: {number}" for serial, number in Counter(each for each, _ in moments).items())
