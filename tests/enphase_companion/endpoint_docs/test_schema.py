"""The form of answers as it is learned: objects, types, what is optional, which values there are."""

from __future__ import annotations

from typing import Any

import pytest

from enphase_companion.endpoint_docs.example import shortened, written
from enphase_companion.endpoint_docs.patterns import Replaced
from enphase_companion.endpoint_docs.schema import learned


def test_objects_are_found_by_their_paths() -> None:
    answer = {"production": [{"lines": [{"wNow": 1}]}], "serial_nums": {"122249017193": {"soc": 5}}}
    assert {place: sorted(table.fields) for place, table in learned([answer]).items()} == {
        "": ["production", "serial_nums"],
        "production[]": ["lines"],
        "production[].lines[]": ["wNow"],
        "serial_nums": ["{id}"],
        "serial_nums.{id}": ["soc"],
    }
    assert learned([[{"eid": 1}]]).keys() == {"[]"}
    assert learned([{}])[""].fields == {}


def test_a_field_that_is_missing_once_is_not_always_there() -> None:
    table = learned([[{"a": 1, "b": 2}, {"a": 3}], [{"a": 4, "b": None}]])["[]"]
    assert table.count == 3
    assert {name: seen.count for name, seen in table.fields.items()} == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([True], "true or false"),
        (["a", 1], "integer or text"),
        ([None, "a"], "null or text"),
        ([{}], "object"),
        ([[]], "list"),
        ([[], [{}]], "list of objects"),
        ([["a"]], "list of text"),
        ([[1, 2.5]], "list of numbers"),
        ([[1, "a"]], "list"),
    ],
)
def test_types_are_those_that_were_seen(values: list[Any], kind: str) -> None:
    assert learned([{"a": value} for value in values])[""].fields["a"].type == kind


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["open", "closed", "open", ""], ("closed", "open")),
        (["ph-a"], ("ph-a",)),
        (["800-01374-r02"], ()),
        (["D8.2.127"], ()),
        (["two words"], ()),
        ([f"value_{letter}" for letter in "abcdefghijk"], ()),
        (["open", Replaced("example")], ()),
    ],
)
def test_only_words_of_a_program_are_values(texts: list[str], values: tuple[str, ...]) -> None:
    assert learned([{"a": text} for text in texts])[""].fields["a"].values == values


def test_an_example_keeps_an_element_of_each_form() -> None:
    inverters = {"type": "inverters", "wNow": 1}
    meter = {"type": "eim", "wNow": 1, "lines": [{"wNow": 1}, {"wNow": 2}]}
    answer = {
        "production": [inverters, meter, {**meter, "wNow": 5}],
        "555000111": {"a": 1},
        "555000222": {"a": 2},
    }
    assert shortened(answer) == {
        "production": [inverters, {**meter, "lines": [{"wNow": 1}]}],
        "555000111": {"a": 1},
    }


def test_xml_is_written_as_xml() -> None:
    tree = {"info": {"time": 5, "ok": True, "package": [{"@name": "a&b", "pn": "<1>"}]}}
    assert written(tree, "xml").splitlines() == [
        "<info>",
        "  <time>5</time>",
        "  <ok>true</ok>",
        '  <package name="a&amp;b">',
        "    <pn>&lt;1&gt;</pn>",
        "  </package>",
        "</info>",
    ]
