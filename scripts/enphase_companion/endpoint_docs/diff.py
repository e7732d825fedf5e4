"""Compare two gateways, two catalogues, or one of each: which endpoints and keys differ, and in what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from .answers import Outcome, Recording
from .catalogue import Endpoint
from .diff_keys import (
    Key,
    align_names,
    ancestors,
    changed_magnitude,
    count_inside,
    described_keys,
    recorded_keys,
)
from .pages import overall_outcome

#: The name of a catalogue.
CATALOGUE = "catalogue"

#: One side: the anonymized answers of a gateway, or a catalogue.
Source = Recording | tuple[Endpoint, ...]


class Change(Enum):
    """What differs."""

    ADDED = "added"
    REMOVED = "removed"
    TYPE = "type"
    UNIT = "unit"
    EMPTINESS = "emptiness"
    ROLE = "role"
    OUTCOME = "outcome"


@dataclass(frozen=True)
class Difference:
    """A difference of an endpoint, if `key` is None, or of a key of its answer.

    `factor` is the power of 1000 by which the values are larger, if their unit seems to have changed.
    """

    request: str
    key: str | None
    change: Change
    old: str = ""
    new: str = ""
    factor: float | None = None


def describe(source: Source) -> str:
    """Return the firmware of a gateway, or the word catalogue."""
    return source.firmware if isinstance(source, Recording) else CATALOGUE


def compare(old: Source, new: Source, endpoints: Iterable[Endpoint]) -> Iterator[Difference]:
    """Yield the differences of these endpoints, sorted by path and key."""
    for endpoint in sorted(endpoints, key=lambda each: each.path):
        before, after = _outcome(old, endpoint), _outcome(new, endpoint)
        if Outcome.NOT_REQUESTED in (before, after):
            continue
        if before is not after:
            texts = _describe_outcome(old, before), _describe_outcome(new, after)
            yield _changed_outcome(endpoint.path, before, after, texts)
        elif before is Outcome.ANSWERED:
            yield from _compare_requests(endpoint, old, new)
            yield from _compare_keys(endpoint, old, new)


def _outcome(source: Source, endpoint: Endpoint) -> Outcome:
    """Return the outcome of an endpoint; those in a catalogue count as answered."""
    if isinstance(source, Recording):
        return overall_outcome(endpoint, [source])
    return Outcome.ANSWERED if _find(source, endpoint) else Outcome.MISSING


def _find(catalogue: tuple[Endpoint, ...], endpoint: Endpoint) -> Endpoint | None:
    return next((each for each in catalogue if each.path == endpoint.path), None)


def _changed_outcome(request: str, old: Outcome, new: Outcome, texts: Sequence[str] = ()) -> Difference:
    change = {
        (Outcome.MISSING, Outcome.ANSWERED): Change.ADDED,
        (Outcome.ANSWERED, Outcome.MISSING): Change.REMOVED,
        (Outcome.ANSWERED, Outcome.REFUSED): Change.ROLE,
        (Outcome.REFUSED, Outcome.ANSWERED): Change.ROLE,
    }.get((old, new), Change.OUTCOME)
    before, after = texts or (old.value, new.value)
    return Difference(request, None, change, before, after)


def _describe_outcome(source: Source, outcome: Outcome) -> str:
    if isinstance(source, Recording):
        return outcome.value
    return "described" if outcome is Outcome.ANSWERED else "not described"


def _compare_requests(endpoint: Endpoint, old: Source, new: Source) -> Iterator[Difference]:
    """Yield what differs beside the answer: queries of gateways, roles and format of catalogues."""
    if isinstance(old, Recording) and isinstance(new, Recording):
        for request in endpoint.requests:
            if request in old.answers and request in new.answers:
                outcomes = old.answers[request].outcome, new.answers[request].outcome
                if outcomes[0] is not outcomes[1] and Outcome.NOT_REQUESTED not in outcomes:
                    yield _changed_outcome(request, *outcomes)
    elif not isinstance(old, Recording) and not isinstance(new, Recording):
        known, changed = _find(old, endpoint), _find(new, endpoint)
        if known is None or changed is None:
            return
        for method in sorted({*known.methods, *changed.methods}):
            before, after = (each.methods.get(method, "not allowed") for each in (known, changed))
            if before != after:
                yield Difference(
                    endpoint.path, None, Change.ROLE, f"{method}: {before}", f"{method}: {after}"
                )
        if known.format != changed.format:
            yield Difference(endpoint.path, None, Change.OUTCOME, known.format, changed.format)


def _compare_keys(endpoint: Endpoint, old: Source, new: Source) -> Iterator[Difference]:
    requests = _common_requests(endpoint, old, new)
    before, after = (_keys(source, endpoint, requests) for source in (old, new))
    if not isinstance(old, Recording) and isinstance(new, Recording):
        before, after = align_names(before, after)
    elif isinstance(old, Recording) and not isinstance(new, Recording):
        after, before = align_names(after, before)
    inside_before, inside_after = count_inside(before), count_inside(after)
    explained: set[str] = set()
    for name in sorted({*before, *after}):
        if not explained.isdisjoint(ancestors(name)):
            continue
        if name not in before:
            text = _summarize(after[name], inside_after[name])
            difference: Difference | None = Difference(endpoint.path, name, Change.ADDED, new=text)
        elif name not in after:
            text = _summarize(before[name], inside_before[name])
            difference = Difference(endpoint.path, name, Change.REMOVED, old=text)
        else:
            difference = _compare_key(endpoint.path, name, before[name], after[name])
            # Of what is in an empty list, nothing is known.
            if not before[name].kinds or not after[name].kinds:
                explained.add(name)
        if difference is not None:
            explained.add(name)
            yield difference


def _common_requests(endpoint: Endpoint, old: Source, new: Source) -> set[str]:
    """Return the requests that both answered; all of them if there is none, or only one is a gateway."""
    answered = [
        {request for request, answer in source.answers.items() if answer.outcome is Outcome.ANSWERED}
        for source in (old, new)
        if isinstance(source, Recording)
    ]
    everything = {*endpoint.requests}
    return everything.intersection(*answered) or everything


def _keys(source: Source, endpoint: Endpoint, requests: set[str]) -> dict[str, Key]:
    if isinstance(source, Recording):
        return recorded_keys(source, endpoint, requests)
    return described_keys(_find(source, endpoint) or endpoint)


def _summarize(key: Key, inside: int) -> str:
    return f"{key.text} with {inside} key{'s' * (inside != 1)}" if inside else key.text


def _compare_key(request: str, name: str, old: Key, new: Key) -> Difference | None:
    """Return the first difference of a key that both sides have: its emptiness, type or unit."""
    if not old.kinds and not new.kinds:
        changed = old.empty_kinds.isdisjoint(new.empty_kinds)
        return Difference(request, name, Change.TYPE, old.text, new.text) if changed else None
    if not old.kinds or not new.kinds:
        both_recorded = old.is_recorded and new.is_recorded
        return Difference(request, name, Change.EMPTINESS, old.text, new.text) if both_recorded else None
    if not old.has_type_of(new):
        return Difference(request, name, Change.TYPE, old.text, new.text)
    if not old.is_recorded and not new.is_recorded:
        changed = old.unit != new.unit
        return Difference(request, name, Change.UNIT, old.unit or "", new.unit or "") if changed else None
    factor = changed_magnitude(old.numbers, new.numbers, old.unit)
    if factor is None:
        return None
    size = f"{factor:,.0f} times" if factor > 1 else f"1/{1 / factor:,.0f} of"
    return Difference(request, name, Change.UNIT, old.unit or "", f"values about {size} those before", factor)
