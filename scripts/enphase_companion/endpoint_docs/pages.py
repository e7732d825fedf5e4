"""Build the pages: one for each endpoint, from the catalogue and the answers, and an index of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .answers import Outcome, Recording
from .catalogue import ANY_NAME, UNKNOWN, Endpoint, Field, Safety, find_field
from .example import select_richest, serialize, shorten
from .markup import Markup
from .schema import FieldSchema, ObjectSchema, infer_schema

#: Repository hosts show this page below the list of a folder's files.
INDEX_NAME = "README"

#: The outcome of an endpoint is the first of these that any of its requests had, to any gateway.
_PRECEDENCE = (Outcome.ANSWERED, Outcome.INVALID, Outcome.FAILED, Outcome.REFUSED, Outcome.MISSING)

_REASONS = {
    Outcome.MISSING: "This gateway has no such endpoint, or its answer was not recorded.",
    Outcome.REFUSED: "This gateway refuses the request with this token, or has no such endpoint.",
    Outcome.INVALID: "This gateway answered the request with HTML or something else that is not valid.",
    Outcome.FAILED: "This gateway did not answer the request.",
    Outcome.NOT_REQUESTED: "The generator never requests this endpoint.",
}
_SAFETIES = {
    Safety.READS: "yes",
    Safety.ACTS: "no",
    Safety.UNKNOWN: "not known; the generator never requests it",
}
_FORMATS = {"json": "JSON", "xml": "XML", "text": "text", "events": "Server-Sent Events"}
_CATALOGUE_ONLY = "This page is based on the catalogue only."
_WIDTHS = {"Field": 3, "Type": 2, "Unit": 2, "Present": 2, "Meaning": 6}
_HEAD = tuple(_WIDTHS)
#: Maximum fields of a page and characters of an example. Answers of real gateways have less than a fifth.
_MAX_FIELDS, _MAX_EXAMPLE_LENGTH = 1000, 200_000
#: Maximum paths in one heading, if several objects have equal fields.
_MAX_PATHS = 20


@dataclass(frozen=True)
class Page:
    """A page: the facts, and the example, whose values differ on every run."""

    name: str
    outcome: Outcome
    facts: tuple[str, ...]
    example: tuple[str, ...] = ()


def build_page(endpoint: Endpoint, recordings: Sequence[Recording], markup: Markup) -> Page:
    """Return an endpoint's page, of the catalogue alone without recordings. They must be anonymized."""
    answers = list(find_answers(endpoint, recordings))
    outcome = overall_outcome(endpoint, recordings)
    firmware = list(dict.fromkeys(firmware for firmware, _ in answers))
    facts = [
        markup.heading(1, endpoint.path),
        markup.text(endpoint.description),
        _overview(endpoint, firmware, markup),
    ]
    if recordings and outcome is not Outcome.ANSWERED:
        facts.append(f"{_REASONS[outcome]} {_CATALOGUE_ONLY}")
    if endpoint.queries:
        rows = [
            (markup.literal(f"{endpoint.path}?{query}"), markup.text(meaning))
            for query, meaning in sorted(endpoint.queries.items())
        ]
        facts += [markup.heading(2, "Queries"), markup.table(("Request", "Effect"), rows, (2, 3))]
    objects = infer_schema(content for _, content in answers)
    facts += _field_tables(endpoint, objects, markup)
    example = tuple(_example(endpoint, [content for _, content in answers], markup))
    return Page(endpoint.page, outcome, tuple(facts), example)


def find_answers(endpoint: Endpoint, recordings: Sequence[Recording]) -> Iterator[tuple[str, Any]]:
    """Yield the firmware and the content of each answer of an endpoint."""
    for recording in recordings:
        for request in endpoint.requests:
            answer = recording.answers.get(request)
            if answer is not None and answer.outcome is Outcome.ANSWERED:
                yield recording.firmware, answer.content


def build_index(
    endpoints: Sequence[Endpoint], pages: Sequence[Page], recordings: Sequence[Recording], markup: Markup
) -> Page:
    """Return the index of these endpoints' pages: all endpoints by chapter, with their outcomes or roles."""
    outcomes = {page.name: page.outcome for page in pages}
    firmware = ", ".join(dict.fromkeys(markup.literal(each.firmware) for each in recordings))
    introduction = (
        f"Fields of each endpoint with types and units, inferred from answers of firmware {firmware} and "
        "merged with a catalogue of known endpoints. The examples are anonymized."
        if recordings
        else "The catalogue of known endpoints: least role, safety, fields with types and units, and sources."
    )
    files = (
        "For programs: the JSON Schema of each endpoint is in the folder `schemas`, the OpenAPI description "
        "of the gateway in `openapi.json`."
    )
    facts = [markup.heading(1, "Endpoints of the IQ Gateway"), introduction, markup.text(files)]
    for chapter, members in groupby(endpoints, key=lambda each: each.chapter):
        rows = [
            (
                markup.link(endpoint.page, markup.literal(endpoint.path)),
                ", ".join(endpoint.methods),
                outcomes[endpoint.page].value if recordings else _roles(endpoint),
                markup.text(endpoint.description.partition(". ")[0].rstrip(".")),
            )
            for endpoint in members
        ]
        facts += [
            markup.heading(2, chapter),
            markup.table(
                ("Endpoint", "Methods", "This gateway" if recordings else "Role", "Summary"),
                rows,
                (4, 2, 2, 6),
            ),
        ]
    return Page(INDEX_NAME, Outcome.ANSWERED, tuple(facts))


