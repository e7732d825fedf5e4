"""The schema inferred from answers: objects, types, optional fields, possible values."""

from __future__ import annotations

from typing import Any

import pytest

from enphase_companion.endpoint_docs.example import serialize, shorten
from enphase_companion.endpoint_docs.placeholders import Placeholder
from enphase_companion.endpoint_docs.schema import infer_schema


def test_objects_have_paths() -> None:
    answer = {"production": [{"lines": [{"wNow": 1}]}], "serial_nums": {"122249017193": {"soc": 5}}}
    assert {place: sorted(table.fields) for place, table in infer_schema([answer]).items()} == {
        "": ["production", "serial_nums"],
        "production[]": ["lines"],
        "production[].lines[]": ["wNow"],
        "serial_nums": ["{id}"],
        "serial_nums.{id}": ["soc"],
    }
    assert infer_schema([[{"eid": 1}]]).keys() == {"[]"}
    assert infer_schema([{}])[""].fields == {}


def test_occurrences_of_a_field_are_counted() -> None:
    table = infer_schema([[{"a": 1, "b": 2}, {"a": 3}], [{"a": 4, "b": None}]])["[]"]
    assert table.count == 3
    assert {name: seen.count for name, seen in table.fields.items()} == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([True], "boolean"),
        (["a", 1], "integer or string"),
        ([None, "a"], "null or string"),
        ([{}], "object"),
        ([[]], "list"),
        ([[], [{}]], "list of objects"),
        ([["a"]], "list of strings"),
        ([[1, 2.5]], "list of numbers"),
        ([[1, "a"]], "list"),
    ],
)
def test_types_are_inferred(values: list[Any], kind: str) -> None:
    assert infer_schema([{"a": value} for value in values])[""].fields["a"].type == kind


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["open", "closed", "open", ""], ("closed", "open")),
        (["ph-a"], ("ph-a",)),
        (["800-01374-r02"], ()),
        (["D8.2.127"], ()),
        (["two words"], ()),
        ([f"value_{letter}" for letter in "abcdefghijk"], ()),
        (["open", Placeholder("example")], ()),
    ],
)
def test_only_identifiers_are_values_of_an_enumeration(texts: list[str], values: tuple[str, ...]) -> None:
    assert infer_schema([{"a": text} for text in texts])[""].fields["a"].values == values


def test_an_example_keeps_one_element_of_each_shape() -> None:
    inverters = {"type": "inverters", "wNow": 1}
    meter = {"type": "eim", "wNow": 1, "lines": [{"wNow": 1}, {"wNow": 2}]}
    answer = {
        "production": [inverters, meter, {**meter, "wNow": 5}],
        "555000111": {"a": 1},
        "555000222": {"a": 2},
    }
    assert shorten(answer) == {
        "production": [inverters, {**meter, "lines": [{"wNow": 1}]}],
        "555000111": {"a": 1},
    }


def test_xml_is_serialized_as_xml() -> None:
    tree = {"info": {"time": 5, "ok": True, "package": [{"@name": "a&b", "pn": "<1>"}]}}
    assert serialize(tree, "xml").splitlines() == [
        "<info>",
        "  <time>5</time>",
        "  <ok>true</ok>",
        '  <package name="a&amp;b">',
        "    <pn>&lt;1&gt;</pn>",
        "  </package>",
        "</info>",
    ]
