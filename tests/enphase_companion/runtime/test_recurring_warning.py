"""A lasting problem does not fill the log."""

from __future__ import annotations

import logging

import pytest

from enphase_companion.runtime.recurring_warning import RecurringWarning

from .conftest import Clock


def test_a_lasting_problem_is_logged_at_growing_intervals(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    warning = RecurringWarning("well again", clock)
    logged_at = []
    for minute in range(600):
        clock.now = minute * 60.0
        caplog.clear()
        warning.raise_("the broker is away")
        if caplog.messages:
            logged_at.append(minute)
    assert logged_at == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543]
    assert warning.text == "the broker is away"


def test_a_different_problem_is_logged_at_once_and_alternating_ones_are_not_repeated(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    warning = RecurringWarning("well again", clock)
    for _ in range(10):
        warning.raise_("no answer")
        warning.raise_("wrong password")
    assert caplog.messages == ["no answer", "wrong password"]


def test_only_ten_of_many_different_problems_are_logged_and_the_rest_is_counted(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    warning = RecurringWarning("well again", clock)
    for number in range(1000):
        warning.raise_(f"gateway {number} is not known")
    assert caplog.messages == [f"gateway {number} is not known" for number in range(11)]
    clock.now += 60
    warning.raise_("gateway 1000 is not known")
    assert caplog.messages[11:] == ["gateway 1000 is not known (989 similar ones were not logged)"]
    assert warning.text == "gateway 1000 is not known"


def test_recovery_is_logged_once_and_only_after_a_problem(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.INFO)
    warning = RecurringWarning("well again", clock)
    warning.clear()
    warning.raise_("no answer")
    warning.clear()
    warning.clear()
    assert caplog.messages == ["no answer", "well again"]
    assert warning.text is None
