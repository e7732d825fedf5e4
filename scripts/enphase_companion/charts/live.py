"""The readings of a gateway's meters in the last minutes, for a live chart; older ones are dropped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..message import PHASES, WHOLE, Message, Sample
from . import text
from .model import Panel, Track, View
from .series import (
    LEAST,
    METERS,
    NET,
    PRODUCTION,
    Counted,
    Metering,
    calculate_totals,
    counts_by_phase,
    make_power_tracks,
    make_track,
)
from .time_range import Span

#: Milliseconds. A shorter pause is not a gap; nor is one of up to three times the usual interval.
_SHORTEST_GAP = 10_000

#: Milliseconds between two polls of the microinverters.
_PACE_OF_INVERTERS = 300_000

#: A measurement and its phase.
_Key = tuple[str, int]


class _Reading(NamedTuple):
    measured_at: int
    power: float | None
    delivered: float | None
    received: float | None


class _Series:
    """The readings of one meter, of one of its phases, or of all microinverters together."""

    def __init__(self, most: int, *, of_inverters: bool) -> None:
        self.readings: deque[_Reading] = deque(maxlen=most)
        self.of_inverters = of_inverters

    def forget(self, start: int) -> None:
        """Forget what is older; of what stands until the next reading, one of before stays."""
        kept = 1 if self.of_inverters else 0
        while len(self.readings) > kept and self.readings[kept].measured_at < start:
            self.readings.popleft()

    def longest_pause(self, shortest: float) -> float:
        """Return after how many milliseconds a pause is a gap."""
        pauses = [after.measured_at - before.measured_at for before, after in pairwise(self.readings)]
        return max(shortest, 3 * self._holds, 3 * median(pauses) if pauses else 0)

    def gaps(self, shortest: float) -> list[Span]:
        """Return the times of which nothing is known between two readings."""
        longest = self.longest_pause(shortest)
        return [
            Span(before.measured_at + self._holds, after.measured_at)
            for before, after in pairwise(self.readings)
            if after.measured_at - before.measured_at > longest
        ]

    def to_track(self, shortest_gap: float, now: int) -> Track:
        """Return the line of these readings, broken at gaps; a value that holds extends to `now`."""
        points = [(each.measured_at, each.power) for each in self.readings]
        # Where a line of steps ends, or a line from reading to reading is broken.
        points += [(gap.start if self._holds else gap.end - 1, None) for gap in self.gaps(shortest_gap)]
        points.sort(key=lambda point: point[0])
        at, power = points[-1]
        if self._holds and 0 < now - at <= self.longest_pause(shortest_gap):
            points.append((now, power))
        line = make_track([at for at, _ in points], [power for _, power in points])
        return replace(line, is_stepped=self.of_inverters)

    @property
    def _holds(self) -> int:
        """Milliseconds for which a reading stands."""
        return _PACE_OF_INVERTERS if self.of_inverters else 0


class LiveData:
    """The readings of the last `minutes`."""

    def __init__(
        self,
        minutes: float,
        interval: float,
        zone: ZoneInfo,
        *,
        phases: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`interval`: seconds between two readings; `phases`: each wired phase too."""
        self._length = round(minutes * 60_000)
        self._gap = max(_SHORTEST_GAP, round(3_000 * interval))
        self._zone = zone
        self._phases = range(PHASES + 1) if phases else (WHOLE,)
        self._clock = clock
        # A gateway's times are whole seconds, and one that is there is not taken again.
        self._most = round(minutes * 60 / max(interval, 1)) + 2
        self._series: dict[_Key, _Series] = {}
        self._gateway: str | None = None
        self._unmetered_batteries: bool | None = None
        self._counts_by_phase = False
        #: Milliseconds that the gateway's clock is ahead of ours.
        self._ahead = 0

    def add(self, message: Message) -> None:
        """Add the readings of a message."""
        self._gateway = message.gateway
        self._unmetered_batteries = message.has_unmetered_batteries
        self._counts_by_phase = _counts_by_phase(message)
        now = round(self._clock() * 1000)
        for sample in message.samples:
            if sample.measurement in METERS and sample.phase in self._phases:
                is_reported = message.has_unmetered_production and sample.measurement == PRODUCTION
                self._add(sample, now, of_inverters=is_reported)

    def _add(self, sample: Sample, now: int, *, of_inverters: bool) -> None:
        quantities = sample.quantities
        key = sample.measurement, sample.phase
        series = self._series.get(key)
        if series is None or series.of_inverters != of_inverters:
            series = self._series[key] = _Series(self._most, of_inverters=of_inverters)
        readings = series.readings
        # Microinverters' readings have the time of this machine; all others, the gateway's.
        at = sample.measured_at + (self._ahead if of_inverters else 0)
        if readings and at <= readings[-1].measured_at:
            # Set back by a day, a clock must not stop the chart for one.
            if readings[-1].measured_at - at <= self._gap:
                return
            readings.clear()
        if not of_inverters:
            self._ahead = at - now
        readings.append(
            _Reading(at, quantities.active_power, quantities.energy_delivered, quantities.energy_received)
        )

    def view(self, trouble: str | None) -> View:
        """Return the current view; `trouble`: the reason why there are no new readings."""
        now = round(self._clock() * 1000) + self._ahead
        span = Span(now - self._length, now)
        for series in self._series.values():
            series.forget(span.start)
        of_whole = {name: each for (name, phase), each in self._series.items() if phase == WHOLE}
        whole = max(of_whole.values(), key=lambda each: len(each.readings), default=None)
        gap = self._gap if whole is None else whole.longest_pause(self._gap)
        moment = datetime.fromtimestamp(now / 1000, self._zone)
        metered = {name for name, each in of_whole.items() if not each.of_inverters}
        counted = {name: _count_energy(each.readings) for name, each in of_whole.items()}
        energies = calculate_totals(
            {name: counted[name] for name in metered}, Metering(unmetered_batteries=self._unmetered_batteries)
        )
        if PRODUCTION not in metered:
            # The array's energy is known, but it is not added to meters' energies.
            energies = replace(energies, produced=counted.get(PRODUCTION, (None, None))[0])
        return View(
            title=f"Live, {moment:%H:%M:%S}",
            subtitle=f"Gateway {self._gateway or '…'} · {text.length(span)} in {self._zone.key}",
            span=span,
            zone=self._zone,
            panels=self._panels(now, metered),
            totals=energies,
            gaps=[] if whole is None else whole.gaps(self._gap),
            notes=[
                *(text.unknown_note(of_whole) if self._unmetered_batteries else []),
                *(text.inverters_note() if metered != of_whole.keys() else []),
                *(
                    text.by_phase_note("the grid line shows")
                    if self._counts_by_phase
                    and min(energies.imported or 0.0, energies.exported or 0.0) >= LEAST
                    else []
                ),
            ],
            trouble=trouble or _silence(now, whole, gap),
        )

    def _panels(self, now: int, metered: Collection[str]) -> list[Panel]:
        """Return panels of the whole house and of each phase with values."""
        known = {key: series for key, series in self._series.items() if series.readings}
        by_phase = {name for name, phase in known if phase != WHOLE}
        panels = []
        for phase in self._phases:
            tracks = {
                name: each.to_track(self._gap, now) for (name, of), each in known.items() if of == phase
            }
            unwired = () if phase == WHOLE else by_phase - tracks.keys()
            metering = Metering(metered, unwired, self._unmetered_batteries)
            if tracks or phase == WHOLE:
                panels.append(
                    Panel("" if phase == WHOLE else f"L{phase}", make_power_tracks(tracks, metering))
                )
        return panels


def _counts_by_phase(message: Message) -> bool:
    grid = {
        sample.phase: (sample.quantities.energy_delivered, sample.quantities.energy_received)
        for sample in message.samples
        if sample.measurement == NET
    }
    return WHOLE in grid and counts_by_phase(
        grid[WHOLE], [counted for phase, counted in grid.items() if phase != WHOLE]
    )


def _silence(now: int, series: _Series | None, gap: float) -> str | None:
    if series is None or not series.readings:
        return "waiting for the gateway's first answer"
    age = now - series.readings[-1].measured_at
    return (
        f"no answer of the gateway for {text.format_count(round(age / 1000), 'second')}"
        if age > gap
        else None
    )


def _count_energy(readings: Sequence[_Reading]) -> Counted:
    """Return the energy in both directions since the first of these readings."""
    return _increase([each.delivered for each in readings]), _increase([each.received for each in readings])


def _increase(counter: list[float | None]) -> float | None:
    known = [value for value in counter if value is not None]
    # A counter that decreased in these minutes is not usable.
    return known[-1] - known[0] if known and known[-1] >= known[0] else None
