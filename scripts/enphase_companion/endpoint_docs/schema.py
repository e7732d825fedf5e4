"""The form of answers, learned from them: which objects there are, which fields, of which types and values.

An object is named by its path: "" the whole answer, "[]" each element of one that is a list,
"production[].lines[]" each line of each production; "{id}" stands for names that are numbers, such as serial
numbers, or that identify.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .patterns import Replaced

ANY_NUMBER = "{id}"

_NUMBER = re.compile(r"\d{6,}")
#: What may be listed as a value of an enumeration; numbers, versions and sentences are none.
_WORD = re.compile(r"(?!.*\d\.\d)[A-Za-z][A-Za-z0-9_.-]{0,40}")
#: More values than these are no enumeration.
_MOST_VALUES = 10


@dataclass
class Seen:
    """What was seen of a field."""

    count: int = 0
    types: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    replaced: bool = False

    def note(self, value: Any) -> None:
        """Learn from one value."""
        self.types.add(_type(value))
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Replaced):
                self.replaced = True
            elif isinstance(each, str) and each:
                self.texts.add(each)

    @property
    def type(self) -> str:
        """Its type in words."""
        types = set(self.types)
        if "number" in types:
            types.discard("integer")
        if any(each.startswith("list of ") for each in types):
            types.discard("list")
        return " or ".join(sorted(types))

    @property
    def values(self) -> tuple[str, ...]:
        """The values that it can have, where it seems to be an enumeration."""
        if self.replaced or len(self.texts) > _MOST_VALUES:
            return ()
        words = all(_WORD.fullmatch(each) for each in self.texts)
        return tuple(sorted(self.texts)) if words else ()


@dataclass
class Table:
    """What was seen of an object."""

    count: int = 0
    fields: dict[str, Seen] = field(default_factory=dict)


def learned(answers: Iterable[Any]) -> dict[str, Table]:
    """Return each object that these answers of one endpoint hold, by its path."""
    tables: dict[str, Table] = {}
    for answer in answers:
        _learn(answer, "", tables)
    return tables


def general(name: str) -> str:
    """Return a field's name, or what stands for it where it is a number, or was replaced as it identifies."""
    return ANY_NUMBER if isinstance(name, Replaced) or _NUMBER.fullmatch(name) else name


def _learn(value: Any, path: str, tables: dict[str, Table]) -> None:
    if isinstance(value, list):
        for each in value:
            _learn(each, f"{path}[]", tables)
    elif isinstance(value, dict):
        table = tables.setdefault(path, Table())
        table.count += 1
        for name in {general(each) for each in value}:
            table.fields.setdefault(name, Seen()).count += 1
        for name, content in value.items():
            table.fields[general(name)].note(content)
            _learn(content, f"{path}.{general(name)}".lstrip("."), tables)


def _type(value: Any) -> str:
    if isinstance(value, list):
        kinds = {_type(each) for each in value}
        if "number" in kinds:
            kinds.discard("integer")
        return f"list of {_PLURALS.get(kind := kinds.pop(), kind)}" if len(kinds) == 1 else "list"
    return next(name for kind, name in _TYPES if isinstance(value, kind))


#: In this order: to Python, true is an integer too.
_TYPES = (
    (bool, "true or false"),
    (int, "integer"),
    (float, "number"),
    (str, "text"),
    (dict, "object"),
    (type(None), "null"),
)
_PLURALS = {"integer": "integers", "number": "numbers", "object": "objects"}
