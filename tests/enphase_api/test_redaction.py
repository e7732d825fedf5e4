"""Redaction takes linear time: no pattern backtracks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from enphase_api import redaction
from enphase_api.redaction import hide_secrets, is_secret


def list_patterns() -> dict[str, re.Pattern[str]]:
    """Return every pattern of the module."""
    named = {name: value for name, value in vars(redaction).items() if isinstance(value, re.Pattern)}
    return named | redaction._MARKED


def list_operations(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every operation of a parsed pattern, including nested ones."""
    if isinstance(tree, parser.SubPattern):
        for operation in tree:
            yield operation
            yield from list_operations(operation[1])
    elif isinstance(tree, (tuple, list)):
        for each in tree:
            yield from list_operations(each)


@pytest.mark.parametrize("name", list_patterns())
def test_no_unbounded_repetition_backtracks(name: str) -> None:
    pattern = list_patterns()[name]
    for operation, argument in list_operations(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)):
        if operation in (constants.MAX_REPEAT, constants.MIN_REPEAT):
            assert argument[1] is not constants.MAXREPEAT


def test_a_text_with_too_many_names_is_redacted_from_there_on() -> None:
    few, many = (hide_secrets("key " * times + "end", "X") for times in (2000, 2001))
    assert few.endswith("key end")
    assert many == "key " * 2000 + "X"


def test_an_overlong_name_is_redacted_as_a_secret() -> None:
    assert not is_secret("x" * 100)
    assert is_secret("x" * 101)


def test_letters_that_change_length_in_lower_case_shift_no_position() -> None:
    assert hide_secrets("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE} pin=1234", "X").endswith(" pin=X")
