"""What a gateway's meters said within the last minutes, as a live chart shows it; it never holds more."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..message import Message
from ..message.sample import PHASES, WHOLE
from . import words
from .flows import METERS, Counted, power_tracks, totals, track
from .ranges import Span
from .views import Panel, Track, View

#: Milliseconds. A shorter pause is none that one would ask about; nor is one of thrice the usual.
_SHORTEST_GAP = 10_000

#: Milliseconds. Microinverters are asked every five minutes, and only the second answer shows it.
_PAUSE_OF_INVERTERS = 300_000


class _Reading(NamedTuple):
    measured_at: int
    power: float | None
    delivered: float | None
    received: float | None


class History:
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
        self._series: dict[tuple[str, int], deque[_Reading]] = {}
        self._gateway: str | None = None
        self._unmetered_batteries = False
        #: Milliseconds that the gateway's clock is ahead of ours.
        self._ahead = 0

    def add(self, message: Message) -> None:
        """Take what the meters said."""
        self._gateway = message.gateway
        self._unmetered_batteries = message.unmetered_batteries is True
        now = round(self._clock() * 1000)
        for sample in message.samples:
            if sample.measurement not in METERS or sample.phase not in self._phases:
                continue
            series = self._series.setdefault((sample.measurement, sample.phase), deque(maxlen=self._most))
            if series and sample.measured_at <= series[-1].measured_at:
                # Set back by a day, a clock must not stop the chart for one.
                if series[-1].measured_at - sample.measured_at > self._gap:
                    series.clear()
                else:
                    continue
            self._ahead = sample.measured_at - now
            said = sample.quantities
            series.append(
                _Reading(sample.measured_at, said.active_power, said.energy_delivered, said.energy_received)
            )

    def view(self, trouble: str | None) -> View:
        """Give what is to be shown now; `trouble`: why nothing new comes."""
        now = round(self._clock() * 1000) + self._ahead
        span = Span(now - self._length, now)
        for series in self._series.values():
            while series and series[0].measured_at < span.start:
                series.popleft()
        of_whole = {name: series for (name, phase), series in self._series.items() if phase == WHOLE}
        whole = max(of_whole.values(), key=len, default=())
        gap = self._longest_pause(whole)
        moment = datetime.fromtimestamp(now / 1000, self._zone)
        names = ["", *(f"L{phase}" for phase in range(1, PHASES + 1))]
        panels = [self._panel(phase, names[phase]) for phase in self._phases]
        return View(
            title=f"Live, {moment:%H:%M:%S}",
            subtitle=f"Gateway {self._gateway or '…'} · {words.length(span)} in {self._zone.key}",
            span=span,
            zone=self._zone,
            panels=[panels[0], *(panel for panel in panels[1:] if panel.tracks)],
            totals=totals(
                {name: _counted(series) for name, series in of_whole.items()},
                unmetered_batteries=self._unmetered_batteries,
            ),
            gaps=[
                Span(before.measured_at, after.measured_at)
                for before, after in pairwise(whole)
                if after.measured_at - before.measured_at > gap
            ],
            notes=words.not_known(of_whole) if self._unmetered_batteries else [],
            trouble=trouble or _silence(now, whole, gap),
        )

    def _longest_pause(self, series: Sequence[_Reading]) -> float:
        pauses = [after.measured_at - before.measured_at for before, after in pairwise(series)]
        return max(self._gap, 3 * (median(pauses) if pauses else _PAUSE_OF_INVERTERS))

    def _panel(self, phase: int, name: str) -> Panel:
        # Each with its own pause: beside meters, production may come from the microinverters.
        tracks = {
            measurement: _track(series, self._longest_pause(series))
            for (measurement, of_phase), series in self._series.items()
            if of_phase == phase and series
        }
        return Panel(name, power_tracks(tracks, unmetered_batteries=self._unmetered_batteries))


def _track(series: Sequence[_Reading], gap: float) -> Track:
    return track(
        [each.measured_at for each in series],
        [each.power for each in series],
        [False, *(after.measured_at - before.measured_at > gap for before, after in pairwise(series))],
    )


def _silence(now: int, series: Sequence[_Reading], gap: float) -> str | None:
    if not series:
        return "waiting for the gateway's first answer"
    age = now - series[-1].measured_at
    return f"no answer of the gateway for {age / 1000:.0f} seconds" if age > gap else None


def _counted(series: Iterable[_Reading]) -> Counted:
    """Give what flowed in both directions since the first of these readings."""
    readings = list(series)
    return _rise([each.delivered for each in readings]), _rise([each.received for each in readings])


def _rise(counter: list[float | None]) -> float | None:
    known = [value for value in counter if value is not None]
    # A counter that fell in these minutes says nothing of them.
    return known[-1] - known[0] if known and known[-1] >= known[0] else None
