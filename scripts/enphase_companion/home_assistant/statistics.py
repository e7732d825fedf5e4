"""Hourly statistics of a sensor: what is missing, calculated from the energies and powers of the database.

Pure functions. Times are milliseconds since the epoch, hours are UTC hours as in Home Assistant, energies are
Wh and powers W. A sum is the total at the end of its hour.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..storage import Power
from ..storage.buckets import HOUR

#: Wh and W: statistics that differ less are equal.
_EQUAL = 0.01

#: With --replace, later sums are shifted if the energies differ by more than this part and this many Wh.
_TOLERANCE, _TOLERANCE_WH = 0.01, 100.0


@dataclass(frozen=True, slots=True)
class Statistic:
    """One hour in Home Assistant; None if it has no such value."""

    start: int
    sum: float | None = None
    state: float | None = None
    power: Power | None = None
    #: The start of the local day, of an energy since midnight.
    last_reset: int | None = None

    def equals(self, other: Statistic | None) -> bool:
        """Return whether both show the same values."""
        return other is not None and all(
            (first is None) == (second is None)
            and (first is None or second is None or abs(first - second) < _EQUAL)
            for first, second in zip(self._values, other._values, strict=True)
        )

    @property
    def _values(self) -> tuple[float | None, ...]:
        return (self.sum, self.state, *(self.power or (None, None, None)))


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour in the database."""

    #: Wh; None if unknown.
    energy: float | None = None
    power: Power | None = None
    #: Whether each quarter-hour has readings, and no energy is from a gap.
    is_whole: bool = False
    #: When the local day began, and the energy since then.
    today: tuple[int, float] | None = None


@dataclass(slots=True)
class Filled:
    """A stretch of hours that is written."""

    first: int
    last: int
    count: int
    #: Wh in the database, and Wh that these hours get; 0 for a power.
    known: float = 0.0
    written: float = 0.0


