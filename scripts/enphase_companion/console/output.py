"""Write overviews, once or continuously: to a terminal, to a file or pipe, or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment, Segments
from rich.text import Text

from .document import build_document
from .follow import State
from .overview import Overview
from .page import render_line, render_page, render_text

_LOGGER = logging.getLogger(__name__)


def show(overview: Overview, *, as_json: bool) -> None:
    """Write everything once to stdout: JSON, a coloured page on a terminal, else plain text."""
    console = Console(highlight=False)
    if as_json:
        sys.stdout.write(json.dumps(build_document(overview), indent=2, ensure_ascii=False) + "\n")
    elif console.is_terminal:
        console.print(render_page(overview, bars=True))
    else:
        sys.stdout.write(render_text(overview))


@contextmanager
def open_output(*, as_json: bool) -> Iterator[Callable[[State], None]]:
    """Yield the function that shows a state: a live page on a terminal, else a line each."""
    console = Console(highlight=False)
    if as_json or not console.is_terminal:
        yield lambda state: _write_line(state, as_json=as_json)
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda state: live.update(
            _Cropped(render_page(state.overview, bars=True, problem=state.problem)), refresh=True
        )


@dataclass(frozen=True)
class _Cropped:
    """As much of a page as fits the lines of a terminal, and how much is left out."""

    whole: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.whole, options.update(height=None), pad=False)
        fit = options.max_height
        left_out = len(lines) - fit
        for line in lines if left_out <= 0 else lines[: fit - 1]:
            yield Segments([*line, Segment.line()])
        if left_out > 0:
            yield Text(f"{left_out + 1} more lines: a taller terminal shows them", style="reverse")


def _write_line(state: State, *, as_json: bool) -> None:
    if state.problem is not None:
        # Old values are not repeated: a missing answer is a gap.
        _LOGGER.warning("%s", state.problem)
        return
    text = (
        json.dumps(build_document(state.overview), ensure_ascii=False)
        if as_json
        else render_line(state.overview)
    )
    print(text, flush=True)
