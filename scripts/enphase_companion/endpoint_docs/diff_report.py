"""Write the differences of two gateways: a table for a terminal, Markdown for an issue, or JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .diff import Difference
from .markup import FORMATS

#: Columns of output that is not a terminal: no row is wrapped.
_PLAIN_WIDTH = 1_000
_HEAD = ("Key", "Change", "Before", "After")
_NONE = "no differences"


@dataclass(frozen=True)
class Comparison:
    """Two sides, each named by its firmware or as catalogue, and their differences."""

    old: str
    new: str
    differences: Sequence[Difference]


def render_json(comparisons: Sequence[Comparison]) -> str:
    """Return all comparisons as JSON; `key` is null where an endpoint itself differs."""
    document = [
        {
            "old": comparison.old,
            "new": comparison.new,
            "differences": [
                {
                    "request": each.request,
                    "key": each.key,
                    "change": each.change.value,
                    "old": each.old,
                    "new": each.new,
                    "factor": each.factor,
                }
                for each in comparison.differences
            ],
        }
        for comparison in comparisons
    ]
    return json.dumps({"comparisons": document}, indent=2) + "\n"


def render_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return all comparisons as Markdown: a heading for each, and a table for each endpoint."""
    markup = FORMATS["markdown"]
    parts = []
    for comparison in comparisons:
        parts.append(
            markup.heading(2, f"{markup.literal(comparison.old)} to {markup.literal(comparison.new)}")
        )
        if not comparison.differences:
            parts.append(f"{_NONE.capitalize()}.")
        for request, differences in groupby(comparison.differences, key=lambda each: each.request):
            rows = [
                (
                    _name(each) if not each.key else markup.literal(each.key),
                    each.change.value,
                    markup.text(each.old),
                    markup.text(each.new),
                )
                for each in differences
            ]
            parts += [markup.heading(3, markup.literal(request)), markup.table(_HEAD, rows, (3, 1, 2, 2))]
    return "\n\n".join(parts) + "\n"


def show_table(comparisons: Sequence[Comparison]) -> None:
    """Print all comparisons in the width of the terminal, else without wrapped lines."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_render(comparisons))
        return
    plain = Console(file=io.StringIO(), width=_PLAIN_WIDTH, color_system=None, highlight=False)
    with plain.capture() as captured:
        plain.print(_render(comparisons))
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _render(comparisons: Sequence[Comparison]) -> RenderableType:
    parts: list[RenderableType] = []
    for comparison in comparisons:
        count = len(comparison.differences)
        summary = f"{count:,} difference{'s' * (count != 1)}" if count else _NONE
        title = f"{_escape(comparison.old)} to {_escape(comparison.new)}: {summary}"
        parts += [Text("")] if parts else []
        parts.append(Text(title, style="bold"))
        for request, differences in groupby(comparison.differences, key=lambda each: each.request):
            parts += [Text(""), Text(request, style="cyan"), _table(tuple(differences))]
    return Group(*parts)


def _table(differences: Sequence[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for each in differences:
        table.add_row(
            Text(_escape(each.key) if each.key else _name(each)),
            each.change.value,
            Text(each.old),
            Text(each.new),
        )
    return table


def _name(difference: Difference) -> str:
    return "(endpoint)" if difference.key is None else "(whole answer)"


def _escape(name: str) -> str:
    """Return an untrusted name as pages show it, without the backticks."""
    return FORMATS["markdown"].literal(name)[1:-1]