@dataclass(slots=True)
class Plan:
    """What to write for one sensor."""

    rows: list[Statistic] = field(default_factory=list)
    #: Written first: from the start of this hour on, all sums rise by so many Wh.
    adjustments: list[tuple[int, float]] = field(default_factory=list)
    filled: list[Filled] = field(default_factory=list)
    #: Hours that are left for later, because Home Assistant has no later one yet.
    open_hours: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be written."""
        return not self.rows and not self.adjustments


@dataclass(frozen=True, slots=True)
class Request:
    """The hours that may be written: [start, end)."""

    start: int
    end: int
    #: Whether hours that Home Assistant has are written too.
    replace: bool = False


def plan_power(existing: Mapping[int, Statistic], hours: Mapping[int, Hour], request: Request) -> Plan:
    """Return the mean powers that are missing, and those of the hours in which a gap begins and ends."""
    missing = _missing(existing, hours, request, lambda hour: hour.power is not None)
    wanted = set(missing)
    for start in missing:
        wanted.update(
            edge
            for edge in (start - HOUR, start + HOUR)
            if edge in existing and edge in hours and hours[edge].is_whole and _is_inside(edge, request)
        )
    plan = Plan()
    rows = [Statistic(start, power=hours[start].power) for start in sorted(wanted)]
    plan.rows = [row for row in rows if not row.equals(_only_power(existing.get(row.start)))]
    plan.filled = [
        Filled(part[0], part[-1], len(part)) for part in _consecutive([row.start for row in plan.rows])
    ]
    return plan


def plan_energy(
    existing: Mapping[int, Statistic],
    hours: Mapping[int, Hour],
    request: Request,
    *,
    resets_daily: bool = False,
) -> Plan:
    """Return the sums that are missing, so that they join the sums before and after.

    The first hour after a gap holds all energy of the gap in Home Assistant. Its sum and all later ones stay:
    the sums before it are filled in, and what remains is its own energy. If the database has more energy than
    Home Assistant counted, the filled hours share what was counted. Only before the first hour of all, and
    with `replace` if the energies really differ, later sums are adjusted.
    """
    writable = _missing(existing, hours, request, lambda hour: hour.energy is not None)
    if request.replace and existing:
        # The newest one is what Home Assistant continues from.
        newest = max(existing)
        writable = [start for start in writable if start < newest]
    written = set(writable)
    for start in writable:
        if _is_cut_off(start - HOUR, existing, hours, request):
            written.add(start - HOUR)
    plan = Plan()
    anchors = sorted(start for start, row in existing.items() if start not in written and row.sum is not None)
    shift = 0.0
    for run in _runs(sorted(written), anchors):
        index = bisect_left(anchors, run[0])
        before = existing[anchors[index - 1]] if index else None
        after = existing[anchors[index]] if index < len(anchors) else None
        if after is None:
            plan.open_hours += len(run)
            continue
        rows, more = _fill(run, before, after, existing, hours, shift, request)
        if resets_daily:
            rows = [_since_midnight(row, hours[row.start]) for row in rows]
        changed = [row for row in rows if not row.equals(_only_sum(existing.get(row.start), shift))]
        plan.rows += changed
        if changed or abs(more) >= _EQUAL:
            known = sum(hours[start].energy or 0.0 for start in run)
            counted = (rows[-1].sum or 0.0) - _base(before, shift)
            plan.filled.append(Filled(run[0], run[-1], len(run), known, counted))
        if abs(more) >= _EQUAL:
            plan.adjustments.append((after.start, more))
            shift += more
    return plan


def _fill(
    run: Sequence[int],
    before: Statistic | None,
    after: Statistic,
    existing: Mapping[int, Statistic],
    hours: Mapping[int, Hour],
    shift: float,
    request: Request,
) -> tuple[list[Statistic], float]:
    """Return the rows between two anchors, and by how much the sums from `after` on must rise.

    `shift` is how much earlier adjustments raise them.
    """
    base = _base(before, shift)
    first = run[0] if before is None else before.start + HOUR
    # Also the hours that are outside of the request: their energy is part of what Home Assistant counted.
    between = [start for start in range(first, after.start, HOUR) if start in hours]
    known = sum(hours[start].energy or 0.0 for start in between)
    end = (after.sum or 0.0) + shift
    last, more = after.start - HOUR, 0.0
    # An hour that is not over, or of which the database knows a part, tells nothing about its energy.
    hour_after = hours.get(after.start, Hour())
    of_after = hour_after.energy if hour_after.is_whole else None
    if of_after is not None:
        known_to_end = known + of_after
    elif (previous := existing.get(last)) is not None and previous.sum is not None:
        end, known_to_end = previous.sum + shift, known
    else:
        known_to_end = known
    counted = end - base
    if before is None or (
        request.replace and abs(known_to_end - counted) > _TOLERANCE * known_to_end + _TOLERANCE_WH
    ):
        more = known_to_end - counted
        if before is None and of_after is None and last not in existing:
            # Nothing is known about that hour but what Home Assistant counted since the hours that it has.
            more = known
            there = [start for start, row in existing.items() if start < last and row.sum is not None]
            if there:
                until = sum(hours[start].energy or 0.0 for start in between if start <= max(there))
                more = max(until - (existing[max(there)].sum or 0.0), known - end)
        share = 1.0
    else:
        share = min(1.0, max(counted, 0.0) / known_to_end) if known_to_end > 0 else 1.0
    total, sums = base, {}
    for start in between:
        total += share * (hours[start].energy or 0.0)
        sums[start] = total
    target = (after.sum or 0.0) + shift + more
    return [
        Statistic(start, sum=sums[start], state=_state(sums[start], base, target, before, after))
        for start in run
    ], more


def _base(before: Statistic | None, shift: float) -> float:
    return (before.sum or 0.0) + shift if before is not None else 0.0


def _state(
    total: float, base: float, target: float, before: Statistic | None, after: Statistic
) -> float | None:
    """Return the counter that a sensor would have shown, from the one after, else from the one before."""
    if after.state is not None:
        return max(after.state - (target - total), 0.0)
    return before.state + total - base if before is not None and before.state is not None else None


def _since_midnight(row: Statistic, hour: Hour) -> Statistic:
    if hour.today is None:
        return replace(row, state=None)
    midnight, energy = hour.today
    return replace(row, state=energy, last_reset=midnight)


def _missing(
    existing: Mapping[int, Statistic],
    hours: Mapping[int, Hour],
    request: Request,
    is_known: Callable[[Hour], bool],
) -> list[int]:
    return [
        start
        for start, hour in sorted(hours.items())
        if _is_inside(start, request) and is_known(hour) and (request.replace or start not in existing)
    ]


def _is_inside(start: int, request: Request) -> bool:
    return request.start <= start < request.end


def _is_cut_off(
    start: int, existing: Mapping[int, Statistic], hours: Mapping[int, Hour], request: Request
) -> bool:
    """Return whether Home Assistant stopped in this hour, and counted only a part of its energy."""
    row, previous = existing.get(start), existing.get(start - HOUR)
    if row is None or previous is None or row.sum is None or previous.sum is None:
        return False
    hour = hours.get(start, Hour())
    is_known = hour.energy is not None and hour.is_whole and _is_inside(start, request)
    return is_known and row.sum - previous.sum < (hour.energy or 0.0)


def _runs(written: Sequence[int], anchors: Sequence[int]) -> Iterator[list[int]]:
    """Yield the hours between the same anchors."""
    groups: dict[int, list[int]] = {}
    for start in written:
        groups.setdefault(bisect_left(anchors, start), []).append(start)
    yield from groups.values()


def _consecutive(starts: Sequence[int]) -> Iterator[list[int]]:
    part: list[int] = []
    for start in starts:
        if part and start - part[-1] > HOUR:
            yield part
            part = []
        part.append(start)
    if part:
        yield part


def _only_power(row: Statistic | None) -> Statistic | None:
    return None if row is None else replace(row, sum=None, state=None)


def _only_sum(row: Statistic | None, shift: float) -> Statistic | None:
    if row is None or row.sum is None:
        return None
    return replace(row, sum=row.sum + shift, power=None)
