"""Infer the schema of answers: objects, fields, their types and values.

The key of an object is its path: "" is the whole answer, "[]" each element of an answer that is a list,
"production[].lines[]" each line of each production. "{id}" replaces names that are numbers, such as serial
numbers, or placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .placeholders import Placeholder

ANY_ID = "{id}"

_NUMBER = re.compile(r"\d{6,}")
#: A value of an enumeration; not a number, version or sentence.
_WORD = re.compile(r"(?!.*\d\.\d)[A-Za-z][A-Za-z0-9_.-]{0,40}")
#: Maximum values of an enumeration.
_MAX_VALUES = 10


@dataclass
class FieldSchema:
    """A field: how often it was present, and its types and texts."""

    count: int = 0
    types: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    has_placeholders: bool = False

    def add(self, value: Any) -> None:
        """Add one value."""
        self.types.add(_type(value))
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Placeholder):
                self.has_placeholders = True
            elif isinstance(each, str) and each:
                self.texts.add(each)

    @property
    def type(self) -> str:
        """The types of its values, as text."""
        types = set(self.types)
        if "number" in types:
            types.discard("integer")
        if any(each.startswith("list of ") for each in types):
            types.discard("list")
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


def infer_schema(answers: Iterable[Any]) -> dict[str, ObjectSchema]:
    """Return the objects in these answers of one endpoint by path."""
    objects: dict[str, ObjectSchema] = {}
    for answer in answers:
        _collect(answer, "", objects)
    return objects


def generalize_name(name: str) -> str:
    """Return a field's name, or "{id}" if it is a number or a placeholder."""
    return ANY_ID if isinstance(name, Placeholder) or _NUMBER.fullmatch(name) else name


def _collect(value: Any, path: str, objects: dict[str, ObjectSchema]) -> None:
    if isinstance(value, list):
        for each in value:
            _collect(each, f"{path}[]", objects)
    elif isinstance(value, dict):
        schema = objects.setdefault(path, ObjectSchema())
        schema.count += 1
        for name in {generalize_name(each) for each in value}:
            schema.fields.setdefault(name, FieldSchema()).count += 1
        for name, content in value.items():
            schema.fields[generalize_name(name)].add(content)
            _collect(content, f"{path}.{generalize_name(name)}".lstrip("."), objects)


def _type(value: Any) -> str:
    if isinstance(value, list):
        kinds = {_type(each) for each in value}
        if "number" in kinds:
            kinds.discard("integer")
        return f"list of {_PLURALS.get(kind := kinds.pop(), kind)}" if len(kinds) == 1 else "list"
    return next(name for kind, name in _TYPES if isinstance(value, kind))


#: In this order, as bool is a subclass of int.
_TYPES = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (dict, "object"),
    (type(None), "null"),
)
_PLURALS = {"integer": "integers", "number": "numbers", "object": "objects", "string": "strings"}