def overall_outcome(endpoint: Endpoint, recordings: Sequence[Recording]) -> Outcome:
    """Return the most telling outcome of an endpoint's requests to these gateways."""
    outcomes = {
        recording.answers[request].outcome
        for recording in recordings
        for request in endpoint.requests
        if request in recording.answers
    }
    return next((each for each in _PRECEDENCE if each in outcomes), Outcome.NOT_REQUESTED)


def _overview(endpoint: Endpoint, firmware: Sequence[str], markup: Markup) -> str:
    methods = "; ".join(
        f"{markup.literal(method)} ({_role(role)})" for method, role in endpoint.methods.items()
    )
    rows = [
        ("Methods", methods),
        ("Safe to read", _SAFETIES[endpoint.safety]),
        ("Format", _FORMATS[endpoint.format]),
    ]
    if endpoint.aliases:
        rows.insert(0, ("Also as", ", ".join(markup.literal(each) for each in endpoint.aliases)))
    if endpoint.since or endpoint.until:
        rows.append(("Available", " ".join(_availability(endpoint))))
    if endpoint.firmware:
        rows.append(("Known firmware", ", ".join(endpoint.firmware)))
    if endpoint.seconds:
        rows.append(("Duration", _duration(*endpoint.seconds)))
    rows.append(("Source", markup.text("; ".join(endpoint.source))))
    if firmware:
        rows.append(("Example from", f"firmware {', '.join(markup.literal(each) for each in firmware)}"))
    return markup.table(("Endpoint", markup.literal(endpoint.path)), rows, (1, 4))


def _roles(endpoint: Endpoint) -> str:
    return ", ".join(dict.fromkeys(map(_role, endpoint.methods.values())))


def _role(role: str) -> str:
    return {"none": "no login", UNKNOWN: "role not known"}.get(role, role)


def _availability(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.since:
        yield f"since firmware {endpoint.since}"
    if endpoint.until:
        yield f"up to firmware {endpoint.until}"


def _duration(shortest: float, longest: float) -> str:
    return f"{shortest:g} to {longest:g} s" if shortest < longest else f"{longest:g} s"


def _field_tables(endpoint: Endpoint, objects: Mapping[str, ObjectSchema], markup: Markup) -> Iterator[str]:
    """Yield a table for each object, outer ones first; objects with equal fields share one."""
    paths = list(dict.fromkeys((*endpoint.fields, *objects)))
    shown = [path for path in paths if endpoint.fields.get(path) or objects.get(path, ObjectSchema()).fields]
    paths_by_table: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for path in sorted(shown, key=_depth):
        table = _table(endpoint.fields.get(path, {}), objects.get(path), markup)
        paths_by_table.setdefault(table, []).append(path)
    if shown:
        yield markup.heading(2, "Fields")
    elif objects:
        yield "The answer is an empty object."
    left = _MAX_FIELDS
    for (head, *rows), sharing in paths_by_table.items():
        yield markup.heading(3, _titles(sharing, markup))
        yield markup.table(head, rows[:left], [_WIDTHS[each] for each in head])
        if left < len(rows):
            yield f"The answers have more than {_MAX_FIELDS:,} fields; the others are omitted."
            return
        left -= len(rows)


def _depth(path: str) -> int:
    return 0 if path in ("", "[]") else 1 + path.count(".")


def _titles(paths: Sequence[str], markup: Markup) -> str:
    titles = ", ".join(_title(path, markup) for path in paths[:_MAX_PATHS])
    more = len(paths) - _MAX_PATHS
    return f"{titles} and {more} more" if more > 0 else titles


def _title(path: str, markup: Markup) -> str:
    return {"": "The answer", "[]": "Each element of the answer"}.get(path) or markup.literal(path)


def _table(
    known: Mapping[str, Field], inferred: ObjectSchema | None, markup: Markup
) -> tuple[tuple[str, ...], ...]:
    """Return head and rows: the catalogue's fields in their order, then the others."""
    names = [*known, *sorted((inferred.fields if inferred else {}).keys() - known.keys())]
    rows = [_HEAD, *(_row(name, find_field(known, name), inferred, markup) for name in names)]
    # Without an answer, nothing is known about which fields are present.
    present = _HEAD.index("Present")
    return tuple(rows if inferred else [row[:present] + row[present + 1 :] for row in rows])


def _row(name: str, known: Field, inferred: ObjectSchema | None, markup: Markup) -> tuple[str, ...]:
    field = (inferred.fields if inferred else {}).get(name)
    values = sorted({*known.values, *(field.values if field else ())})
    meaning = [markup.text(known.meaning)] if known.meaning else []
    if values:
        meaning.append(", ".join(markup.literal(each) for each in values))
    type_ = (
        field.type
        if field and field.type not in ("list", "null")
        else known.type or (field.type if field else "")
    )
    shown = "any other name" if name == ANY_NAME else markup.literal(name)
    return shown, type_, known.unit, _presence(field, inferred), ": ".join(meaning)


def _presence(field: FieldSchema | None, inferred: ObjectSchema | None) -> str:
    if field is None or inferred is None:
        return "not seen"
    return "always" if field.count == inferred.count else "optional"


def _example(endpoint: Endpoint, contents: list[Any], markup: Markup) -> Iterator[str]:
    if not contents:
        return
    whole = select_richest(contents)
    example = shorten(whole)
    yield markup.heading(2, "Example")
    lines = serialize(example, endpoint.format)
    if len(lines) > _MAX_EXAMPLE_LENGTH:
        yield f"The example is omitted: it has more than {_MAX_EXAMPLE_LENGTH:,} characters."
        return
    shortened = " Of list elements with equal fields, only the first is shown." if example != whole else ""
    yield (
        "Anonymized: serial numbers, addresses, names and places are placeholders, timestamps are "
        f"shifted.{shortened}"
    )
    yield markup.code(lines, endpoint.format)
