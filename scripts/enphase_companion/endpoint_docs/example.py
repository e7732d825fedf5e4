"""Shorten an answer to an example, with one element of each kind, and serialize it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from .schema import ANY_ID, generalize_name

#: Maximum elements of a list.
_MAX_ELEMENTS = 4
#: Fields that name the kind of an element.
_KINDS = ("type", "measurementType", "reportType")
_NO_SHAPE = 0
#: Only in strings: JSON's own brackets are followed by neither.
_SPECIAL_IN_JSON = re.compile(r"[<>&`]|\{(?=[{%#])")
_SPECIAL_IN_XML = re.compile(r"[^ -~]|[<>&\"`{]")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;"}


def shorten(answer: Any) -> Any:
    """Return an answer with lists, and objects under ids, reduced to one element of each shape."""
    return _shorten(answer, _Shapes())


def _shorten(answer: Any, shapes: _Shapes) -> Any:
    if isinstance(answer, list):
        return [_shorten(each, shapes) for each in _select_different(answer, shapes.number)]
    if isinstance(answer, dict):
        ids = [name for name in answer if generalize_name(name) == ANY_ID]
        omitted = {*ids} - {*_select_different(ids, lambda name: shapes.number(answer[name]))}
        return {name: _shorten(content, shapes) for name, content in answer.items() if name not in omitted}
    return answer


def serialize(answer: Any, format_: str) -> str:
    """Return an answer as JSON or XML text, one value per line.

    Characters with a meaning in a markup language are escaped.
    """
    if format_ == "json":
        return _SPECIAL_IN_JSON.sub(
            lambda found: f"\\u{ord(found[0]):04x}", json.dumps(answer, indent=2, ensure_ascii=True)
        )
    return "\n".join(line for tag, content in answer.items() for line in _xml(tag, content, ""))


def select_richest(answers: Iterable[Any]) -> Any:
    """Return the answer whose shortened form has the most lines; the first of equals."""
    return max(answers, key=lambda each: len(serialize(shorten(each), "json").splitlines()))


def _select_different(elements: Iterable[Any], number_of: Callable[[Any], int]) -> list[Any]:
    """Return the first element of each shape, and all values, up to the maximum."""
    kept: list[Any] = []
    shapes: set[int] = set()
    for each in elements:
        if len(kept) == _MAX_ELEMENTS:
            break
        shape = number_of(each)
        if shape == _NO_SHAPE or shape not in shapes:
            kept.append(each)
            shapes.add(shape)
    return kept


class _Shapes:
    """Assigns a number to each shape: elements have equal shapes if their field names and kinds are equal.

    Each element is examined once, at any depth.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[int, int] = {}

    def number(self, value: Any) -> int:
        """Return the number of an element's shape; 0 for values."""
        if not isinstance(value, (dict, list)):
            return _NO_SHAPE
        # The answer outlives this object, so ids are unique.
        if (known := self._known.get(id(value))) is None:
            known = self._numbers.setdefault(self._shape(value), len(self._numbers) + 1)
            self._known[id(value)] = known
        return known

    def _shape(self, value: Any) -> Hashable:
        if isinstance(value, list):
            return frozenset(self.number(each) for each in value)
        kinds = tuple(str(value.get(name)) for name in _KINDS)
        return kinds, frozenset(
            (generalize_name(name), self.number(content)) for name, content in value.items()
        )


def _xml(tag: str, content: Any, indent: str) -> Iterator[str]:
    if isinstance(content, list):
        for each in content:
            yield from _xml(tag, each, indent)
        return
    if not isinstance(content, dict):
        text = str(content).lower() if isinstance(content, bool) else str(content)
        yield f"{indent}<{tag}>{_escape_xml(text)}</{tag}>"
        return
    attributes = "".join(
        f' {name[1:]}="{_escape_xml(str(value))}"' for name, value in content.items() if name[0] == "@"
    )
    yield f"{indent}<{tag}{attributes}>"
    for name, value in content.items():
        if name[0] != "@":
            yield from _xml(name, value, f"{indent}  ")
    yield f"{indent}</{tag}>"


def _escape_xml(text: str) -> str:
    return _SPECIAL_IN_XML.sub(lambda found: _ENTITIES.get(found[0], f"&#{ord(found[0])};"), text)
