"""The powers of a house whose controllers have been told something, from that moment on.

A house that nobody commands knows its day in advance: its days can be computed in any order. A commanded one
decides at each knot by what is stored then, and each of its days begins with what the day before has left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf

from .battery import EASING, EFFICIENCY, get_stored_energy
from .day_curves import (
    DAY,
    KNOTS,
    DayCurves,
    Installation,
    Phases,
    battery_powers,
    home_powers,
    make_curves,
    produced_power,
    sun_on_panels,
)
from .orders import ECONOMY, Orders
from .series import STEP

#: Seconds within which the flows follow an order.
FOLLOWING = 1.0


@dataclass(frozen=True)
class Carried:
    """What one moment leaves to the next."""

    level: float  #: Wh in the batteries
    generator_runs: bool = False
    shed: frozenset[str] = frozenset()  #: dry contacts that are open by the charge or for the generator


@dataclass(frozen=True)
class _Knot:
    """All flows at one moment."""

    time: float  #: seconds since the day's start
    output: float  #: what the panels make, as a share of the full sun
    produced: tuple[float, ...]  #: W by phase
    used: tuple[float, ...]
    stored: tuple[float, ...]  #: + = discharging
    generated: float  #: W
    on_grid: float  #: 1; 0 off grid
    carried: Carried


@dataclass
class CommandedDay:
    """One day, knot by knot."""

    installation: Installation
    number: int
    local_start: float  #: when it starts, in seconds by the house's clock
    _knots: list[_Knot] = field(default_factory=list)

    def begin_uncommanded(self) -> None:
        """Take the day as it is without orders."""
        installation = self.installation
        sun, home = sun_on_panels(installation, self.number), home_powers(installation, self.number)
        produced = produced_power(installation, sun)
        stored = battery_powers(installation, produced, home)
        level = installation.battery.reserve_energy if installation.battery else 0.0
        for number, (produced_now, used, stored_now) in enumerate(
            zip(zip(*produced, strict=True), zip(*home, strict=True), zip(*stored, strict=True), strict=True)
        ):
            if number:
                level += _stored_between(self._knots[-1].stored, stored_now, STEP)
            self._knots.append(
                _Knot(number * STEP, sun[number], produced_now, used, stored_now, 0.0, 1.0, Carried(level))
            )

    def begin(self, orders: Orders, carried: Carried) -> None:
        """Begin with what the day before has left."""
        self._knots = [self._decide(0.0, orders, carried)]

    def obey(self, orders: Orders, since: float, until: float) -> None:
        """Replace everything after `since` by what follows from these orders, up to a knot after `until`."""
        self._cut(since)
        first = min(since + FOLLOWING, DAY) if since > 0 else 0.0
        times = [first] if first else []
        for time in [*times, *(knot * STEP for knot in range(KNOTS) if knot * STEP > first)]:
            if self._knots[-1].time >= until:
                break
            before = self._knots[-1]
            knot = self._decide(time, orders, before.carried)
            level = before.carried.level + _stored_between(before.stored, knot.stored, time - before.time)
            self._knots.append(replace(knot, carried=replace(knot.carried, level=level)))

    def curves(self) -> DayCurves:
        """Return the curves of the whole day."""
        knots = self._knots
        return make_curves(
            self.installation,
            self.number,
            times=[knot.time for knot in knots],
            output=[knot.output for knot in knots],
            production=_by_phase([knot.produced for knot in knots]),
            home=_by_phase([knot.used for knot in knots]),
            stored=_by_phase([knot.stored for knot in knots]),
            generated=[knot.generated for knot in knots],
            on_grid=[knot.on_grid for knot in knots],
            stored_at_start=knots[0].carried.level,
            shed=[(knot.time, knot.carried.shed) for knot in knots],
        )

    @property
    def left(self) -> Carried:
        """What the day leaves to the next."""
        return self._knots[-1].carried

    def _cut(self, at: float) -> None:
        """Keep what is known until a moment, with a knot there."""
        index = bisect_left(self._knots, at, key=lambda knot: knot.time)
        if index == len(self._knots) or self._knots[index].time > at:
            before, after = self._knots[index - 1], self._knots[index]
            self._knots[index:] = [_between(before, after, at)]
        else:
            del self._knots[index + 1 :]

    def _decide(self, time: float, orders: Orders, carried: Carried) -> _Knot:
        """Return the flows at a moment; `carried` is from the knot before."""
        installation = self.installation
        sun = _at(sun_on_panels(installation, self.number), time)
        output = sun if orders.production and orders.panels else 0.0
        carried = replace(carried, shed=_shed(installation, orders, carried))
        local = datetime.fromtimestamp(self.local_start + time, UTC)
        share = _load_share(installation, orders.closed - carried.shed)
        used = [_at(phase, time) * share for phase in home_powers(installation, self.number)]
        flows = _OnGrid if orders.on_grid else _OffGrid
        return flows(installation, orders, carried, local).decide(time, output, used)


@dataclass(frozen=True)
class _Controller:
    """What the batteries can do at one moment."""

    installation: Installation
    orders: Orders
    carried: Carried
    local: datetime  #: by the house's clock

    def produced(self, output: float) -> list[float]:
        return [phase[0] for phase in produced_power(self.installation, [output])]

    def limits(self, kept: float) -> tuple[float, float]:
        """Return the most W that the batteries can take, and give, if they keep `kept` percent."""
        battery = self.installation.battery
        if battery is None:
            return 0.0, 0.0
        awake = 1 - len(self.orders.asleep) / battery.units
        strongest = battery.units * battery.unit_power * awake
        room = max(0.0, battery.capacity - self.carried.level)
        spare = max(0.0, self.carried.level - battery.capacity * kept / 100)
        return (
            min(strongest, room / EFFICIENCY / EASING),
            min(strongest, spare * EFFICIENCY / EASING),
        )


class _OnGrid(_Controller):
    """On the grid, the grid balances everything."""

    def decide(self, time: float, output: float, used: list[float]) -> _Knot:
        """Return the flows at a moment."""
        produced, phases = self.produced(output), self.installation.phases
        surplus = sum(produced) - sum(used)
        most_in, most_out = self.limits(self.orders.kept)
        if self.orders.mode == ECONOMY and not self.orders.prices.is_dear(self.local):
            most_out = 0.0
        charged = min(max(surplus, 0.0), most_in)
        if self.orders.charge_from_grid:
            charged = max(charged, min(most_in, self._bought()))
        power = -charged if charged else min(max(-surplus, 0.0), most_out)
        stored = (power / phases,) * phases
        return _Knot(
            time, output, tuple(produced), tuple(used), stored, 0.0, 1.0, Carried(self.carried.level)
        )

    def _bought(self) -> float:
        """W from the grid that bring the batteries to what they are to keep; cheap energy fills them."""
        battery = self.installation.battery
        if battery is None:
            return 0.0
        if self.orders.mode == ECONOMY and self.orders.prices.is_cheap(self.local):
            return inf
        missing = battery.capacity * self.orders.kept / 100 - self.carried.level
        return max(0.0, missing) / EFFICIENCY / EASING


class _OffGrid(_Controller):
    """Off grid, batteries and generator balance everything, as far as they can."""

    def decide(self, time: float, output: float, used: list[float]) -> _Knot:
        """Return the flows at a moment."""
        phases = self.installation.phases
        most_in, most_out = self.limits(self.orders.very_low)
        produced = self.produced(output)
        runs = self._generator_runs()
        lacking = sum(used) - sum(produced)
        generated = 0.0
        if runs:
            for_batteries = most_in if self.orders.charge_from_generator else 0.0
            generated = min(self.installation.generator, max(0.0, lacking) + for_batteries)
        power = lacking - generated
        if power < -most_in and sum(produced) > 0:
            # Nobody takes it: the microinverters make less.
            output *= max(0.0, 1 + (power + most_in) / sum(produced))
            produced = self.produced(output)
        elif power > most_out:
            served = max(0.0, sum(produced) + generated + most_out)
            share = min(1.0, served / sum(used)) if sum(used) > 0 else 0.0
            used = [watts * share for watts in used]
            if served == 0:
                # A dead house: the microinverters draw nothing either.
                produced = [max(0.0, watts) for watts in produced]
        stored = tuple(
            consumed - made - generated / phases for consumed, made in zip(used, produced, strict=True)
        )
        carried = replace(self.carried, generator_runs=runs)
        return _Knot(time, output, tuple(produced), tuple(used), stored, generated, 0.0, carried)

    def _generator_runs(self) -> bool:
        battery, orders = self.installation.battery, self.orders
        if not self.installation.generator or orders.generator == "off":
            return False
        if orders.generator == "on" or battery is None:
            return True
        charge = 100 * self.carried.level / battery.capacity
        start, stop = orders.generator_limits
        return charge < (stop if self.carried.generator_runs else start)


def _shed(installation: Installation, orders: Orders, carried: Carried) -> frozenset[str]:
    """Return the contacts that are open by the charge or for the generator; on the grid there are none."""
    battery, shed = installation.battery, set(carried.shed)
    if orders.on_grid:
        return frozenset()
    for_generator = orders.generator_sheds if carried.generator_runs else frozenset()
    if battery is None:
        return for_generator
    charge = 100 * carried.level / battery.capacity
    for contact, low, high in orders.contact_limits:
        if charge < low:
            shed.add(contact)
        elif charge > high:
            shed.discard(contact)
    return frozenset(shed & {contact for contact, _, _ in orders.contact_limits}) | for_generator


def _load_share(installation: Installation, closed: frozenset[str]) -> float:
    """Return how much of its power the household draws, by the contacts that are closed."""
    share = 1.0
    for contact in installation.contacts:
        if (contact.id in closed) != contact.normally_closed:
            share += -contact.share if contact.normally_closed else contact.share
    return share


def _at(values: Sequence[float], time: float) -> float:
    """Return the value between the regular knots of a day."""
    index = min(int(time // STEP), len(values) - 2)
    return values[index] + (values[index + 1] - values[index]) * (time / STEP - index)


def _between(before: _Knot, after: _Knot, at: float) -> _Knot:
    """Return the knot at a moment between two."""
    part = (at - before.time) / (after.time - before.time)

    def mix(first: float, last: float) -> float:
        return first + (last - first) * part

    def mix_all(first: tuple[float, ...], last: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(map(mix, first, last))

    stored = mix_all(before.stored, after.stored)
    level = before.carried.level + _stored_between(before.stored, stored, at - before.time)
    return _Knot(
        at,
        mix(before.output, after.output),
        mix_all(before.produced, after.produced),
        mix_all(before.used, after.used),
        stored,
        mix(before.generated, after.generated),
        mix(before.on_grid, after.on_grid),
        replace(before.carried, level=level),
    )


def _stored_between(first: tuple[float, ...], last: tuple[float, ...], seconds: float) -> float:
    """Return the Wh stored while the powers of the phases go from `first` to `last`."""
    return sum(map(get_stored_energy, first, last)) * seconds / STEP


def _by_phase(knots: list[tuple[float, ...]]) -> Phases:
    return [list(phase) for phase in zip(*knots, strict=True)]
