"""Write the differences of two gateways: a table for a terminal, Markdown for an issue, or JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from enphase_api.json_values import printable

from .diff import CATALOGUE, Difference
from .markup import FORMATS

#: Columns of output that is not a terminal: no row is wrapped.
_PLAIN_WIDTH = 1_000
#: Maximum differences of a table or of Markdown. Two gateways of the same kind have less than a tenth.
_MAX_SHOWN = 1_000
_MAX_NAME_LENGTH = 256
_FIRST = "Endpoint and key"
#: Columns of a terminal that suffice for the others.
_REST_WIDTH = 33
_MIN_WIDTH = 10
_HEAD = ("Change", "Before", "After")
_WIDTHS = (3, 1, 2, 2)
_WHOLE = "(whole answer)"
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
        sides = (_side(markup.literal(each), each) for each in (comparison.old, comparison.new))
        parts.append(markup.heading(2, f"From {' to '.join(sides)}"))
        if not comparison.differences:
            parts.append(f"{_NONE.capitalize()}.")
        shown = comparison.differences[:_MAX_SHOWN]
        endpoints = [(markup.literal(each.request), *_cells(each)) for each in shown if each.key is None]
        if endpoints:
            parts.append(markup.table(("Endpoint", *_HEAD), endpoints, _WIDTHS))
        keys = (each for each in shown if each.key is not None)
        for request, differences in groupby(keys, key=lambda each: each.request):
            rows = [
                (markup.literal(each.key) if each.key else _WHOLE, *map(markup.text, _cells(each)))
                for each in differences
            ]
            parts.append(markup.heading(3, markup.literal(request)))
            parts.append(markup.table(("Key", *_HEAD), rows, _WIDTHS))
        parts += _note_omitted(comparison)
    return "\n\n".join(parts) + "\n"


def show_table(comparisons: Sequence[Comparison]) -> None:
    """Print all comparisons in the width of the terminal, else without wrapped lines."""
    console = Console(highlight=False)
    plain = Console(file=io.StringIO(), width=_PLAIN_WIDTH, color_system=None, highlight=False)
    for number, comparison in enumerate(comparisons):
        if number:
            print()
        parts = Group(*_render(comparison, (console if console.is_terminal else plain).width))
        if console.is_terminal:
            console.print(parts)
            continue
        with plain.capture() as captured:
            plain.print(parts)
        print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _render(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    count = len(comparison.differences)
    summary = f"{count:,} difference{'s' * (count != 1)}" if count else _NONE
    sides = (_side(printable(each), each) for each in (comparison.old, comparison.new))
    yield Text(f"From {' to '.join(sides)}: {summary}", style="bold")
    if not count:
        return
    rows: list[tuple[Text, ...]] = []
    request = None
    for each in comparison.differences[:_MAX_SHOWN]:
        if each.key is None or each.request != request:
            rows.append((Text(each.request, style="cyan"),))
            request = each.request
        if each.key is not None:
            rows.append((Text(f"  {printable(each.key, _MAX_NAME_LENGTH) if each.key else _WHOLE}"),))
        change, old, new = _cells(each)
        rows[-1] += Text(change), Text(f"{old} → {new}" if old and new else old or new)
    longest = max(len(_FIRST), *(len(first) for first, *_ in rows))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    # A narrow terminal wraps the words of the last column first.
    first_width = max(min(longest, width - _REST_WIDTH), _MIN_WIDTH)
    table.add_column(_FIRST, overflow="fold", width=first_width)
    table.add_column("Change")
    table.add_column("Before → after", overflow="fold", max_width=max(width - first_width - 15, _MIN_WIDTH))
    for row in rows:
        table.add_row(*row)
    yield table
    yield from map(Text, _note_omitted(comparison))


def _note_omitted(comparison: Comparison) -> list[str]:
    omitted = len(comparison.differences) - _MAX_SHOWN
    return [f"{omitted:,} more differences are omitted: --format json has all."] if omitted > 0 else []


def _cells(difference: Difference) -> tuple[str, str, str]:
    return difference.change.value, difference.old, difference.new


def _side(shown: str, name: str) -> str:
    return name if name == CATALOGUE else f"firmware {shown}"
