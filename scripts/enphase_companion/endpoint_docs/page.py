"""One page an endpoint: what the catalogue knows, merged with what answers showed, and an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answers import Outcome, Source
from .catalogue import Endpoint, Field
from .example import richest, shortened, written
from .markup import Markup
from .schema import Seen, Table, learned

#: How the outcomes of all gateways count for an endpoint: the first of these that there was.
_FIRST = (Outcome.ANSWERED, Outcome.FAILED, Outcome.REFUSED, Outcome.MISSING)

_WITHOUT_ANSWER = {
    Outcome.MISSING: "This gateway has no such endpoint, or no answer of it was recorded.",
    Outcome.REFUSED: "This gateway refuses it with this token, or has no such endpoint.",
    Outcome.FAILED: "This gateway did not answer when it was asked.",
    Outcome.UNASKED: "It is never asked when these pages are made.",
}
_WIDTHS = {"Field": 3, "Type": 2, "Unit": 2, "There": 2, "Meaning": 6}
_HEAD = tuple(_WIDTHS)
#: Fields and characters of an example that a page has room for; no gateway's answer has a fifth of it.
_MOST_FIELDS, _LONGEST_EXAMPLE = 1000, 200_000
#: Objects that are the same, named in one heading.
_MOST_SHARING = 20
_CATALOGUE_ALONE = "What stands here is from the catalogue alone."


@dataclass(frozen=True)
class Page:
    """A page without its example, and the example, which is another one each time the gateway is asked."""

    name: str
    outcome: Outcome
    facts: tuple[str, ...]
    example: tuple[str, ...] = ()


def page(endpoint: Endpoint, sources: Sequence[Source], markup: Markup) -> Page:
    """Return an endpoint's page. The sources must be without anything that says whose they are."""
    contents = [
        (source, request, source.answers[request].content)
        for source in sources
        for request in endpoint.requests
        if request in source.answers and source.answers[request].outcome is Outcome.ANSWERED
    ]
    answered = _result(endpoint, sources)
    firmware = list(dict.fromkeys(source.firmware for source, _, _ in contents))
    facts = [
        markup.heading(1, endpoint.path),
        markup.text(endpoint.summary),
        _overview(endpoint, firmware, markup),
    ]
    if answered is not Outcome.ANSWERED:
        facts.append(f"{_WITHOUT_ANSWER[answered]} {_CATALOGUE_ALONE}")
    if endpoint.queries:
        rows = [
            (markup.literal(f"{endpoint.path}?{query}"), markup.text(meaning))
            for query, meaning in sorted(endpoint.queries.items())
        ]
        facts += [markup.heading(2, "Queries"), markup.table(("Request", "What it does"), rows, (2, 3))]
    tables = learned(content for _, _, content in contents)
    facts += _fields(endpoint, tables, markup)
    example = tuple(_example(endpoint, [content for _, _, content in contents], markup))
    return Page(endpoint.page, answered, tuple(facts), example)


def _result(endpoint: Endpoint, sources: Sequence[Source]) -> Outcome:
    outcomes = {
        source.answers[request].outcome
        for source in sources
        for request in endpoint.requests
        if request in source.answers
    }
    return next((each for each in _FIRST if each in outcomes), Outcome.UNASKED)


def _overview(endpoint: Endpoint, firmware: Sequence[str], markup: Markup) -> str:
    methods = "; ".join(
        f"{markup.literal(method)} ({_role(role)})" for method, role in endpoint.methods.items()
    )
    rows = [("Methods", methods), ("Answer", "XML" if endpoint.format == "xml" else "JSON")]
    if endpoint.firmware:
        rows.append(("Known of firmware", ", ".join(endpoint.firmware)))
    if firmware:
        rows.append(("Answers here", f"firmware {', '.join(markup.literal(each) for each in firmware)}"))
    return markup.table(("Endpoint", markup.literal(endpoint.path)), rows, (1, 4))


def _role(role: str) -> str:
    return {"none": "no login", "not known": "role not known"}.get(role, role)


def _fields(endpoint: Endpoint, tables: Mapping[str, Table], markup: Markup) -> Iterator[str]:
    """Yield a table for each object, the outer ones first; objects that are the same share one."""
    places = list(dict.fromkeys((*endpoint.fields, *tables)))
    shown = [place for place in places if endpoint.fields.get(place) or tables.get(place, Table()).fields]
    shared: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for place in sorted(shown, key=_depth):
        shared.setdefault(_table(endpoint.fields.get(place, {}), tables.get(place), markup), []).append(place)
    if shown:
        yield markup.heading(2, "Fields")
    elif tables:
        yield "The answer is an empty object."
    left = _MOST_FIELDS
    for (head, *rows), sharing in shared.items():
        yield markup.heading(3, _titles(sharing, markup))
        yield markup.table(head, rows[:left], [_WIDTHS[each] for each in head])
        if left < len(rows):
            yield f"More than {_MOST_FIELDS:,} fields were answered; the others are left out."
            return
        left -= len(rows)


def _depth(place: str) -> int:
    return 0 if place in ("", "[]") else 1 + place.count(".")


def _titles(places: Sequence[str], markup: Markup) -> str:
    titles = ", ".join(_title(place, markup) for place in places[:_MOST_SHARING])
    more = len(places) - _MOST_SHARING
    return f"{titles} and {more} more" if more > 0 else titles


def _title(place: str, markup: Markup) -> str:
    return {"": "The answer", "[]": "Each element of the answer"}.get(place) or markup.literal(place)


def _table(known: Mapping[str, Field], table: Table | None, markup: Markup) -> tuple[tuple[str, ...], ...]:
    """Return head and rows: the catalogue's fields in its order, then the others."""
    names = [*known, *sorted((table.fields if table else {}).keys() - known.keys())]
    rows = [_HEAD, *(_row(name, known.get(name, Field()), table, markup) for name in names)]
    # Without an answer, nobody knows which fields are there.
    there = _HEAD.index("There")
    return tuple(rows if table else [row[:there] + row[there + 1 :] for row in rows])


def _row(name: str, known: Field, table: Table | None, markup: Markup) -> tuple[str, ...]:
    seen = (table.fields if table else {}).get(name)
    values = sorted({*known.values, *(seen.values if seen else ())})
    meaning = [markup.text(known.meaning)] if known.meaning else []
    if values:
        meaning.append(", ".join(markup.literal(each) for each in values))
    kind = (
        seen.type if seen and seen.type not in ("list", "null") else known.type or (seen.type if seen else "")
    )
    return markup.literal(name), kind, known.unit, _there(seen, table), ": ".join(meaning)


def _there(seen: Seen | None, table: Table | None) -> str:
    if seen is None or table is None:
        return "not seen"
    return "always" if seen.count == table.count else "optional"


def _example(endpoint: Endpoint, contents: list[Any], markup: Markup) -> Iterator[str]:
    if not contents:
        return
    whole = richest(contents)
    example = shortened(whole)
    yield markup.heading(2, "Example")
    lines = written(example, endpoint.format)
    if len(lines) > _LONGEST_EXAMPLE:
        yield f"It is left out: it has more than {_LONGEST_EXAMPLE:,} characters."
        return
    cut = " Of elements of the same form, only the first is left." if example != whole else ""
    yield f"Anonymised: serial numbers, addresses, names and places are invented, times are moved.{cut}"
    yield markup.code(lines, endpoint.format)
