"""A fixed rate does not drift, and a backoff grows with jitter."""

from __future__ import annotations

import pytest

from enphase_companion.runtime.timing import Backoff, FixedRate

from .conftest import Clock


def test_the_first_poll_is_immediate_and_a_late_response_does_not_shift_the_next(clock: Clock) -> None:
    rate = FixedRate(1.0, clock)
    polls = []
    for took in (0.3, 0.7, 0.999, 0.1, 0.5):
        wait, missed = rate.next()
        clock.now += wait
        polls.append((round(clock.now, 6), missed))
        clock.now += took
    assert polls == [(1000, 0), (1001, 0), (1002, 0), (1003, 0), (1004, 0)]


def test_a_missed_poll_is_skipped_and_counted(clock: Clock) -> None:
    rate = FixedRate(1.0, clock)
    rate.next()
    clock.now = 1002.5
    assert rate.next() == (0.5, 2)
    clock.now = 1003.0
    assert rate.next() == (1.0, 0)


def test_a_slightly_late_poll_is_not_skipped_and_shifts_nothing(clock: Clock) -> None:
    rate = FixedRate(1.0, clock)
    rate.next()
    clock.now = 1001.05
    assert rate.next() == (0.0, 0)
    wait, missed = rate.next()
    assert (round(wait, 6), missed) == (0.95, 0)


def test_100000_polls_do_not_drift(clock: Clock) -> None:
    rate = FixedRate(0.7, clock)
    for _ in range(100_000):
        wait, _missed = rate.next()
        clock.now += wait + 0.2
    assert clock.now - 0.2 == pytest.approx(1000 + 99_999 * 0.7, abs=0.001)


def test_a_pause_does_not_shift_the_rate(clock: Clock) -> None:
    rate = FixedRate(1.0, clock)
    rate.next()
    clock.now = 1000.5
    assert rate.next(pause=10) == (10.5, 10)


def test_backoff_doubles_up_to_the_maximum_and_resets() -> None:
    backoff = Backoff(1, 10)
    for longest in (1, 2, 4, 8, 10, 10):
        assert longest / 2 <= backoff.next() <= longest
    backoff.reset()
    assert backoff.next() <= 1


def test_backoff_has_jitter() -> None:
    assert len({Backoff(1, 10).next() for _ in range(20)}) > 1
