"""The rules by which a value of an answer is accepted or dropped."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from enphase_api import InvalidAnswerError
from enphase_api.json_values import (
    MAX_DEPTH,
    MAX_TEXT,
    boolean,
    identifier,
    integer,
    is_identifier,
    is_serial_number,
    is_too_deep,
    json_object,
    json_objects,
    nested_objects,
    number,
    printable,
    text,
    texts,
    timestamp,
)

#: Characters with an effect in a terminal, a log or a page: escape, line break, bidirectional override, zero
#: width, line separator, lone surrogate.
UNPRINTABLE = ["\x1b[2K", "a\nb", "\u202etxt", "a\u200bb", "a\u2028b", "\x9b1m", "a\x7f", "\ud83d"]


@pytest.mark.parametrize("value", [0, 1, -1, 2.5, 1e300, -0.0])
def test_a_number_is_accepted(value: float) -> None:
    assert number({"w": value}, "w") == value


def test_negative_zero_becomes_zero() -> None:
    assert math.copysign(1, number({"w": -0.0}, "w") or 0.0) == 1


@pytest.mark.parametrize(
    "value", [True, False, "12", "", [], {}, math.nan, math.inf, -math.inf, 10**400, -(10**400)]
)
def test_a_value_that_is_not_a_number_is_none(value: Any) -> None:
    assert number({"w": value}, "w") is None


def test_a_missing_value_is_none_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert number({"w": None}, "w") is None
    assert [rule({}, "w") for rule in (number, integer, text, boolean, timestamp)] == [None] * 5
    assert nested_objects({}, "w") == []
    assert caplog.text == ""


@pytest.mark.parametrize(("value", "taken"), [(0, 0), (100, 100), (100.5, None), (-1, None), (10**30, None)])
def test_a_number_beyond_its_bounds_is_none(value: float, taken: float | None) -> None:
    assert number({"soc": value}, "soc", 0, 100) == taken


def test_the_reason_for_a_dropped_value_is_logged_once_at_debug_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for value in (101, 102, 103):
        number({"soc": value}, "soc", 0, 100)
    number({"soc": "full"}, "soc")
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.DEBUG, "soc dropped: not between 0 and 100"),
        (logging.DEBUG, "soc dropped: not a number"),
    ]


@pytest.mark.parametrize(("value", "taken"), [(3, 3), (3.0, 3), (3.5, None), ("3", None), (True, None)])
def test_an_integer_has_no_fraction(value: Any, taken: int | None) -> None:
    assert integer({"eid": value}, "eid") == taken


@pytest.mark.parametrize(("value", "taken"), [(" a ", "a"), ("", None), ("  ", None), (5, None), ([], None)])
def test_a_text_is_stripped_or_none(value: Any, taken: str | None) -> None:
    assert text({"state": value}, "state") == taken


@pytest.mark.parametrize("value", [*UNPRINTABLE, "a" * (MAX_TEXT + 1)])
def test_an_unexpected_text_is_dropped(value: str) -> None:
    assert text({"state": value}, "state") is None
    assert text({"state": "a" * MAX_TEXT}, "state") == "a" * MAX_TEXT


@pytest.mark.parametrize("value", [*UNPRINTABLE, "Grüße, 日本", "a" * 1_000_000, "\x1b" * 1_000_000])
def test_displayed_text_is_escaped_and_truncated(value: str) -> None:
    shown = printable(value)
    assert shown.isprintable()
    assert 0 < len(shown) <= MAX_TEXT
    assert len(printable(value, 8)) <= 8


def test_escaped_text_is_readable() -> None:
    assert printable("a\x1b[2K\u202eb") == "a\\x1b[2K\\u202eb"
    assert printable("Grüße") == "Grüße"
    assert printable("a" * 70) == "a" * 63 + "…"


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("122333444455", True), ("1" * 32, True), ("1" * 33, False)]
    + [(text, False) for text in ("", "12a", "١٢٣", "12\n", " 12")],
)
def test_a_serial_number_is_digits(value: str, is_one: bool) -> None:
    assert is_serial_number(value) == is_one


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(text, True) for text in ("122333444455", "122115055931EIM2", "800-01374-r02", "a" * 32)]
    + [
        (text, False)
        for text in ("", "-1", "a" * 33, "a b", "a/b", "..", "a_b", "é", "\u0661", "a\n", *UNPRINTABLE)
    ],
)
def test_a_serial_or_part_number_is_letters_digits_and_hyphens(value: str, is_one: bool) -> None:
    assert is_identifier(value) == is_one
    assert (identifier({"sn": value}, "sn") == value) == is_one


def test_a_list_of_texts_is_short_and_each_is_a_text() -> None:
    values: list[object] = ["a", 5, None, *UNPRINTABLE, " b ", "c" * 65, [], {}]
    assert texts({"flags": values}, "flags") == ("a", "b")
    assert len(texts({"flags": ["a"] * 1000}, "flags")) == 32
    assert texts({"flags": "a"}, "flags") == texts({}, "flags") == ()


@pytest.mark.parametrize(("value", "taken"), [(True, True), (False, False), (1, None), ("true", None)])
def test_a_boolean_is_a_boolean_or_none(value: Any, taken: bool | None) -> None:
    assert boolean({"communicating": value}, "communicating") is taken


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000.0, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (0, None),
        (0.0, None),
        (86_400, None),
        (1e12, None),
        (-1, None),
        ("1700000000", None),
    ],
)
def test_a_time_out_of_range_is_none(value: Any, taken: datetime | None) -> None:
    assert timestamp({"timestamp": value}, "timestamp") == taken


def test_time_zero_means_never_and_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    timestamp({"lastReportDate": 0}, "lastReportDate")
    assert caplog.text == ""


@pytest.mark.parametrize("answer", [None, [], [1], "x", 1, True])
def test_an_answer_of_another_structure_is_an_error(answer: object) -> None:
    with pytest.raises(InvalidAnswerError, match="/ivp/x did not answer with a JSON object") as caught:
        json_object(answer, "/ivp/x")
    assert caught.value.path == "/ivp/x"
    assert json_object({"a": 1}, "/ivp/x") == {"a": 1}


@pytest.mark.parametrize("answer", [None, {}, [1], [{}, None], "x", 1])
def test_a_list_of_another_structure_is_an_error(answer: object) -> None:
    with pytest.raises(InvalidAnswerError, match="list of JSON objects"):
        json_objects(answer, "/ivp/x")
    assert json_objects([{}], "/ivp/x") == [{}]


def test_other_values_than_objects_in_an_inner_list_are_skipped() -> None:
    assert nested_objects({"channels": [{"a": 1}, None, 5]}, "channels") == [{"a": 1}]
    assert nested_objects({"channels": "none"}, "channels") == []


@pytest.mark.parametrize("step", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["list", "object"])
def test_json_of_64_levels_is_accepted_and_of_65_is_too_deep(step: Callable[[object], object]) -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = step(value)
    for body_value, is_deep in ((value, False), (step(value), True)):
        assert is_too_deep(json.dumps(body_value).encode(), body_value) is is_deep


def test_many_flat_lists_are_not_deep() -> None:
    value: list[list[object]] = [[] for _ in range(2 * MAX_DEPTH)]
    assert not is_too_deep(json.dumps(value).encode(), value)


def test_a_text_of_exactly_the_limit_is_not_cut() -> None:
    assert printable("abcd", 4) == "abcd"
    assert printable("abcde", 4) == "abc…"
