"""An answer as an example: cut down to one element of each form, and written out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from .schema import ANY_NUMBER, general

#: So many elements of a list, at most.
_MOST = 4
#: What says of which kind an element is.
_KINDS = ("type", "measurementType", "reportType")
_NO_FORM = 0
#: In texts alone: JSON's own brackets are followed by neither.
_SIGN_IN_JSON = re.compile(r"[<>&`]|\{(?=[{%#])")
_SIGN_IN_XML = re.compile(r"[^ -~]|[<>&\"`{]")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;"}


def shortened(answer: Any) -> Any:
    """Return an answer in which lists, and objects under numbers, hold no more than shows their form."""
    return _shortened(answer, _Forms())


def _shortened(answer: Any, forms: _Forms) -> Any:
    if isinstance(answer, list):
        return [_shortened(each, forms) for each in _different(answer, forms.of)]
    if isinstance(answer, dict):
        numbered = [name for name in answer if general(name) == ANY_NUMBER]
        left_out = {*numbered} - {*_different(numbered, lambda name: forms.of(answer[name]))}
        return {name: _shortened(content, forms) for name, content in answer.items() if name not in left_out}
    return answer


def written(answer: Any, form: str) -> str:
    """Return an answer as a gateway would write it, with one value a line.

    What a reader of pages could take for more than a character is written as JSON and XML can write any.
    """
    if form == "json":
        return _SIGN_IN_JSON.sub(
            lambda found: f"\\u{ord(found[0]):04x}", json.dumps(answer, indent=2, ensure_ascii=True)
        )
    return "\n".join(line for tag, content in answer.items() for line in _xml(tag, content, ""))


def richest(answers: Iterable[Any]) -> Any:
    """Return the answer that shows the most once it is shortened; of equal ones the first."""
    return max(answers, key=lambda each: len(written(shortened(each), "json").splitlines()))


def _different(elements: Iterable[Any], form_of: Callable[[Any], int]) -> list[Any]:
    """Return the first element of each form, and of values, which have none, all; up to the most."""
    kept: list[Any] = []
    forms: set[int] = set()
    for each in elements:
        if len(kept) == _MOST:
            break
        form = form_of(each)
        if form == _NO_FORM or form not in forms:
            kept.append(each)
            forms.add(form)
    return kept


class _Forms:
    """Numbers the forms of elements: those of the same form share their names and what they say they are.

    Each element is looked at once, however deep it lies.
    """

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[int, int] = {}

    def of(self, value: Any) -> int:
        """Return the number of an element's form; values have none."""
        if not isinstance(value, (dict, list)):
            return _NO_FORM
        # The answer outlives this, so that no other element gets the same address.
        if (known := self._known.get(id(value))) is None:
            known = self._numbers.setdefault(self._form(value), len(self._numbers) + 1)
            self._known[id(value)] = known
        return known

    def _form(self, value: Any) -> Hashable:
        if isinstance(value, list):
            return frozenset(self.of(each) for each in value)
        kinds = tuple(str(value.get(name)) for name in _KINDS)
        return kinds, frozenset((general(name), self.of(content)) for name, content in value.items())


def _xml(tag: str, content: Any, indent: str) -> Iterator[str]:
    if isinstance(content, list):
        for each in content:
            yield from _xml(tag, each, indent)
        return
    if not isinstance(content, dict):
        text = str(content).lower() if isinstance(content, bool) else str(content)
        yield f"{indent}<{tag}>{_in_xml(text)}</{tag}>"
        return
    attributes = "".join(
        f' {name[1:]}="{_in_xml(str(value))}"' for name, value in content.items() if name[0] == "@"
    )
    yield f"{indent}<{tag}{attributes}>"
    for name, value in content.items():
        if name[0] != "@":
            yield from _xml(name, value, f"{indent}  ")
    yield f"{indent}</{tag}>"


def _in_xml(text: str) -> str:
    return _SIGN_IN_XML.sub(lambda found: _ENTITIES.get(found[0], f"&#{ord(found[0])};"), text)
