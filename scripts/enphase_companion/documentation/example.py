"""An answer as an example: cut down to one element of each form, and written out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from .schema import ANY_NUMBER, general

#: So many elements of a list, at most.
_MOST = 4
#: What says of which kind an element is.
_KINDS = ("type", "measurementType", "reportType")


def shortened(answer: Any) -> Any:
    """Give an answer in which lists, and objects under numbers, hold no more than shows their form."""
    if isinstance(answer, list):
        return [shortened(each) for each in _different(answer, _form)]
    if isinstance(answer, dict):
        numbered = [name for name in answer if general(name) == ANY_NUMBER]
        left_out = {*numbered} - {*_different(numbered, lambda name: _form(answer[name]))}
        return {name: shortened(content) for name, content in answer.items() if name not in left_out}
    return answer


def written(answer: Any, form: str) -> str:
    """Give an answer as a gateway would write it, with one value a line."""
    if form == "json":
        return json.dumps(answer, indent=2, ensure_ascii=False)
    return "\n".join(line for tag, content in answer.items() for line in _xml(tag, content, ""))


def richest(answers: Iterable[Any]) -> Any:
    """Give the answer that shows the most once it is shortened; of equal ones the first."""
    return max(answers, key=lambda each: len(written(shortened(each), "json").splitlines()))


def _different(elements: Iterable[Any], form_of: Callable[[Any], str]) -> list[Any]:
    """Give the first element of each form, and of values, which have none, all; up to the most."""
    kept: list[Any] = []
    forms: set[str] = set()
    for each in elements:
        form = form_of(each)
        if len(kept) < _MOST and (not form or form not in forms):
            kept.append(each)
            forms.add(form)
    return kept


def _form(value: Any) -> str:
    """Give what two elements of the same form share: their names, and what they say they are."""
    if isinstance(value, dict):
        parts = (f"{general(name)}:{_form(content)}" for name, content in value.items())
        kinds = [str(value.get(name)) for name in _KINDS]
        return f"{{{' '.join((*kinds, *sorted({*parts})))}}}"
    if isinstance(value, list):
        return f"[{' '.join(sorted({_form(each) for each in value}))}]"
    return ""


def _xml(tag: str, content: Any, indent: str) -> Iterator[str]:
    if isinstance(content, list):
        for each in content:
            yield from _xml(tag, each, indent)
        return
    if not isinstance(content, dict):
        text = str(content).lower() if isinstance(content, bool) else str(content)
        yield f"{indent}<{tag}>{escape(text)}</{tag}>"
        return
    attributes = "".join(
        f" {name[1:]}={quoteattr(str(value))}" for name, value in content.items() if name[0] == "@"
    )
    yield f"{indent}<{tag}{attributes}>"
    for name, value in content.items():
        if name[0] != "@":
            yield from _xml(name, value, f"{indent}  ")
    yield f"{indent}</{tag}>"
