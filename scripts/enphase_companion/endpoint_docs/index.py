"""The first page: all endpoints by chapter, what each is, and what came of asking for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .answers import Outcome, Source
from .catalogue import Endpoint
from .markup import Markup
from .page import Page

#: Shown by hosts of repositories below the list of a folder's files.
NAME = "README"


def index(
    endpoints: Sequence[Endpoint], pages: Sequence[Page], sources: Sequence[Source], markup: Markup
) -> Page:
    """Return the index of these endpoints' pages."""
    outcomes = {page.name: page.outcome for page in pages}
    firmware = ", ".join(dict.fromkeys(markup.literal(source.firmware) for source in sources))
    introduction = (
        f"What a gateway answers, learned from answers of firmware {firmware} and merged with a catalogue of "
        "what is known: field by field, with units. The examples are anonymised."
    )
    facts = [markup.heading(1, "Endpoints of the IQ Gateway"), introduction]
    for chapter, members in groupby(endpoints, key=lambda each: each.chapter):
        rows = [_row(endpoint, outcomes[endpoint.page], markup) for endpoint in members]
        facts += [
            markup.heading(2, chapter),
            markup.table(("Endpoint", "Methods", "Here", "What it is"), rows, (4, 2, 2, 6)),
        ]
    return Page(NAME, Outcome.ANSWERED, tuple(facts))


def _row(endpoint: Endpoint, outcome: Outcome, markup: Markup) -> tuple[str, ...]:
    return (
        markup.link(endpoint.page, markup.literal(endpoint.path)),
        ", ".join(endpoint.methods),
        outcome.value,
        markup.text(endpoint.summary.partition(". ")[0].rstrip(".")),
    )
