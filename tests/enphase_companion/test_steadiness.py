"""Small things that long-running scripts live by: ticks, growing waits, what is said and what is counted."""

from __future__ import annotations

import logging
import re
import socket
import urllib.request

import pytest

from enphase_companion.config.settings import Settings
from enphase_companion.runtime.backoff import Backoff
from enphase_companion.runtime.errors import CommandError
from enphase_companion.runtime.figures import COUNTERS, GAUGES, Figures
from enphase_companion.runtime.ticks import Ticks
from enphase_companion.runtime.trouble import Trouble


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_tick_is_at_once_and_a_late_answer_does_not_shift_the_next(clock: Clock) -> None:
    ticks = Ticks(1.0, clock)
    asked = []
    for took in (0.3, 0.7, 0.999, 0.1, 0.5):
        wait, missed = ticks.next()
        clock.now += wait
        asked.append((round(clock.now, 6), missed))
        clock.now += took
    assert asked == [(1000, 0), (1001, 0), (1002, 0), (1003, 0), (1004, 0)]


def test_a_missed_tick_is_skipped_and_counted(clock: Clock) -> None:
    ticks = Ticks(1.0, clock)
    ticks.next()
    clock.now = 1002.5
    assert ticks.next() == (0.5, 2)
    clock.now = 1003.0
    assert ticks.next() == (1.0, 0)


def test_a_hair_too_late_is_not_missed_and_shifts_nothing(clock: Clock) -> None:
    ticks = Ticks(1.0, clock)
    ticks.next()
    clock.now = 1001.05
    assert ticks.next() == (0.0, 0)
    wait, missed = ticks.next()
    assert (round(wait, 6), missed) == (0.95, 0)


def test_a_hundred_thousand_ticks_do_not_drift(clock: Clock) -> None:
    ticks = Ticks(0.7, clock)
    for _ in range(100_000):
        wait, _missed = ticks.next()
        clock.now += wait + 0.2
    assert clock.now - 0.2 == pytest.approx(1000 + 99_999 * 0.7, abs=0.001)


def test_after_a_pause_the_ticks_are_where_they_were(clock: Clock) -> None:
    ticks = Ticks(1.0, clock)
    ticks.next()
    clock.now = 1000.5
    assert ticks.next(pause=10) == (10.5, 10)


def test_waits_double_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(1, 10)
    for longest in (1, 2, 4, 8, 10, 10):
        assert longest / 2 <= backoff.next() <= longest
    backoff.reset()
    assert backoff.next() <= 1


def test_waits_differ_by_chance() -> None:
    assert len({Backoff(1, 10).next() for _ in range(20)}) > 1


def test_what_stays_wrong_is_said_at_growing_intervals(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = Trouble("well again", clock)
    said = []
    for minute in range(600):
        clock.now = minute * 60.0
        caplog.clear()
        trouble.tell("the broker is away")
        if caplog.messages:
            said.append(minute)
    assert said == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543]
    assert trouble.text == "the broker is away"


def test_another_thing_is_said_at_once_and_two_in_turn_are_not_said_each_time(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = Trouble("well again", clock)
    for _ in range(10):
        trouble.tell("no answer")
        trouble.tell("wrong password")
    assert caplog.messages == ["no answer", "wrong password"]


def test_texts_that_differ_each_time_are_said_by_their_number_from_the_tenth_on(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = Trouble("well again", clock)
    for number in range(1000):
        trouble.tell(f"gateway {number} is not known")
    assert caplog.messages == [f"gateway {number} is not known" for number in range(11)]
    clock.now += 60
    trouble.tell("gateway 1000 is not known")
    assert caplog.messages[11:] == ["gateway 1000 is not known (989 others like it were not logged)"]
    assert trouble.text == "gateway 1000 is not known"


def test_that_it_is_over_is_said_once_and_only_if_it_was_told(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble("well again", clock)
    trouble.end()
    trouble.tell("no answer")
    trouble.end()
    trouble.end()
    assert caplog.messages == ["no answer", "well again"]
    assert trouble.text is None


def test_a_figure_that_nobody_knows_is_an_error() -> None:
    figures = Figures()
    with pytest.raises(KeyError):
        figures.count("messages_publishd")
    with pytest.raises(KeyError):
        figures.set("spool_mesages", 1)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_prometheus_reads_what_is_counted() -> None:
    figures = Figures()
    figures.count("messages_published", 3)
    figures.set("spool_messages", 7)
    port = free_port()
    figures.serve(port, "127.0.0.1")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert "enphase_messages_published_total 3.0\n" in text
    assert "enphase_spool_messages 7.0\n" in text


def test_metrics_are_for_this_machine_unless_told_otherwise() -> None:
    assert Settings.metrics_host == "127.0.0.1"
    port = free_port()
    # As every script makes them: the address is the setting's, and the same one without it.
    Figures(port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.status == 200
    # All of 127.0.0.0/8 is this machine, and only one address of it was bound.
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.2:{port}/metrics", timeout=5)


def test_a_port_that_is_taken_says_which_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match=r"metrics_port: port \d+ of 127.0.0.1 cannot be used"):
            Figures().serve(taken.getsockname()[1], "127.0.0.1")


@pytest.mark.parametrize(
    "name", [f"enphase_{name}_total" for name in COUNTERS] + [f"enphase_{name}" for name in GAUGES]
)
def test_metric_names_follow_the_rules_of_prometheus(name: str) -> None:
    assert re.fullmatch(r"enphase_[a-z]+(_[a-z]+)+", name)


@pytest.mark.parametrize("text", [*COUNTERS.values(), *GAUGES.values()])
def test_the_help_of_a_metric_is_a_sentence(text: str) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]\.", text)
