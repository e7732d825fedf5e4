"""Live data: the last minutes only, with gaps, outages and a wrong clock of the gateway."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from enphase_api.models import Quantities
from enphase_companion.charts.live import LiveData
from enphase_companion.charts.model import Quantity
from enphase_companion.message import Message, Sample

from .conftest import ZURICH

NOW = 1_800_000_000


class Clock:
    """A clock in seconds since the epoch, whose time the tests set."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(clock: Clock) -> LiveData:
    return LiveData(5, 1, ZURICH, phases=False, clock=clock)


def build_message(at: float, watts: float = 1000.0, counter: float | None = None, **more: Any) -> Message:
    quantities = Quantities(active_power=watts, energy_delivered=at / 3.6 if counter is None else counter)
    return Message("1", at, (Sample("production", 0, round(at) * 1000, quantities),), None, **more)


def test_the_newest_readings_are_shown_and_the_oldest_dropped(history: LiveData, clock: Clock) -> None:
    for _ in range(1_000):
        clock.now += 1
        history.add(build_message(clock.now, watts=clock.now - NOW))
    view = history.view(None)
    track = view.panels[0].tracks[Quantity.PRODUCTION]
    assert view.span.length == 300_000
    assert track.values.tolist() == list(range(700, 1001))
    assert view.totals.produced == pytest.approx(300 / 3.6, abs=0.5)
    assert view.trouble is None


def test_memory_is_limited_to_the_shown_readings_without_a_view(history: LiveData, clock: Clock) -> None:
    for _ in range(5_000):
        clock.now += 1
        history.add(build_message(clock.now))
    assert sum(len(each.readings) for each in history._series.values()) <= 302


def test_measurements_that_no_chart_shows_are_not_kept(history: LiveData) -> None:
    for name in range(1_000):
        history.add(
            Message("1", NOW, (Sample(f"load{name}", 0, NOW * 1000, Quantities(active_power=1)),), None)
        )
    assert history._series == {}


def test_a_pause_is_a_gap(history: LiveData, clock: Clock) -> None:
    for second in [*range(60), *range(120, 180)]:
        clock.now = NOW + second
        history.add(build_message(clock.now))
    view = history.view(None)
    assert [(gap.start, gap.end) for gap in view.gaps] == [((NOW + 59) * 1000, (NOW + 120) * 1000)]
    assert np.isnan(view.panels[0].tracks[Quantity.PRODUCTION].values).sum() == 1


def test_a_slow_gateway_has_no_gaps(history: LiveData, clock: Clock) -> None:
    for _ in range(15):
        clock.now += 20
        history.add(build_message(clock.now))
    assert history.view(None).gaps == []


def build_inverter_sample(at: float, watts: float = 1000.0) -> Sample:
    """Return the production reported by microinverters."""
    quantities = Quantities(active_power=watts, energy_delivered=(at - NOW) / 3.6)
    return Sample("production", 0, round(at) * 1000, quantities)


def build_unmetered_message(at: float, *samples: Sample) -> Message:
    """Return a message of a gateway that does not meter production."""
    return Message("1", at, samples, None, has_unmetered_production=True)


def test_microinverters_that_report_every_five_minutes_are_steps_without_gaps(clock: Clock) -> None:
    history = LiveData(30, 1, ZURICH, phases=False, clock=clock)
    for number in range(6):
        clock.now = NOW + 300 * number
        history.add(build_unmetered_message(clock.now, build_inverter_sample(clock.now, 100.0 * number)))
        clock.now += 299
        assert history.view(None).trouble is None
    view = history.view(None)
    track = view.panels[0].tracks[Quantity.PRODUCTION]
    assert track.is_stepped
    assert track.values.tolist() == [0, 100, 200, 300, 400, 500, 500]
    assert np.diff(track.times).tolist() == [300_000] * 5 + [299_000], "the last value lasts until now"
    assert view.gaps == []
    assert view.totals.produced == pytest.approx(1_500 / 3.6)
    assert view.totals.consumed is None
    assert view.notes == ["production is the sum of what the microinverters report, every five minutes"]


def test_an_outage_of_microinverters_is_a_gap_and_a_problem(clock: Clock) -> None:
    history = LiveData(60, 1, ZURICH, phases=False, clock=clock)
    for second in (0, 300, 600, 2_400, 2_700):
        clock.now = NOW + second
        history.add(build_unmetered_message(clock.now, build_inverter_sample(clock.now)))
    view = history.view(None)
    assert [(gap.start, gap.end) for gap in view.gaps] == [((NOW + 900) * 1000, (NOW + 2_400) * 1000)]
    track = view.panels[0].tracks[Quantity.PRODUCTION]
    (broken,) = np.flatnonzero(np.isnan(track.values))
    assert track.times[broken] == (NOW + 900) * 1000, "a report holds for five minutes"
    clock.now += 901
    silent = history.view(None)
    assert silent.trouble == "no answer of the gateway for 901 seconds"
    assert silent.panels[0].tracks[Quantity.PRODUCTION].times[-1] == (NOW + 2_700) * 1000


def test_the_inverter_value_at_the_start_of_the_range_is_kept(clock: Clock) -> None:
    history = LiveData(5, 1, ZURICH, phases=False, clock=clock)
    for second in (0, 300, 600):
        clock.now = NOW + second
        history.add(build_unmetered_message(clock.now, build_inverter_sample(clock.now)))
    clock.now += 100
    view = history.view(None)
    assert view.panels[0].tracks[Quantity.PRODUCTION].times[0] <= view.span.start


