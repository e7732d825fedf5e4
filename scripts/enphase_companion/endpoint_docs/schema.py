"""Infer the schema of answers: objects, fields, their types and values.

The key of an object is its path: "" is the whole answer, "[]" each element of an answer that is a list,
"production[].lines[]" each line of each production. "{id}" replaces names that are numbers, such as serial
numbers, or placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from .placeholders import Placeholder

ANY_ID = "{id}"

_NUMBER = re.compile(r"\d{6,}")
#: A value of an enumeration; not a number, version or sentence.
_WORD = re.compile(r"(?!.*\d\.\d)[A-Za-z][A-Za-z0-9_.-]{0,40}")
#: Maximum values of an enumeration.
_MAX_VALUES = 10

_TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    Placeholder: "string",
    dict: "object",
    list: "list",
    type(None): "null",
}
_PLURALS = {"integer": "integers", "number": "numbers", "object": "objects", "string": "strings"}


@dataclass
class FieldSchema:
    """A field: how often it was present, its types, those of its lists' elements, and its texts."""

    count: int = 0
    types: set[str] = field(default_factory=set)
    elements: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    has_placeholders: bool = False

    def add(self, values: Sequence[Any]) -> None:
        """Add these values."""
        kinds = set(map(type, values))
        self.types.update(_TYPES[kind] for kind in kinds)
        self._add_texts(values, kinds)
        if list in kinds:
            elements = _elements(values)
            kinds = set(map(type, elements))
            self.elements.update(_TYPES[kind] for kind in kinds)
            self._add_texts(elements, kinds)

    def _add_texts(self, values: Iterable[Any], kinds: set[type]) -> None:
        self.has_placeholders = self.has_placeholders or Placeholder in kinds
        # More are no enumeration.
        if str in kinds and len(self.texts) <= _MAX_VALUES:
            self.texts.update(each for each in values if type(each) is str and each)

    @property
    def type(self) -> str:
        """The types of its values, as text."""
        elements = without_integer(self.elements)
        types = without_integer(self.types)
        if len(elements) == 1:
            (kind,) = elements
            types = {f"list of {_PLURALS.get(kind, kind)}" if each == "list" else each for each in types}
        return " or ".join(sorted(types))

    @property
    def values(self) -> tuple[str, ...]:
        """Its possible values if it appears to be an enumeration, else none."""
        if self.has_placeholders or len(self.texts) > _MAX_VALUES:
            return ()
        words = all(_WORD.fullmatch(each) for each in self.texts)
        return tuple(sorted(self.texts)) if words else ()


@dataclass
class ObjectSchema:
    """An object: how often it was present, and its fields."""

    count: int = 0
    fields: dict[str, FieldSchema] = field(default_factory=dict)


def infer_schema(
    answers: Iterable[Any], field_type: type[FieldSchema] = FieldSchema
) -> dict[str, ObjectSchema]:
    """Return the objects in these answers of one endpoint by path, with fields of this type."""
    objects: dict[str, ObjectSchema] = {}
    _collect(list(answers), "", objects, field_type)
    return objects


def generalize_name(name: str) -> str:
    """Return a field's name, or "{id}" if it is a number or a placeholder."""
    return ANY_ID if isinstance(name, Placeholder) or _NUMBER.fullmatch(name) else name


def join_path(path: str, name: str) -> str:
    """Return the path of a field in the object with this path."""
    return f"{path}.{name}" if path else name or '""'


def without_integer(types: set[str]) -> set[str]:
    """Return these types; an integer is a number, too."""
    return types - {"integer"} if "number" in types else types


def _collect(
    values: Sequence[Any], path: str, objects: dict[str, ObjectSchema], field_type: type[FieldSchema]
) -> None:
    """Add all values of one path at once: a column of values costs little more than one of them."""
    members = [each for each in values if type(each) is dict]
    if members:
        _collect_objects(members, path, objects, field_type)
    elements = _elements(values)
    if elements:
        _collect(elements, f"{path}[]", objects, field_type)


def _collect_objects(
    members: list[dict[str, Any]],
    path: str,
    objects: dict[str, ObjectSchema],
    field_type: type[FieldSchema],
) -> None:
    schema = objects.setdefault(path, ObjectSchema())
    schema.count += len(members)
    # Elements of a list mostly have the same names.
    by_names: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for each in members:
        by_names.setdefault(tuple(each), []).append(each)
    columns: dict[str, list[Any]] = {}
    for names, alike in by_names.items():
        general = [generalize_name(name) for name in names]
        for name in set(general):
            schema.fields.setdefault(name, field_type()).count += len(alike)
        for name, column in zip(names, general, strict=True):
            columns.setdefault(column, []).extend([each[name] for each in alike])
    for name, values in columns.items():
        schema.fields[name].add(values)
        _collect(values, join_path(path, name), objects, field_type)


def _elements(values: Sequence[Any]) -> list[Any]:
    """Return the elements of all lists among these values."""
    return list(chain.from_iterable(each for each in values if type(each) is list))
