"""--diff: the differences of two recordings, of two catalogues, and of a recording and the catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.commands.gateway_generate_docs import main

from ..cli_user import Result

Run = Callable[..., Result]
Compare = Callable[[Any, Any], list[list[str | None]]]

SERIAL = "122249017193"


@pytest.fixture
def run(home_folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs --diff with these arguments."""

    def run_command(*arguments: str) -> Result:
        try:
            status = main(["--diff", *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        written = capsys.readouterr()
        return Result(status, written.out, written.err)

    return run_command


def record(folder: Path, name: str = "ivp_meters", answer: Any = None, **more: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(answer if isinstance(answer, str) else json.dumps(answer))


@pytest.fixture
def compare(run: Run, home_folder: Path) -> Compare:
    """Return a function that returns the differences of two answers: key, change, before and after."""

    def compare_answers(old: Any, new: Any, name: str = "ivp_meters") -> list[list[str | None]]:
        for folder, answer in (("old", old), ("new", new)):
            record(home_folder / folder, name, answer)
        result = run("old", "new", "--format", "json")
        assert result.err == ""
        (comparison,) = json.loads(result.out)["comparisons"]
        assert result.status == bool(comparison["differences"])
        return [[each["key"], each["change"], each["old"], each["new"]] for each in comparison["differences"]]

    return compare_answers


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ([{"a": 1}], [{"a": 1, "b": {"c": 1, "d": [{"e": 1}]}}], ["[].b", "added", "", "object with 3 keys"]),
        ([{"a": 1, "b": "x"}], [{"a": 1}], ["[].b", "removed", "string", ""]),
        ([{"a": 1}], [{"a": "1"}], ["[].a", "type", "integer", "string"]),
        ([{"a": 1}], [{"a": 1}, {"a": "?"}], ["[].a", "type", "integer", "integer or string"]),
        ([{"a": {"b": 1}}], [{"a": [{"b": 1}]}], ["[].a", "type", "object", "list of objects"]),
        ([{"a": [1]}], [{"a": [1, "b"]}], ["[].a", "type", "list of numbers", "list"]),
        ([{"a": None}], [{"a": []}], ["[].a", "type", "null", "empty list"]),
        ([{"a": 1}], {"a": 1}, ["", "type", "list of objects", "object"]),
        ([{"a": []}], [{"a": [{"b": 1}]}], ["[].a", "emptiness", "empty list", "list of objects"]),
        ([{"a": {"b": 1}}], [{"a": {}}], ["[].a", "emptiness", "object", "empty object"]),
        ([{"a": None}], [{"a": 0}], ["[].a", "emptiness", "null", "integer"]),
        ([{"a": "x"}], [{"a": ""}], ["[].a", "emptiness", "string", "empty string"]),
        ([], [{"a": 1}], ["", "emptiness", "empty list", "list of objects"]),
    ],
)
def test_a_key_differs(compare: Compare, old: Any, new: Any, difference: list[str]) -> None:
    assert compare(old, new) == [difference]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([{"a": 5}], [{"a": 5.5}]),
        ([{"a": [5]}], [{"a": [5.5]}]),
        ([{"a": 1}, {"a": None}], [{"a": 2}]),
        ([{"a": []}, {"a": ["b"]}], [{"a": ["c"]}]),
        ([{"a": {f"{SERIAL}": {"b": 1}}}], [{"a": {"122249017194": {"b": 2}}}]),
        ([{"a": 1}], [{"a": 1}, {"a": 2}]),
    ],
)
def test_other_values_of_the_same_kind_are_no_difference(compare: Compare, old: Any, new: Any) -> None:
    assert compare(old, new) == []