def test_microinverters_are_a_stepped_line_beside_meters(clock: Clock) -> None:
    history = LiveData(30, 1, ZURICH, phases=False, clock=clock)
    for second in range(1_500):
        clock.now = NOW + second
        # The gateway's clock is a day off. Readings of microinverters have the local time.
        net = Sample("net-consumption", 0, (round(clock.now) - 86_400) * 1000, Quantities(active_power=1.0))
        if second % 300 == 0:
            history.add(build_unmetered_message(clock.now, net, build_inverter_sample(clock.now)))
        else:
            history.add(Message("1", clock.now, (net,), None))
    view = history.view(None)
    assert view.panels[0].tracks[Quantity.PRODUCTION].values.tolist() == [1000.0] * 6
    assert view.span.end == (NOW + 1_499 - 86_400) * 1000
    assert Quantity.CONSUMPTION not in view.panels[0].tracks, "home needs a meter for each"


def test_an_outage_is_a_problem_while_it_lasts(history: LiveData, clock: Clock) -> None:
    assert "waiting for the gateway's first answer" in (history.view(None).trouble or "")
    history.add(build_message(clock.now))
    clock.now += 8
    assert history.view(None).trouble is None
    clock.now += 22
    view = history.view(None)
    assert view.trouble == "no answer of the gateway for 30 seconds"
    assert view.span.end == (NOW + 30) * 1000, "the line ends before the edge"
    assert history.view("the token expired").trouble == "the token expired"


def test_readings_of_a_gateway_with_a_wrong_clock_are_shown_at_its_time(
    history: LiveData, clock: Clock
) -> None:
    for second in range(10):
        clock.now = NOW + second
        history.add(build_message(clock.now - 86_400))
    view = history.view(None)
    assert view.span.end == (NOW + 9 - 86_400) * 1000
    assert view.trouble is None


def test_readings_continue_after_the_clock_is_set_back(history: LiveData, clock: Clock) -> None:
    history.add(build_message(NOW + 86_400))
    history.add(build_message(NOW))
    history.add(build_message(NOW + 1))
    assert history.view(None).panels[0].tracks[Quantity.PRODUCTION].times.tolist() == [
        NOW * 1000,
        (NOW + 1) * 1000,
    ]


def test_a_repeated_reading_counts_once(history: LiveData) -> None:
    history.add(build_message(NOW))
    history.add(build_message(NOW, watts=5))
    assert history.view(None).panels[0].tracks[Quantity.PRODUCTION].values.tolist() == [1000]


def test_totals_are_unknown_after_a_counter_fell(history: LiveData) -> None:
    history.add(build_message(NOW, counter=5_000))
    history.add(build_message(NOW + 1, counter=10))
    assert history.view(None).totals.produced is None


def test_consumption_is_unknown_with_unmetered_batteries(history: LiveData) -> None:
    samples = tuple(
        Sample(name, 0, NOW * 1000, Quantities(active_power=1000.0, voltage=230.0))
        for name in ("production", "net-consumption")
    )
    history.add(Message("1", NOW, samples, None, has_unmetered_batteries=True))
    assert history.view(None).panels[0].tracks.keys() == {Quantity.PRODUCTION, Quantity.NET}
    assert history.view(None).notes == ["consumption is not known: no meter sees the batteries"]
    history.add(Message("1", NOW, samples, None))
    assert Quantity.CONSUMPTION in history.view(None).panels[0].tracks
    assert history.view(None).notes == []


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, "the last minute"), (5, "the last 5 minutes"), (1_440, "the last 1440 minutes")],
)
def test_the_subtitle_describes_the_range(seconds: int, expected: str, clock: Clock) -> None:
    assert f"· {expected} in" in LiveData(seconds, 1, ZURICH, phases=False, clock=clock).view(None).subtitle


@pytest.mark.parametrize("seconds", [60, 0.3])
def test_a_note_explains_totals_counted_per_phase(history: LiveData, clock: Clock, seconds: float) -> None:
    for number, second in enumerate((0, seconds)):
        clock.now = NOW + 60 * number
        counted = {0: (9_800.0, 6_200.0), 1: (9_700.0, 100.0), 2: (100.0, 6_100.0)}
        history.add(
            Message(
                "1",
                clock.now,
                tuple(
                    Sample(
                        "net-consumption",
                        phase,
                        round(clock.now) * 1000,
                        Quantities(
                            active_power=50.0,
                            energy_delivered=imported + second * (phase != 2),
                            energy_received=exported + second * (phase != 1),
                        ),
                    )
                    for phase, (imported, exported) in counted.items()
                ),
                None,
            )
        )
    view = history.view(None)
    assert (view.totals.imported, view.totals.exported) == pytest.approx((seconds, seconds))
    if seconds < 1:
        assert view.notes == []
        return
    (note,) = view.notes
    assert note.startswith("import and export are counted by phase")
    assert note.endswith("both totals are more than the grid line shows")


def test_phases_are_kept_only_on_request(clock: Clock) -> None:
    quantities = Quantities(active_power=1.0)
    both = Message(
        "1", NOW, tuple(Sample("production", phase, NOW * 1000, quantities) for phase in (0, 1, 3)), None
    )
    for phases, names in ((False, [""]), (True, ["", "L1", "L3"])):
        history = LiveData(5, 1, ZURICH, phases=phases, clock=clock)
        history.add(both)
        assert [panel.name for panel in history.view(None).panels] == names


def test_a_live_chart_needs_no_package_of_the_database() -> None:
    code = "import sys, enphase_companion.charts.live; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
